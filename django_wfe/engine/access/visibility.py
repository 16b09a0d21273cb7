"""The one place that lists what an actor may see, model by model: no page and no call has its rows from elsewhere.

A row that belongs to a Workflow is seen if the Workflow is in sight, and one of a Job if the project's policy shows
the Job. What is about several Jobs (a bulk run, an export) is seen if one of them is, and its numbers count only what
is in sight.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, F, Func, IntegerField, JSONField, Model, OuterRef, Q, QuerySet, Subquery, TextField
from django.db.models.functions import Cast, Coalesce

from django_wfe.engine.access.permissions import has_permission
from django_wfe.engine.access.policy import is_narrowed, narrow_jobs
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
Shared = TypeVar("Shared", BulkRun, Export)


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
    return _list_jobs_in_sight(actor)


def list_visible_step_runs(actor: Any) -> QuerySet[StepRun]:
    """Return the step runs of the jobs that a user may see. The pages about them alone ask for ``view_steprun`` too."""
    return StepRun.objects.filter(job__in=list_visible_jobs(actor))


def list_visible_events(actor: Any) -> QuerySet[JobEvent]:
    """Return the history of the jobs that a user may see."""
    return JobEvent.objects.filter(job__in=list_visible_jobs(actor))


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
        return _count_rows_in_sight(runs, actor)
    return _leave_out_closed(runs, actor)


def list_visible_bulk_items(actor: Any, bulk: BulkRun) -> QuerySet[BulkItem]:
    """Return what came of each of a bulk run's entries that a user may see."""
    if not has_permission(actor, "django_wfe.view_job"):
        return bulk.items.none()
    return list_items_in_sight(actor, bulk)


def list_items_in_sight(actor: Any, bulk: BulkRun) -> QuerySet[BulkItem]:
    """Return what came of those of a bulk run's entries that neither a group nor the policy keeps from the actor."""
    if sees_everything(actor) and not is_narrowed(actor):
        return bulk.items.all()
    seen = Q(job__in=_list_jobs_in_sight(actor))
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
    return _leave_out_closed(exports, actor)


def count_seen(row: BulkRun | Export) -> int:
    """Return how many of the rows that it is about are in sight of whom ``list_visible`` was asked for."""
    rows_seen: int | None = getattr(row, "rows_seen", None)
    if rows_seen is not None:
        return rows_seen
    hidden = sum(row.shares.values()) - sum(_read_seen(row).values())
    return int(row.total - hidden)


def is_whole(row: BulkRun | Export) -> bool:
    """Return whether all that it is about is in sight of whom ``list_visible`` was asked for."""
    rows_seen: int | None = getattr(row, "rows_seen", None)
    return len(_read_seen(row)) == len(row.shares) if rows_seen is None else rows_seen == row.total


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


def _list_jobs_in_sight(actor: Any) -> QuerySet[Job]:
    """Return the jobs that neither a group nor the policy keeps from the actor. Permissions are not looked at."""
    jobs = Job.objects.all()
    if not sees_everything(actor):
        jobs = jobs.exclude(workflow__in=list_closed_workflows(actor))
    return narrow_jobs(actor, jobs)


def _count_rows_in_sight(runs: QuerySet[BulkRun], actor: Any) -> QuerySet[BulkRun]:
    """Note of each bulk run how many of its entries are seen, counted one by one; leave out those of which none is."""
    seen = Q(job__in=_list_jobs_in_sight(actor))
    closed = Q() if sees_everything(actor) else Q(bulk_run__workflow__in=list_closed_workflows(actor))
    seen |= Q(job=None) & ~closed if closed else Q(job=None)
    items = BulkItem.objects.filter(seen, bulk_run=OuterRef("pk")).order_by()
    counted = items.values("bulk_run").annotate(number=Count("pk")).values("number")
    rows_seen = Coalesce(Subquery(counted, output_field=IntegerField()), 0)
    return runs.annotate(rows_seen=rows_seen).exclude(total__gt=0, rows_seen=0)


def _leave_out_closed(rows: QuerySet[Shared], actor: Any) -> QuerySet[Shared]:
    """Leave out what is about closed Workflows alone; note of each row which shares are seen."""
    if sees_everything(actor):
        return rows.annotate(shares_seen=F("shares"))
    closed = list_closed_workflows(actor).annotate(key=Cast("pk", TextField())).values("key")
    seen = Func(
        F("shares"), ArraySubquery(closed), arg_joiner=" - ", template="(%(expressions)s)", output_field=JSONField()
    )
    return rows.annotate(shares_seen=seen).exclude(~Q(shares={}), shares_seen={})


def _read_seen(row: BulkRun | Export) -> dict[str, int]:
    seen: dict[str, int] = getattr(row, "shares_seen", row.shares)
    return seen
