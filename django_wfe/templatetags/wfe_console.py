"""Template tags of the operator console: ``{% load wfe_console %}``."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from django import template
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from django_wfe.admin import drawing
from django_wfe.admin.home import Attention, count_attention
from django_wfe.admin.labels import read_annotated_label
from django_wfe.admin.trouble import count_safely
from django_wfe.engine.database_trouble import Trouble

register = template.Library()

_LIST_ITEM = re.compile(r"(?:[-*•]|\d+[.)])\s")

register.simple_tag(drawing.draw_job_state, name="job_state")
register.simple_tag(drawing.draw_step_run_state, name="step_run_state")


@register.simple_tag
def step_label(path: str, annotated: str) -> str:
    """Give the label that ``annotate_label`` found for a path, or one made from the path."""
    return read_annotated_label(annotated, path)


@register.simple_tag(takes_context=True)
def moment(context: template.Context, value: datetime | None) -> SafeString | str:
    """Draw a time relative to the page's ``now``."""
    return drawing.draw_time(value, context.get("now"))


@register.simple_tag(takes_context=True)
def console_attention(context: template.Context) -> Attention | Trouble | None:
    """Count what needs the user, for the admin's index. None where the user may see no jobs.

    The index is every app's: where the engine's tables are not there, it says so in place of the counts.
    """
    request: Any = context.get("request")
    user = getattr(request, "user", None)
    return count_safely(lambda: count_attention(user)) if user is not None and user.is_active else None


@register.filter
def reflow(text: str) -> SafeString:
    """Draw a docstring as paragraphs, without the line breaks of its source; list items keep their lines."""
    return format_html_join("", "<p>{}</p>", ((paragraph,) for paragraph in _split_paragraphs(text)))


@register.filter
def reflow_line(text: str) -> str:
    """Give a docstring on one line."""
    return " ".join(text.split())


def _split_paragraphs(text: str) -> list[str]:
    """Join lines to paragraphs: a blank line or the mark of a list item begins another one."""
    paragraphs: list[str] = []
    begins = True
    for line in (line.strip() for line in text.splitlines()):
        if not line:
            begins = True
            continue
        if begins or _LIST_ITEM.match(line):
            paragraphs.append(line)
        else:
            paragraphs[-1] += f" {line}"
        begins = False
    return paragraphs
