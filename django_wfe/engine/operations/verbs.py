"""What an operator can do with a Job. Each verb asks for its permission, checks the state, writes an event."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Max
from django.db.models.functions import Now
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_wfe.definition.graph import has_input
from django_wfe.engine.access import has_permission, name_actor, require_for_job
from django_wfe.engine.delivery.dispatcher import dispatch_on_commit
from django_wfe.engine.delivery.signal_sending import notify_job_canceled
from django_wfe.engine.errors.failures import clean
from django_wfe.engine.inputs.validation import encode_input
from django_wfe.engine.operations.assigning import end_claims
from django_wfe.engine.project_code.classes import load_node
from django_wfe.engine.rules.verb_rules import RULES, Rule, judge
from django_wfe.engine.runs.reopening import advance_past, open_attempt, open_rerun, store_result
from django_wfe.engine.store.locking import change_job, check_expected_state
from django_wfe.exceptions import WrongState
from django_wfe.models import Job, JobEvent, JobState, StepRun, StepRunState
from django_wfe.values.encoding import encode
from django_wfe.values.moments import count_seconds, get_now

UNCHANGED: Any = object()
"""Stands for "as it was" where None is a value like others."""

Verbed = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing that an operator can do with a Job.

    ``rule`` says when it can be used, and what it would do.
    """

    name: str
    label: str | Promise
    permission: str
    function: Verbed
    rule: Rule


@dataclass(frozen=True, slots=True)
class VerbStatus:
    """Whether a verb can be used on a Job now; ``reason`` says why not, ``effect`` what it would do."""

    verb: Verb
    allowed: bool
    reason: str
    effect: str


def list_verbs(job: Job, actor: Any) -> list[VerbStatus]:
    """Give every verb with what it would do to this Job as it stands, or why it cannot."""
    has_running = job.step_runs.filter(state=StepRunState.RUNNING).exists()
    situation = judge(job, has_running=has_running, last=find_last_run(job))
    statuses = []
    for verb in VERBS.values():
        reason = verb.rule.refuse(situation)
        effect = "" if reason else verb.rule.describe(situation)
        if not has_permission(actor, verb.permission, job.workflow):
            reason = _("You need the permission “%(permission)s”.") % {"permission": verb.permission}
        statuses.append(VerbStatus(verb, not reason, reason, effect))
    return statuses


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

    def change(job: Job, runs: list[StepRun], last: StepRun | None) -> dict[str, Any]:
        waiting = [run.pk for run in runs if run.state != StepRunState.RUNNING]
        StepRun.objects.filter(pk__in=waiting).update(state=StepRunState.CANCELED, finished_at=Now())
        Job.objects.filter(pk=job.pk).update(state=JobState.CANCELED, finished_at=Now())
        notify_job_canceled(job.pk)
        return {"was": job.state}

    _apply("cancel", job_id, change, JobEvent.Kind.CANCELED, actor, source, reason, expected_state)


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

    def change(job: Job, runs: list[StepRun], last: StepRun | None) -> dict[str, Any]:
        Job.objects.filter(pk=job.pk).update(state=JobState.PAUSED)
        return {"was": job.state}

    _apply("pause", job_id, change, JobEvent.Kind.PAUSED, actor, source, reason, expected_state)


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

    def change(job: Job, runs: list[StepRun], last: StepRun | None) -> dict[str, Any]:
        state = JobState.ONGOING
        if any(run.state == StepRunState.INPUT_REQUIRED for run in runs):
            state = JobState.INPUT_REQUIRED
        elif job.started_at is None:
            state = JobState.PENDING
        for run in runs:
            if run.state == StepRunState.READY:
                wait_seconds = max(count_seconds(get_now(), run.due_at), 0.0)
                state = JobState.WAITING if wait_seconds else state
                StepRun.objects.filter(pk=run.pk).update(dispatched_at=Now(), dispatches=0)
                dispatch_on_commit([run.pk], delay_seconds=wait_seconds)
        Job.objects.filter(pk=job.pk).update(state=state)
        return {"now": state}

    _apply("resume", job_id, change, JobEvent.Kind.RESUMED, actor, source, reason, expected_state)


def retry_job(
    job_id: int,
    *,
    external_data: Any = UNCHANGED,
    value: Any = UNCHANGED,
    actor: Any = None,
    source: str = JobEvent.Source.PYTHON,
    reason: str = "",
    expected_state: str | None = None,
    expected_step_run: int | None = None,
) -> None:
    """Give a failed Job another attempt at the step that failed.

    Args:
        external_data: other external input for the step. Default: what it had.
        value: another ``_input`` for the step. Default: the result of the step before.
        expected_step_run: the step run that the caller has seen as the last; a Job that has moved on since is left
            alone, though it may be in the same state again. Default None: any.

    Raises:
        pydantic.ValidationError, NotEncodable: for ``external_data`` or ``value``; nothing was changed.
        UnknownJob, WrongState, PermissionRequired, CodeNotLoaded: as their names say.
    """

    def change(job: Job, runs: list[StepRun], last: StepRun | None) -> dict[str, Any]:
        assert last is not None  # noqa: S101  (each Job has a run from its start)
        edited: dict[str, Any] = {}
        if external_data is not UNCHANGED:
            step_class = load_node(last.step)
            if not has_input(step_class):
                raise WrongState(_("%(step)s takes no external input.") % {"step": last.step}, state=job.state)
            edited["external_data"] = encode_input(
                step_class.UserInputSchema, external_data, _("the input for %(step)s") % {"step": last.step}
            )
        if value is not UNCHANGED:
            edited["edited_input"] = encode({"value": value}, _("the edited input of %(step)s") % {"step": last.step})
        run_id = open_attempt(job, last, edited)
        return {"step": last.step, "attempt": last.attempt + 1, "step_run": run_id, "edited": sorted(edited)}

    _apply("retry", job_id, change, JobEvent.Kind.RETRIED, actor, source, reason, expected_state, expected_step_run)


