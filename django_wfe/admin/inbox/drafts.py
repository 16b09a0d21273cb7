"""What somebody typed into an input form and did not submit yet: kept as posted, and put back into the form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.datastructures import MultiValueDict

from django_wfe.forms import InputForm


def restore_form(form_class: type[InputForm], data: Any, prefix: str) -> InputForm:
    """Return the form as it was when ``data`` was read from it, as far as it still has those inputs."""
    posted: MultiValueDict[str, str] = MultiValueDict()
    if isinstance(data, Mapping):
        for path, texts in data.items():
            if isinstance(texts, list):
                posted.setlist(f"{prefix}-{path}", [str(text) for text in texts])
    form = form_class(posted, MultiValueDict(), prefix=prefix)
    form.show_as_typed()
    return form
