"""The console's lists: in the one order that has an index, a page after another by key, whatever an address asks for.

A list of what is made all the time, the newest first, is cut by keys: "?after=4711" begins with what follows row 4711,
"?before=4711" ends with what precedes it. Each page costs the same, however far back it lies, and stays what it is
while new rows come. Lists of few rows, by name, have Django's numbered pages.
"""

from __future__ import annotations

from typing import Any

from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import capfirst

from django_wfe.admin.elements.counts import count_up_to, write_count
from django_wfe.values.identifiers import parse_id

AFTER, BEFORE = "after", "before"

COUNTED = 1_000
"""Rows of a list by key that are counted at most: nobody pages through them by number."""

BY_KEY = ("-id",)
"""The order that is cut by keys."""


class ConsoleList(ChangeList):
    """A list that keeps to its admin's ``sortable_by``. (Django's only leaves out the links, and sorts by "?o=".)

    Attributes:
        is_keyed: whether it is cut by keys; then the following hold.
        count_text: how many rows there are, in words: "3", "1,000+".
        is_capped: whether there are more than were counted.
        newest_url, newer_url, older_url: the queries of the pages around this one, "" where there is none.
    """

    is_keyed = False
    is_capped = False
    newest_url = newer_url = older_url = count_text = ""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.title = str(capfirst(str(self.opts.verbose_name_plural)))  # Django's says to select one

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        """Return all that matches, whatever page is shown of it: verbs and exports go by this."""
        for name in (AFTER, BEFORE):
            self.params.pop(name, None)
            self.filter_params.pop(name, None)
        return super().get_queryset(request, *args, **kwargs)

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        """Return the order, in which "?o=" counts as far as every column that it names may be sorted by."""
        if not all(map(self._may_sort_by, self.params.get(ORDER_VAR, "").split("."))):
            self.params.pop(ORDER_VAR, None)
        order = super().get_ordering(request, queryset)
        return list(BY_KEY) if order[0] in ("-id", "-pk") else order

    def get_results(self, request: HttpRequest) -> None:
        """Find the rows of the page."""
        self.is_keyed = self.queryset.query.order_by == BY_KEY
        if self.is_keyed:
            self._find_page(request)
        else:
            super().get_results(request)
        if not self.query or self.is_capped:
            # Beside the search stands how many there are, with "Show all": without a search, a link to the same list.
            self.full_result_count = self.result_count

    def _find_page(self, request: HttpRequest) -> None:
        after, before = (parse_id(request.GET.get(name, "")) for name in (AFTER, BEFORE))
        size = self.list_per_page
        rows: list[Any] = []
        is_first = has_older = False
        if before is not None:
            rows = list(self.queryset.filter(pk__gt=before).order_by("id")[: size + 1])[::-1]
            has_older, is_first = True, len(rows) <= size  # too few: the first page, whole
            rows = rows[-size:]
        if before is None or is_first:
            is_first = before is not None or after is None
            following = self.queryset if is_first or after is None else self.queryset.filter(pk__lt=after)
            rows = list(following[: size + 1])
            has_older = len(rows) > size
            rows = rows[:size]
        if not is_first:
            self.newest_url = self.get_query_string()
            self.newer_url = self.get_query_string({BEFORE: rows[0].pk}) if rows else ""
        self.older_url = self.get_query_string({AFTER: rows[-1].pk}) if has_older else ""
        counted = count_up_to(self.queryset, COUNTED)
        self.count_text, self.is_capped = write_count(counted, COUNTED), counted > COUNTED
        # What Django's templates read of a list.
        self.result_list, self.result_count = rows, min(counted, COUNTED)
        self.show_full_result_count, self.full_result_count, self.show_admin_actions = False, None, True
        self.can_show_all = self.multi_page = False
        self.paginator = self.model_admin.get_paginator(request, self.queryset, size)

    def _may_sort_by(self, part: str) -> bool:
        position = part.lstrip("-")
        if not (position.isascii() and position.isdecimal() and len(position) < 4):
            return False
        columns = self.list_display[int(position) : int(position) + 1]
        return self.sortable_by is None or any(column in self.sortable_by for column in columns)
