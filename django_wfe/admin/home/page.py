"""The console's home: what needs me now? Every query is bounded, whatever the tables hold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponseBase
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from django_wfe import states
from django_wfe.admin.elements.counts import count_up_to, write_count
from django_wfe.admin.frame.base import ConsoleAdmin, refuse_other_methods
from django_wfe.admin.frame.live import Live
from django_wfe.admin.home.waiting import build_waiting_list
from django_wfe.admin.incidents.page import list_incidents
from django_wfe.admin.incidents.trend import Trend, count_failures
from django_wfe.admin.workers import leave_out_closed_nodes
from django_wfe.conf import settings
from django_wfe.engine.access import (
    PROVIDE_INPUT,
    START_JOBS,
    has_permission,
    list_visible_jobs,
    list_visible_modules,
    list_visible_workflows,
)
from django_wfe.engine.project_code.outdated_workers import list_outdated
from django_wfe.engine.queries.open_jobs import JobsOfWorkflow, count_by_workflow
from django_wfe.engine.recovery.liveness import annotate_silence, list_in_service
from django_wfe.engine.rules.start_rules import explain_no_workflows
from django_wfe.engine.statistics.queries import count_finished
from django_wfe.models import DefinitionModule, Job, StepRun, Worker, Workflow
from django_wfe.values.moments import count_seconds, get_now, localize
from django_wfe.watchdog.leadership import find_leader
from django_wfe.wording.durations import describe_duration

RECENT_JOBS = 10_000
"""Finished and canceled jobs are counted among the newest jobs only: their states have no index."""

LATE_SECONDS = 10
"""A step that is due for so long begins late: workers are too few, too slow, or gone."""

PACE = 5
"""Seconds until the page looks for news."""

INCIDENTS_SHOWN = 5
WORKERS_SHOWN = 50
BROKEN_SHOWN = 50
WORKFLOWS_SHOWN = 12
WORKFLOWS_COUNTED = 100
STARTABLE_SHOWN = 50
ATTENTION_CAP = 1000
STATE_CAP = 5_000
"""Up to here the open jobs of a state are counted."""


@dataclass(frozen=True, slots=True)
class StateCount:
    """How many jobs stand in a state, counted to just beyond ``STATE_CAP``; ``recent_only``: among the newest."""

    state: str
    count: int
    recent_only: bool

    @property
    def count_text(self) -> str:
        """The count in words: "3", "5,000+"."""
        return write_count(self.count, None if self.recent_only else STATE_CAP)


@dataclass(frozen=True, slots=True)
class Attention:
    """What the admin's index says in one line. Each count stops beyond ``ATTENTION_CAP``."""

    waiting: int
    failed: int
    may_answer: bool
    trend: Trend

    @property
    def waiting_text(self) -> str:
        """How many wait, in words: "3", "1,000+"."""
        return write_count(self.waiting, ATTENTION_CAP)

    @property
    def failed_text(self) -> str:
        """How many failed, in words."""
        return write_count(self.failed, ATTENTION_CAP)


@dataclass(frozen=True, slots=True)
class WorkflowCounts:
    """The open jobs of one workflow."""

    workflow: Workflow
    jobs: JobsOfWorkflow
    finished: int | None

    @property
    def cells(self) -> list[tuple[Any, str, str]]:
        """What each column says: its title, the count in words, and the query of the list of these jobs."""
        groups = (
            ("running", _("Running"), self.jobs.running, ""),
            ("asking", _("Waiting for input"), self.jobs.asking, "state=INPUT_REQUIRED"),
            ("held", _("Retrying or paused"), self.jobs.held, ""),
            ("failed", _("Failed"), self.jobs.failed, "state=FAILED"),
        )
        cells = [
            (title, write_count(count, is_more=name in self.jobs.at_least) if count else "", query)
            for name, title, count, query in groups
        ]
        if self.finished is not None:
            cells.append((_("Finished today"), write_count(self.finished) if self.finished else "", ""))
        return cells


