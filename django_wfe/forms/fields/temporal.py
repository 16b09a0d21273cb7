"""Dates, times and durations. The browser's own controls speak ISO 8601, whatever the language of the page."""

import datetime
import re
from typing import Any, Literal

from django.conf import settings
from django.core.exceptions import ValidationError
from django.forms.utils import from_current_timezone
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from pydantic import TypeAdapter
from pydantic import ValidationError as PydanticValidationError

from django_wfe.engine.inputs.given_times import read_moment
from django_wfe.forms.fields import widgets
from django_wfe.forms.fields.scalars import InputField
from django_wfe.forms.fields.values import MISSING

BASIC_DATE = re.compile(r"\d{8}", re.ASCII)
NUMBER = re.compile(r"[-+]?\d+(\.\d*)?", re.ASCII)
DAY = datetime.timedelta(days=1)
MINUTE = datetime.timedelta(minutes=1)
Awareness = Literal["aware", "naive", "either"]


class TemporalField(InputField):
    """A date, a time or both, as ISO 8601 writes them.

    Bare digits are refused, save for the eight of a date: pydantic would take them for seconds since 1970.
    """

    kind: type[datetime.date | datetime.time]
    example: str
    widget: Any
    default_error_messages = {
        "digits": _("“%(value)s” could be read in more than one way. Write it as %(example)s."),
    }

    def parse(self, value: Any) -> Any:
        typed = str(value).strip()
        if self.is_lenient and not self.widget.holds.fullmatch(typed):
            return value
        written = self.write_iso(typed)
        if written is None and NUMBER.fullmatch(typed):
            params = {"value": typed, "example": self.example}
            raise ValidationError(self.error_messages["digits"], code="digits", params=params)
        return written or typed

    def write_iso(self, typed: str) -> str | None:
        """The typed text in the form that pydantic reads, None if there is none or it needs no change."""
        return None

    def prepare_value(self, value: Any) -> Any:
        value = _read_number(value, self.kind)
        return value.isoformat() if isinstance(value, self.kind) else super().prepare_value(value)


class DateField(TemporalField):
    widget = widgets.DateInput
    kind = datetime.date
    example = "2026-01-31"

    def write_iso(self, typed: str) -> str | None:
        moment = _read_moment(typed) if BASIC_DATE.fullmatch(typed) else None
        return None if moment is None else moment.date().isoformat()


class TimeField(TemporalField):
    widget = widgets.ClockInput
    kind = datetime.time
    example = "12:30"


class DateTimeField(TemporalField):
    """A moment. "aware" values are typed and shown in Django's current time zone, "naive" ones are left alone.

    "either" is pydantic's plain `datetime`: aware where USE_TZ is on, unless the initial value is naive. A value
    typed with its own offset keeps it. A local time that a clock change makes ambiguous or skips is refused.
    """

    widget = widgets.DateTimeInput
    kind = datetime.datetime
    example = "2026-01-31 12:30"
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

    def write_iso(self, typed: str) -> str | None:
        moment = read_moment(typed)
        if moment is None:
            return None
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
    """A duration in the words that pydantic reads, so that a text means the same here as in a file or a request."""

    widget = widgets.TextInput

    def parse(self, value: Any) -> Any:
        return value.strip() if isinstance(value, str) else value

    def prepare_value(self, value: Any) -> Any:
        value = _read_number(value, datetime.timedelta)
        if not isinstance(value, datetime.timedelta) or value == datetime.timedelta.min:
            return super().prepare_value(value)
        sign, span = ("-", -value) if value < datetime.timedelta(0) else ("", value)
        clock = (datetime.datetime.min + span % DAY).time().isoformat()
        unit = "day" if span.days == 1 else "days"  # as pydantic reads it, whatever the language
        return f"{sign}{span.days} {unit}, {clock}" if span.days else f"{sign}{clock}"

    def explain_format(self) -> str:
        return str(_("Hours:minutes or hours:minutes:seconds, after days if there are any, such as 1 day, 12:30:00."))


def _localize(moment: datetime.datetime) -> datetime.datetime:
    """The naive moment in Django's current time zone, also in projects with USE_TZ = False."""
    localized: datetime.datetime = from_current_timezone(moment)
    return localized if localized.tzinfo is not None else timezone.make_aware(localized)


def _read_number(value: Any, kind: type) -> Any:
    """The value that a number stands for, where a schema stores its dates or durations as numbers."""
    if not isinstance(value, (int, float)):
        return value
    try:
        return TypeAdapter[Any](kind).validate_python(value)
    except PydanticValidationError:
        return value


def _read_moment(value: Any) -> datetime.datetime | None:
    value = _read_number(value, datetime.datetime)
    if isinstance(value, datetime.datetime):
        return value
    if isinstance(value, str):
        try:
            return datetime.datetime.fromisoformat(value)
        except ValueError:
            return None
    return None
