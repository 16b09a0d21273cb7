"""Why a Job is where it is, in one sentence, and the way out."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, OuterRef
from django.db.models.functions import Now
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_wfe.conf import settings
from django_wfe.engine.project_code.classes import load_node
from django_wfe.engine.recovery.liveness import list_live_workers, measure_silence
from django_wfe.engine.recovery.sweeping import LONGEST_REDISPATCH_FACTOR
from django_wfe.engine.rules.explanations import Explanation, explain_adopted_job
from django_wfe.engine.rules.node_names import name_node_by_id
from django_wfe.engine.rules.obstacles import find_obstacle, say_way_out_of_gone
from django_wfe.exceptions import CodeNotLoaded
from django_wfe.models import Assignment, Job, JobEvent, JobState, Step, StepRun, StepRunState, Worker, Workflow
from django_wfe.models.columns.moments import MomentField
from django_wfe.models.workflows import load_graph
from django_wfe.states import LIVE_STEP_RUN_STATES
from django_wfe.values.moments import add_seconds, count_seconds, read_seconds, say_moment

WORKERS_NAMED = 3
"""How many workers a sentence names at most."""

LONGEST_QUOTE = 300


def explain_job(job: Job, *, with_data: bool = True) -> Explanation:
    """Explain why the Job is in the state it is in, in the current language and timezone. At most four queries.

    Args:
        with_data: quote errors, which may hold what people put in. Default True; give False to those without the
            permission ``view_job_data``.
    """
    if load_graph(job.definition_id).is_history:
        return explain_adopted_job(job)
    match job.state:
        case JobState.FINISHED:
            return Explanation(_("The last step has run."), "", "finished")
        case JobState.CANCELED:
            return Explanation(_say_canceled(job), "", "canceled")
        case JobState.PAUSED:
            return Explanation(_say_paused(job), _("Resume the job."), "paused")
        case JobState.FAILED:
            return _explain_failed(job, with_data=with_data)
    run = _find_live_run(job)
    if run is None:
        return Explanation(_("Its next step is being prepared."), _("If this stays so, run it again."), "preparing")
    now: datetime = run.now  # type: ignore[attr-defined]
    match run.state:
        case StepRunState.INPUT_REQUIRED:
            return _explain_waiting(job, run, with_data=with_data)
        case StepRunState.RUNNING:
            return _explain_running(job, run, now)
    if job.workflow.paused:
        return Explanation(_say_workflow_paused(job.workflow), _("Resume the workflow."), "workflow_paused")
    if run.epoch and job.error:
        return _explain_parked(job, run, with_data=with_data)
    if count_seconds(now, run.due_at) > 0:
        return _explain_retry(job, run, with_data=with_data)
    return _explain_ready(job, run, now)


def _find_live_run(job: Job) -> StepRun | None:
    """Return the run that the Job is at, with its worker, the database's time, and whether its node is declared."""
    gone = Exists(Step.objects.filter(path=OuterRef("step"), deleted=True))
    return (
        job.step_runs.filter(state__in=sorted(LIVE_STEP_RUN_STATES))
        .defer("result", "external_data", "edited_input", "traceback")
        .select_related("worker", "assignment__user")
        .annotate(now=Now(output_field=MomentField()), is_gone=gone)
        .order_by("-id")
        .first()
    )


