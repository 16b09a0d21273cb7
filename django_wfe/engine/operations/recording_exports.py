"""Keeping who took which rows out of the database as a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db.models import QuerySet

from django_wfe.definition.texts import make_storable
from django_wfe.engine.access import count_shares, name_actor
from django_wfe.engine.store.transactions import atomic
from django_wfe.models import Export, Job, JobEvent, StepRun

LONGEST_QUERY = 2_000
"""How many characters are kept of the query string of the list that was exported."""


def record_export(
    rows: QuerySet[Any],
    *,
    kind: str,
    file_format: str,
    actor: Any = None,
    source: str = JobEvent.Source.PYTHON,
    query: str = "",
) -> Export:
    """Write the line of an export. Call it before the file is given away: no file leaves without its line.

    Args:
        rows: the Jobs or StepRuns that the file is to hold.
        kind: one of ``Export.Kind``.
        file_format: the ending of the file's name, such as "csv".
        actor: the user who gets the file. Default None: trusted code.
        query: the query string of the list. Default "".
    """
    model: type[Job | StepRun] = rows.model
    chosen = model.objects.filter(pk__in=rows.order_by().values("pk"))
    shares = count_shares(chosen, "workflow" if model is Job else "job__workflow")
    return Export.objects.create(
        kind=kind,
        file_format=file_format,
        query=make_storable(query)[:LONGEST_QUERY],
        total=sum(shares.values()),
        shares=shares,
        actor=actor,
        actor_name=name_actor(actor),
        source=source,
    )


@contextmanager
def exporting(rows: QuerySet[Any], **facts: Any) -> Iterator[Export]:
    """Record an export whose file is made inside: if that fails, nothing was exported. See ``record_export``."""
    with atomic():
        yield record_export(rows, **facts)
