"""A person's hold on an open question, and what they have typed so far.

An assignment tells the others that somebody works on a question; it never locks a question away. Whoever may answer may
take it over, and an answer that comes from elsewhere (REST, Python) is taken with or without an assignment.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models.functions import Now

from django_wfe.engine.access import (
    ANSWER_VERB,
    PROVIDE_INPUT,
    is_job_in_sight,
    may_view_data,
    name_actor,
    require_for_job,
)
from django_wfe.engine.rules.node_names import name_node_by_id
from django_wfe.engine.store.transactions import atomic
from django_wfe.exceptions import UnknownJob, WrongState
from django_wfe.models import Assignment, JobEvent, StepRun, StepRunState
from django_wfe.values.encoding import encode
from django_wfe.values.sentences import gettext as _

PAYLOAD = ("external_data", "edited_input", "result", "error", "traceback", "job__error")


@dataclass(frozen=True, slots=True)
class Draft:
    """What was typed and not yet submitted. ``saved_by`` is None if that user was deleted."""

    data: Any
    saved_by: Any
    saved_at: datetime


def get_assignment(step_run_id: int) -> Assignment | None:
    """Return the assignment on a step run with its user and without its draft, or None if nobody has it."""
    assignments = Assignment.objects.select_related("user").defer("draft")
    return assignments.filter(step_run_id=step_run_id, user__isnull=False).first()


def assign_input(
    step_run_id: int, actor: Any, *, take_over_from: Any = None, source: str = JobEvent.Source.PYTHON
) -> None:
    """Assign a waiting step run to ``actor``. Whoever has it already changes nothing by it.

    Args:
        actor: the user whom it is assigned to.
        take_over_from: the key of the user whom the caller has seen to have it, or that key as text. Default None: it
            must be unassigned.

    Raises:
        WrongState: it does not wait (any more), or somebody else has it; the message says who.
        UnknownJob: there is no such step run.
        PermissionRequired: ``actor`` may not give the input.
    """
    with atomic():
        step_run = lock_waiting(step_run_id, actor)
        _take(step_run, actor, take_over_from, source)


def release_input(step_run_id: int, actor: Any, *, source: str = JobEvent.Source.PYTHON) -> None:
    """Give an assignment back. A draft stays for whoever takes it next.

    Args:
        actor: the user who has it; None for trusted code, which releases anybody's assignment.

    Raises:
        WrongState: it does not wait (any more), or ``actor`` has no assignment on it.
        UnknownJob, PermissionRequired: as of ``assign_input``.
    """
    with atomic():
        step_run = lock_waiting(step_run_id, actor)
        assignment = get_assignment(step_run.pk)
        if assignment is None:
            raise WrongState(_("%(step)s is not assigned.") % {"step": describe_question(step_run)})
        if actor is not None and assignment.user_id != actor.pk:
            raise WrongState(
                _("%(step)s is assigned to %(user)s.") % {"step": describe_question(step_run), "user": assignment.user}
            )
        Assignment.objects.filter(pk=assignment.pk).update(user=None, assigned_at=None)
        Assignment.objects.filter(pk=assignment.pk, drafted_at=None).delete()
        write_assignment_event(step_run, JobEvent.Kind.RELEASED, actor, source, {"from": name_actor(assignment.user)})


def save_draft(step_run_id: int, data: Any, actor: Any, *, source: str = JobEvent.Source.PYTHON) -> None:
    """Keep what was typed so far, whatever it is; the step run becomes ``actor``'s if nobody has it.

    Args:
        data: what JSON can hold. Leave secrets out: a draft is not encrypted.
        actor: the user who types.

    Raises:
        NotEncodable: JSON cannot hold it, or it is larger than ``WFE_MAX_RESULT_BYTES``.
        WrongState: it does not wait (any more), or somebody else has it.
        UnknownJob, PermissionRequired: as of ``assign_input``.
    """
    kept = json.loads(encode(data, "the draft"))
    with atomic():
        step_run = lock_waiting(step_run_id, actor)
        _take(step_run, actor, None, source)
        Assignment.objects.filter(step_run=step_run).update(draft=kept, drafted_by=actor, drafted_at=Now())


def load_draft(step_run_id: int, actor: Any) -> Draft | None:
    """Return what was saved, or None if there is nothing that ``actor`` may see.

    One's own draft comes back to whoever may give the input; that of another person is data of the job, and asks for
    the permission ``view_job_data`` besides.

    Raises:
        UnknownJob, PermissionRequired: as of ``assign_input``.
    """
    step_run = StepRun.objects.select_related("job__workflow").defer(*PAYLOAD).filter(pk=step_run_id).first()
    if step_run is None or not is_job_in_sight(actor, step_run.job):
        raise UnknownJob(_("There is no step run %(step_run)s.") % {"step_run": step_run_id})
    require_for_job(actor, ANSWER_VERB, PROVIDE_INPUT, step_run.job)
    drafts = Assignment.objects.select_related("drafted_by").filter(step_run=step_run, drafted_at__isnull=False)
    assignment = drafts.first()
    if assignment is None or assignment.drafted_at is None:
        return None
    is_own = actor is None or assignment.drafted_by_id == actor.pk
    if not is_own and not may_view_data(actor, step_run.job):
        return None
    return Draft(assignment.draft, assignment.drafted_by, assignment.drafted_at)


def end_assignments(step_run_ids: list[int]) -> None:
    """Drop the assignments and drafts of those of these step runs that no longer wait."""
    if step_run_ids:
        assignments = Assignment.objects.filter(step_run_id__in=step_run_ids)
        assignments.exclude(step_run__state=StepRunState.INPUT_REQUIRED).delete()


def lock_waiting(step_run_id: int, actor: Any) -> StepRun:
    """Return a step run, locked so that nobody takes or answers it meanwhile, if it waits and ``actor`` may answer."""
    rows = StepRun.objects.select_for_update(of=("self",), no_key=True).select_related("job__workflow")
    step_run = rows.defer(*PAYLOAD).filter(pk=step_run_id).first()
    if step_run is None or not is_job_in_sight(actor, step_run.job):
        raise UnknownJob(_("There is no step run %(step_run)s.") % {"step_run": step_run_id})
    require_for_job(actor, ANSWER_VERB, PROVIDE_INPUT, step_run.job)
    if step_run.state != StepRunState.INPUT_REQUIRED:
        raise WrongState(_("%(step)s no longer waits for input.") % {"step": describe_question(step_run)})
    return step_run


def _take(step_run: StepRun, actor: Any, take_over_from: Any, source: str) -> None:
    if actor is None:
        raise ValueError("actor=None: an assignment needs the user who takes it on.")
    assignment = get_assignment(step_run.pk)
    if assignment is not None and assignment.user_id == actor.pk:
        return
    if assignment is not None and (take_over_from is None or str(assignment.user_id) != str(take_over_from)):
        raise WrongState(
            _("%(step)s is assigned to %(user)s.") % {"step": describe_question(step_run), "user": assignment.user}
        )
    Assignment.objects.update_or_create(step_run=step_run, defaults={"user": actor, "assigned_at": Now()})
    if assignment is not None:
        write_assignment_event(step_run, JobEvent.Kind.TAKEN_OVER, actor, source, {"from": name_actor(assignment.user)})
    else:
        write_assignment_event(step_run, JobEvent.Kind.ASSIGNED, actor, source, {})


def write_assignment_event(
    step_run: StepRun, kind: JobEvent.Kind, actor: Any, source: str, data: dict[str, Any]
) -> None:
    """Write a history entry about who has a step run."""
    JobEvent.objects.create(
        job_id=step_run.job_id,
        step_run=step_run,
        kind=kind,
        actor=actor,
        actor_name=name_actor(actor),
        source=source,
        data={"step": step_run.step, **data},
    )


def describe_question(step_run: StepRun) -> str:
    """Name a step run and its Job in a sentence."""
    step = name_node_by_id(step_run.job.definition_id, step_run.step)
    return _("“%(step)s” of job %(job)s") % {"step": step, "job": step_run.job_id}
