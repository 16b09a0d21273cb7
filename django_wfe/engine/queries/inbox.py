"""The inbox: what waits for people, and for whom."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from django.db.models import BooleanField, ExpressionWrapper, OuterRef, Q, QuerySet, Subquery

from django_wfe.engine.access import (
    PROVIDE_INPUT,
    has_permission,
    list_visible_step_runs,
    narrow_answerable,
)
from django_wfe.models import Assignment, Job, JobState, StepRun, StepRunState
from django_wfe.models.workflows import load_graph
from django_wfe.values.moments import add_seconds

PAYLOAD = ("external_data", "edited_input", "result", "error", "traceback", "job__error", "assignment__draft")

Assigned = Literal["all", "mine", "unassigned"]


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
    return rows.select_related("job__workflow", "assignment__user").defer(*PAYLOAD).order_by("created_at", "pk")


def list_waiting(actor: Any, *, assigned: Assigned = "all", workflow: Any = None) -> QuerySet[StepRun]:
    """Return the step runs that wait for input which ``actor`` may give, the oldest first, without their payloads.

    Each comes with its job, its workflow, and its ``assignment`` (RelatedObjectDoesNotExist where it has none). Cut
    the answer to a page: the index ``wfe_run_waiting`` gives it in this order.

    Args:
        actor: the user; None for trusted code, which sees all.
        assigned: "mine" for those of the actor, "unassigned" for those that nobody has. Default "all".
        workflow: the row or id of the only Workflow to look at. Default None: all that the actor may see.
    """
    if not has_permission(actor, PROVIDE_INPUT):
        return StepRun.objects.none()
    rows = list_asked(actor)
    answerable = narrow_answerable(actor, Job.objects.all())
    if answerable.query.where:
        rows = rows.filter(job__in=answerable)
    if workflow is not None:
        rows = rows.filter(job__workflow=workflow)
    if assigned == "mine":
        rows = rows.filter(assignment__user=actor) if actor is not None else rows.none()
    elif assigned == "unassigned":
        # Claims are few and hashed once; joined, they would be sought for everything that waits.
        assigned_runs = Assignment.objects.filter(user__isnull=False).order_by().values("step_run_id")
        rows = rows.exclude(pk__in=assigned_runs)
    return rows


def find_next(actor: Any, *, after_job: int | None = None) -> StepRun | None:
    """Return what ``actor`` should answer next: the oldest of their own assignments, else the oldest that nobody has.

    Args:
        after_job: the id of the Job that was just answered, left out. Default None.
    """
    assigned: Assigned
    for assigned in ("mine", "unassigned"):
        rows = list_waiting(actor, assigned=assigned)
        found = (rows.exclude(job_id=after_job) if after_job is not None else rows).first()
        if found is not None:
            return found
    return None


def get_due(step_run: StepRun) -> datetime | None:
    """Return the moment by which the input is expected, or None if the step says nothing about it."""
    node = load_graph(step_run.job.definition_id).get_node(step_run.step)
    within = node.input_within if node is not None else None
    if within is None:
        return None
    try:
        return add_seconds(step_run.created_at, within)
    except OverflowError:  # after the year 9999
        return None