def _explain_failed(job: Job, *, with_data: bool) -> Explanation:
    run = (
        job.step_runs.filter(superseded=False)
        .only("state", "step", "attempt", "lost_before", "error_type", "error")
        .order_by("-number", "-attempt")
        .first()
    )
    way_out = _("Fix the cause and retry it, skip the step by entering its result, or cancel the job.")
    if run is None:
        return Explanation((with_data and _shorten(job.error)) or _("It failed."), way_out, "failed")
    values = {
        "step": name_node_by_id(job.definition_id, run.step),
        "error": _quote(run.error_type, run.error, with_data=with_data),
    }
    if run.state == StepRunState.LOST:
        lost = run.lost_before + 1
        sentence = ngettext(
            "“%(step)s” failed: it lost its worker %(lost)s time.",
            "“%(step)s” failed: it lost its worker %(lost)s times.",
            lost,
        )
        way_out = _("Look at its log and at its worker's: the step itself may be what kills it. Then retry it.")
        return Explanation(sentence % {**values, "lost": number_format(lost)}, way_out, "lost_too_often")
    sentence = ngettext(
        "“%(step)s” failed at its only attempt: %(error)s",
        "“%(step)s” failed at attempt %(attempts)s, and is not tried again by itself: %(error)s",
        run.attempt,
    )
    return Explanation(sentence % {**values, "attempts": number_format(run.attempt)}, way_out, "failed")


def _explain_waiting(job: Job, run: StepRun, *, with_data: bool) -> Explanation:
    obstacle = find_obstacle(job.definition_id, run.step, is_gone=run.is_gone)  # type: ignore[attr-defined]
    if obstacle is not None:
        return obstacle
    values = {"step": name_node_by_id(job.definition_id, run.step), "since": _say_time(run.created_at)}
    way_out = _say_who_may_answer(job.workflow)
    if job.error:
        sentence = _("“%(step)s” waits for input again, since the input it had is no longer valid.") % values
        reason = _read_reason(job, run)
        return Explanation(_add_reason(sentence, reason, with_data=with_data), way_out, "input_refused")
    assignment: Assignment | None = getattr(run, "assignment", None)
    if assignment is not None and assignment.user is not None:
        values |= {"name": str(assignment.user)}
        sentence = _("“%(step)s” has been waiting for input since %(since)s and is assigned to %(name)s.")
        return Explanation(sentence % values, way_out, "waiting_for_input")
    sentence = _("“%(step)s” has been waiting for input since %(since)s and is not assigned.") % values
    return Explanation(sentence, way_out, "waiting_for_input")


def _say_who_may_answer(workflow: Workflow) -> str:
    if workflow.groups:
        groups = ", ".join(f"“{name}”" for name in workflow.groups)
        return _("Provide the input. Members of %(groups)s with the permission “Can provide input to a job” may.") % {
            "groups": groups
        }
    return _("Provide the input. Everybody with the permission “Can provide input to a job” may.")


def _explain_running(job: Job, run: StepRun, now: datetime) -> Explanation:
    worker = run.worker
    values = {
        "step": name_node_by_id(job.definition_id, run.step),
        "since": _say_time(run.started_at),
        "worker": str(worker or _("unknown")),
    }
    watchdog = _("The next sweep gives it to another worker: keep manage.py wfe_watchdog running.")
    if worker is None or worker.declared_dead_at is not None or worker.stopped_at is not None:
        sentence = _("“%(step)s” has been running since %(since)s, and its worker %(worker)s is gone.")
        return Explanation(sentence % values, watchdog, "worker_gone")
    silent, is_silent = measure_silence(worker, now)
    timeout = settings.worker_timeout
    # A worker that beats does so four times within the timeout.
    if silent > timeout / 2:
        values |= {"seconds": _say_seconds(silent), "at": _say_time(add_seconds(worker.last_seen, timeout))}
        if is_silent:
            sentence = _(
                "“%(step)s” has been running since %(since)s, "
                "but its worker %(worker)s has been silent for %(seconds)s s."
            )
            return Explanation(sentence % values, watchdog, "worker_silent")
        sentence = _(
            "“%(step)s” has been running since %(since)s, but its worker %(worker)s has been silent for %(seconds)s s; "
            "it will be declared dead at %(at)s."
        )
        return Explanation(sentence % values, _("Wait, or look at that worker's log."), "worker_silent")
    if run.lost_before:
        lost = {**values, "lost": number_format(run.lost_before)}
        sentence = ngettext(
            "“%(step)s” has been running since %(since)s on %(worker)s; it had lost its worker %(lost)s time before.",
            "“%(step)s” has been running since %(since)s on %(worker)s; it had lost its worker %(lost)s times before.",
            run.lost_before,
        )
        return Explanation(sentence % lost, "", "running_after_loss")
    return Explanation(_("“%(step)s” has been running since %(since)s on %(worker)s.") % values, "", "running")


