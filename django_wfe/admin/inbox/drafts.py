"""What somebody typed into an input form and did not submit yet: kept as posted, and put back into the form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.utils.datastructures import MultiValueDict

from django_wfe.forms import InputForm

REPEATED = "django_wfe_repeated"
"""The key of the session under which the answer is kept that is to be given again."""

MOST_REPEATED = 20_000
"""Characters that are kept of it at most: a session may be a cookie, or a row that each request reads."""


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


def keep_to_repeat(request: HttpRequest, step: str, typed: Any) -> None:
    """Keep in the session what was typed, without files and secrets, for the next form of the same step."""
    if len(json.dumps(typed)) <= MOST_REPEATED:
        request.session[REPEATED] = {"step": step, "typed": typed}
    else:
        forget_repeated(request)


def load_repeated(request: HttpRequest, step: str) -> Any:
    """Return what was kept for the next form of this step; None if nothing was."""
    kept = request.session.get(REPEATED)
    return kept.get("typed") if isinstance(kept, Mapping) and kept.get("step") == step else None


def forget_repeated(request: HttpRequest) -> None:
    """Have the next form come empty."""
    request.session.pop(REPEATED, None)
