"""How far a repair in stages may go: as many Jobs at a time as went well before, until the failure comes back."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from django_wfe.models import BulkItem, BulkRun, StepRun, StepRunState

LOOK_AGAIN_SECONDS = 1.0
"""How long a repair waits for what it has started before it looks again."""

COUNTED = 2_000
"""How many of the Jobs that were changed are counted: so many, less those under way, is the most that are under way."""


def find_returned(bulk: BulkRun) -> int | None:
    """Give a Job of this bulk run in which the failure has come back since, or None."""
    failed = StepRun.objects.filter(
        fingerprint=bulk.stop_on_fingerprint,
        state=StepRunState.FAILED,
        created_at__gte=bulk.created_at,
        job__in=_list_changed(bulk),
    )
    return failed.values_list("job", flat=True).first()


def count_room(bulk: BulkRun) -> int:
    """Give how many more Jobs may be changed now: 1 at first, then as many under way as have got past the step.

    A Job is under way while the step that failed is ready or runs in it. So a failure that takes its time to come back
    has not been met by all of them meanwhile.
    """
    changed = _list_changed(bulk)[:COUNTED].count()
    if not changed:
        return 1
    steps = StepRun.objects.filter(fingerprint=bulk.stop_on_fingerprint).order_by().values("step")[:1]
    under_way = StepRun.objects.filter(
        state__in=[StepRunState.READY, StepRunState.RUNNING],
        step__in=steps,
        created_at__gte=bulk.created_at,
        superseded=False,
        job__in=_list_changed(bulk),
    ).count()
    return max(1, changed - under_way) - under_way


def _list_changed(bulk: BulkRun) -> QuerySet[BulkItem, Any]:
    return bulk.items.filter(state=BulkItem.State.DONE).order_by().values("job")