def _explain_parked(job: Job, run: StepRun, *, with_data: bool) -> Explanation:
    """A worker has claimed the run and given it back, because it could not import the node."""
    values = {"step": run.step, "at": _say_time(run.due_at), "fingerprint": load_graph(job.definition_id).fingerprint}
    values["fingerprint"] = values["fingerprint"][:12]
    reason = _read_reason(job, run)
    if run.is_gone:  # type: ignore[attr-defined]
        sentence = _("“%(step)s” no longer exists in the code.") % values
        return Explanation(_add_reason(sentence, reason, with_data=with_data), say_way_out_of_gone(), "node_gone")
    lacking = list(list_live_workers().filter(lacks__has_key=run.step)[: WORKERS_NAMED + 1])
    named = ", ".join(str(worker) for worker in lacking[:WORKERS_NAMED]) + ("…" if len(lacking) > WORKERS_NAMED else "")
    if lacking:
        sentence = _(
            "Worker %(workers)s does not have the code of “%(step)s” of definition %(fingerprint)s; next try at %(at)s."
        )
    else:
        sentence = _("A worker lacked “%(step)s” of definition %(fingerprint)s; tried again at %(at)s.")
    way_out = _("Deploy the code to every worker and restart those that do not have it.")
    sentence = sentence % {**values, "workers": named}
    return Explanation(_add_reason(sentence, reason, with_data=with_data), way_out, "code_lacking")


def _explain_retry(job: Job, run: StepRun, *, with_data: bool) -> Explanation:
    values = {
        "step": name_node_by_id(job.definition_id, run.step),
        "due": _say_time(run.due_at),
        "attempt": number_format(run.attempt),
        "most": number_format(_find_max_attempts(run.step) or run.attempt),
    }
    sentence = _("Attempt %(attempt)s of %(most)s at “%(step)s” is due at %(due)s.") % values
    way_out = _("Wait, skip the step by entering its result, or cancel the job.")
    return Explanation(_add_reason(sentence, job.error, with_data=with_data), way_out, "retry_due")


def _explain_ready(job: Job, run: StepRun, now: datetime) -> Explanation:
    values = {"step": name_node_by_id(job.definition_id, run.step)}
    if not list_live_workers().exists():
        return _explain_no_worker(values, now)
    sent = max(run.due_at, run.dispatched_at, key=read_seconds)
    wait = settings.redispatch_after * min(2**run.dispatches, LONGEST_REDISPATCH_FACTOR)
    values |= {"due": _say_time(run.due_at), "at": _say_time(add_seconds(sent, wait))}
    if run.lost_before:
        values |= {"lost": number_format(run.lost_before), "most": number_format(settings.max_lost_runs)}
        sentence = ngettext(
            "“%(step)s” has lost its worker %(lost)s time, and waits for a worker that runs no other such step; "
            "at %(most)s it fails.",
            "“%(step)s” has lost its worker %(lost)s times, and waits for a worker that runs no other such step; "
            "at %(most)s it fails.",
            run.lost_before,
        )
        way_out = _("Look at the log of the attempt that was lost, and at its worker's.")
        return Explanation(sentence % values, way_out, "suspect")
    if run.dispatches or count_seconds(sent, now) > settings.redispatch_after / 2:
        watchdog = _("Nothing, if all workers are busy. Otherwise see that the broker and manage.py wfe_watchdog run.")
        if count_seconds(sent, now) < wait:
            sentence = _(
                "“%(step)s” has been ready since %(due)s; its message is overdue, and will be sent again at %(at)s."
            )
        else:
            sentence = _("“%(step)s” has been ready since %(due)s; its message should have been sent again at %(at)s.")
        return Explanation(sentence % values, watchdog, "message_overdue")
    return Explanation(_("“%(step)s” is ready and waits for a worker.") % values, "", "ready")


