"""The console's home: what needs me now? Every query is bounded, whatever the tables hold."""

from __future__ import annotations

from dataclasses import dataclass
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
from django_wfe.engine.recovery.liveness import annotate_silence, list_in_service
from django_wfe.engine.rules.start_rules import explain_no_workflows
from django_wfe.models import DefinitionModule, Job, StepRun, Worker, Workflow
from django_wfe.values.moments import get_now

RECENT_JOBS = 10_000
"""Finished and canceled jobs are counted among the newest jobs only: their states have no index."""

PACE = 5
"""Seconds until the page looks for news."""

INCIDENTS_SHOWN = 10
WORKERS_SHOWN = 50
BROKEN_SHOWN = 50
STARTABLE_SHOWN = 50
ATTENTION_CAP = 1000


@dataclass(frozen=True, slots=True)
class StateCount:
    """How many jobs stand in a state; ``recent_only`` where only the newest jobs were counted."""

    state: str
    count: int
    recent_only: bool

    @property
    def count_text(self) -> str:
        """The count with its digits grouped."""
        return str(number_format(self.count, force_grouping=True))


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
    incidents = list_incidents(user)
    attention = count_attention(user)
    broken, broken_modules = list_broken_workflows(list_visible_workflows(user)), list_broken_modules(user)
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
        state_counts=count_states(jobs),
        recent_jobs=number_format(RECENT_JOBS, force_grouping=True),
        waiting=build_waiting_list(request, now),
        incidents=incidents[:INCIDENTS_SHOWN],
        incidents_more=len(incidents) > INCIDENTS_SHOWN,
        workers=workers,
        silent_workers=silent,
        outdated_workers=list_outdated(workers, list_visible_workflows(user)),
        may_see_workers=has_permission(user, "django_wfe.view_worker"),
        worker_timeout=settings.worker_timeout,
        oldest_ready=find_oldest_ready(jobs),
        startable=list_startable(user),
        broken=broken,
        nothing_read=explain_no_workflows(),
        broken_modules=broken_modules,
        broken_count=count_broken(broken, broken_modules),
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
    """Count the jobs by state: live and failed ones from their partial indexes, ended ones among the newest jobs."""
    live = _count_by_state(jobs.filter(state__in=sorted(states.LIVE_JOB_STATES)))
    failed = jobs.filter(state=states.JobState.FAILED).order_by().count()
    ended = {state.value: Count("pk", filter=Q(state=state.value)) for state in states.TERMINAL_JOB_STATES}
    recent = jobs.order_by("-pk").values("pk", "state")[:RECENT_JOBS].aggregate(**ended)
    counts = {**live, **recent, states.JobState.FAILED.value: failed}
    return [
        StateCount(state.value, counts.get(state.value, 0), recent_only=state in states.TERMINAL_JOB_STATES)
        for state in states.JobState
    ]


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
        .only("number", "step", "due_at", "job__workflow__name", "job__workflow__label")
        .order_by("due_at")
        .first()
    )


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


def count_broken(workflows: list[Workflow], modules: list[DefinitionModule]) -> int:
    """Count what failed to load. What is wrong with a workflow is told of its module as well, and counts once."""
    paths = {workflow.path for workflow in workflows}
    return len(workflows) + sum(paths.isdisjoint(module.workflows) for module in modules)


def _count_by_state(jobs: QuerySet[Job]) -> dict[str, int]:
    return dict(jobs.order_by().values_list("state").annotate(count=Count("pk")))
