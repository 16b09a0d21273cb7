"""The console's lists: in the one order that has an index, whatever an address asks for."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest


class ConsoleList(ChangeList):
    """A list that keeps to its admin's ``sortable_by``. (Django's only leaves out the links, and sorts by "?o=".)"""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        """Return the order, in which "?o=" counts as far as every column that it names may be sorted by."""
        if not all(map(self._may_sort_by, self.params.get(ORDER_VAR, "").split("."))):
            self.params.pop(ORDER_VAR, None)
        return super().get_ordering(request, queryset)

    def _may_sort_by(self, part: str) -> bool:
        position = part.lstrip("-")
        if not (position.isascii() and position.isdecimal() and len(position) < 4):
            return False
        columns = self.list_display[int(position) : int(position) + 1]
        return self.sortable_by is None or any(column in self.sortable_by for column in columns)