def _explain_no_worker(values: dict[str, str], now: datetime) -> Explanation:
    last = Worker.objects.order_by("-last_seen").values_list("last_seen", flat=True).first()
    way_out = _("Start a worker: manage.py rundramatiq.")
    if last is None:
        sentence = _("“%(step)s” is ready, but no worker was ever started.")
        return Explanation(sentence % values, way_out, "no_worker")
    values |= {"seconds": _say_seconds(count_seconds(last, now))}
    sentence = _("“%(step)s” is ready, but no worker is alive; last heartbeat %(seconds)s s ago.")
    return Explanation(sentence % values, way_out, "no_worker")


def _find_max_attempts(step: str) -> int | None:
    """Return how many attempts the step's class allows today, or None if this process does not know it."""
    try:
        retry = load_node(step).retry
    except CodeNotLoaded:
        return None
    return retry.max_attempts if retry is not None else None


def _say_canceled(job: Job) -> str:
    event = job.events.filter(kind=JobEvent.Kind.CANCELED).order_by("-id").first()
    if event is None:
        return _("It was canceled.")
    values = {"time": _say_time(event.created_at), "name": _say_actor(event)}
    return _add_given_reason(_("It was canceled at %(time)s by %(name)s.") % values, event)


def _say_paused(job: Job) -> str:
    still_running = _say_still_running(job)
    event = job.events.filter(kind=JobEvent.Kind.PAUSED).order_by("-id").first()
    if event is None:
        return _("It is paused.") + still_running
    values = {"time": _say_time(event.created_at), "name": _say_actor(event)}
    sentence = _("It has been paused since %(time)s, by %(name)s.") % values
    return _add_given_reason(sentence + still_running, event)


def _say_still_running(job: Job) -> str:
    step = job.step_runs.filter(state=StepRunState.RUNNING).values_list("step", flat=True).first()
    if step is None:
        return ""
    return " " + _("“%(step)s” still runs, to its end.") % {"step": name_node_by_id(job.definition_id, step)}


def _say_workflow_paused(workflow: Workflow) -> str:
    values = {"time": _say_time(workflow.paused_at), "name": workflow.paused_by or _("someone unnamed")}
    sentence = _("Its workflow has been paused since %(time)s, by %(name)s.") % values
    return f"{sentence} {_shorten(workflow.pause_reason)}" if workflow.pause_reason else sentence


def _say_actor(event: JobEvent) -> str:
    return event.actor_name or _("someone unnamed (%(source)s)") % {"source": event.get_source_display()}


def _read_reason(job: Job, run: StepRun) -> str:
    """Return why a worker gave the run back, in the reader's language: the last time, which the Job's error tells."""
    kinds = (JobEvent.Kind.PARKED, JobEvent.Kind.INPUT_REFUSED)
    event = job.events.filter(step_run=run, kind__in=kinds).order_by("-id").first()
    return event.detail if event is not None and event.detail else job.error


def _add_given_reason(sentence: str, event: JobEvent) -> str:
    reason = event.data.get("reason") if isinstance(event.data, dict) else ""
    return f"{sentence} {_shorten(str(reason))}" if reason else sentence


def _add_reason(sentence: str, error: str, *, with_data: bool) -> str:
    return f"{sentence} {_shorten(error)}" if error and with_data else sentence


def _quote(error_type: str, error: str, *, with_data: bool) -> str:
    return _shorten(f"{error_type}: {error}" if error and with_data else error_type)


def _say_seconds(seconds: float) -> str:
    return str(number_format(int(max(seconds, 0.0)), force_grouping=True))


def _say_time(moment: datetime | None) -> str:
    return _("an unknown time") if moment is None else say_moment(moment)


def _shorten(text: str) -> str:
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}…"
