"""The inbox: what waits for people, and for whom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from django.contrib.auth import get_user_model
from django.contrib.postgres.expressions import ArraySubquery
from django.db import connections
from django.db.models import BooleanField, Exists, ExpressionWrapper, F, OuterRef, Q, QuerySet, Subquery

from django_wfe.conf import DATABASE
from django_wfe.engine.access import PROVIDE_INPUT, has_permission, list_visible_step_runs
from django_wfe.engine.queries.found_by import ANY, FoundBy
from django_wfe.engine.rules.held_questions import list_held, narrow_to_answerable
from django_wfe.models import Assignment, Definition, Job, JobState, StepRun, StepRunState

PAYLOAD = ("external_data", "edited_input", "result", "error", "traceback", "job__error", "assignment__draft")

ORDER = ("expires_at", "created_at", "pk")
"""The most urgent first, then what has no due time, the oldest first: PostgreSQL sorts NULL last."""

FEW = 2_000
"""What waits of a workflow or a person is looked up by that if it is no more; if it is more, among all by due time."""

_FIND_HOLDERS = """
WITH RECURSIVE holder AS (
    (SELECT user_id FROM django_wfe_inputclaim WHERE user_id IS NOT NULL ORDER BY user_id LIMIT 1)
    UNION ALL
    SELECT (
        SELECT user_id FROM django_wfe_inputclaim WHERE user_id > holder.user_id ORDER BY user_id LIMIT 1
    ) FROM holder WHERE holder.user_id IS NOT NULL
)
SELECT user_id FROM holder WHERE user_id IS NOT NULL LIMIT %s
"""
"""One look-up in the index for each person, however much they hold."""

MOST_HOLDERS = 200
"""So many people are looked at at most."""

Assigned = Literal["all", "mine", "unassigned"]


@dataclass(frozen=True, slots=True)
class Holder:
    """A person who holds questions that another may answer: so many, or with ``is_more`` at least so many."""

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
    actor: Any,
    *,
    assigned: Assigned = "all",
    workflow: Any = None,
    step: str = "",
    person: Any = None,
    found_by: FoundBy = ANY,
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
        found_by: what their Jobs must have. Default: anything.
    """
    if not has_permission(actor, PROVIDE_INPUT):
        return StepRun.objects.none()
    rows = found_by.narrow_step_runs(narrow_to_answerable(list_asked(actor), actor))
    if step:
        rows = rows.filter(step=step)
    if (assigned == "mine" and actor is None) or (assigned == "unassigned" and person is not None):
        return rows.none()
    for holder in list_people_asked_for(actor, assigned, person):
        few = _list_few_held(holder)
        rows = rows.filter(assignment__user=holder) if few.count() > FEW else rows.filter(pk__in=few)
    if workflow is not None:
        few_jobs = _list_few_jobs(workflow)
        if few_jobs.count() > FEW:
            rows = rows.filter(job__workflow=workflow)
        else:
            rows = rows.filter(job__in=few_jobs, number=F("job__current_step_number"))
    return leave_out_assigned(rows, is_few=workflow is not None) if assigned == "unassigned" else rows


def count_waiting(
    actor: Any,
    most: int,
    *,
    assigned: Assigned = "all",
    workflow: Any = None,
    step: str = "",
    person: Any = None,
    found_by: FoundBy = ANY,
) -> tuple[int, bool]:
    """Count what ``list_waiting`` would return, and say whether there may be more.

    Args:
        most: where the counting stops. Of a workflow or person of whom more than ``FEW`` wait, so many are looked at.
    """
    if assigned == "unassigned" and person is not None:
        return 0, False
    rows, is_more = list_waiting(actor, step=step, found_by=found_by), False
    for holder in list_people_asked_for(actor, assigned, person):
        few = _list_few_held(holder)
        rows, is_more = rows.filter(pk__in=few).order_by(), is_more or few.count() > FEW
    if workflow is not None:
        few_jobs = _list_few_jobs(workflow)
        rows = rows.filter(job__in=few_jobs, number=F("job__current_step_number")).order_by()
        is_more = is_more or few_jobs.count() > FEW
    if assigned == "unassigned":
        rows = leave_out_assigned(rows, is_few=workflow is not None)
    # All that waits stays in its order, which is that of an index: PostgreSQL then stops at the last one that counts.
    counted: int = rows.values("pk")[: most + 1].count()
    return min(counted, most), is_more or counted > most


def leave_out_assigned(rows: QuerySet[StepRun], *, is_few: bool) -> QuerySet[StepRun]:
    """Return those of these step runs that nobody has.

    Args:
        is_few: whether they are looked up one by one already.
    """
    held = Assignment.objects.filter(user__isnull=False).order_by()
    if is_few:
        return rows.exclude(Exists(held.filter(step_run=OuterRef("pk"))))
    # Assignments are few and hashed once; joined, they would be sought for everything that waits.
    return rows.exclude(pk__in=held.values("step_run_id"))


def list_people_asked_for(actor: Any, assigned: Assigned, person: Any) -> list[Any]:
    """Return those whose assignments alone are asked for: the actor for "mine", the person of the filter."""
    mine = [actor] if assigned == "mine" and actor is not None else []
    return mine if person is None else [*mine, person]


def _list_few_jobs(workflow: Any) -> QuerySet[Job, Any]:
    # By the versions: what stands has an index by them. In any order, so that PostgreSQL stops at the last that counts.
    versions = Definition.objects.filter(workflow=workflow).order_by()
    waiting = Job.objects.filter(definition__in=versions, state=JobState.INPUT_REQUIRED)
    return waiting.order_by().values("pk")[: FEW + 1]


def _list_few_held(person: Any) -> QuerySet[Assignment, Any]:
    return Assignment.objects.filter(user=person).order_by().values("step_run_id")[: FEW + 1]


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
    found_by: FoundBy = ANY,
) -> StepRun | None:
    """Return what ``actor`` should answer next: the most urgent of their own assignments, else of those nobody has.

    Args:
        after_job: the id of the Job that was just answered, left out. Default None.
        assigned: "mine" and "unassigned" look at those alone. Default "all": first the one, then the other.
        workflow, step, person, found_by: as of ``list_waiting``.
    """
    choices: tuple[Assigned, ...] = ("mine", "unassigned") if assigned == "all" else (assigned,)
    for chosen in choices:
        rows = list_waiting(actor, assigned=chosen, workflow=workflow, step=step, person=person, found_by=found_by)
        found = (rows.exclude(job_id=after_job) if after_job is not None else rows).first()
        if found is not None:
            return found
    return None


def list_holders(actor: Any, most: int = 1) -> list[Holder]:
    """Return who holds questions that ``actor`` may answer, those who hold most first. Two bounded queries.

    Args:
        most: how many of each person are counted at most. Default 1: it is only asked who.
    """
    with connections[DATABASE].cursor() as cursor:
        cursor.execute(_FIND_HOLDERS, [MOST_HOLDERS])
        keys = [key for (key,) in cursor.fetchall()]
    held = list_held(actor, OuterRef("pk")).values("pk")[: most + 1]
    people = get_user_model()._default_manager.filter(pk__in=keys).annotate(held_ids=ArraySubquery(held))
    holders = [
        Holder(person, min(len(person.held_ids), most), len(person.held_ids) > most)
        for person in people.order_by("pk")
        if person.held_ids
    ]
    return sorted(holders, key=lambda holder: -holder.count)


def get_due(step_run: StepRun) -> datetime | None:
    """Return the moment by which the input is expected, or None if the step says nothing about it."""
    return step_run.expires_at
