"""What share of a bulk run or an export a user sees: both keep how many of their rows belong to each Workflow.

``leave_out_closed`` and ``count_rows_in_sight`` note it of each row of a queryset; the other functions read it.
"""

from __future__ import annotations

from typing import Any, TypeVar

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, F, Func, IntegerField, JSONField, OuterRef, Q, QuerySet, Subquery, TextField
from django.db.models.functions import Cast, Coalesce

from django_wfe.engine.access.policy import list_jobs_in_sight
from django_wfe.engine.access.sight import list_closed_workflows, sees_everything
from django_wfe.models import BulkItem, BulkRun, Export

Shared = TypeVar("Shared", BulkRun, Export)


def count_shares(rows: QuerySet[Any], workflow: Any) -> dict[str, int]:
    """Return how many of these rows belong to each Workflow, by its id as text, in one query.

    Args:
        workflow: the expression or the path of its id in a row.
    """
    counted = rows.order_by().values_list(workflow).annotate(number=Count("pk"))
    return {str(workflow_id): number for workflow_id, number in counted if workflow_id is not None}


def leave_out_closed(rows: QuerySet[Shared], actor: Any) -> QuerySet[Shared]:
    """Leave out what is about closed Workflows alone; note of each row which shares are seen."""
    if sees_everything(actor):
        return rows.annotate(shares_seen=F("shares"))
    closed = list_closed_workflows(actor).annotate(key=Cast("pk", TextField())).values("key")
    seen = Func(
        F("shares"), ArraySubquery(closed), arg_joiner=" - ", template="(%(expressions)s)", output_field=JSONField()
    )
    return rows.annotate(shares_seen=seen).exclude(~Q(shares={}), shares_seen={})


def count_rows_in_sight(runs: QuerySet[BulkRun], actor: Any) -> QuerySet[BulkRun]:
    """Note of each bulk run how many of its entries are seen, counted one by one; leave out those of which none is."""
    seen = Q(job__in=list_jobs_in_sight(actor))
    closed = Q() if sees_everything(actor) else Q(bulk_run__workflow__in=list_closed_workflows(actor))
    seen |= Q(job=None) & ~closed if closed else Q(job=None)
    items = BulkItem.objects.filter(seen, bulk_run=OuterRef("pk")).order_by()
    counted = items.values("bulk_run").annotate(number=Count("pk")).values("number")
    rows_seen = Coalesce(Subquery(counted, output_field=IntegerField()), 0)
    return runs.annotate(rows_seen=rows_seen).exclude(total__gt=0, rows_seen=0)


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


def _read_seen(row: BulkRun | Export) -> dict[str, int]:
    seen: dict[str, int] = getattr(row, "shares_seen", row.shares)
    return seen
