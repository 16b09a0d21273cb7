"""Two Jobs on one time axis, each from its own beginning: the same length is the same time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django_wfe.definition.graph import Graph
from django_wfe.models import StepRun
from django_wfe.rendering.timeline.axis import Axis, build_axis, list_round_offsets
from django_wfe.rendering.timeline.parts import Break, Mark, Moment, TimelineRow
from django_wfe.rendering.timeline.rows import Bar, build_break, build_row, measure_run
from django_wfe.values.moments import add_seconds, read_seconds
from django_wfe.wording.durations import describe_duration


@dataclass(frozen=True, slots=True)
class Course:
    """What one Job brings along: its step runs, when it began, and the graph that names its nodes."""

    runs: Sequence[StepRun]
    began: datetime
    graph: Graph


@dataclass(frozen=True, slots=True)
class PairTimeline:
    """The bars by the step run's id, and what the axis shows: durations after each Job's beginning."""

    bars: Mapping[int, TimelineRow]
    ticks: tuple[Mark, ...]
    breaks: tuple[Break, ...]
    now: None = None


def build_pair_timeline(first: Course, second: Course, *, now: datetime) -> PairTimeline:
    """Put two Jobs on one axis that begins at 0. What is idle in both is folded."""
    measured = [(course, measure_course(course, now)) for course in (first, second)]
    everything = [bar for _course, bars in measured for bar in bars]
    start = min((bar.created for bar in everything), default=0.0)
    end = max((bar.ended for bar in everything), default=0.0)
    axis = build_axis(start, end, [bar.worked for bar in everything if bar.worked])
    rows = {
        bar.run.pk: build_row(bar, axis, course.began, now, course.graph) for course, bars in measured for bar in bars
    }
    return PairTimeline(
        rows,
        tuple(_build_tick(axis, offset, first.began) for offset in list_round_offsets(axis)),
        tuple(build_break(fold, axis) for fold in axis.folds),
    )


def measure_course(course: Course, now: datetime) -> list[Bar]:
    """Return when each step run waited and worked, in seconds after the Job's beginning."""
    origin = read_seconds(course.began)
    return [measure_run(run, now, course.graph, origin=origin) for run in course.runs]


def _build_tick(axis: Axis, offset: float, began: datetime) -> Mark:
    words = f"+{describe_duration(offset)}"
    return Mark(axis.place(offset), 0, words, Moment(add_seconds(began, offset), words))
