"""Counts that stop: what is counted on a page costs the same, however many rows there are."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.formats import number_format


def count_up_to(rows: QuerySet[Any], most: int) -> int:
    """Return the number of rows, or ``most + 1`` if there are more than ``most``.

    The order of the rows stays, since it may be the one of the index that PostgreSQL is to stop in.
    """
    counted: int = rows.values("pk")[: most + 1].count()
    return counted


def write_count(count: int, most: int | None = None, *, is_more: bool = False) -> str:
    """Return a count with its digits grouped, and a plus if there are more: "1,234", "1,000+".

    Args:
        count: the number, or what ``count_up_to(rows, most)`` returned.
        most: where the counting stopped. Default None: nowhere.
        is_more: whether there are more than were counted, if the caller knows.
    """
    if most is not None and count > most:
        count, is_more = most, True
    return f"{number_format(count, force_grouping=True)}{'+' if is_more else ''}"
