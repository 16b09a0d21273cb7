"""Gives stored failures the fingerprint that they would get today, so that old and new ones are one incident.

The watchdog does it and not a migration: hundreds of thousands of tracebacks take minutes, and workers that still run
the code of before go on writing fingerprints of before.
"""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Any

from django.db.models import QuerySet

from django_wfe.engine.errors.fingerprints import MARK, compute_fingerprint
from django_wfe.engine.store.transactions import atomic
from django_wfe.models import BulkRun, StepRun, StepRunState

BATCH = 200
"""How many step runs one transaction takes on."""

SECONDS = 2.0
"""How long one round may take; the next goes on."""

OLD = "g"
"""Above every hexadecimal fingerprint, and below ``MARK``."""


def renew_fingerprints(seconds: float = SECONDS) -> int:
    """Work the fingerprints of before out anew, for some seconds; return how many step runs were changed.

    Where there are none left it is one look into the index of incidents.
    """
    assert OLD < MARK  # noqa: S101  (what is renewed is not found again)
    old = StepRun.objects.filter(state=StepRunState.FAILED, fingerprint__gt="", fingerprint__lt=OLD)
    until = time.monotonic() + seconds
    total = 0
    while True:
        changed = renew_batch(old.order_by("fingerprint", "-id"))
        total += changed
        if changed < BATCH or time.monotonic() >= until:
            return total


def renew_batch(old: QuerySet[StepRun]) -> int:
    """Renew the first of these step runs, and what waits for their failures to come back; return their number."""
    columns = ("pk", "step", "error_type", "error", "traceback", "fingerprint")
    with atomic():
        rows = list(old.select_for_update(skip_locked=True).values_list(*columns)[:BATCH])
        renewed: dict[str, list[int]] = defaultdict(list)
        followers: dict[str, set[str]] = defaultdict(set)
        for run_id, step, error_type, error, traceback, fingerprint in rows:
            new = compute_fingerprint(step, error_type, error, traceback)
            renewed[new].append(run_id)
            followers[fingerprint].add(new)
        for new, ids in renewed.items():
            StepRun.objects.filter(pk__in=ids).update(fingerprint=new)
        _tell_bulk_runs(followers)
    return len(rows)


def _tell_bulk_runs(followers: dict[str, set[str]]) -> None:
    """Have open repairs stop on what their failure is called now, too."""
    live: QuerySet[Any] = BulkRun.objects.filter(state__in=BulkRun.LIVE_STATES, stop_on_fingerprint__in=followers)
    for bulk in live.select_for_update().order_by("pk"):
        bulk.stops_also_on = sorted({*bulk.stops_also_on, *followers[bulk.stop_on_fingerprint]})
        bulk.save(update_fields=["stops_also_on"])
