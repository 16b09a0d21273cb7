"""How far a bulk run has come, as far as its Jobs are in somebody's sight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Count

from django_wfe.engine.access import count_seen, is_whole, list_items_in_sight
from django_wfe.models import BulkItem, BulkRun


@dataclass(frozen=True, slots=True)
class BulkProgress:
    """How many Jobs a bulk run is about, and what has come of them. ``pending`` are to come, or were when it ended."""

    total: int
    done: int
    refused: int
    pending: int

    @property
    def handled(self) -> int:
        """How many it has been at."""
        return self.done + self.refused

    @property
    def percent(self) -> int:
        """The whole part of the percentage that it has been at."""
        return 100 * self.handled // self.total if self.total else 100


def count_progress(bulk: BulkRun, actor: Any) -> BulkProgress:
    """Count what has come of the Jobs in the actor's sight, in one grouped query.

    Args:
        bulk: a row of ``list_visible_bulk_runs(actor)``.
        actor: the user; None for trusted code.
    """
    items = bulk.items.all() if is_whole(bulk) else list_items_in_sight(actor, bulk)
    counts = dict(items.order_by().values_list("state").annotate(number=Count("pk")))
    states = BulkItem.State
    return BulkProgress(
        total=count_seen(bulk),
        done=counts.get(states.DONE, 0),
        refused=counts.get(states.REFUSED, 0),
        pending=counts.get(states.PENDING, 0),
    )
