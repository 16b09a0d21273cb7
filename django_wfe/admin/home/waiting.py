"""What waits for input, on the console's home: all of it, or what the user has claimed; the oldest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest

from django_wfe.admin.elements.counts import write_count
from django_wfe.admin.inbox.page import TITLES, Item, Tab, build_items, count_waiting
from django_wfe.engine.access import PROVIDE_INPUT, has_permission
from django_wfe.engine.lifecycle import list_waiting
from django_wfe.engine.queries.inbox import Assigned, list_asked
from django_wfe.values.moments import count_seconds
from django_wfe.wording.durations import describe_duration

WAITING_SHOWN = 8


@dataclass(frozen=True, slots=True)
class WaitingList:
    """What is shown of it. ``tabs`` is empty for those who cannot take one; ``inbox_query`` leads to all of it."""

    items: list[Item]
    tabs: list[Tab]
    assigned: Assigned
    has_more: bool
    may_answer: bool

    def count_overdue(self) -> str:
        """Count those that are overdue, in words: as many as are shown, or more."""
        overdue = sum(item.is_overdue for item in self.items)
        return write_count(overdue, is_more=self.has_more and overdue == len(self.items)) if overdue else ""

    def measure_delay(self, now: datetime) -> str:
        """Return how long the most urgent of them has been overdue, in words; "" if none is."""
        late = self.items[0].due if self.items and self.items[0].is_overdue else None
        return describe_duration(count_seconds(late, now)) if late is not None else ""

    @property
    def inbox_query(self) -> str:
        """The query of the inbox that shows the same, whole."""
        return f"?{urlencode({'assigned': self.assigned})}" if self.assigned != "all" else ""


def build_waiting_list(request: HttpRequest, now: datetime) -> WaitingList:
    """Return what waits, as far as the user may see it: ``?waiting=mine`` gives what they have claimed."""
    user = request.user
    may_answer = has_permission(user, PROVIDE_INPUT)
    assigned: Assigned = "mine" if may_answer and request.GET.get("waiting") == "mine" else "all"
    rows = list_waiting(user, assigned=assigned) if may_answer else list_asked(user)
    found = list(rows[: WAITING_SHOWN + 1])
    return WaitingList(
        items=build_items(found[:WAITING_SHOWN], user, now),
        tabs=_build_tabs(user, assigned) if may_answer else [],
        assigned=assigned,
        has_more=len(found) > WAITING_SHOWN,
        may_answer=may_answer,
    )


def _build_tabs(user: Any, chosen: Assigned) -> list[Tab]:
    tabs: list[tuple[Assigned, str]] = [("all", "?"), ("mine", "?waiting=mine")]
    return [Tab(TITLES[name], query, count_waiting(user, assigned=name), name == chosen) for name, query in tabs]
