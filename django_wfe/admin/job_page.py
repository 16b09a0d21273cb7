"""The Job page: what happened, what happens next, what can I do? Its facts; the templates draw them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from django_wfe import states
from django_wfe.admin.base import ConsoleAdmin
from django_wfe.admin.labels import guess_label
from django_wfe.admin.payloads import (
    Preview,
    choose_preview_size,
    load_json_previews,
    load_log_previews,
    load_text_previews,
)
from django_wfe.engine.explain import explain_job
from django_wfe.engine.lifecycle import OpenQuestion, get_open_question, list_verbs
from django_wfe.engine.rights import has_permission
from django_wfe.exceptions import WrongState
from django_wfe.graph import Graph
from django_wfe.models import Job, JobEvent, StepRun
from django_wfe.rendering.diagram import RUN_FIELDS, render_job_diagram
from django_wfe.rendering.durations import describe_duration
from django_wfe.rendering.timeline import build_timeline

RUNS_SHOWN = 200
RUNS_UNFOLDED = 12
"""With more step runs than this, what they were given and gave is folded away."""

EVENTS_SHOWN = 100
RUNS_DRAWN = 20_000
"""Step runs that the graph takes into account, the newest first."""

PAYLOAD_COLUMNS = ("external_data", "edited_input", "result", "error", "traceback")


@dataclass(slots=True)
class RunRow:
    """One step run for the table."""

    run: StepRun
    label: str
    edge: str
    waited: str
    worked: str
    payload: dict[str, Preview] = field(default_factory=dict)
    texts: dict[str, Preview] = field(default_factory=dict)
    log: Preview | None = None
    is_folded: bool = False

    @property
    def version(self) -> str:
        """Changes when a page that shows this row has to show it anew."""
        sizes = [preview.size for preview in (*self.payload.values(), *self.texts.values()) if preview is not None]
        log = self.log.size if self.log is not None else 0
        return f"{self.run.state}-{int(self.run.superseded)}-{sum(sizes)}-{log}"

    @property
    def list_previews(self) -> list[tuple[str, Preview, bool]]:
        """What there is to show, with its title and whether to fold it: the error's own line is not among it."""
        named = [
            (_("External input"), self.payload.get("external_data")),
            (_("Edited input"), self.payload.get("edited_input")),
            (_("Result"), self.payload.get("result")),
            (_("Log"), self.log),
            (_("Traceback"), self.texts.get("traceback")),
        ]
        return [(title, preview, self.is_folded or preview.is_long) for title, preview in named if preview is not None]


def build_job_page(admin: ConsoleAdmin[Job], request: HttpRequest, job: Job) -> dict[str, Any]:
    """Gather all that the Job page shows, in a number of queries that does not depend on the Job."""
    user, now = request.user, timezone.now()
    may_see_data = has_permission(user, "django_wfe.view_job_data", job.workflow)
    before = _read_before(request)
    graph = job.definition.load_graph()
    runs, has_older = load_window(job, before)
    previews = choose_preview_size(len(runs))
    may_answer = has_permission(user, "django_wfe.provide_input_job", job.workflow)
    question = find_question(job)
    verbs = list_verbs(job, user)
    events = list_events(job)
    return {
        "job": job,
        "workflow": job.workflow,
        "now": now,
        "explanation": explain_job(job, with_data=may_see_data),
        "question": question,
        "may_answer": may_answer,
        "verbs": verbs,
        "next_verb": choose_next_verb(job, verbs),
        "diagram": draw_diagram(admin, job),
        "timeline": build_timeline(
            runs,
            now=now,
            graph=graph,
            urls={run.pk: f"#run-{run.number}-{run.attempt}" for run in runs},
            job_state=job.state,
        ),
        "rows": build_rows(runs, graph, now=now, may_see_data=may_see_data, preview_size=previews),
        "may_see_data": may_see_data,
        "runs_shown": RUNS_SHOWN,
        "is_newest_window": before is None,
        "older_from": runs[0].number if has_older and runs else None,
        "events": events[:EVENTS_SHOWN],
        "events_more": len(events) > EVENTS_SHOWN,
        "may_see_runs": has_permission(user, "django_wfe.view_steprun", job.workflow),
        "step_label": label_of(graph, job.current_step),
        "is_live": job.state in states.LIVE_JOB_STATES,
        "took": describe_duration((job.finished_at - job.started_at).total_seconds())
        if job.finished_at and job.started_at
        else "",
        "may_see_workflow": has_permission(user, "django_wfe.view_workflow", job.workflow),
    }