def skip_step(
    job_id: int,
    result: Any,
    *,
    transition: int | None = None,
    actor: Any = None,
    source: str = JobEvent.Source.PYTHON,
    reason: str = "",
    expected_state: str | None = None,
    expected_step_run: int | None = None,
) -> None:
    """Give a step that failed or waits its result by hand, and have the Job go on after it.

    Args:
        result: what the next step gets.
        transition: the index of the edge to take, needed where the node has several.
        expected_step_run: as of ``retry_job``.

    Raises:
        NotEncodable: where ``result`` is nothing that JSON can hold.
        UnknownJob, WrongState, InvalidTransition, PermissionRequired: as their names say.
    """

    def change(job: Job, runs: list[StepRun], last: StepRun | None) -> dict[str, Any]:
        assert last is not None  # noqa: S101  (each Job has a run from its start)
        encoded = encode(result, _("the result of %(step)s") % {"step": last.step})
        skipped_id = store_result(job, last, encoded)
        advance_past(job, last, skipped_id, transition)
        return {"step": last.step, "step_run": skipped_id}

    _apply("skip", job_id, change, JobEvent.Kind.SKIPPED, actor, source, reason, expected_state, expected_step_run)


def rerun_job(
    job_id: int,
    number: int,
    *,
    actor: Any = None,
    source: str = JobEvent.Source.PYTHON,
    reason: str = "",
    expected_state: str | None = None,
) -> None:
    """Run a Job again from an earlier step. What ran from there on is kept and marked as superseded.

    A step that asks for input asks for it again.

    Args:
        number: the number of a step run, 1 or more; ``Job.current_step_number`` counts them.

    Raises:
        UnknownJob, WrongState, PermissionRequired: as their names say.
    """

    def change(job: Job, runs: list[StepRun], last: StepRun | None) -> dict[str, Any]:
        chosen = job.step_runs.filter(number=number, superseded=False, number__gt=0).order_by("-attempt").first()
        if chosen is None:
            raise WrongState(
                _("Job %(job)s has no step number %(number)s to run again from.") % {"job": job.pk, "number": number},
                state=job.state,
            )
        StepRun.objects.filter(pk__in=[run.pk for run in runs]).update(state=StepRunState.CANCELED, finished_at=Now())
        job.step_runs.filter(number__gte=number).update(superseded=True)
        highest = job.step_runs.aggregate(Max("number"))["number__max"]
        run_id = open_rerun(job, chosen, highest + 1)
        return {"step": chosen.step, "from": number, "step_run": run_id}

    _apply("rerun", job_id, change, JobEvent.Kind.RERUN, actor, source, reason, expected_state)


def _apply(
    name: str,
    job_id: int,
    change: Callable[[Job, list[StepRun], StepRun | None], dict[str, Any]],
    kind: JobEvent.Kind,
    actor: Any,
    source: str,
    reason: str,
    expected_state: str | None,
    expected_step_run: int | None = None,
) -> None:
    verb = VERBS[name]

    def apply(job: Job, runs: list[StepRun]) -> None:
        require_for_job(actor, verb.permission, job)
        check_expected_state(job, expected_state)
        last = find_last_run(job)
        if expected_step_run is not None and (last is None or last.pk != expected_step_run):
            raise WrongState(
                _("Job %(job)s has moved on since you looked; nothing was done.") % {"job": job.pk}, state=job.state
            )
        verb.rule.check(judge(job, has_running=any(run.state == StepRunState.RUNNING for run in runs), last=last))
        data = change(job, runs, last)
        end_claims([run.pk for run in runs if run.state == StepRunState.INPUT_REQUIRED])
        JobEvent.objects.create(
            job=job,
            step_run=last,
            kind=kind,
            actor=actor,
            actor_name=name_actor(actor),
            source=source,
            data={**data, "reason": clean(reason)} if reason else data,
        )

    change_job(job_id, apply)


def find_last_run(job: Job) -> StepRun | None:
    """Return the step run that the Job is at, or was at last. Its result and traceback are loaded when asked for."""
    runs = job.step_runs.filter(superseded=False).defer("result", "traceback")
    return runs.order_by("-number", "-attempt").first()


VERBS: dict[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb("retry", gettext_lazy("Retry"), "django_wfe.retry_job", retry_job, RULES["retry"]),
        Verb("skip", gettext_lazy("Skip"), "django_wfe.skip_job", skip_step, RULES["skip"]),
        Verb("rerun", gettext_lazy("Run again from…"), "django_wfe.rerun_job", rerun_job, RULES["rerun"]),
        Verb("pause", gettext_lazy("Pause"), "django_wfe.pause_job", pause_job, RULES["pause"]),
        Verb("resume", gettext_lazy("Resume"), "django_wfe.pause_job", resume_job, RULES["resume"]),
        Verb("cancel", gettext_lazy("Cancel"), "django_wfe.cancel_job", cancel_job, RULES["cancel"]),
    )
}
"""Every verb by its name, in the order in which a page shows them."""
