"""Ending a Job before it is done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from django_wfe.engine.delivery.signal_sending import notify_job_canceled
from django_wfe.engine.operations.verbs.base import Case, Finding, Verb
from django_wfe.engine.rules.verb_rules import FINAL, Situation
from django_wfe.models import Job, JobEvent, JobState, StepRun, StepRunState


class Cancel(Verb):
    """End a job for good. A step that runs is interrupted."""

    name = "cancel"
    label = _("Cancel")
    summary = "End a job"
    permission = "django_wfe.cancel_job"
    refusals = {"ended": _("The job has ended already.")}
    effects = {
        "interrupts": _("The running step is interrupted and the job ends as canceled. What has been committed stays."),
        "ends": _("The job ends as canceled, at its present step. What has been committed stays."),
    }
    done = _("%(job)s was canceled.")
    event = JobEvent.Kind.CANCELED
    is_action = True
    action_label = _("Cancel selected jobs")

    def refuse(self, situation: Situation) -> Finding | None:
        return Finding("ended") if situation.state in FINAL else None

    def foresee(self, situation: Situation) -> Finding:
        return Finding("interrupts" if situation.has_running else "ends")

    def perform(self, case: Case, options: Any) -> Mapping[str, Any]:
        waiting = [run.pk for run in case.live_runs if run.state != StepRunState.RUNNING]
        StepRun.objects.filter(pk__in=waiting).update(state=StepRunState.CANCELED, finished_at=Now())
        Job.objects.filter(pk=case.job.pk).update(state=JobState.CANCELED, finished_at=Now())
        notify_job_canceled(case.job.pk)
        return {"was": case.job.state}


CANCEL = Cancel()


def cancel_job(
    job_id: int,
    *,
    actor: Any = None,
    source: str = JobEvent.Source.PYTHON,
    reason: str = "",
    expected_state: str | None = None,
) -> None:
    """End a Job. What waits is canceled at once; a running step is interrupted, and what it has committed stays.

    Raises:
        UnknownJob, WrongState, FinishedWorkflow, PermissionRequired: as their names say.
    """
    CANCEL.apply(job_id, actor=actor, source=source, reason=reason, expected_state=expected_state)
