"""The questions that somebody holds, as far as a user may answer them or hand them over."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from django_wfe.engine.access import PROVIDE_INPUT, has_permission, list_visible_step_runs, narrow_answerable
from django_wfe.models import Job, StepRun, StepRunState


def list_held(actor: Any, person: Any = None) -> QuerySet[StepRun]:
    """Return the assigned step runs that ``actor`` may answer or hand over, in no order, those of paused Jobs too.

    Args:
        person: the user whose assignments to look at alone. Default None: everybody's.
    """
    if not has_permission(actor, PROVIDE_INPUT):
        return StepRun.objects.none()
    rows = list_visible_step_runs(actor).filter(state=StepRunState.INPUT_REQUIRED)
    rows = rows.filter(assignment__user__isnull=False) if person is None else rows.filter(assignment__user=person)
    return narrow_to_answerable(rows, actor).order_by()


def narrow_to_answerable(rows: QuerySet[StepRun], actor: Any) -> QuerySet[StepRun]:
    """Return those of these step runs whose Jobs the project's policy lets a user answer."""
    answerable = narrow_answerable(actor, Job.objects.all())
    return rows.filter(job__in=answerable) if answerable.query.where else rows
