"""Assigning what waits to somebody else: one question, or all that a colleague holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models.functions import Now

from django_wfe.engine.access import (
    ANSWER_VERB,
    PROVIDE_INPUT,
    is_allowed,
    may_be_assigned,
    name_actor,
    require_permission,
)
from django_wfe.engine.operations.assigning import (
    PAYLOAD,
    describe_question,
    get_assignment,
    lock_waiting,
    write_assignment_event,
)
from django_wfe.engine.rules.held_questions import list_held
from django_wfe.engine.store.transactions import atomic
from django_wfe.exceptions import WrongState
from django_wfe.models import Assignment, JobEvent, StepRun, StepRunState
from django_wfe.values.sentences import gettext as _

BATCH = 500
"""How many questions one transaction hands over."""


@dataclass(frozen=True, slots=True)
class HandedOver:
    """How many questions have another holder now, and how many stayed, since that person may not answer them."""

    moved: int
    kept: int


def assign_to(
    step_run_id: int, person: Any, actor: Any, *, held_by: Any = None, source: str = JobEvent.Source.PYTHON
) -> None:
    """Assign a waiting step run to another person, with what was typed so far. To whoever has it: nothing changes.

    Args:
        person: the user whom it is assigned to.
        actor: the user who decides it; None for trusted code.
        held_by: the key of the user whom the caller has seen to have it, or that key as text. Default None: it must be
            unassigned.

    Raises:
        WrongState: it does not wait (any more), somebody else has it, or ``person`` may not answer it.
        UnknownJob: there is no such step run.
        PermissionRequired: ``actor`` may not give the input, and so assigns it to nobody.
    """
    with atomic():
        step_run = lock_waiting(step_run_id, actor)
        assignment = get_assignment(step_run.pk)
        holder = assignment.user if assignment is not None else None
        if holder is not None and holder.pk == person.pk:
            return
        if (holder is not None) != bool(held_by) or (holder is not None and str(holder.pk) != str(held_by)):
            if holder is None:
                raise WrongState(_("%(step)s is not assigned.") % {"step": describe_question(step_run)})
            raise WrongState(
                _("%(step)s is assigned to %(user)s.") % {"step": describe_question(step_run), "user": holder}
            )
        if not may_be_assigned(person, step_run.job):
            raise WrongState(
                _("%(user)s may not answer %(step)s.")
                % {"user": name_actor(person), "step": describe_question(step_run)}
            )
        Assignment.objects.update_or_create(step_run=step_run, defaults={"user": person, "assigned_at": Now()})
        write_assignment_event(step_run, JobEvent.Kind.HANDED_OVER, actor, source, _describe(holder, person, reason=""))


def hand_over(
    holder: Any, person: Any, actor: Any, *, reason: str = "", source: str = JobEvent.Source.PYTHON
) -> HandedOver:
    """Assign all that one person holds to another, as far as ``actor`` and that other person may answer it.

    It is committed in batches: cut off, what was handed over stays so, and the next call does the rest.

    Args:
        holder, person: the user who has it, and the one who gets it.
        actor: the user who decides it; None for trusted code.
        reason: why, for the history. Default "".

    Raises:
        ValueError: both are the same person.
        PermissionRequired: ``actor`` may answer nothing.
    """
    if holder.pk == person.pk:
        raise ValueError(f"{name_actor(holder)} has it already: name two people.")
    require_permission(actor, PROVIDE_INPUT)
    moved = kept = last = 0
    while True:
        ids = list(list_held(actor, holder).filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH])
        if not ids:
            return HandedOver(moved, kept)
        done = _move(ids, holder, person, actor, reason, source)
        moved, kept, last = moved + done.moved, kept + done.kept, ids[-1]


def _move(ids: list[int], holder: Any, person: Any, actor: Any, reason: str, source: str) -> HandedOver:
    with atomic():
        rows = StepRun.objects.select_for_update(of=("self",), no_key=True).select_related("job__workflow")
        waiting = rows.defer(*PAYLOAD).filter(pk__in=ids, state=StepRunState.INPUT_REQUIRED).order_by("pk")
        held = set(Assignment.objects.filter(step_run__in=ids, user=holder).values_list("step_run_id", flat=True))
        mine = [run for run in waiting if run.pk in held and is_allowed(actor, ANSWER_VERB, run.job)]
        taken = [run for run in mine if may_be_assigned(person, run.job)]
        Assignment.objects.filter(step_run__in=[run.pk for run in taken]).update(user=person, assigned_at=Now())
        for run in taken:
            write_assignment_event(
                run, JobEvent.Kind.HANDED_OVER, actor, source, _describe(holder, person, reason=reason)
            )
        return HandedOver(len(taken), len(mine) - len(taken))


def _describe(holder: Any, person: Any, *, reason: str) -> dict[str, str]:
    described = {"from": name_actor(holder), "to": name_actor(person), "reason": reason}
    return {name: text for name, text in described.items() if text}
