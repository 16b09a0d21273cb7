"""A Job's timeline, built from its step runs: a row each, with bars on one time axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _

from django_wfe.definition.graph import Graph
from django_wfe.engine.rules.node_names import guess_node_name, name_node
from django_wfe.models import StepRun, Worker
from django_wfe.rendering.timeline.axis import AXIS_LENGTH, Axis, Span, Tick, build_axis, build_ticks
from django_wfe.rendering.timeline.parts import Break, Mark, Moment, Segment, SegmentKind, Timeline, TimelineRow
from django_wfe.states import LIVE_STEP_RUN_STATES, StepRunState
from django_wfe.values.moments import count_seconds, read_seconds
from django_wfe.wording.durations import describe_distance, describe_duration
from django_wfe.wording.states import LOST, get_step_run_look

SMALLEST_BAR = 4.0
"""Per mille: what is shorter is drawn as wide as this, so that it can be seen."""

NOW_LABEL_LENGTH = 90.0
"""Per mille that the label of "now" takes."""


@dataclass(frozen=True, slots=True)
class Bar:
    """When a step run waited and worked, in seconds."""

    run: StepRun
    created: float
    began: float
    ended: float
    waits_for_input: bool

    @property
    def worked(self) -> Span | None:
        """From when to when it worked, None if it never began."""
        return (self.began, self.ended) if self.run.started_at else None


def build_timeline(
    step_runs: Sequence[StepRun],
    *,
    now: datetime,
    graph: Graph | None = None,
    job_state: str = "",
    origin: datetime | None = None,
    folds_idle: bool = True,
) -> Timeline:
    """Make the timeline of step runs (of one Job, in the order in which the rows shall stand).

    Waiting goes from ``created_at`` to ``started_at``, working from ``started_at`` to ``finished_at``; to ``now``
    where that is still to come. Times that contradict each other (clocks of two machines) count as no time.

    Args:
        step_runs: With ``select_related("worker")``; payload columns may be deferred, they are not looked at.
        now: The time of the database.
        graph: Of the Job's definition, for the nodes' labels.
        job_state: Of the Job, so that what it holds is shown as paused.
        origin: What "began after" counts from; where None, the first of the step runs.
        folds_idle: Whether long stretches without work are folded. Default True.
    """
    if not step_runs:
        return Timeline()
    bars = [measure_run(run, now, graph) for run in step_runs]
    is_live = any(run.state in LIVE_STEP_RUN_STATES for run in step_runs)
    start = min(bar.created for bar in bars)
    end = max(bar.ended for bar in bars)
    if is_live:
        end = max(end, read_seconds(now))
    axis = build_axis(start, end, [bar.worked for bar in bars if bar.worked], folds_idle=folds_idle)
    first = min((run.created_at for run in step_runs), key=read_seconds)
    now_mark = Mark(axis.place(read_seconds(now)), 0, _("now"), Moment(now, _("now"))) if is_live else None
    # The label of "now" stands to the left of its line.
    ticks = build_ticks(axis, limit=now_mark.x - NOW_LABEL_LENGTH if now_mark else AXIS_LENGTH)
    rows = tuple(build_row(bar, axis, origin or first, now, graph, job_state) for bar in bars)
    return Timeline(
        rows=rows,
        ticks=tuple(_build_tick_mark(tick, now) for tick in ticks),
        breaks=tuple(build_break(fold, axis) for fold in axis.folds),
        now=now_mark,
        began=Moment(first, describe_distance(first, now)),
        elapsed_seconds=end - start,
        waiting_seconds=sum(row.waiting_seconds for row in rows),
        # Of a lost run nobody knows how long it worked.
        working_seconds=sum(row.working_seconds for row in rows if row.look is not LOST),
        zone=timezone.get_current_timezone_name(),
    )


def measure_run(run: StepRun, now: datetime, graph: Graph | None, *, origin: float = 0.0) -> Bar:
    """Return when a step run waited and worked, in seconds after ``origin`` (default: the epoch)."""
    created = read_seconds(run.created_at)
    is_live = run.state in LIVE_STEP_RUN_STATES
    open_end = max(read_seconds(now), created) if is_live else created
    finished = read_seconds(run.finished_at) if run.finished_at else None
    if run.started_at:
        began = max(read_seconds(run.started_at), created)
        ended = max(finished if finished is not None else open_end, began)
    else:
        # It ended without ever running (canceled, skipped), or still waits.
        ended = max(finished if finished is not None else open_end, created)
        began = ended
    node = graph.get_node(run.step) if graph else None
    asks_first = bool(node and node.asks_input and run.attempt == 1)
    created, began, ended = created - origin, began - origin, ended - origin
    return Bar(run, created, began, ended, run.state == StepRunState.INPUT_REQUIRED or asks_first)


def build_row(
    bar: Bar,
    axis: Axis,
    first: datetime,
    now: datetime,
    graph: Graph | None,
    job_state: str = "",
) -> TimelineRow:
    """Return the row of a step run with its bar on the axis; "began after" counts from ``first``."""
    run = bar.run
    label = name_node(graph, run.step) if graph else guess_node_name(run.step)
    look = get_step_run_look(run.state, attempt=run.attempt, job_state=job_state)
    return TimelineRow(
        id=run.pk,
        number=run.number,
        attempt=run.attempt,
        step=run.step,
        label=label,
        look=look,
        created=_build_offset(run.created_at, first),
        due=Moment(run.due_at, describe_distance(run.due_at, now)) if _is_due_later(run, now) else None,
        started=_build_offset(run.started_at, first) if run.started_at else None,
        finished=_build_offset(run.finished_at, first) if run.finished_at else None,
        waiting_seconds=bar.began - bar.created,
        working_seconds=bar.ended - bar.began,
        worker=_describe_worker(run),
        superseded=run.superseded,
        segments=_build_segments(bar, axis),
    )


def _build_segments(bar: Bar, axis: Axis) -> tuple[Segment, ...]:
    segments = []
    if bar.began > bar.created:
        kind: SegmentKind = "input" if bar.waits_for_input else "queue"
        segments.append(_build_segment(kind, bar.created, bar.began, axis))
    if bar.worked or not segments:
        segments.append(_build_segment("work" if bar.worked else "queue", bar.began, bar.ended, axis))
    return tuple(segments)


def _build_segment(kind: SegmentKind, start: float, end: float, axis: Axis) -> Segment:
    x, right = axis.place(start), axis.place(end)
    width = max(right - x, SMALLEST_BAR if kind == "work" else 0.0)
    return Segment(min(x, AXIS_LENGTH - width), width, kind, end - start)


def _build_offset(when: datetime, first: datetime) -> Moment:
    return Moment(when, "+" + describe_duration(count_seconds(first, when)))


def build_break(fold: Span, axis: Axis) -> Break:
    """Return a folded stretch at its place on the axis."""
    x = axis.place(fold[0])
    return Break(x, axis.place(fold[1]) - x, fold[1] - fold[0])


def _build_tick_mark(tick: Tick, now: datetime) -> Mark:
    return Mark(tick.x, 0, tick.label, Moment(tick.when, describe_distance(tick.when, now)))


def _is_due_later(run: StepRun, now: datetime) -> bool:
    return run.state == StepRunState.READY and count_seconds(now, run.due_at) > 0


def _describe_worker(run: StepRun) -> str:
    if run.worker_id is None:
        return ""
    # A worker's row may have been swept away: no constraint holds it.
    try:
        worker = run.worker
    except Worker.DoesNotExist:
        worker = None
    return str(worker) if worker else str(run.worker_id)[:8]
