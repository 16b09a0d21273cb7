"""Getting a Job past a step that failed or waits: trying it again, giving its result, going back to an earlier one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Max
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy, gettext_noop
from pydantic import BaseModel, Field, ValidationError

from django_wfe.definition.graph import has_input
from django_wfe.engine.inputs.validation import encode_input
from django_wfe.engine.large_values.keeping import hold_values, keep_value
from django_wfe.engine.operations.verbs.base import Case, Finding, Verb, list_option_names
from django_wfe.engine.project_code.classes import load_node
from django_wfe.engine.rules.verb_rules import FINAL, Situation
from django_wfe.engine.runs.reopening import advance_past, open_attempt, open_rerun, store_result
from django_wfe.exceptions import CodeNotLoaded, InvalidTransition, NotEncodable, WrongState
from django_wfe.models import JobEvent, JobState, StepRun, StepRunState
from django_wfe.values.encoding import encode
from django_wfe.values.sentences import gettext as _

UNCHANGED: Any = object()
"""Stands for "as it was" where None is a value like others."""

LARGEST_NUMBER = 2**31 - 1


class _Repair(Verb):
    """A verb whose options are judged with the Job at hand, by errors of the engine's own."""

    def check_names(self, given: Mapping[str, Any]) -> None:
        """Raise TypeError for an option that the verb does not take, or lacks."""
        super().check_names(given)
        for option in list_option_names(self, required=True):
            if option not in given:
                raise TypeError(f"The verb {self.name!r} needs the option {option!r}.")

    def read_options(self, given: Mapping[str, Any]) -> Any:
        """Return the options as they were given."""
        assert self.Options is not None  # noqa: S101  (for mypy)
        return self.Options.model_construct(**given)


class RetryOptions(BaseModel):
    """How to try the failed step again."""

    external_data: Any = Field(None, description=gettext_noop("External input in place of what was given; validated."))
    value: Any = Field(
        None, description=gettext_noop("What the step is given as _input in place of the result before it.")
    )


class Retry(_Repair):
    """Open a new attempt at the failed step, with the same input or another."""

    name = "retry"
    label = gettext_lazy("Retry")
    summary = "Try the failed step again"
    permission = "django_wfe.retry_job"
    Options = RetryOptions
    refusals = {"not_failed": gettext_lazy("Only a failed job can be tried again.")}
    effects = {
        "attempts": gettext_lazy("“%(step)s” runs again, as attempt %(attempt)s; what ran before it stays."),
    }
    done = gettext_lazy("%(job)s tries its step again.")
    event = JobEvent.Kind.RETRIED
    is_action = True
    action_label = gettext_lazy("Retry selected jobs")
    is_about_step = True
    wanted_in = (JobState.FAILED,)
    raises = (ValidationError, CodeNotLoaded)
    page = "django_wfe.admin.verbs.repair_pages.build_retry_page"

    def refuse(self, situation: Situation) -> Finding | None:
        return None if situation.state == JobState.FAILED else Finding("not_failed")

    def foresee(self, situation: Situation) -> Finding:
        return Finding("attempts", {"step": situation.step_name, "attempt": situation.attempt + 1})

    def perform(self, case: Case, options: RetryOptions) -> Mapping[str, Any]:
        job, last = case.job, case.last_run
        assert last is not None  # noqa: S101  (each Job has a run from its start)
        edited: dict[str, Any] = {}
        if "external_data" in options.model_fields_set:
            step_class = load_node(last.step)
            if not has_input(step_class):
                raise WrongState(_("%(step)s takes no external input.") % {"step": last.step}, state=job.state)
            given = keep_value(
                encode_input(
                    step_class.UserInputSchema, options.external_data, _("the input for %(step)s") % {"step": last.step}
                )
            )
            hold_values(job.pk, given)
            edited["external_data"] = given
        if "value" in options.model_fields_set:
            value = keep_value(encode(options.value, _("the edited input of %(step)s") % {"step": last.step}))
            hold_values(job.pk, value)
            edited["edited_input"] = f'{{"value":{value}}}'
        run_id = open_attempt(job, last, edited)
        return {"step": last.step, "attempt": last.attempt + 1, "step_run": run_id, "edited": sorted(edited)}


class SkipOptions(BaseModel):
    """What stands in place of running the step."""

    result: Any = Field(description=gettext_noop("The step's result."))
    transition: int | None = Field(
        None, ge=0, le=LARGEST_NUMBER, description=gettext_noop("The index of the edge to take, from 0.")
    )


