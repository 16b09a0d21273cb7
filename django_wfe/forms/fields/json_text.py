"""JSON that a person typed: read as it stands, or refused with the reason."""

import json
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from django_wfe.values import json_text

MAX_DEPTH = 100


def read_json(text: str) -> Any:
    """The value of a JSON text, in plain Python types.

    Raises Django's ValidationError for a text that is not JSON, that would be changed by being read, that cannot be
    stored (NUL characters, lone surrogates), or that is nested more than 100 levels deep.
    """
    try:
        value = json_text.read_json(text)
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValidationError(_("This JSON cannot be stored: it holds text that is not Unicode."), "storable") from None
    except json_text.UnreadableJson as error:
        raise ValidationError(str(error), "syntax") from None
    _check(value)
    return value


def _check(value: Any) -> None:
    """Refuse NUL characters and too many levels."""
    level, depth = [value], 0
    while level:
        if any(isinstance(one, str) and "\0" in one for one in level):
            raise ValidationError(_("The text holds a NUL character, which cannot be stored. Remove it."), "nul")
        containers = [one for one in level if isinstance(one, (dict, list))]
        depth += bool(containers)
        if depth > MAX_DEPTH:
            raise _too_deep()
        level = [part for one in containers for part in _list_parts(one)]


def _list_parts(value: dict[str, Any] | list[Any]) -> list[Any]:
    return [*value.keys(), *value.values()] if isinstance(value, dict) else value


def _too_deep() -> ValidationError:
    return ValidationError(
        _("This JSON is nested too deeply: at most %(depth)d levels can be kept."), "depth", {"depth": MAX_DEPTH}
    )
