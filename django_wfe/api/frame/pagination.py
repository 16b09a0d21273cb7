"""Pages of jobs."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

from django_wfe.values.identifiers import parse_id


class JobPagination(CursorPagination):
    """Newest first, from a cursor: no page costs more than another, and nothing is counted.

    ``page_size`` rows a page, 50 by default, at most 100: each row carries the results of its steps.
    """

    ordering = "-id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 100

    def decode_cursor(self, request: Request) -> Any:
        """Read the cursor; one that we did not write is 404, as a damaged one is."""
        cursor = super().decode_cursor(request)
        if cursor is not None and cursor.position is not None and parse_id(str(cursor.position)) is None:
            raise NotFound(self.invalid_cursor_message)
        return cursor


class BulkPagination(JobPagination):
    """The results of a bulk run, in its order."""

    ordering = "id"
