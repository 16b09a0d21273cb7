"""Incidents: failures of one kind. What failed, how often, since when, and which jobs stand at it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _

from django_wfe import states
from django_wfe.admin.elements.counts import count_up_to, write_count
from django_wfe.admin.elements.payloads import PAYLOAD_COLUMNS, PREVIEW_CHARACTERS, load_text_previews
from django_wfe.admin.frame.base import ConsoleAdmin, Crumb, refuse_other_methods
from django_wfe.admin.frame.live import Live
from django_wfe.admin.incidents.stages import list_repairs
from django_wfe.admin.incidents.trend import count_failures
from django_wfe.definition.texts import is_storable
from django_wfe.engine.access import (
    find_jobs_with_data,
    has_permission,
    list_visible_jobs,
    list_visible_step_runs,
    may_view_data,
)
from django_wfe.engine.queries import incidents as engine
from django_wfe.engine.rules.node_names import load_node_names
from django_wfe.models import Job, StepRun
from django_wfe.values.moments import get_now

JOBS_SHOWN = 100
PACE = 5
"""Seconds until a page looks for news."""

COUNT_CAP = 1_000
"""Jobs of one incident are counted up to here."""

OTHERS_CAP = 100
"""A Job's page counts the others that failed so up to here."""


@dataclass(frozen=True, slots=True)
class ListedIncident:
    """One incident for a page. ``message`` is "" for those who may not see the data of jobs."""

    fingerprint: str
    label: str
    error_type: str
    message: str
    count: str
    jobs: int
    first: datetime
    last: datetime
    job_id: int


@dataclass(frozen=True, slots=True)
class FoundIncident:
    """One incident with its latest failure, and the jobs that stand at it now."""

    fingerprint: str
    run: StepRun
    first: datetime
    last: datetime
    jobs: QuerySet[Job]
    count: int

    @property
    def is_solved(self) -> bool:
        """Return whether no job stands at it, among those that the user may see."""
        return not self.count

    @property
    def count_text(self) -> str:
        """How many jobs stand at it, in words: "3", "1,000+"."""
        return write_count(self.count, COUNT_CAP)


@dataclass(frozen=True, slots=True)
class IncidentOfJob:
    """The incident that a Job stands at, and how many ``others`` do, counted to just beyond ``OTHERS_CAP``.

    They are not counted, None, of jobs that lost their workers: their fingerprint has no index.
    """

    fingerprint: str
    others: int | None

    @property
    def others_text(self) -> str:
        """How many others, in words: "3", "100+"."""
        return write_count(self.others or 0, OTHERS_CAP)


def show_incidents(model_admin: ConsoleAdmin[Job], request: HttpRequest) -> HttpResponseBase:
    """Show every incident among the jobs that the user may see."""
    model_admin.require_view_permission(request)
    refused = refuse_other_methods(request, "GET", "HEAD")
    if refused is not None:
        return refused
    now = get_now()
    return model_admin.render(
        request,
        "django_wfe/console/incidents.html",
        title=_("Incidents"),
        live=Live(PACE),
        incidents=list_incidents(request.user),
        shown_at_most=engine.SHOWN,
        trend=count_failures(request.user),
        now=now,
    )


def show_incident(model_admin: ConsoleAdmin[Job], request: HttpRequest, fingerprint: str) -> HttpResponseBase:
    """Show one incident: where, what, how often, a traceback, the jobs, and the ways to repair them."""
    model_admin.require_view_permission(request)
    refused = refuse_other_methods(request, "GET", "HEAD")
    if refused is not None:
        return refused
    now = get_now()
    incident = find_incident(request.user, fingerprint)
    workflow = incident.run.job.workflow
    may_see_data = may_view_data(request.user, incident.run.job)
    texts = load_text_previews([incident.run.pk], PREVIEW_CHARACTERS).get(incident.run.pk, {}) if may_see_data else {}
    label = load_node_names([incident.run.step])[incident.run.step]
    rows = incident.jobs.select_related("workflow").defer("error", "workflow__description")
    return model_admin.render(
        request,
        "django_wfe/console/incident.html",
        title=_("%(error)s in “%(step)s”") % {"error": incident.run.error_type or _("Failure"), "step": label},
        crumbs=[Crumb(_("Incidents"), model_admin.build_url("django_wfe_incidents"))],
        live=Live(PACE, str(incident.count), incident.count_text),
        incident=incident,
        label=label,
        trend=count_failures(request.user, fingerprint=fingerprint),
        may_see_data=may_see_data,
        error=texts.get("error"),
        traceback=texts.get("traceback"),
        jobs=list(rows.order_by("-pk")[:JOBS_SHOWN]),
        jobs_shown=JOBS_SHOWN,
        repairs=list_repairs(request.user, workflow),
        variants=list_variants(request.user, fingerprint),
        may_see_runs=has_permission(request.user, "django_wfe.view_steprun", workflow),
        now=now,
    )


