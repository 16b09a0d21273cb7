"""Rendering templates whose numbers are for machines: ids in addresses and forms, places in pictures."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.template.context import make_context
from django.template.loader import get_template
from django.utils.safestring import SafeString


def render_with_plain_numbers(template: Any, context: dict[str, Any], request: HttpRequest | None = None) -> SafeString:
    """Render a template, given by its name or loaded, without the project's separators in numbers.

    With ``USE_THOUSAND_SEPARATOR`` the id 1236 would be "1,236" and lead nowhere. Counts for people come as texts.
    """
    loaded: Any = get_template(template) if isinstance(template, str) else template
    made = make_context(context, request, autoescape=loaded.backend.engine.autoescape)
    made.use_l10n = False
    rendered: SafeString = loaded.template.render(made)
    return rendered
