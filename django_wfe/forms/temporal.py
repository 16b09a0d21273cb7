"""Dates, times and durations. The browser's own controls speak ISO 8601, whatever the language of the page."""

import datetime
from typing import Any, Literal

from django.conf import settings
from django.core.exceptions import ValidationError
from django.forms.utils import from_current_timezone
from django.utils import timezone
from django.utils.dateparse import parse_duration
from django.utils.duration import duration_iso_string, duration_string
from django.utils.translation import gettext_lazy as _

from django_wfe.engine.given_times import read_moment
from django_wfe.forms import widgets
from django_wfe.forms.fields import InputField
from django_wfe.forms.values import MISSING

MINUTE = datetime.timedelta(minutes=1)
Awareness = Literal["aware", "naive", "either"]


class DateField(InputField):
    widget = widgets.DateInput


class TimeField(InputField):
    widget = widgets.ClockInput

    def prepare_value(self, value: Any) -> Any:
        return value.isoformat() if isinstance(value, datetime.time) else super().prepare_value(value)


class DateTimeField(InputField):
    """A moment. "aware" values are typed and shown in Django's current time zone, "naive" ones are left alone.

    "either" is pydantic's plain `datetime`: aware where USE_TZ is on, unless the initial value is naive. A value
    typed with its own offset keeps it. A local time that a clock change makes ambiguous or skips is refused.
    """

    widget = widgets.DateTimeInput
    default_error_messages = {
        "offset": _("Write it with its offset from UTC, such as 2026-10-25T02:30:00+01:00."),
    }

    def __init__(self, *, awareness: Awareness, **options: Any) -> None:
        super().__init__(**options)
        self.awareness = awareness

    @property
    def is_naive(self) -> bool:
        initial = self._initial_moment()
        if self.awareness != "either":
            return self.awareness == "naive"
        return initial.tzinfo is None if initial is not None else not settings.USE_TZ

    def parse(self, value: Any) -> Any:
        moment = read_moment(str(value))
        if moment is None:
            return value
        if moment.tzinfo is None and not self.is_naive:
            try:
                moment = _localize(moment)
            except ValidationError as error:
                self.widget.text_only = True  # a native control has no offset
                message = " ".join([*error.messages, str(self.error_messages["offset"])])
                raise ValidationError(message, code="ambiguous") from None
        offset = moment.utcoffset()
        if offset is not None and offset % MINUTE:
            # Local mean time, before time zones were invented: ISO 8601 has no seconds in its offsets.
            moment = moment.astimezone(datetime.UTC)
        return moment.isoformat()

    def prepare_value(self, value: Any) -> Any:
        moment = _read_moment(value)
        if moment is None:
            return super().prepare_value(value)
        if moment.tzinfo is None:
            return moment.isoformat()
        try:
            local = timezone.localtime(moment)
            plain = local.replace(tzinfo=None, fold=0)
            is_unique = _localize(plain) == moment
        except (OverflowError, ValidationError):
            return moment.isoformat()
        return plain.isoformat() if is_unique and self.awareness != "naive" else local.isoformat()

    def explain_format(self) -> str:
        return "" if self.is_naive else str(_("Time zone: %(name)s.")) % {"name": timezone.get_current_timezone_name()}

    def _initial_moment(self) -> datetime.datetime | None:
        return None if self.initial is MISSING else _read_moment(self.initial)


class DurationField(InputField):
    widget = widgets.TextInput

    def parse(self, value: Any) -> Any:
        try:
            duration = parse_duration(str(value).strip())
        except (OverflowError, ValueError):
            return value
        return value if duration is None else duration_iso_string(duration)

    def prepare_value(self, value: Any) -> Any:
        return duration_string(value) if isinstance(value, datetime.timedelta) else super().prepare_value(value)

    def explain_format(self) -> str:
        return str(_("Days and hours:minutes:seconds, such as 1 12:30:00."))


def _localize(moment: datetime.datetime) -> datetime.datetime:
    """The naive moment in Django's current time zone, also in projects with USE_TZ = False."""
    localized: datetime.datetime = from_current_timezone(moment)
    return localized if localized.tzinfo is not None else timezone.make_aware(localized)


def _read_moment(value: Any) -> datetime.datetime | None:
    if isinstance(value, datetime.datetime):
        return value
    if isinstance(value, str):
        try:
            return datetime.datetime.fromisoformat(value)
        except ValueError:
            return None
    return None