def show_home(model_admin: ConsoleAdmin[Any], request: HttpRequest) -> HttpResponseBase:
    """Show the console's home."""
    user = request.user
    if not has_permission(user, "django_wfe.view_job"):
        raise PermissionDenied
    refused = refuse_other_methods(request, "GET", "HEAD")
    if refused is not None:
        return refused
    now = get_now()
    jobs = list_visible_jobs(user)
    workers, silent = list_workers()
    leave_out_closed_nodes(user, workers)
    incidents = list_incidents(user, most=INCIDENTS_SHOWN + 1)
    attention = count_attention(user)
    oldest_ready = find_oldest_ready(jobs)
    waiting, state_counts = build_waiting_list(request, now), count_states(jobs)
    broken = list_broken_workflows(list_visible_workflows(user))
    broken_modules = leave_out_told(list_broken_modules(user), broken)
    return model_admin.render(
        request,
        "django_wfe/console/home.html",
        title=_("Workflow console"),
        is_root=True,
        media=forms.Media(css={"all": ["django_wfe/inbox.css"]}),
        live=Live(PACE, f"{attention.waiting} {attention.failed}", describe_attention(attention))
        if attention
        else None,
        attention=attention,
        overdue=waiting.count_overdue(),
        overdue_by=waiting.measure_delay(now),
        late_by=describe_lateness(oldest_ready, now),
        workflow_counts=list_workflow_counts(user),
        state_counts=[item for item in state_counts if item.count],
        empty_states=[item for item in state_counts if not item.count],
        recent_jobs=number_format(RECENT_JOBS, force_grouping=True),
        waiting=waiting,
        incidents=incidents[:INCIDENTS_SHOWN],
        incidents_more=len(incidents) > INCIDENTS_SHOWN,
        workers=workers,
        watchdog=find_leader(),
        silent_workers=silent,
        outdated_workers=list_outdated(workers, list_visible_workflows(user)),
        may_see_workers=has_permission(user, "django_wfe.view_worker"),
        worker_timeout=settings.worker_timeout,
        oldest_ready=oldest_ready,
        startable=list_startable(user),
        broken=broken,
        nothing_read=explain_no_workflows(),
        broken_modules=broken_modules,
        broken_count=len(broken) + len(broken_modules),
        now=now,
    )


def count_attention(user: Any) -> Attention | None:
    """Count what waits for this user, in four bounded queries; None if the user may see no jobs."""
    if not has_permission(user, "django_wfe.view_job"):
        return None
    jobs = list_visible_jobs(user).order_by()
    return Attention(
        waiting=count_up_to(jobs.filter(state=states.JobState.INPUT_REQUIRED), ATTENTION_CAP),
        failed=count_up_to(jobs.filter(state=states.JobState.FAILED), ATTENTION_CAP),
        may_answer=has_permission(user, PROVIDE_INPUT),
        trend=count_failures(user),
    )


def describe_attention(attention: Attention) -> str:
    """Return a sentence on what needs attention."""
    counts = {"waiting": attention.waiting_text, "failed": attention.failed_text}
    return _("Jobs waiting for input: %(waiting)s. Failed jobs: %(failed)s.") % counts


def count_states(jobs: QuerySet[Job]) -> list[StateCount]:
    """Count the jobs by state: open ones from their partial index up to a cap, ended ones among the newest jobs."""
    # Each in the order of the index, so that PostgreSQL stops in it.
    open_jobs = {
        state.value: count_up_to(jobs.filter(state=state.value).order_by("-pk"), STATE_CAP)
        for state in states.OPEN_JOB_STATES
    }
    ended = {state.value: Count("pk", filter=Q(state=state.value)) for state in states.TERMINAL_JOB_STATES}
    recent = jobs.order_by("-pk").values("pk", "state")[:RECENT_JOBS].aggregate(**ended)
    counts = {**open_jobs, **recent}
    return [
        StateCount(state.value, counts.get(state.value, 0), recent_only=state in states.TERMINAL_JOB_STATES)
        for state in states.JobState
    ]


