"""The inbox: what waits for people, and for whom."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from django.contrib.auth import get_user_model
from django.db.models import BooleanField, ExpressionWrapper, OuterRef, Q, QuerySet, Subquery

from django_wfe.engine.access import PROVIDE_INPUT, has_permission, list_visible_step_runs
from django_wfe.engine.rules.held_questions import list_held, narrow_to_answerable
from django_wfe.models import Assignment, Job, JobState, StepRun, StepRunState

PAYLOAD = ("external_data", "edited_input", "result", "error", "traceback", "job__error", "assignment__draft")

ORDER = ("expires_at", "created_at", "pk")
"""The most urgent first, then what has no due time, the oldest first: PostgreSQL sorts NULL last."""

HELD_COUNTED = 2_000
"""So many assignments are counted at most to say who holds how many."""

Assigned = Literal["all", "mine", "unassigned"]


@dataclass(frozen=True, slots=True)
class Holder:
    """A person, and how many of the questions that ``actor`` may answer they hold; ``is_more``: at least so many."""

    user: Any
    count: int
    is_more: bool


def list_asked(actor: Any) -> QuerySet[StepRun]:
    """Return the step runs that wait for input which ``actor`` may see, as ``list_waiting`` gives them."""
    # As a look for each row: joined, PostgreSQL takes both states for independent, expects next to nothing, and would
    # rather read all that waits than stop in the index.
    waits = Job.objects.filter(pk=OuterRef("job_id")).annotate(
        waits=ExpressionWrapper(Q(state=JobState.INPUT_REQUIRED), output_field=BooleanField())
    )
    rows = list_visible_step_runs(actor).filter(
        Subquery(waits.order_by().values("waits"), output_field=BooleanField()), state=StepRunState.INPUT_REQUIRED
    )
    return rows.select_related("job__workflow", "assignment__user").defer(*PAYLOAD).order_by(*ORDER)


def list_waiting(
    actor: Any, *, assigned: Assigned = "all", workflow: Any = None, step: str = "", person: Any = None
) -> QuerySet[StepRun]:
    """Return the step runs that wait for input which ``actor`` may give, by due time, without their payloads.

    What has no due time comes last, the oldest first. Each comes with its job, its workflow, and its ``assignment``
    (RelatedObjectDoesNotExist where it has none). Cut the answer to a page: the index ``wfe_run_due`` gives it in this
    order.

    Args:
        actor: the user; None for trusted code, which sees all.
        assigned: "mine" for those of the actor, "unassigned" for those that nobody has. Default "all".
        workflow: the row or id of the only Workflow to look at. Default None: all that the actor may see.
        step: the dotted path of the only node to look at. Default "": all.
        person: the user, or the key of the user, whose assignments to look at alone. Default None: everybody's.
    """
    if not has_permission(actor, PROVIDE_INPUT):
        return StepRun.objects.none()
    rows = narrow_to_answerable(list_asked(actor), actor)
    if workflow is not None:
        rows = rows.filter(job__workflow=workflow)
    if step:
        rows = rows.filter(step=step)
    if person is not None:
        rows = rows.filter(assignment__user=person)
    if assigned == "mine":
        rows = rows.filter(assignment__user=actor) if actor is not None else rows.none()
    elif assigned == "unassigned":
        # Claims are few and hashed once; joined, they would be sought for everything that waits.
        assigned_runs = Assignment.objects.filter(user__isnull=False).order_by().values("step_run_id")
        rows = rows.exclude(pk__in=assigned_runs)
    return rows


def list_page(waiting: QuerySet[StepRun], after: StepRun | None, size: int) -> list[StepRun]:
    """Return the next rows of what ``list_waiting`` returned, from one to the next by key.

    Args:
        after: the last row of the page before, whether or not it still waits. Default None: the first page.
    """
    if after is None:
        return list(waiting[:size])
    later = Q(created_at__gt=after.created_at) | Q(created_at=after.created_at, pk__gt=after.pk)
    undated = waiting.filter(expires_at__isnull=True)
    if after.expires_at is None:
        return list(undated.filter(created_at__gte=after.created_at).filter(later)[:size])
    # Two look-ups in the index: as one condition, it would be read from its beginning.
    dated = waiting.filter(expires_at__gte=after.expires_at)
    found = list(dated.filter(Q(expires_at__gt=after.expires_at) | later)[:size])
    return [*found, *undated[: size - len(found)]] if len(found) < size else found


def find_next(
    actor: Any,
    *,
    after_job: int | None = None,
    assigned: Assigned = "all",
    workflow: Any = None,
    step: str = "",
    person: Any = None,
) -> StepRun | None:
    """Return what ``actor`` should answer next: the most urgent of their own assignments, else of those nobody has.

    Args:
        after_job: the id of the Job that was just answered, left out. Default None.
        assigned: "mine" and "unassigned" look at those alone. Default "all": first the one, then the other.
        workflow, step, person: as of ``list_waiting``.
    """
    choices: tuple[Assigned, ...] = ("mine", "unassigned") if assigned == "all" else (assigned,)
    for chosen in choices:
        rows = list_waiting(actor, assigned=chosen, workflow=workflow, step=step, person=person)
        found = (rows.exclude(job_id=after_job) if after_job is not None else rows).first()
        if found is not None:
            return found
    return None


def list_holders(actor: Any) -> list[Holder]:
    """Return who holds questions that ``actor`` may answer, those who hold most first. Two bounded queries."""
    held = list(list_held(actor).values_list("assignment__user", flat=True)[: HELD_COUNTED + 1])
    counts = Counter(held[:HELD_COUNTED])
    people = get_user_model()._default_manager.in_bulk(list(counts))
    is_more = len(held) > HELD_COUNTED
    return [Holder(people[key], count, is_more) for key, count in counts.most_common() if key in people]


def get_due(step_run: StepRun) -> datetime | None:
    """Return the moment by which the input is expected, or None if the step says nothing about it."""
    return step_run.expires_at
