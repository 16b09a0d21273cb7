"""Questions in SQL of their own over rows that the ORM has narrowed: to what an actor may see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connections, transaction
from django.db.models import QuerySet

from django_wfe.conf import DATABASE


def compile_rows(rows: QuerySet[Any, Any]) -> tuple[str, tuple[Any, ...]]:
    """Return the SQL of a query, to stand in another as a subquery, and its parameters."""
    sql, parameters = rows.query.sql_with_params()
    return sql, tuple(parameters)


def fetch_rows(statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return the rows of a bounded statement.

    Such a statement looks expensive by its worst case, and does little: compiling it would cost a hundred times its
    run.
    """
    with transaction.atomic(using=DATABASE), connections[DATABASE].cursor() as cursor:
        cursor.execute("SET LOCAL jit = off")
        cursor.execute(statement, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
