"""A time axis in per mille, on which idle stretches are folded to a short break, and its ticks in local time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format, number_format

from django_wfe.rendering.text import measure_text
from django_wfe.wording.durations import SECONDS_A_DAY, SECONDS_A_MINUTE

AXIS_LENGTH = 1000.0
BREAK_LENGTH = 110.0
"""Per mille of the axis that a folded stretch takes (less where there are many)."""

FOLDED_SECONDS = 60.0
FOLDED_SHARE = 0.2
"""A stretch without work is folded when it is longer than both: seconds, and this share of what is shown."""

Span = tuple[float, float]

_SMALLEST_SHOWN = 0.001
_STEPS = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    *(1.0, 2.0, 5.0, 10.0, 15.0, 30.0),
    *(60.0, 120.0, 300.0, 600.0, 900.0, 1800.0),
    *(3600.0, 7200.0, 10_800.0, 21_600.0, 43_200.0),
    *(86_400.0, 172_800.0, 604_800.0, 1_209_600.0, 2_592_000.0, 7_776_000.0, 31_536_000.0),
)
_TICKS_WANTED = 7
_LABEL_FONT_SIZE = 11.0
# The chart's smallest width in pixels (timeline.css): where it is wider, labels only stand further apart.
_CHART_WIDTH = 340.0
_LABEL_GAP = 25.0
_OFFSET_LABEL = 160.0  # per mille of the axis, for "2 min 30 s" and its gap
# A Monday at midnight, in local time.
_LEVEL_EPOCH = datetime(1970, 1, 5)


@dataclass(frozen=True, slots=True)
class Axis:
    """Maps times to per mille. ``start`` and ``end`` are in seconds since the epoch; ``folds`` are what is folded."""

    start: float
    end: float
    folds: tuple[Span, ...]

    @property
    def fold_length(self) -> float:
        """Per mille that each fold takes: all of them together never more than half the axis."""
        return min(BREAK_LENGTH, AXIS_LENGTH / 2 / len(self.folds)) if self.folds else 0.0

    @property
    def shown_seconds(self) -> float:
        """The seconds that are drawn to scale."""
        return self.end - self.start - sum(end - start for start, end in self.folds)

    def place(self, when: float) -> float:
        """Return the place of a time, 0 to 1000; times outside the axis go to its ends."""
        when = min(max(when, self.start), self.end)
        scale = self._get_scale()
        position, reached = 0.0, self.start
        for fold_start, fold_end in self.folds:
            if when <= fold_start:
                break
            position += (fold_start - reached) * scale
            inside = min(when, fold_end) - fold_start
            position += inside / (fold_end - fold_start) * self.fold_length
            reached = min(when, fold_end)
            if when <= fold_end:
                return position
        return min(position + (when - reached) * scale, AXIS_LENGTH)

    def list_stretches(self) -> list[Span]:
        """Return the stretches of time between the folds."""
        edges = [self.start, *(edge for fold in self.folds for edge in fold), self.end]
        return [(edges[index], edges[index + 1]) for index in range(0, len(edges), 2)]

    def _get_scale(self) -> float:
        seconds = self.shown_seconds
        return (AXIS_LENGTH - self.fold_length * len(self.folds)) / seconds if seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on the axis at ``x`` per mille."""

    x: float
    when: datetime
    label: str


def build_axis(start: float, end: float, busy: Sequence[Span], *, folds_idle: bool = True) -> Axis:
    """Make an axis from ``start`` to ``end`` (seconds since the epoch).

    It folds what is long and not ``busy``; where not ``folds_idle``, all of it is to scale.
    """
    if not folds_idle:
        return Axis(start, end, ())
    gaps = _find_gaps(start, end, busy)
    folds: list[Span] = []
    shown = end - start
    # Longest first: each fold makes what is left look longer.
    for gap in sorted(gaps, key=lambda gap: gap[0] - gap[1]):
        seconds = gap[1] - gap[0]
        if seconds <= FOLDED_SECONDS or seconds <= FOLDED_SHARE * shown or shown - seconds < _SMALLEST_SHOWN:
            break
        folds.append(gap)
        shown -= seconds
    return Axis(start, end, tuple(sorted(folds)))


