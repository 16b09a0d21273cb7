"""When an operator's verb can be used, and what it would do: for previews, pages and the verbs themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from django_wfe.exceptions import FinishedWorkflow, WrongState
from django_wfe.models import Job, JobState, StepRun
from django_wfe.models.workflows import load_graph

FINAL = (JobState.FINISHED, JobState.CANCELED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What matters of a Job for a verb. ``attempt`` is that of its last step run; ``is_history`` as of ``Graph``.

    ``definition_id`` and ``current_step`` are there for what describes; whoever only asks for refusals leaves them.
    """

    state: str
    has_running: bool
    definition_id: int = 0
    current_step: str = ""
    attempt: int = 0
    is_history: bool = False

    @property
    def step_name(self) -> str:
        """The current step's label."""
        return name_step(self.definition_id, self.current_step)


@dataclass(frozen=True, slots=True)
class Rule:
    """``refuse`` gives the reason why the verb cannot be used, or ""; ``describe`` says what it would do otherwise."""

    refuse: Callable[[Situation], str]
    describe: Callable[[Situation], str]

    def check(self, situation: Situation) -> None:
        """Raise WrongState, or FinishedWorkflow for a Job that has ended, with the reason of a refusal."""
        reason = self.refuse(situation)
        if reason:
            error = FinishedWorkflow if situation.state in FINAL else WrongState
            raise error(reason, state=situation.state)


def judge(job: Job, *, has_running: bool, last: StepRun | None) -> Situation:
    """Give the situation of a Job."""
    attempt = last.attempt if last is not None else 0
    return Situation(
        state=job.state,
        has_running=has_running,
        definition_id=job.definition_id,
        current_step=job.current_step,
        attempt=attempt,
        is_history=load_graph(job.definition_id).is_history,
    )


def name_step(definition_id: int, path: str) -> str:
    """Give a step's label for a sentence, as the definition has it. A process asks the database once a definition."""
    return load_graph(definition_id).get_label(path)


def _refuse_cancel(situation: Situation) -> str:
    return _("The job has ended already.") if situation.state in FINAL else ""


def _describe_cancel(situation: Situation) -> str:
    if situation.has_running:
        return _("The running step is interrupted and the job ends as canceled. What has been committed stays.")
    return _("The job ends as canceled, where it stands now. What has been committed stays.")


def _refuse_pause(situation: Situation) -> str:
    if situation.state == JobState.PAUSED:
        return _("The job is paused already.")
    if situation.state in (*FINAL, JobState.FAILED):
        return _("Nothing is going on that could be paused.")
    return ""


def _describe_pause(situation: Situation) -> str:
    if situation.has_running:
        return _("The running step finishes; nothing starts after it until the job is resumed.")
    return _("Nothing starts until the job is resumed.")


def _refuse_resume(situation: Situation) -> str:
    return "" if situation.state == JobState.PAUSED else _("The job is not paused.")


def _describe_resume(situation: Situation) -> str:
    return _("The job goes on at “%(step)s”.") % {"step": situation.step_name}


def _refuse_retry(situation: Situation) -> str:
    return "" if situation.state == JobState.FAILED else _("Only a failed job can be tried again.")


def _describe_retry(situation: Situation) -> str:
    values = {"step": situation.step_name, "attempt": situation.attempt + 1}
    return _("“%(step)s” runs again, as attempt %(attempt)s; what ran before it stays.") % values


def _refuse_skip(situation: Situation) -> str:
    if situation.state in FINAL:
        return _("The job has ended already.")
    return _("A step is running; it can be skipped once it has failed, or waits.") if situation.has_running else ""


def _describe_skip(situation: Situation) -> str:
    step = situation.step_name
    return _("“%(step)s” does not run: the job goes on with the result that you give.") % {"step": step}


def _refuse_rerun(situation: Situation) -> str:
    if situation.state == JobState.CANCELED:
        return _("The job was canceled.")
    if situation.is_history:
        return _("The job ran under django-wfe 1.x and cannot go on; start its workflow anew.")
    return _("A step is running; pause the job and wait until it is done.") if situation.has_running else ""


def _describe_rerun(situation: Situation) -> str:
    return _("The job runs again from the step that you choose; what ran from there on is kept, marked as superseded.")


RULES = {
    "retry": Rule(_refuse_retry, _describe_retry),
    "skip": Rule(_refuse_skip, _describe_skip),
    "rerun": Rule(_refuse_rerun, _describe_rerun),
    "pause": Rule(_refuse_pause, _describe_pause),
    "resume": Rule(_refuse_resume, _describe_resume),
    "cancel": Rule(_refuse_cancel, _describe_cancel),
}
