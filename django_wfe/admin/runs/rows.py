"""Step runs as rows: the facts, the data, what changed and who answered, for those who may see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from django_wfe import states
from django_wfe.admin.elements.payloads import (
    Preview,
    load_json_previews,
    load_log_previews,
    load_text_previews,
)
from django_wfe.admin.elements.readable import list_briefly, read_key_order
from django_wfe.admin.runs.changes import KEYS_NAMED, Change, load_changes
from django_wfe.admin.runs.log_tail import LogTail, read_tail
from django_wfe.definition.graph import Graph
from django_wfe.engine.rules.node_names import name_node
from django_wfe.models import JobEvent, StepRun
from django_wfe.rendering.timeline.parts import TimelineRow
from django_wfe.values.moments import count_seconds
from django_wfe.wording.durations import describe_duration, describe_work


@dataclass(frozen=True, slots=True)
class Answer:
    """Who gave a step run its input: ``name`` is "" where no user did."""

    name: str
    source: str
    moment: datetime


@dataclass(slots=True)
class RunRow:
    """One step run for the table. ``bar`` is its place on the time axis, None on the page of one step run."""

    run: StepRun
    label: str
    edge: str
    waited: str
    worked: str
    bar: TimelineRow | None = None
    answer: Answer | None = None
    change: Change | None = None
    payload: dict[str, Preview] = field(default_factory=dict)
    texts: dict[str, Preview] = field(default_factory=dict)
    log: Preview | None = None
    tail: LogTail | None = None
    is_folded: bool = False

    @property
    def version(self) -> str:
        """Change when a page that shows this row has to show it anew; its bar and its times come over by themselves."""
        sizes = [preview.size for preview in (*self.payload.values(), *self.texts.values()) if preview is not None]
        log = self.log.size if self.log is not None and self.tail is None else 0
        return f"{self.run.state}-{int(self.run.superseded)}-{sum(sizes)}-{log}"

    @property
    def named(self) -> list[tuple[str, str]]:
        """Labels and short values of what is new in the result: of all of it where there is nothing before it."""
        if self.change is not None:
            return self.change.named
        result = self.payload.get("result")
        if result is None or result.is_cut or result.order is None:
            return []
        return list_briefly(result.text, result.order, KEYS_NAMED)

    @property
    def list_whole(self) -> list[tuple[str, Preview, bool]]:
        """As ``list_previews``, without the log."""
        return [entry for entry in self.list_previews if entry[1] is not self.log]

    @property
    def list_previews(self) -> list[tuple[str, Preview, bool]]:
        """What there is to show, with its title and whether to fold it: the error's own line is not among it."""
        is_told = self.bar is not None and (bool(self.named) or self.change is not None)
        named = [
            (_("Answer") if self.answer else _("External input"), self.payload.get("external_data")),
            (_("Edited input"), self.payload.get("edited_input")),
            (_("Whole result") if is_told else _("Result"), self.payload.get("result")),
            (_("Log"), self.log if self.tail is None else None),
            (_("Traceback"), self.texts.get("traceback")),
        ]
        return [
            (title, preview, is_told or self.is_folded or preview.is_long)
            for title, preview in named
            if preview is not None
        ]


def build_rows(
    runs: list[StepRun],
    graph: Graph,
    *,
    now: datetime,
    may_see_data: bool,
    preview_size: int,
    is_folded: bool = False,
    has_tail: bool = True,
    bars: dict[int, TimelineRow] | None = None,
) -> list[RunRow]:
    """Put each step run's facts together; whatever a step or a person wrote only for those who may see it.

    Args:
        has_tail: whether the log of a running step run is here to grow. Default True.
        bars: by the step run's id, its place on a time axis.
    """
    ids = [run.pk for run in runs]
    running = next((run for run in reversed(runs) if run.state == states.StepRunState.RUNNING), None)
    tail = read_tail(running.pk) if has_tail and running is not None and may_see_data else None
    order = read_key_order(graph)
    payloads = load_json_previews(ids, preview_size, order) if may_see_data else {}
    changes = load_changes(ids, preview_size, order) if may_see_data else {}
    logs = load_log_previews(ids, preview_size) if may_see_data else {}
    texts = load_text_previews(ids, preview_size) if may_see_data else {}
    answers = list_answers(runs)
    rows = []
    for run in runs:
        began = run.started_at or run.finished_at or now
        is_growing = run is running and not has_tail
        rows.append(
            RunRow(
                run=run,
                label=name_node(graph, run.step),
                edge=describe_edge(graph, run),
                waited=describe_duration(count_seconds(run.created_at, began)) if run.number else "",
                worked=_describe_work(run, now),
                bar=(bars or {}).get(run.pk),
                answer=answers.get(run.pk),
                change=changes.get(run.pk),
                payload=payloads.get(run.pk, {}),
                texts=texts.get(run.pk, {}),
                log=None if is_growing else logs.get(run.pk),
                tail=tail if run is running else None,
                is_folded=is_folded,
            )
        )
    return rows


def list_answers(runs: list[StepRun]) -> dict[int, Answer]:
    """Return who gave each of a Job's step runs its input, and when, by the step run's id: the last answer of each."""
    if not runs:
        return {}
    events: Any = JobEvent.objects.filter(
        job_id=runs[0].job_id, kind=JobEvent.Kind.INPUT_PROVIDED, step_run_id__in=[run.pk for run in runs]
    ).defer("data")
    return {
        event.step_run_id: Answer(event.actor_name, event.get_source_display(), event.created_at)
        for event in events.order_by("pk")
    }


def describe_edge(graph: Graph, run: StepRun) -> str:
    """Return which way a finished step run led, if there were several."""
    edges = graph.list_edges_from(run.step)
    if run.transition is None or len(edges) < 2 or run.transition >= len(edges):
        return ""
    edge = edges[run.transition]
    target = name_node(graph, edge.target)
    return f"{edge.label} → {target}" if edge.label else f"→ {target}"


def _describe_work(run: StepRun, now: datetime) -> str:
    if not run.started_at:
        return ""
    is_lost = run.state == states.StepRunState.LOST
    return describe_work(count_seconds(run.started_at, run.finished_at or now), is_lost=is_lost)
