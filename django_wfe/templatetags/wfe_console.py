"""Template tags of the operator console: ``{% load wfe_console %}``."""

from __future__ import annotations

import re

from django import template
from django.apps import apps
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

register = template.Library()

_LIST_ITEM = re.compile(r"(?:[-*•]|\d+[.)])\s")

# Django's checks import this module, also in a project without the admin: there nothing draws a console.
if apps.is_installed("django.contrib.admin"):
    from django_wfe.admin.tags import register_tags

    register_tags(register)


@register.filter
def reflow(text: str) -> SafeString:
    """Draw a docstring as paragraphs, without the line breaks of its source; list items keep their lines."""
    return format_html_join("", "<p>{}</p>", ((paragraph,) for paragraph in _split_paragraphs(text)))


@register.filter
def reflow_line(text: str) -> str:
    """Return a docstring on one line."""
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
