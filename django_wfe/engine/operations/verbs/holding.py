"""Holding a Job, and letting it go on. That of a whole Workflow: ``workflow_verbs``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from django_wfe.engine.delivery.dispatcher import dispatch_on_commit
from django_wfe.engine.operations.verbs.base import Case, Finding, Verb
from django_wfe.engine.rules.verb_rules import FINAL, Situation
from django_wfe.models import Job, JobEvent, JobState, StepRun, StepRunState
from django_wfe.values.moments import count_seconds, get_now


class Pause(Verb):
    """Start nothing new of this job until it is resumed."""

    name = "pause"
    label = _("Pause")
    summary = "Hold a job"
    permission = "django_wfe.pause_job"
    refusals = {
        "paused": _("The job is paused already."),
        "idle": _("Nothing is going on that could be paused."),
    }
    effects = {
        "finishes_step": _("The running step finishes; nothing starts after it until the job is resumed."),
        "holds": _("Nothing starts until the job is resumed."),
    }
    done = _("%(job)s was paused.")
    event = JobEvent.Kind.PAUSED
    is_action = True
    action_label = _("Pause selected jobs")

    def refuse(self, situation: Situation) -> Finding | None:
        if situation.state == JobState.PAUSED:
            return Finding("paused")
        return Finding("idle") if situation.state in (*FINAL, JobState.FAILED) else None

    def foresee(self, situation: Situation) -> Finding:
        return Finding("finishes_step" if situation.has_running else "holds")

    def perform(self, case: Case, options: Any) -> Mapping[str, Any]:
        Job.objects.filter(pk=case.job.pk).update(state=JobState.PAUSED)
        return {"was": case.job.state}


class Resume(Verb):
    """Go on where the job was when it was paused."""

    name = "resume"
    label = _("Resume")
    summary = "Let a paused job go on"
    permission = "django_wfe.pause_job"
    refusals = {"not_paused": _("The job is not paused.")}
    effects = {"goes_on": _("The job goes on at “%(step)s”.")}
    done = _("%(job)s has been resumed.")
    event = JobEvent.Kind.RESUMED
    is_action = True
    action_label = _("Resume selected jobs")
    wanted_in = (JobState.PAUSED,)

    def refuse(self, situation: Situation) -> Finding | None:
        return None if situation.state == JobState.PAUSED else Finding("not_paused")

    def foresee(self, situation: Situation) -> Finding:
        return Finding("goes_on", {"step": situation.step_name})

    def perform(self, case: Case, options: Any) -> Mapping[str, Any]:
        state = JobState.ONGOING
        if any(run.state == StepRunState.INPUT_REQUIRED for run in case.live_runs):
            state = JobState.INPUT_REQUIRED
        elif case.job.started_at is None:
            state = JobState.PENDING
        for run in case.live_runs:
            if run.state == StepRunState.READY:
                wait_seconds = max(count_seconds(get_now(), run.due_at), 0.0)
                state = JobState.WAITING if wait_seconds else state
                StepRun.objects.filter(pk=run.pk).update(dispatched_at=Now(), dispatches=0)
                dispatch_on_commit([run.pk], delay_seconds=wait_seconds)
        Job.objects.filter(pk=case.job.pk).update(state=state)
        return {"now": state}


PAUSE = Pause()
RESUME = Resume()


def pause_job(
    job_id: int,
    *,
    actor: Any = None,
    source: str = JobEvent.Source.PYTHON,
    reason: str = "",
    expected_state: str | None = None,
) -> None:
    """Hold a Job: a running step finishes, and nothing new starts until it is resumed.

    Raises:
        UnknownJob, WrongState, FinishedWorkflow, PermissionRequired: as their names say.
    """
    PAUSE.apply(job_id, actor=actor, source=source, reason=reason, expected_state=expected_state)


def resume_job(
    job_id: int,
    *,
    actor: Any = None,
    source: str = JobEvent.Source.PYTHON,
    reason: str = "",
    expected_state: str | None = None,
) -> None:
    """Let a paused Job go on where it was held.

    Raises:
        UnknownJob, WrongState, FinishedWorkflow, PermissionRequired: as their names say.
    """
    RESUME.apply(job_id, actor=actor, source=source, reason=reason, expected_state=expected_state)
