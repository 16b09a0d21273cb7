"""A paginator that does not count a big table to its end."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.core.paginator import Paginator

from django_wfe.admin.elements.counts import count_up_to

if TYPE_CHECKING:
    _Paginator = Paginator[Any]
else:
    # Django's paginator takes a type argument in its stubs only.
    _Paginator = Paginator

CAP = 10_000
"""Rows that a list counts and pages through at most."""


class CappedPaginator(_Paginator):
    """Counts at most ``CAP`` rows: ``SELECT COUNT(*) FROM (... LIMIT cap + 1)``. Later pages do not exist."""

    @cached_property
    def count(self) -> int:
        """The number of rows, or the cap."""
        return min(self._counted, CAP)

    @property
    def is_capped(self) -> bool:
        """Return whether there are more rows than the list pages through."""
        return self._counted > CAP

    @property
    def cap(self) -> int:
        """The cap, for the template."""
        return CAP

    @cached_property
    def _counted(self) -> int:
        rows: Any = self.object_list
        if not hasattr(rows, "order_by"):
            return len(rows)
        return count_up_to(rows.order_by(), CAP)
