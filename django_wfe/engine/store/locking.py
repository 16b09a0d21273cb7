"""Locks a Job and what is live in it, in the engine's order, to change it in peace."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.db import transaction

from django_wfe.conf import DATABASE
from django_wfe.engine.store.transactions import atomic
from django_wfe.exceptions import UnknownJob, WrongState
from django_wfe.models import Job, StepRun
from django_wfe.models.jobs import name_job_state
from django_wfe.states import LIVE_STEP_RUN_STATES
from django_wfe.values.sentences import gettext as _

Given = TypeVar("Given")
ATTEMPTS = 100
_LIVE_RUN_STATES = sorted(LIVE_STEP_RUN_STATES)


def change_job(job_id: int, change: Callable[[Job, list[StepRun]], Given]) -> Given:
    """Call ``change`` with the Job and its live step runs (by id), all locked, and commit what it does.

    The lock order is step runs, then Job. A step that is committed in between opens a run which is not locked; then
    the locks are given up and taken anew.

    Raises:
        UnknownJob: if there is no such Job.
        WrongState: if the Job moves on faster than it can be locked.
    """
    for _attempt in range(ATTEMPTS):
        with atomic():
            of_job = StepRun.objects.filter(job_id=job_id)
            runs = list(of_job.filter(state__in=_LIVE_RUN_STATES).select_for_update().order_by("id"))
            job = Job.objects.select_for_update(of=("self",)).select_related("workflow").filter(pk=job_id).first()
            if job is None:
                raise UnknownJob(_("There is no job %(job)s.") % {"job": job_id})
            live_now = set(of_job.filter(state__in=_LIVE_RUN_STATES).values_list("pk", flat=True))
            if live_now == {run.pk for run in runs}:
                return change(job, runs)
            transaction.set_rollback(True, using=DATABASE)
    raise WrongState(_("Job %(job)s moves on too fast to be changed; pause it first, or try again.") % {"job": job_id})


def check_expected_state(job: Job, expected_state: str | None) -> None:
    """Raise WrongState where the Job is no longer in the state that the caller has seen."""
    if expected_state is not None and job.state != expected_state:
        raise WrongState(
            _("Job %(job)s was “%(expected)s” and is “%(state)s” now; nothing was done.")
            % {"job": job.pk, "expected": name_job_state(expected_state), "state": job.get_state_display()},
            state=job.state,
        )