def build_ticks(axis: Axis, *, limit: float = AXIS_LENGTH) -> tuple[Tick, ...]:
    """Return the axis ticks at round local times, with room for their labels; none whose label passes ``limit``."""
    seconds = axis.shown_seconds
    step = next((step for step in _STEPS if seconds / step <= _TICKS_WANTED), _STEPS[-1])
    ticks: list[Tick] = []
    taken_until = -_LABEL_GAP
    for start, end in axis.list_stretches():
        for when in _list_round_times(start, end, step):
            tick = _build_tick(axis, when, step, previous=ticks[-1].when if ticks else None)
            half = measure_text(tick.label, _LABEL_FONT_SIZE) / _CHART_WIDTH * AXIS_LENGTH / 2
            if tick.x - half >= taken_until and tick.x + half <= limit:
                ticks.append(tick)
                taken_until = tick.x + half + _LABEL_GAP
    return tuple(ticks)


def list_round_offsets(axis: Axis) -> list[float]:
    """Return round durations on an axis that begins at 0, as far apart as their labels need: for its ticks."""
    step = next((step for step in _STEPS if axis.shown_seconds / step <= _TICKS_WANTED), _STEPS[-1])
    offsets: list[float] = []
    for start, end in axis.list_stretches():
        count = -(-start // step)
        while count * step <= end:
            offset = count * step
            x = axis.place(offset)
            has_room = _OFFSET_LABEL / 2 <= x <= AXIS_LENGTH - _OFFSET_LABEL / 2
            if has_room and (not offsets or x - axis.place(offsets[-1]) >= _OFFSET_LABEL):
                offsets.append(offset)
            count += 1
    return offsets


def _find_gaps(start: float, end: float, busy: Sequence[Span]) -> list[Span]:
    gaps, reached = [], start
    for busy_start, busy_end in sorted(busy):
        if busy_start > reached:
            gaps.append((reached, busy_start))
        reached = max(reached, busy_end)
    if end > reached:
        gaps.append((reached, end))
    return gaps


def _list_round_times(start: float, end: float, step: float) -> list[float]:
    # Counted in local time, so that a step of six hours falls on midnight, whatever the offset and its changes.
    zone = timezone.get_current_timezone()
    level = datetime.fromtimestamp(start, zone).replace(tzinfo=None)
    count = -(-(level - _LEVEL_EPOCH).total_seconds() // step)
    times: list[float] = []
    while True:
        local = (_LEVEL_EPOCH + timedelta(seconds=count * step)).replace(tzinfo=zone)
        when = local.timestamp()
        if when > end:
            return times
        if when >= start:
            times.append(when)
        count += 1


def _build_tick(axis: Axis, when: float, step: float, *, previous: datetime | None) -> Tick:
    local = datetime.fromtimestamp(when, UTC).astimezone(timezone.get_current_timezone())
    is_new_day = previous is not None and previous.date() != local.date()
    if step >= SECONDS_A_DAY or (is_new_day and not (local.hour or local.minute or local.second)):
        label = date_format(local, "j M")
    elif step >= SECONDS_A_MINUTE:
        label = date_format(local, "H:i")
    elif step >= 1:
        label = date_format(local, "H:i:s")
    else:
        digits = 1 if step >= 0.1 else 2 if step >= 0.01 else 3
        # With its minute: the seconds alone would jump from 59.5 to 0.
        seconds = number_format(local.second + local.microsecond / 1e6, digits).rjust(digits + 3, "0")
        label = f"{date_format(local, 'H:i')}:{seconds}"
    if is_new_day and step < SECONDS_A_DAY and (local.hour or local.minute or local.second):
        label = f"{date_format(local, 'j M')} {label}"
    return Tick(axis.place(when), local, label)
