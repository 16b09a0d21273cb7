"""The Job page: what happened, what happens next, what can I do? Its facts; the templates draw them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import prefetch_related_objects
from django.http import HttpRequest

from django_wfe import states
from django_wfe.admin.attributes.facts import list_facts
from django_wfe.admin.elements.payloads import PAYLOAD_COLUMNS, PREVIEW_CHARACTERS, choose_preview_size, write_json
from django_wfe.admin.frame.base import ConsoleAdmin
from django_wfe.admin.frame.live import Live, is_fragment_request
from django_wfe.admin.incidents.page import find_incident_of
from django_wfe.admin.jobs.graph import draw_job_graph
from django_wfe.admin.jobs.panels import draw_panels
from django_wfe.admin.jobs.started_with import load_started_with
from django_wfe.admin.jobs.window import Window, load_window
from django_wfe.admin.runs.present import find_present
from django_wfe.admin.runs.rows import RunRow, build_rows
from django_wfe.admin.verbs.pausing import may_pause
from django_wfe.engine.access import has_permission, may_answer, may_view_data
from django_wfe.engine.lifecycle import OpenQuestion, VerbStatus, get_open_question, list_verbs
from django_wfe.engine.queries.good_jobs import list_good_jobs
from django_wfe.engine.queries.situation import explain_job
from django_wfe.engine.rules.node_names import name_node
from django_wfe.exceptions import WrongState
from django_wfe.models import Job, JobEvent, StepRun
from django_wfe.rendering.timeline.parts import Timeline, TimelineRow
from django_wfe.rendering.timeline.rows import build_timeline
from django_wfe.values.identifiers import parse_id
from django_wfe.values.moments import count_seconds, get_now
from django_wfe.wording.durations import describe_duration

RUNS_UNFOLDED = 12
"""With more step runs than this, what they were given and gave is folded away."""

EVENTS_SHOWN = 100
RUNS_DRAWN = 20_000
"""Step runs that a graph to keep takes into account, the newest first."""

RUNS_LOOKED_AT_OFTEN = 30
"""With more step runs than this on the page, it looks for news less often: its timeline is drawn anew each time."""

SLOW_PACE = 10
"""Seconds between looks at a Job that stands failed until somebody repairs it, or of which an older part is shown."""


def build_job_page(model_admin: ConsoleAdmin[Job], request: HttpRequest, job: Job) -> dict[str, Any]:
    """Gather all that the Job page shows, in a number of queries that does not depend on the Job."""
    user, now = request.user, get_now()
    prefetch_related_objects([job], "attribute_rows")
    may_see_data = may_view_data(user, job)
    graph = job.definition.load_graph()
    window = load_window(job, request.GET, graph)
    explanation = explain_job(job, with_data=may_see_data)
    verbs = list_verbs(job, user)
    events = list_events(job)
    question = find_question(job)
    asks = question is not None and job.state == states.JobState.INPUT_REQUIRED
    # The first of the buttons is another one then.
    next_verb = None if asks or explanation.code == "workflow_paused" else choose_next_verb(job, verbs)
    present = find_present(user, job, graph, question, now=now, may_see_data=may_see_data)
    timeline = build_timeline(
        window.runs,
        now=now,
        graph=graph,
        job_state=job.state,
        origin=job.created_at if window.older else None,
        folds_idle=not window.idle,
    )
    bars = {bar.id: bar for bar in timeline.rows}
    rows = build_rows(
        list_asked_runs(request, window),
        graph,
        now=now,
        may_see_data=may_see_data,
        preview_size=choose_preview_size(len(window.runs)),
        is_folded=len(window.runs) > RUNS_UNFOLDED,
        has_tail=False,
        bars=bars,
    )
    return {
        "job": job,
        "workflow": job.workflow,
        "now": now,
        "facts": list_facts(model_admin, request, job),
        "explanation": explanation,
        "incident": find_incident_of(user, job),
        "question": question,
        "present": present,
        "good_job": next(iter(list_good_jobs(user, job)), None) if job.state == states.JobState.FAILED else None,
        "present_url": window.link(*present.anchor) if present is not None else "",
        "may_answer": may_answer(user, job),
        "possible": [status for status in verbs if status.allowed and status is not next_verb],
        "impossible": [status for status in verbs if not status.allowed],
        "panels": draw_panels(request, job),
        "next_verb": next_verb,
        "diagram": draw_job_graph(job, graph, window),
        "timeline": timeline,
        "rows": rows,
        "bars": list_other_bars(timeline, rows),
        "window": window,
        "window_label": name_node(graph, window.node) if window.node else "",
        "may_see_data": may_see_data,
        "context": write_json(job.context) if may_see_data and job.context is not None else "",
        "started_with": load_started_with(job, graph, PREVIEW_CHARACTERS) if may_see_data else None,
        "events": [(event, link_event(event, window)) for event in events[:EVENTS_SHOWN]],
        "events_more": len(events) > EVENTS_SHOWN,
        "may_see_runs": has_permission(user, "django_wfe.view_steprun", job.workflow),
        "step_label": name_node(graph, job.current_step),
        "live": Live(choose_pace(job, window), job.state, explanation.sentence),
        "took": describe_duration(count_seconds(job.started_at, job.finished_at))
        if job.finished_at and job.started_at
        else "",
        "may_pause_workflow": may_pause(user, job.workflow),
        "may_see_workflow": has_permission(user, "django_wfe.view_workflow", job.workflow),
    }


def find_question(job: Job) -> OpenQuestion | None:
    """Return what the Job asks, or None: also where its definition does not hold the node that waits."""
    try:
        return get_open_question(job)
    except WrongState:
        return None


def choose_pace(job: Job, window: Window) -> int:
    """Return the seconds until the page looks for news, 0 where there can be none."""
    if job.state in (states.JobState.FINISHED, states.JobState.CANCELED):
        return 0
    if job.state == states.JobState.FAILED or not window.is_newest:
        return SLOW_PACE
    return 1 if len(window.runs) <= RUNS_LOOKED_AT_OFTEN else 3


def list_asked_runs(request: HttpRequest, window: Window) -> list[StepRun]:
    """Return the step runs whose data the answer holds: all, or those that may be news to the page that asks."""
    known = parse_id(request.GET.get("newest", ""))
    if not is_fragment_request(request) or known is None:
        return window.runs
    return [run for run in window.runs if run.number >= known or run.superseded]


def list_other_bars(timeline: Timeline, rows: list[RunRow]) -> list[TimelineRow]:
    """Return the bars of the step runs that have no row in this answer: they move while the axis grows."""
    shown = {row.run.pk for row in rows}
    return [bar for bar in timeline.rows if bar.id not in shown]


def list_events(job: Job) -> list[JobEvent]:
    """Return the newest events, the newest first."""
    rows = JobEvent.objects.filter(job=job).select_related("step_run")
    deferred = [f"step_run__{name}" for name in PAYLOAD_COLUMNS]
    return list(rows.defer(*deferred).order_by("-pk")[: EVENTS_SHOWN + 1])


def link_event(event: JobEvent, window: Window) -> str:
    """Return the address of the row of the step run that an event is about, "" if it is about none."""
    run = event.step_run
    return window.link(run.number, run.attempt) if run is not None else ""


def choose_next_verb(job: Job, verbs: Iterable[VerbStatus]) -> VerbStatus | None:
    """Return the verb that an operator most likely wants now: retry what failed, resume what is paused."""
    return next((status for status in verbs if job.state in status.verb.wanted_in and status.allowed), None)
