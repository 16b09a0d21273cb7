"""Small pieces of HTML that many pages share: a state, a time. Everything given is escaped."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from django_wfe.admin.elements.payloads import write_json
from django_wfe.models import Job
from django_wfe.values.moments import add_seconds, count_seconds, say_moment
from django_wfe.wording.durations import (
    SECONDS_A_DAY,
    SECONDS_A_MINUTE,
    SECONDS_AN_HOUR,
    describe_distance,
)
from django_wfe.wording.states import Look, get_job_look, get_step_run_look

NOTHING = "–"


def draw_look(look: Look, words: Any = "") -> SafeString:
    """Draw a state as shape, colour and text; ``words`` replace the look's own."""
    return format_html(
        '<span class="wfe-chip {}"><svg class="wfe-icon" viewBox="-1 -1 18 18" width="16" height="16" '
        'aria-hidden="true" focusable="false"><rect class="wfe-icon__ground" x="-1" y="-1" width="18" height="18" '
        'rx="9"/><path class="wfe-icon__glyph" d="{}"/></svg>{}</span>',
        look.css_class,
        look.icon,
        words or look.words,
    )


def draw_job_state(state: str) -> SafeString:
    """Draw the state of a Job."""
    return draw_look(get_job_look(state))


def draw_step_run_state(state: str, *, attempt: int = 1, job_state: str = "") -> SafeString:
    """Draw the state of a step run; one that waits may be held by its Job or be a retry."""
    return draw_look(get_step_run_look(state, attempt=attempt, job_state=job_state))


def draw_job_title(job: Job) -> SafeString:
    """Draw a Job's name, and its number in grey."""
    return format_html('{} <span class="wfe-id">#{}</span>', job.name, job.pk)


def draw_time(moment: datetime | None, now: datetime | None = None) -> SafeString | str:
    """Draw a moment as its distance from ``now`` (default: the present), the absolute time on hover.

    A distance back is cut to its largest unit: a page is read faster with "3 min ago", and changes less often. One
    ahead, which somebody has to keep, tells hours beside days and minutes beside hours.
    """
    if moment is None:
        return NOTHING
    now = now or timezone.now()
    seconds = count_seconds(moment, now)
    coarse = math.copysign(_cut_to_unit(abs(seconds), is_ahead=seconds < 0), seconds)
    return format_html(
        '<time class="wfe-time" datetime="{}" title="{}">{}</time>',
        moment.isoformat(),
        say_moment(moment),
        describe_distance(add_seconds(now, -coarse), now),
    )


def draw_json(value: Any) -> SafeString:
    """Draw a value as indented JSON."""
    return format_html('<pre class="wfe-pre" tabindex="0">{}</pre>', write_json(value))


def draw_exact_time(moment: datetime) -> SafeString:
    """Draw a moment in full, as tables have it."""
    return format_html('<time class="wfe-time" datetime="{}">{}</time>', moment.isoformat(), say_moment(moment))


def name_zone() -> str:
    """Return the name of the zone that times are shown in: "Europe/Berlin"."""
    return timezone.get_current_timezone_name()


def _cut_to_unit(seconds: float, *, is_ahead: bool) -> float:
    units = (SECONDS_A_DAY, SECONDS_AN_HOUR, SECONDS_A_MINUTE, 1)
    index = next((index for index, unit in enumerate(units) if seconds >= unit), None)
    if index is None:
        return seconds
    unit = units[min(index + 1, 2)] if is_ahead and index < 2 else units[index]
    return seconds // unit * unit