def list_workflow_counts(user: Any) -> list[WorkflowCounts]:
    """Return the workflows with something to tell, those with failures first, then those with most that waits."""
    workflows = {workflow.pk: workflow for workflow in list_named_workflows(user)}
    counted = count_by_workflow(user, list(workflows)) if workflows else {}
    midnight = localize(get_now()).replace(hour=0, minute=0, second=0, microsecond=0)
    finished = count_finished(user, midnight)
    rows = [
        WorkflowCounts(workflows[pk], jobs, finished.get(pk, 0) if finished is not None else None)
        for pk, jobs in counted.items()
        if jobs != JobsOfWorkflow() or (finished or {}).get(pk)
    ]
    return sorted(rows, key=lambda row: (-row.jobs.failed, -row.jobs.asking, str(row.workflow)))[:WORKFLOWS_SHOWN]


def list_named_workflows(user: Any) -> list[Workflow]:
    """Return the workflows whose jobs are counted, by name."""
    return list(list_visible_workflows(user).only("name", "label")[:WORKFLOWS_COUNTED])


def list_workers() -> tuple[list[Worker], list[Worker]]:
    """Return the workers heard of lately, and those that fell silent and were neither stopped nor declared dead."""
    started = annotate_silence(list_in_service())
    alive: list[Worker] = []
    silent: list[Worker] = []
    for worker in started.order_by("-last_seen")[:WORKERS_SHOWN]:
        (silent if worker.is_silent else alive).append(worker)
    return alive, silent


def find_oldest_ready(jobs: QuerySet[Job]) -> StepRun | None:
    """Return the step run that could have been claimed for the longest time, or None."""
    return (
        StepRun.objects.filter(
            state=states.StepRunState.READY,
            due_at__lte=Now(),
            job__in=jobs,
            job__state__in=sorted(states.RUNNABLE_JOB_STATES),
            job__workflow__paused=False,
        )
        .select_related("job__workflow")
        .only("number", "step", "due_at", "job__key", "job__workflow__name", "job__workflow__label")
        .order_by("due_at")
        .first()
    )


def describe_lateness(oldest_ready: StepRun | None, now: datetime) -> str:
    """Return how late steps begin, in words; "" while that is no longer than a worker may need."""
    late = count_seconds(oldest_ready.due_at, now) if oldest_ready is not None else 0.0
    return describe_duration(late) if late >= LATE_SECONDS else ""


def list_startable(user: Any) -> list[Workflow]:
    """Return the workflows that the user can start a job of now."""
    rows = list_visible_workflows(user).filter(deleted=False, load_error="")
    rows = rows.exclude(current_definition=None).only("name", "label", "groups")[:STARTABLE_SHOWN]
    return [workflow for workflow in rows if has_permission(user, START_JOBS, workflow)]


def list_broken_workflows(workflows: QuerySet[Workflow]) -> list[Workflow]:
    """Return the workflows whose latest declaration could not be taken over."""
    return list(workflows.filter(deleted=False).exclude(load_error="")[:BROKEN_SHOWN])


def list_broken_modules(user: Any) -> list[DefinitionModule]:
    """Return the modules of WFE_WORKFLOWS that could not be read, or in which something is wrong."""
    return list(list_visible_modules(user).exclude(error="")[:BROKEN_SHOWN])


def leave_out_told(modules: list[DefinitionModule], workflows: list[Workflow]) -> list[DefinitionModule]:
    """Leave out the modules whose problems are those of a workflow that is shown: they would be told twice."""
    paths = {workflow.path for workflow in workflows}
    return [module for module in modules if paths.isdisjoint(module.workflows)]