def list_incidents(user: Any, *, most: int = engine.SHOWN) -> list[ListedIncident]:
    """Return at most so many incidents, those seen last first, with the labels of their nodes."""
    return _describe(user, engine.list_incidents(user, most=most))


def list_variants(user: Any, fingerprint: str) -> list[ListedIncident]:
    """Return the failures with other words at the same place that jobs stand at, and this one among them."""
    return _describe(user, engine.list_variants(user, fingerprint))


def _describe(user: Any, found: list[engine.Incident]) -> list[ListedIncident]:
    labels = load_node_names({incident.step for incident in found})
    with_data = find_jobs_with_data(user, [incident.job_id for incident in found])
    return [
        ListedIncident(
            fingerprint=incident.fingerprint,
            label=labels[incident.step],
            error_type=incident.error_type,
            message=incident.message if incident.job_id in with_data else "",
            count=write_count(incident.jobs, is_more=incident.is_capped),
            jobs=incident.jobs,
            first=incident.first_seen,
            last=incident.last_seen,
            job_id=incident.job_id,
        )
        for incident in found
    ]


def find_incident(user: Any, fingerprint: str) -> FoundIncident:
    """Return the incident of this fingerprint, as far as the user may see it.

    Raises:
        PermissionDenied: if the user may see no jobs.
        Http404: if no failure of this kind is known, or none that the user may see.
    """
    if not has_permission(user, "django_wfe.view_job"):
        raise PermissionDenied
    jobs = list_jobs_of_incident(user, fingerprint)
    runs = list_visible_step_runs(user).filter(fingerprint=fingerprint, state=states.StepRunState.FAILED)
    if not is_storable(fingerprint):
        jobs, runs = jobs.none(), runs.none()
    run = _pick(runs.order_by("-pk")) or _pick(_list_last_runs(jobs, fingerprint))
    if run is None:
        raise Http404(_("There is no incident %(fingerprint)s.") % {"fingerprint": fingerprint[:64]})
    first = runs.order_by("pk").values_list("finished_at", flat=True).first()
    last = run.finished_at or run.created_at
    return FoundIncident(
        fingerprint=fingerprint,
        run=run,
        first=first or last,
        last=last,
        jobs=jobs,
        count=count_up_to(jobs.order_by("-pk"), COUNT_CAP),
    )


def find_incident_of(user: Any, job: Job) -> IncidentOfJob | None:
    """Return the incident that a Job stands at, or None if it does not stand failed, or failed before its first step.

    At most three bounded queries.
    """
    if job.state != states.JobState.FAILED:
        return None
    runs = StepRun.objects.filter(job=job, superseded=False).order_by("-number", "-attempt")
    state, fingerprint = runs.values_list("state", "fingerprint").first() or ("", "")
    if not fingerprint:
        return None
    if state != states.StepRunState.FAILED:
        return IncidentOfJob(fingerprint, None)
    others = set(engine.find_newest_jobs(user, fingerprint, OTHERS_CAP + 2)) - {job.pk}
    return IncidentOfJob(fingerprint, min(len(others), OTHERS_CAP + 1))


def list_jobs_of_incident(user: Any, fingerprint: str) -> QuerySet[Job]:
    """Return the jobs that stand failed with this fingerprint, among those that the user may see."""
    return list_visible_jobs(user) & engine.jobs_of_incident(fingerprint)


def _list_last_runs(jobs: QuerySet[Job], fingerprint: str) -> QuerySet[StepRun]:
    """Return the runs of jobs that lost their workers too often: their fingerprint has no index, and they are few."""
    newest = list(jobs.order_by("-pk").values_list("pk", flat=True)[:1])
    return StepRun.objects.filter(job_id__in=newest, fingerprint=fingerprint, superseded=False).order_by("-pk")


def _pick(runs: QuerySet[StepRun]) -> StepRun | None:
    rows: Iterable[StepRun] = runs.select_related("job__workflow").defer(*PAYLOAD_COLUMNS, "job__error")[:1]
    return next(iter(rows), None)
