"""Times as the database has them, counted with whether or not the project keeps time zones.

With ``USE_TZ = False`` Django gives local times without an offset: of two in the hour that autumn doubles, nothing but
``fold`` tells the earlier from the later, and subtracting them does not look at it. So what counts with times of the
database asks here, or the database.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.conf import settings as django_settings
from django.db import connections
from django.utils import timezone
from django.utils.formats import date_format

from django_wfe.conf import DATABASE

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOW = "SELECT (EXTRACT(EPOCH FROM statement_timestamp()) * 1000000)::bigint"


def get_now() -> datetime:
    """Return the time by the database's clock, as the fields of models hold times."""
    with connections[DATABASE].cursor() as cursor:
        cursor.execute(_NOW)
        return build_moment(cursor.fetchone()[0])


def build_moment(microseconds: int) -> datetime:
    """Return the time so many microseconds after the epoch, as the fields of models hold times."""
    moment = _EPOCH + timedelta(microseconds=microseconds)
    if django_settings.USE_TZ:
        return moment
    return moment.astimezone(timezone.get_default_timezone()).replace(tzinfo=None)


def count_seconds(start: datetime, end: datetime) -> float:
    """Return the seconds from one time to another, below 0 if ``end`` is the earlier one."""
    if start.tzinfo is not None and end.tzinfo is not None:
        return (end - start).total_seconds()
    return read_seconds(end) - read_seconds(start)


def add_seconds(moment: datetime, seconds: float) -> datetime:
    """Return the time so many seconds after another. Raises OverflowError after the year 9999."""
    if moment.tzinfo is not None:
        return moment + timedelta(seconds=seconds)
    later = _make_aware(moment).astimezone(UTC) + timedelta(seconds=seconds)
    return later.astimezone(timezone.get_default_timezone()).replace(tzinfo=None)


def localize(moment: datetime) -> datetime:
    """Return a time in the current time zone. One without an offset is local already."""
    return timezone.localtime(moment) if moment.tzinfo is not None else moment


def say_moment(moment: datetime) -> str:
    """Return a time in full, the only way that people are told one: "Nov. 27, 2026, 12:50:23 CET".

    In the current time zone and language. A project without time zones has no zone to name.
    """
    local = localize(moment)
    return f"{date_format(local, 'DATE_FORMAT')}, {date_format(local, 'H:i:s')} {local.tzname() or ''}".rstrip()


def read_seconds(moment: datetime) -> float:
    """Return the seconds since the epoch. Also the key by which ``min``, ``max`` and ``sorted`` order times."""
    return _make_aware(moment).timestamp()


def _make_aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.get_default_timezone())
