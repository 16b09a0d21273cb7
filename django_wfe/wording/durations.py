"""Durations and distances in time, in words for people."""

from __future__ import annotations

from datetime import datetime

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from django_wfe.values.moments import count_seconds

SECONDS_A_MINUTE = 60
SECONDS_AN_HOUR = 3600
SECONDS_A_DAY = 86_400


def describe_duration(seconds: float) -> str:
    """Return a duration in its one or two largest units: "40 ms", "0.4 s", "2 min 5 s", "3 d 4 h".

    ``seconds`` below 0 (clocks of two machines that disagree) count as 0.
    """
    seconds = max(float(seconds), 0.0)
    if seconds < 0.0005:
        return _("0 s")
    if seconds < 0.0995:
        return _("%(count)s ms") % {"count": number_format(round(seconds * 1000) or 1)}
    if seconds < 9.95:
        tenths = round(seconds, 1)
        return _("%(count)s s") % {"count": number_format(tenths, 0 if tenths.is_integer() else 1)}
    whole = round(seconds)
    if whole < SECONDS_A_MINUTE:
        return _("%(count)s s") % {"count": whole}
    if whole < SECONDS_AN_HOUR:
        minutes, rest = divmod(whole, SECONDS_A_MINUTE)
        if rest:
            return _("%(minutes)s min %(seconds)s s") % {"minutes": minutes, "seconds": rest}
        return _("%(minutes)s min") % {"minutes": minutes}
    if whole < SECONDS_A_DAY:
        hours, minutes = divmod(round(whole / SECONDS_A_MINUTE), 60)
        if hours < 24 and minutes:
            return _("%(hours)s h %(minutes)s min") % {"hours": hours, "minutes": minutes}
        if hours < 24:
            return _("%(hours)s h") % {"hours": hours}
    days, hours = divmod(round(whole / SECONDS_AN_HOUR), 24)
    if hours and days < 100:
        return _("%(days)s d %(hours)s h") % {"days": days, "hours": hours}
    return _("%(days)s d") % {"days": number_format(days, use_l10n=True, force_grouping=days >= 10_000)}


def describe_work(seconds: float, *, is_lost: bool) -> str:
    """Return how long a step worked: "worked 45 s". Of a lost one only the time until that was noticed is known."""
    texts = {"duration": describe_duration(seconds)}
    return (_("lost after at most %(duration)s") if is_lost else _("worked %(duration)s")) % texts


def describe_distance(when: datetime, now: datetime) -> str:
    """Return how far ``when`` is from ``now``: "2 min 5 s ago", "in 3 d 4 h", "now" (less than half a second)."""
    seconds = count_seconds(when, now)
    if abs(seconds) < 0.5:
        return _("now")
    if seconds > 0:
        return _("%(duration)s ago") % {"duration": describe_duration(seconds)}
    return _("in %(duration)s") % {"duration": describe_duration(-seconds)}
