"""The parts of a timeline: times, segments, breaks, marks and rows. What the template draws."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django.utils.translation import gettext as _

from django_wfe.rendering.timeline.axis import AXIS_LENGTH, BREAK_LENGTH
from django_wfe.values.moments import say_moment
from django_wfe.wording.durations import describe_duration, describe_work
from django_wfe.wording.states import LOST, Look

SegmentKind = Literal["input", "queue", "work"]


@dataclass(frozen=True, slots=True)
class Moment:
    """A time for people: ``words`` tell it relatively, ``absolute`` in full, ``iso`` for machines."""

    when: datetime
    words: str

    @property
    def iso(self) -> str:
        """For ``<time datetime>``."""
        return self.when.isoformat()

    @property
    def absolute(self) -> str:
        """The local time in full."""
        return say_moment(self.when)


@dataclass(frozen=True, slots=True)
class Placed:
    """Something on the axis: ``x`` and ``width`` are per mille of it."""

    x: float
    width: float

    @property
    def x_percent(self) -> str:
        """``x`` for an SVG attribute."""
        return _format_percent(self.x)

    @property
    def width_percent(self) -> str:
        """``width`` for an SVG attribute."""
        return _format_percent(self.width)

    @property
    def middle_percent(self) -> str:
        """The middle for an SVG attribute."""
        return _format_percent(self.x + self.width / 2)


@dataclass(frozen=True, slots=True)
class Segment(Placed):
    """A piece of a bar, and how long it lasted."""

    kind: SegmentKind
    seconds: float


@dataclass(frozen=True, slots=True)
class Break(Placed):
    """A stretch without work that is folded, and how long it was."""

    seconds: float

    @property
    def words(self) -> str:
        """How long it was, in words."""
        return describe_duration(self.seconds)

    @property
    def is_at_end(self) -> bool:
        """Whether a label in its middle would go beyond the axis."""
        return self.x + self.width / 2 > AXIS_LENGTH - BREAK_LENGTH


@dataclass(frozen=True, slots=True)
class Mark(Placed):
    """A labelled place on the axis, without a width."""

    label: str
    moment: Moment


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """One attempt at one node."""

    id: int
    number: int
    attempt: int
    step: str
    label: str
    look: Look
    created: Moment
    due: Moment | None
    started: Moment | None
    finished: Moment | None
    waiting_seconds: float
    working_seconds: float
    worker: str
    superseded: bool
    segments: tuple[Segment, ...]

    @property
    def waiting(self) -> str:
        """The waiting time in words."""
        return describe_duration(self.waiting_seconds)

    @property
    def work(self) -> str:
        """How long it worked, in words; "" if it never started."""
        return describe_work(self.working_seconds, is_lost=self.look is LOST) if self.started else ""

    @property
    def details(self) -> str:
        """All that the bar shows, in words."""
        parts = [f"{self.label}: {self.look.words}"]
        if self.attempt > 1:
            parts.append(_("attempt %(attempt)s") % {"attempt": self.attempt})
        if self.started:
            parts.append(_("started %(time)s") % {"time": self.started.absolute})
        else:
            parts.append(_("ready since %(time)s") % {"time": self.created.absolute})
        if self.finished:
            parts.append(_("ended %(time)s") % {"time": self.finished.absolute})
        if self.due:
            parts.append(_("due %(distance)s") % {"distance": self.due.words})
        parts.append(_("waited %(duration)s") % {"duration": self.waiting})
        if self.started:
            parts.append(self.work)
        if self.worker:
            parts.append(_("worker %(worker)s") % {"worker": self.worker})
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Rows in the order of the step runs. ``now`` is None unless something is still to come; ``zone`` is the axis's."""

    rows: tuple[TimelineRow, ...] = ()
    ticks: tuple[Mark, ...] = ()
    breaks: tuple[Break, ...] = ()
    now: Mark | None = None
    began: Moment | None = None
    elapsed_seconds: float = 0.0
    waiting_seconds: float = 0.0
    working_seconds: float = 0.0
    zone: str = ""

    @property
    def waits(self) -> list[SegmentKind]:
        """The kinds of waiting that its bars show, for the key."""
        shown = {segment.kind for row in self.rows for segment in row.segments}
        kinds: list[SegmentKind] = [kind for kind in ("input", "queue") if kind in shown]
        return kinds or ["queue"]

    @property
    def is_live(self) -> bool:
        """Whether a step run is ready, runs or waits."""
        return self.now is not None

    @property
    def elapsed(self) -> str:
        """From the first step run to the last end, or to now, in words."""
        return describe_duration(self.elapsed_seconds)

    @property
    def waiting(self) -> str:
        """The sum of the rows' waiting time, in words."""
        return describe_duration(self.waiting_seconds)

    @property
    def working(self) -> str:
        """The sum of the rows' working time, in words."""
        return describe_duration(self.working_seconds)


def _format_percent(per_mille: float) -> str:
    return f"{round(per_mille / 10, 2):g}%"
