"""The template tags of the console. ``{% load wfe_console %}`` has them where the admin is installed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.utils.safestring import SafeString

from django_wfe.admin.elements import drawing
from django_wfe.admin.frame.navigation import Navigation, build_navigation
from django_wfe.admin.frame.trouble import count_safely
from django_wfe.admin.home.page import Attention, count_attention
from django_wfe.engine.access import say_permission_needed
from django_wfe.engine.errors.database_trouble import Trouble
from django_wfe.engine.rules.node_names import read_node_name
from django_wfe.values.moments import say_moment


def register_tags(register: template.Library) -> None:
    """Add the tags to a library."""
    register.simple_tag(drawing.draw_job_state, name="job_state")
    register.simple_tag(drawing.draw_step_run_state, name="step_run_state")
    register.simple_tag(say_permission_needed)
    register.simple_tag(drawing.draw_job_title, name="job_title")
    register.simple_tag(drawing.draw_exact_time, name="exact_moment")
    register.simple_tag(say_moment)
    register.simple_tag(step_label)
    register.simple_tag(moment, takes_context=True)
    register.simple_tag(console_attention, takes_context=True)
    register.simple_tag(console_navigation, takes_context=True)


def step_label(path: str, annotated: str) -> str:
    """Return the label that ``annotate_node_name`` found for a path, or one made from the path."""
    return read_node_name(annotated, path)


def moment(context: template.Context, value: datetime | None) -> SafeString | str:
    """Draw a time relative to the page's ``now``."""
    return drawing.draw_time(value, context.get("now"))


def console_attention(context: template.Context) -> Attention | Trouble | None:
    """Count what needs the user, for the admin's index. None if the user may see no jobs.

    The index is every app's: where the engine's tables are not there, it says so in place of the counts.
    """
    request: Any = context.get("request")
    user = getattr(request, "user", None)
    return count_safely(lambda: count_attention(user)) if user is not None and user.is_active else None


def console_navigation(context: template.Context) -> Navigation | None:
    """Return what is above each page of the console. None before somebody is signed in."""
    request: Any = context.get("request")
    user = getattr(request, "user", None)
    if user is None or not user.is_active:
        return None
    return build_navigation(request, context.get("available_apps") or [])
