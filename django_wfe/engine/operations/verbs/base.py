"""What a verb is: one class that says all that the admin, REST, the commands and bulk runs have to know of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import Error
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy
from pydantic import BaseModel, ValidationError

from django_wfe.definition.texts import make_storable
from django_wfe.engine.access import has_permission, is_allowed, name_actor, require_for_job, say_permission_needed
from django_wfe.engine.operations.assigning import end_assignments
from django_wfe.engine.rules.verb_rules import FINAL, Situation, judge
from django_wfe.engine.store.locking import change_job, check_expected_state
from django_wfe.exceptions import FinishedWorkflow, VerbFailed, WFEException, WrongState
from django_wfe.models import BulkItem, Job, JobEvent, StepRun, StepRunState
from django_wfe.values.sentences import gettext as _
from django_wfe.values.sentences import remember

if TYPE_CHECKING:
    from collections.abc import Container

logger = logging.getLogger("django_wfe.verbs")

Text = str | Promise
"""A text in the reader's language: give lazy ones (``gettext_lazy``), or plain ones where there is one language."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found, or a preview foresees: a code, and the values for the verb's words of this code."""

    code: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """A Job that a verb is at, under its lock: ``live_runs`` (locked too) are ready, wait or run, by id.

    ``last_run`` is the step run that the Job is at, or was at last; a Job that runs has one from its start.
    """

    job: Job
    live_runs: list[StepRun]
    last_run: StepRun | None
    actor: Any
    source: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerbStatus:
    """Whether a verb can be used on a Job now.

    ``reason`` says why not and ``effect`` what it would do, one of them; ``code`` is the same for every language.
    """

    verb: Verb
    reason: str = ""
    effect: str = ""
    code: str = ""

    @property
    def allowed(self) -> bool:
        """Return whether it can be used."""
        return not self.reason


class BulkVerb:
    """What can be done for each entry of a list, by a bulk run; the entries may stand for something without a Job.

    A verb for Jobs is a ``Verb``. A subclass of this class overrides ``apply_to_entry``.

    Attributes:
        name: its name in addresses, commands and rows: small letters, digits and underscores.
        label: on buttons and in titles.
        summary: one line about it for the description of the REST API; by default the label. The class's docstring is
            the description.
        permission: what its use asks for, such as "shop.escalate_job"; asked again for each Job.
        Options: what it takes beside the reason, as a pydantic model; None for nothing. The forms, the bodies of REST
            and the options of ``wfe_job`` are made from it.
    """

    name: str = ""
    label: Text = ""
    summary: Text = ""
    permission: str = ""
    Options: type[BaseModel] | None = None

    def read_options(self, given: Mapping[str, Any]) -> Any:
        """Return the options as an instance of ``Options``, validated; None for a verb that takes none.

        Raises:
            pydantic.ValidationError: a value is not valid, or one is missing.
            TypeError: an option that the verb does not take.
        """
        self.check_names(given)
        return self.Options.model_validate(dict(given)) if self.Options is not None else None

    def check_names(self, given: Mapping[str, Any]) -> None:
        """Raise TypeError for an option that the verb does not take."""
        known = list_option_names(self)
        for name in given:
            if name not in known:
                takes = ", ".join(known) or "none"
                raise TypeError(f"The verb {self.name!r} takes no option {name!r}. Its options: {takes}.")

    def apply_to_entry(self, item: BulkItem, *, actor: Any, source: str, reason: str, **options: Any) -> int | None:
        """Do it for one entry of a bulk run, and return the id of the Job that it is about then, or None.

        It runs in the transaction that keeps what came of the entry: it is done once, or not at all. Raise a
        ``WFEException`` to leave the entry alone, with the reason.

        Args:
            item: the entry: ``key`` names it, ``job_id`` is None if there is no Job yet.
            options: those of the bulk run, replaced by those of the entry.
        """
        raise NotImplementedError(f"{type(self).__qualname__}.apply_to_entry(): say what is done for an entry.")


class Verb(BulkVerb):
    """One thing that can be done with a Job: a button on its page, an action of the list, a call, a command.

    A subclass sets the attributes and overrides ``perform``; ``refuse`` and ``foresee`` where it has a rule and a
    preview of its own. One that is registered appears everywhere.

    Attributes:
        refusals: the sentences for what ``refuse`` finds, by code, with places for the values: "%(step)s".
        effects: the same for what ``foresee`` finds.
        done: what it has done, with a place for "%(job)s".
        event: the kind of the history entry that it leaves; by default the verb's name.
        event_words: the words for such an entry, such as "escalated"; by default the label.
        is_action: whether the Job list offers it for many Jobs. REST, commands and Python may use each verb for many.
        action_label: what the list of actions calls it.
        is_about_step: whether it is about the step that the Job is at. It is refused where the Job has moved on since
            the user looked, though it may be in the same state again.
        wanted_in: the states of a Job in which this is what its operator most likely wants.
        goes_back: whether Jobs run again from an earlier step than the one that they are at.
        raises: what ``perform`` may raise besides ``WrongState``; REST describes the answers by it.
        page: the dotted path of a function that makes the form on the Job's page, where what it asks depends on the
            Job. Default: the form is made of ``Options``.
    """

    refusals: Mapping[str, Text] = {}
    effects: Mapping[str, Text] = {"done": gettext_lazy("It is done at once.")}
    done: Text = gettext_lazy("%(verb)s: done for %(job)s.")
    event: str = ""
    event_words: Text = ""
    is_action: bool = False
    action_label: Text = ""
    is_about_step: bool = False
    wanted_in: Container[str] = ()
    goes_back: bool = False
    raises: tuple[type[Exception], ...] = ()
    page: str = ""

    def refuse(self, situation: Situation) -> Finding | None:
        """Return why the verb cannot be used on a Job in this situation, or None if it can.

        It is asked for a page, and again under the Job's lock. For the preview of a bulk run it is asked once for all
        Jobs that are alike: it looks at ``state``, ``has_running`` and ``is_history`` alone.
        """
        return None

    def foresee(self, situation: Situation) -> Finding:
        """Return what the verb would do. By default the code "done"."""
        return Finding("done")

    def perform(self, case: Case, options: Any) -> Mapping[str, Any]:
        """Do it, and return what the history entry keeps, as JSON.

        It runs under the Job's lock, in the transaction that commits its history entry: if it raises, nothing was
        done. Raise ``WrongState`` with the reason if the verb cannot be used after all.

        Args:
            options: an instance of ``Options``, or None.
        """
        raise NotImplementedError(f"{type(self).__qualname__}.perform(): say what the verb does.")

    def apply(
        self,
        job_id: int,
        *,
        actor: Any = None,
        source: str = JobEvent.Source.PYTHON,
        reason: str = "",
        expected_state: str | None = None,
        expected_step_run: int | None = None,
        **options: Any,
    ) -> None:
        """Ask for the permission, check the rule, do it and leave a history entry, in one transaction.

        Args:
            actor: the user whose permission is asked for. Default None: trusted code.
            expected_state: the state that the caller has seen; a Job in another is left alone. Default None: any.
            expected_step_run: the step run that the caller has seen as the last. Default None: any.
            options: those that ``Options`` declares.

        Raises:
            UnknownJob, WrongState, FinishedWorkflow, PermissionRequired, VerbFailed: as their names say.
            pydantic.ValidationError, TypeError: as of ``read_options``.
        """

        def change(job: Job, runs: list[StepRun]) -> None:
            require_for_job(actor, self.name, self.permission, job)
            check_expected_state(job, expected_state)
            last = find_last_run(job)
            if expected_step_run is not None and (last is None or last.pk != expected_step_run):
                raise WrongState(
                    _("Job %(job)s has moved on since you looked; nothing was done.") % {"job": job.pk}, state=job.state
                )
            self.check(judge(job, has_running=any(run.state == StepRunState.RUNNING for run in runs), last=last))
            case = Case(job, runs, last, actor, source, reason)
            self.check_names(options)
            with telling_defects(self, f"job {job.pk}"):
                data = dict(self.perform(case, self.read_options(options)))
            end_assignments([run.pk for run in runs if run.state == StepRunState.INPUT_REQUIRED])
            JobEvent.objects.create(
                job=job,
                step_run=last,
                kind=self.event or self.name,
                actor=actor,
                actor_name=name_actor(actor),
                source=source,
                data={**data, "reason": make_storable(reason)} if reason else data,
            )

        change_job(job_id, change)

    def apply_to_entry(self, item: BulkItem, *, actor: Any, source: str, reason: str, **options: Any) -> int | None:
        """Apply it to the Job of the entry."""
        if item.job_id is None:
            raise WrongState(_("“%(key)s” has no job.") % {"key": item.key})
        self.apply(item.job_id, actor=actor, source=source, reason=reason, **options)
        return item.job_id

    def check(self, situation: Situation) -> None:
        """Raise WrongState, or FinishedWorkflow for a Job that has ended, if the rule refuses."""
        found = self.refuse(situation)
        if found is not None:
            error = FinishedWorkflow if situation.state in FINAL else WrongState
            raise error(self.say_refusal(found), state=situation.state)

    def judge(self, situation: Situation, actor: Any, job: Job) -> VerbStatus:
        """Return whether the actor can use it on a Job in this situation, and what it would do."""
        found = self.refuse(situation)
        if not has_permission(actor, self.permission, job.workflow):
            return VerbStatus(verb=self, reason=say_permission_needed(self.permission), code="permission_required")
        if not is_allowed(actor, self.name, job):
            return VerbStatus(verb=self, reason=_("The policy of this project refuses it."), code="refused_by_policy")
        if found is not None:
            return VerbStatus(verb=self, reason=self.say_refusal(found), code=found.code)
        foreseen = self.foresee(situation)
        return VerbStatus(verb=self, effect=self.say_effect(foreseen), code=foreseen.code)

    def say_refusal(self, found: Finding) -> str:
        """Explain why it cannot be used."""
        return remember(self.refusals[found.code]) % found.values

    def say_effect(self, foreseen: Finding) -> str:
        """Describe what it would do."""
        return str(self.effects[foreseen.code]) % foreseen.values

    def say_done(self, job: Job) -> str:
        """Describe what it has done to a Job."""
        return str(self.done) % {"job": job.title, "verb": self.label}

    def say_action(self) -> str:
        """Return what the list of actions calls it."""
        return str(self.action_label) or _("%(verb)s: selected jobs") % {"verb": self.label}


@contextmanager
def telling_defects(verb: BulkVerb, subject: str) -> Iterator[None]:
    """Raise ``VerbFailed`` for what the project's code raises by mistake: every door tells it, and no value in it."""
    try:
        yield
    except (WFEException, ValidationError, Error):  # what the database refuses now may go well later
        raise
    except Exception as error:
        logger.exception("The verb %s failed for %s.", verb.name, subject)
        message = _("The verb failed with %(error)s, and nothing was done. The log says where.")
        raise VerbFailed(message % {"error": type(error).__name__}) from error


def find_last_run(job: Job) -> StepRun | None:
    """Return the step run that the Job is at, or was at last. Its result and traceback are loaded when asked for."""
    runs = job.step_runs.filter(superseded=False).defer("result", "traceback")
    return runs.order_by("-number", "-attempt").first()


def list_option_names(verb: BulkVerb, *, required: bool = False) -> list[str]:
    """Return the names of the options that a verb takes, or of those that it needs."""
    fields = verb.Options.model_fields if verb.Options is not None else {}
    return [name for name, info in fields.items() if info.is_required() or not required]
