"""The response of every page of the console."""

from __future__ import annotations

from typing import Any

from django.template.response import TemplateResponse
from django.utils.safestring import SafeString

from django_wfe.rendering.templates import render_with_plain_numbers


class ConsoleResponse(TemplateResponse):
    """A page whose ids stay ids, whatever the project says of the separators in numbers."""

    @property
    def rendered_content(self) -> str:
        """The page."""
        context: Any = self.resolve_context(self.context_data)
        page = render_with_plain_numbers(self.resolve_template(self.template_name), context or {}, self._request)
        try:
            page.encode()
        except UnicodeEncodeError:
            # A lone surrogate in a text of the project's code: no page can hold it.
            return SafeString(page.encode(errors="replace").decode())
        return page
