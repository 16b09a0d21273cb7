"""Why a Job is where it is, in one sentence, and the way out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models.functions import Now
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from django_wfe.conf import settings
from django_wfe.engine.verb_rules import name_step
from django_wfe.models import Job, JobEvent, JobState, StepRun, StepRunState, Worker, Workflow


@dataclass(frozen=True, slots=True)
class Explanation:
    """``sentence`` names the cause; ``way_out`` what can be done, or "" where nothing need be."""

    sentence: str
    way_out: str = ""


def explain_job(job: Job) -> Explanation:
    """Say why the Job is in the state it is in."""
    step = name_step(job.current_step)
    match job.state:
        case JobState.FINISHED:
            return Explanation(_("The last step has run."))
        case JobState.CANCELED:
            return Explanation(_say_who(job, JobEvent.Kind.CANCELED, _("It was canceled")))
        case JobState.PAUSED:
            return Explanation(_say_who(job, JobEvent.Kind.PAUSED, _("It was paused")), _("Resume it."))
        case JobState.FAILED:
            return Explanation(
                _("“%(step)s” failed: %(error)s") % {"step": step, "error": _shorten(job.error)},
                _("Mend the cause and retry it, skip the step with a result of yours, or cancel the job."),
            )
    if job.workflow.paused:
        return Explanation(_say_who_paused(job.workflow), _("Resume the workflow."))
    run = job.step_runs.filter(state__in=["READY", "RUNNING", "INPUT_REQUIRED"]).order_by("-id").first()
    if run is None:
        return Explanation(_("Its next step is being prepared."))
    return _explain_run(job, run, step)


def _explain_run(job: Job, run: StepRun, step: str) -> Explanation:
    if run.state == StepRunState.INPUT_REQUIRED:
        since = _say_time(run.created_at)
        sentence = _("“%(step)s” waits for input since %(since)s.") % {"step": step, "since": since}
        if job.error:
            sentence = f"{sentence} {_shorten(job.error)}"
        return Explanation(sentence, _("Provide the input."))
    if run.state == StepRunState.RUNNING:
        values = {"step": step, "since": _say_time(run.started_at), "attempt": run.attempt}
        return Explanation(_("“%(step)s” runs since %(since)s, attempt %(attempt)s.") % values)
    if run.due_at > timezone.now():
        values = {"step": step, "due": _say_time(run.due_at), "attempt": run.attempt, "error": _shorten(job.error)}
        return Explanation(_("“%(step)s” is due again at %(due)s, attempt %(attempt)s: %(error)s") % values)
    if not _is_any_worker_alive():
        return Explanation(
            _("“%(step)s” is ready, but no worker is alive.") % {"step": step},
            _("Start a worker: manage.py rundramatiq."),
        )
    return Explanation(_("“%(step)s” is ready and waits for a worker.") % {"step": step})


def _is_any_worker_alive() -> bool:
    """Tell whether a worker was seen within ``WFE_WORKER_TIMEOUT``, by the database's clock."""
    alive = Worker.objects.filter(declared_dead_at=None, stopped_at=None)
    return alive.filter(last_seen__gt=Now() - timedelta(seconds=settings.worker_timeout)).exists()


def _say_who_paused(workflow: Workflow) -> str:
    sentence = _("Its workflow is paused since %(since)s") % {"since": _say_time(workflow.paused_at)}
    if workflow.paused_by:
        sentence = _("%(sentence)s by %(name)s") % {"sentence": sentence, "name": workflow.paused_by}
    return f"{sentence}: {workflow.pause_reason}" if workflow.pause_reason else f"{sentence}."


def _say_who(job: Job, kind: str, beginning: str) -> str:
    event = job.events.filter(kind=kind).order_by("-id").first()
    if event is None:
        return f"{beginning}."
    sentence = f"{beginning} {_say_time(event.created_at)}"
    if event.actor_name:
        sentence = _("%(sentence)s by %(name)s") % {"sentence": sentence, "name": event.actor_name}
    reason = event.data.get("reason") if isinstance(event.data, dict) else ""
    return f"{sentence}: {reason}" if reason else f"{sentence}."


def _say_time(moment: datetime | None) -> str:
    if moment is None:
        return _("an unknown time")
    return date_format(timezone.localtime(moment), "DATETIME_FORMAT")


def _shorten(text: str) -> str:
    return text if len(text) <= 300 else f"{text[:300]}…"
