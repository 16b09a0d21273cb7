"""The response of every page of the console."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString

from django_wfe.rendering.templates import render_with_plain_numbers
from django_wfe.values.visible_text import show_on_page


class ConsoleResponse(TemplateResponse):
    """A page whose ids stay ids, whatever the project says of the separators in numbers, and whose texts only show."""

    @property
    def rendered_content(self) -> str:
        """The page."""
        context: Any = self.resolve_context(self.context_data)
        template = self.resolve_template(self.template_name)
        page = show_on_page(render_with_plain_numbers(template, context or {}, self._request))
        try:
            page.encode()
        except UnicodeEncodeError:
            # A lone surrogate in a text of the project's code: no page can hold it.
            return SafeString(page.encode(errors="replace").decode())
        return page


def have_texts_only_show(response: HttpResponse) -> HttpResponse:
    """Have Django's own page, once it is rendered, show texts as the console's pages do."""
    if isinstance(response, TemplateResponse):
        response.add_post_render_callback(_show_texts)
    return response


def _show_texts(response: HttpResponse) -> None:
    response.content = show_on_page(response.content.decode()).encode()
