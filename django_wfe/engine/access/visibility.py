"""The one place that lists what an actor may see, model by model: no page and no call has its rows from elsewhere.

A row that belongs to a Workflow is seen if the Workflow is in sight, and one of a Job if the project's policy shows
the Job. What is about several Jobs (a bulk run, an export) is seen if one of them is, and its numbers count only what
is in sight.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from django.db.models import Model, Q, QuerySet

from django_wfe.engine.access.permissions import has_permission
from django_wfe.engine.access.policy import is_narrowed, list_jobs_in_sight
from django_wfe.engine.access.shares import count_rows_in_sight, leave_out_closed
from django_wfe.engine.access.sight import (
    are_jobless_in_sight,
    list_closed_workflows,
    list_steps_in_sight,
    list_workflows_in_sight,
    sees_everything,
)
from django_wfe.models import (
    BulkItem,
    BulkRun,
    Definition,
    DefinitionModule,
    Export,
    Job,
    JobEvent,
    Step,
    StepRun,
    Worker,
    Workflow,
)

Row = TypeVar("Row", bound=Model)


def list_visible(model: type[Row], actor: Any) -> QuerySet[Row]:
    """Return the rows of a model that a user may see; none without the permission that they need.

    Raises:
        KeyError: for a model of which ``VISIBLE`` says nothing.
    """
    return cast("QuerySet[Row]", VISIBLE[model](actor))


def list_visible_jobs(actor: Any) -> QuerySet[Job]:
    """Return the jobs that a user may see."""
    if not has_permission(actor, "django_wfe.view_job"):
        return Job.objects.none()
    return list_jobs_in_sight(actor)


def list_visible_step_runs(actor: Any) -> QuerySet[StepRun]:
    """Return the step runs of the jobs that a user may see. The pages about them alone ask for ``view_steprun`` too."""
    return _narrow(StepRun.objects.all(), list_visible_jobs(actor))


def list_visible_events(actor: Any) -> QuerySet[JobEvent]:
    """Return the history of the jobs that a user may see."""
    return _narrow(JobEvent.objects.all(), list_visible_jobs(actor))


def list_visible_workflows(actor: Any) -> QuerySet[Workflow]:
    """Return the workflows that a user may see."""
    if not has_permission(actor, "django_wfe.view_workflow"):
        return Workflow.objects.none()
    return list_workflows_in_sight(actor)


def list_visible_definitions(actor: Any) -> QuerySet[Definition]:
    """Return the definitions of the workflows that a user may see."""
    return Definition.objects.filter(workflow__in=list_visible_workflows(actor))


def list_visible_steps(actor: Any) -> QuerySet[Step]:
    """Return the steps and decisions that a user may see."""
    if not has_permission(actor, "django_wfe.view_step"):
        return Step.objects.none()
    return list_steps_in_sight(actor)


def list_visible_modules(actor: Any) -> QuerySet[DefinitionModule]:
    """Return the modules of definitions that a user may see: those that name no workflow out of the user's sight."""
    if not has_permission(actor, "django_wfe.view_workflow"):
        return DefinitionModule.objects.none()
    modules = DefinitionModule.objects.all()
    if sees_everything(actor):
        return modules
    for path in list_closed_workflows(actor).values_list("path", flat=True):
        modules = modules.exclude(workflows__contains=[path])
    return modules


def list_visible_workers(actor: Any) -> QuerySet[Worker]:
    """Return the workers that a user may see: all or none. What they lack names nodes: ``find_nodes_in_sight``."""
    return Worker.objects.all() if has_permission(actor, "django_wfe.view_worker") else Worker.objects.none()


def list_visible_bulk_runs(actor: Any) -> QuerySet[BulkRun]:
    """Return the bulk runs that a user may see: their own, and with ``view_bulkrun`` those of others.

    The doors to them ask for ``view_job`` besides.
    """
    runs = BulkRun.objects.all()
    if not has_permission(actor, "django_wfe.view_bulkrun"):
        runs = runs.filter(actor_id=actor.pk) if actor.is_active else runs.none()
    if is_narrowed(actor):
        return count_rows_in_sight(runs, actor)
    return leave_out_closed(runs, actor)


def list_visible_bulk_items(actor: Any, bulk: BulkRun) -> QuerySet[BulkItem]:
    """Return what came of each of a bulk run's entries that a user may see."""
    if not has_permission(actor, "django_wfe.view_job"):
        return bulk.items.none()
    return list_items_in_sight(actor, bulk)


def list_items_in_sight(actor: Any, bulk: BulkRun) -> QuerySet[BulkItem]:
    """Return what came of those of a bulk run's entries that neither a group nor the policy keeps from the actor."""
    if sees_everything(actor) and not is_narrowed(actor):
        return bulk.items.all()
    seen = Q(job__in=list_jobs_in_sight(actor))
    if are_jobless_in_sight(actor, bulk):
        seen |= Q(job=None)
    return bulk.items.filter(seen)


def list_visible_exports(actor: Any) -> QuerySet[Export]:
    """Return the exports that a user may see: with ``view_export`` all that hold rows in sight.

    Which Jobs an export held is not kept: of whom the policy keeps some, they see their own exports alone.
    """
    if not has_permission(actor, "django_wfe.view_export"):
        return Export.objects.none()
    exports = Export.objects.all()
    if is_narrowed(actor):
        exports = exports.filter(actor_id=actor.pk)
    return leave_out_closed(exports, actor)


def _narrow(rows: QuerySet[Row], jobs: QuerySet[Job]) -> QuerySet[Row]:
    """Return those rows whose Job is among these; where these are all Jobs, no look at them is spent on each row."""
    return rows.filter(job__in=jobs) if jobs.query.where else rows


VISIBLE: Mapping[type[Model], Callable[[Any], QuerySet[Any]]] = {
    BulkRun: list_visible_bulk_runs,
    Definition: list_visible_definitions,
    DefinitionModule: list_visible_modules,
    Export: list_visible_exports,
    Job: list_visible_jobs,
    JobEvent: list_visible_events,
    Step: list_visible_steps,
    StepRun: list_visible_step_runs,
    Worker: list_visible_workers,
    Workflow: list_visible_workflows,
}