def find_question(job: Job) -> OpenQuestion | None:
    """Give what the Job asks, or None: also where its definition does not hold the node that waits."""
    try:
        return get_open_question(job)
    except WrongState:
        return None


def load_window(job: Job, before: int | None) -> tuple[list[StepRun], bool]:
    """Give a window of step runs in their order, without payloads, and whether older ones exist."""
    rows: QuerySet[StepRun] = StepRun.objects.filter(job=job).defer(*PAYLOAD_COLUMNS).select_related("worker")
    if before is not None:
        rows = rows.filter(number__lt=before)
    newest = list(rows.order_by("-number", "-attempt")[: RUNS_SHOWN + 1])
    has_older = len(newest) > RUNS_SHOWN
    shown = newest[:RUNS_SHOWN][::-1]
    for run in shown:
        run.job = job  # a template that asks for it must not cost a query a row
    return shown, has_older


def draw_diagram(admin: ConsoleAdmin[Job], job: Job) -> Any:
    """Draw the Job on its graph; a node leads to its latest step run in the table below."""
    runs = list(
        StepRun.objects.filter(job=job)
        .order_by("-number", "-attempt")
        .values_list(*RUN_FIELDS, named=True)[:RUNS_DRAWN]
    )
    urls: dict[str, str] = {}
    for run in runs:
        urls.setdefault(run.step, f"#run-{run.number}-{run.attempt}")
    return render_job_diagram(job.definition, runs, job=job, node_urls=urls)


def build_rows(
    runs: list[StepRun], graph: Graph, *, now: datetime, may_see_data: bool, preview_size: int
) -> list[RunRow]:
    """Put each step run's facts together; whatever a step or a person wrote only for those who may see it."""
    ids = [run.pk for run in runs]
    payloads = load_json_previews(ids, preview_size) if may_see_data else {}
    logs = load_log_previews(ids, preview_size) if may_see_data else {}
    texts = load_text_previews(ids, preview_size) if may_see_data else {}
    rows = []
    for run in runs:
        began = run.started_at or run.finished_at or now
        rows.append(
            RunRow(
                run=run,
                label=label_of(graph, run.step),
                edge=describe_edge(graph, run),
                waited=_describe(began - run.created_at) if run.number else "",
                worked=_describe((run.finished_at or now) - run.started_at) if run.started_at else "",
                payload=payloads.get(run.pk, {}),
                texts=texts.get(run.pk, {}),
                log=logs.get(run.pk),
                is_folded=len(runs) > RUNS_UNFOLDED,
            )
        )
    return rows


def list_events(job: Job) -> list[JobEvent]:
    """Give the newest events, the newest first."""
    rows = JobEvent.objects.filter(job=job).select_related("step_run")
    deferred = [f"step_run__{name}" for name in PAYLOAD_COLUMNS]
    return list(rows.defer(*deferred).order_by("-pk")[: EVENTS_SHOWN + 1])


def choose_next_verb(job: Job, verbs: Iterable[Any]) -> Any:
    """Give the verb that an operator most likely wants now: retry what failed, resume what is paused."""
    wanted = {states.JobState.FAILED.value: "retry", states.JobState.PAUSED.value: "resume"}.get(job.state)
    return next((status for status in verbs if status.verb.name == wanted and status.allowed), None)


def label_of(graph: Graph, path: str) -> str:
    """Give a node's label as this Job's definition has it."""
    node = graph.get_node(path)
    return node.label if node is not None else guess_label(path)


def describe_edge(graph: Graph, run: StepRun) -> str:
    """Say which way a finished step run led, where there were several."""
    edges = graph.list_edges_from(run.step)
    if run.transition is None or len(edges) < 2 or run.transition >= len(edges):
        return ""
    edge = edges[run.transition]
    target = label_of(graph, edge.target)
    return f"{edge.label} → {target}" if edge.label else f"→ {target}"


def _describe(duration: timedelta) -> str:
    return describe_duration(duration.total_seconds())


def _read_before(request: HttpRequest) -> int | None:
    value = request.GET.get("before", "")
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 10 else None
