"""Rows of a big table by their age, where ``created_at`` has no index: ids rise with time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeVar

from django.db import connections
from django.db.models import Model, QuerySet

from django_wfe.conf import DATABASE
from django_wfe.values.moments import add_seconds

SLACK = timedelta(minutes=5)
"""How long a statement may wait between its time and the id that it draws. Rows of longer waits may be left out."""

Row = TypeVar("Row", bound=Model)

# The first id from a moment on, found by halving: each round is one look into the primary key's index.
_FIND = """
WITH RECURSIVE search (low, high) AS (
    SELECT min(id), max(id) + 1 FROM {table}
    UNION ALL
    SELECT CASE WHEN probe.created_at < %s THEN probe.id + 1 ELSE search.low END,
           CASE WHEN probe.created_at < %s THEN search.high ELSE (search.low + search.high) / 2 END
    FROM search CROSS JOIN LATERAL (
        SELECT id, created_at FROM {table} WHERE id >= (search.low + search.high) / 2 ORDER BY id LIMIT 1
    ) AS probe
    WHERE search.low < search.high
)
SELECT low FROM search WHERE low >= high
"""


def narrow_to_times(rows: QuerySet[Row], start: datetime | None, end: datetime | None) -> QuerySet[Row]:
    """Return those of the rows that were created from ``start`` on and before ``end``; None: no bound.

    Their ids are narrowed first, so that the order by id finds them at once. Two queries of some twenty look-ups each.
    """
    if start is not None:
        rows = rows.filter(pk__gte=find_id_at(rows.model, start, -SLACK), created_at__gte=start)
    if end is not None:
        rows = rows.filter(pk__lt=find_id_at(rows.model, end, SLACK), created_at__lt=end)
    return rows


def find_id_at(model: type[Model], moment: datetime, shift: timedelta = timedelta(0)) -> int:
    """Return an id before which all rows were created before a moment, and from which on none was.

    So far as ids rise with time. Of an empty table 0.
    """
    table = connections[DATABASE].ops.quote_name(model._meta.db_table)
    with connections[DATABASE].cursor() as cursor:
        asked = add_seconds(moment, shift.total_seconds())
        cursor.execute(_FIND.format(table=table), [asked, asked])
        row = cursor.fetchone()
    return int(row[0]) if row is not None else 0