class Skip(_Repair):
    """Take ``result`` as what the step returned, and go on."""

    name = "skip"
    label = gettext_lazy("Skip")
    summary = "Give a step's result in place of running it"
    permission = "django_wfe.skip_job"
    Options = SkipOptions
    refusals = {
        "ended": gettext_lazy("The job has ended already."),
        "running": gettext_lazy("A step is running; it can be skipped once it has failed, or waits."),
    }
    effects = {"skips": gettext_lazy("“%(step)s” does not run. The job goes on with the result that you enter.")}
    done = gettext_lazy("%(job)s goes on with the result that you entered.")
    event = JobEvent.Kind.SKIPPED
    is_about_step = True
    raises = (NotEncodable, InvalidTransition)
    page = "django_wfe.admin.verbs.skipping.build_skip_page"

    def refuse(self, situation: Situation) -> Finding | None:
        if situation.state in FINAL:
            return Finding("ended")
        return Finding("running") if situation.has_running else None

    def foresee(self, situation: Situation) -> Finding:
        return Finding("skips", {"step": situation.step_name})

    def perform(self, case: Case, options: SkipOptions) -> Mapping[str, Any]:
        last = case.last_run
        assert last is not None  # noqa: S101  (each Job has a run from its start)
        encoded = keep_value(encode(options.result, _("the result of %(step)s") % {"step": last.step}))
        skipped_id = store_result(case.job, last, encoded)
        advance_past(case.job, last, skipped_id, options.transition)
        return {"step": last.step, "step_run": skipped_id}


class RerunOptions(BaseModel):
    """Where to run again from."""

    number: int = Field(ge=1, le=LARGEST_NUMBER, description=gettext_noop("The number of the step run to begin with."))


class Rerun(_Repair):
    """Begin again at the step run of this number; what ran after it stays in the history and counts no more."""

    name = "rerun"
    label = gettext_lazy("Run again from…")
    summary = "Run a job again from an earlier step"
    permission = "django_wfe.rerun_job"
    Options = RerunOptions
    refusals = {
        "canceled": gettext_lazy("The job was canceled."),
        "history": gettext_lazy("The job ran under django-wfe 1.x and cannot go on. Start its workflow again."),
        "running": gettext_lazy("A step is running; pause the job and wait until it is done."),
    }
    effects = {
        "reruns": gettext_lazy(
            "The job runs again from the step that you choose; what ran from there on is kept, marked as superseded."
        ),
    }
    done = gettext_lazy("%(job)s runs again from the step that you chose.")
    event = JobEvent.Kind.RERUN
    goes_back = True
    page = "django_wfe.admin.verbs.repair_pages.build_rerun_page"

    def refuse(self, situation: Situation) -> Finding | None:
        if situation.state == JobState.CANCELED:
            return Finding("canceled")
        if situation.is_history:
            return Finding("history")
        return Finding("running") if situation.has_running else None

    def foresee(self, situation: Situation) -> Finding:
        return Finding("reruns")

    def perform(self, case: Case, options: RerunOptions) -> Mapping[str, Any]:
        job, number = case.job, options.number
        chosen = job.step_runs.filter(number=number, superseded=False, number__gt=0).order_by("-attempt").first()
        if chosen is None:
            raise WrongState(
                _("Job %(job)s has no step number %(number)s to run again from.") % {"job": job.pk, "number": number},
                state=job.state,
            )
        live = [run.pk for run in case.live_runs]
        StepRun.objects.filter(pk__in=live).update(state=StepRunState.CANCELED, finished_at=Now())
        job.step_runs.filter(number__gte=number).update(superseded=True)
        highest = job.step_runs.aggregate(Max("number"))["number__max"]
        run_id = open_rerun(job, chosen, highest + 1)
        return {"step": chosen.step, "from": number, "step_run": run_id}


RETRY = Retry()
SKIP = Skip()
RERUN = Rerun()


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
    given = {"external_data": external_data, "value": value}
    RETRY.apply(
        job_id,
        actor=actor,
        source=source,
        reason=reason,
        expected_state=expected_state,
        expected_step_run=expected_step_run,
        **{name: asked for name, asked in given.items() if asked is not UNCHANGED},
    )


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
        NotEncodable: if ``result`` is nothing that JSON can hold.
        UnknownJob, WrongState, InvalidTransition, PermissionRequired: as their names say.
    """
    SKIP.apply(
        job_id,
        result=result,
        transition=transition,
        actor=actor,
        source=source,
        reason=reason,
        expected_state=expected_state,
        expected_step_run=expected_step_run,
    )


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
    RERUN.apply(job_id, number=number, actor=actor, source=source, reason=reason, expected_state=expected_state)
