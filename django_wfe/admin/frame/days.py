"""A list's filter by days: from one to another, both included, in the time zone that the page shows times in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from django.conf import settings as django_settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_wfe.admin.elements.drawing import name_zone
from django_wfe.engine.queries.ages import narrow_to_times

FROM, TO = "from", "to"

FIRST_YEAR, LAST_YEAR = 1900, 2999
"""Days beyond them are those of no row, and the days beside them might be beyond what Python counts."""


class DayFilter(admin.ListFilter):
    """By when the row was created. Its times have no index, but ids rise with time: the list goes by id as ever."""

    title = gettext_lazy("day")
    template = "django_wfe/console/day_filter.html"
    parameter_names = (FROM, TO)

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.given = {name: str((params.pop(name, None) or [""])[-1]).strip() for name in self.parameter_names}
        self.days = {name: read_day(text) for name, text in self.given.items()}

    @property
    def problem(self) -> str:
        """Why it finds nothing, or ""."""
        for name, text in self.given.items():
            if text and self.days[name] is None:
                return _("“%(text)s” is no day: write it as 2026-12-31.") % {"text": text[:20]}
        first, last = self.days[FROM], self.days[TO]
        return _("The first day lies after the last.") if first and last and first > last else ""

    def has_output(self) -> bool:
        """Return that the filter is always there."""
        return True

    def expected_parameters(self) -> list[str | None]:
        """Return the names that stand in the address."""
        return list(self.parameter_names)

    def value(self) -> str:
        """Return the days in words, or "" where none is given."""
        days = {name: date_format(day, "SHORT_DATE_FORMAT") for name, day in self.days.items() if day is not None}
        if not days:
            return ""
        if len(days) == 2:
            return f"{days[FROM]} – {days[TO]}"
        return (_("from %(day)s") if FROM in days else _("until %(day)s")) % {"day": next(iter(days.values()))}

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        """Yield what the template shows: the days as they were typed, the list's other parameters, and the way out."""
        others = changelist.filter_params.items()
        yield {
            "first": self.given[FROM],
            "last": self.given[TO],
            "others": [(name, value) for name, values in others if name not in self.given for value in _list(values)],
            "problem": self.problem,
            "zone": name_zone(),
            "without": changelist.get_query_string(remove=list(self.parameter_names))
            if any(self.given.values())
            else "",
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.problem:
            return queryset.none()
        first, last = self.days[FROM], self.days[TO]
        start = begin_day(first) if first is not None else None
        return narrow_to_times(queryset, start, begin_day(last + timedelta(days=1)) if last is not None else None)


def read_day(text: str) -> date | None:
    """Return the day that "2026-12-31" names, or None if it names none."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if FIRST_YEAR <= day.year <= LAST_YEAR else None


def begin_day(day: date) -> datetime:
    """Return the moment when a day begins in the current time zone, as the fields of models hold times."""
    midnight = datetime.combine(day, time.min)
    return timezone.make_aware(midnight) if django_settings.USE_TZ else midnight


def _list(value: Any) -> list[str]:
    return [str(part) for part in value] if isinstance(value, list) else [str(value)]
