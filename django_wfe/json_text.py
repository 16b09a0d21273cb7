"""Reading JSON that somebody sent: judged while it is still text, so that none makes the process big, deep or slow."""

from __future__ import annotations

import json
import re
from typing import Any

from django.utils.translation import gettext as _

from django_wfe.conf import settings

DEEPEST = 200
"""Levels of lists and objects; pydantic reads no deeper JSON either."""

# Possessive: no step back is remembered, however long a text is. A text without an end reaches to the end.
_MARKS = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{\]},]', re.DOTALL)


class UnreadableJson(ValueError):
    """A text is no JSON, or more than is read; the message is a sentence for who sent it."""


def read_json(text: str | bytes) -> Any:
    """Return the value that a JSON text holds.

    Raises:
        UnreadableJson: it is no JSON or not UTF-8, holds NaN, Infinity or a key twice, is nested in more than
            ``DEEPEST`` levels, has more than ``WFE_MAX_JSON_VALUES`` values, or a number that is too long for Python.
    """
    try:
        text = text.decode() if isinstance(text, bytes) else text
        _check_bounds(text)
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_build_object, parse_int=_read_int)
    except UnreadableJson:
        raise
    except (ValueError, RecursionError) as error:  # includes UnicodeDecodeError
        raise UnreadableJson(_("This is no JSON: %(reason)s.") % {"reason": error}) from error


def _check_bounds(text: str) -> None:
    most = settings.max_json_values
    openings = text.count("[") + text.count("{")
    if openings <= DEEPEST and openings + text.count(",") <= most:
        return  # also where all of them are marks, and none part of a text
    depth = values = 0
    for match in _MARKS.finditer(text):
        mark = match[0]
        if mark in "[{":
            depth += 1
            values += 1
        elif mark in "]}":
            depth -= 1
        elif mark == ",":
            values += 1
        if depth > DEEPEST:
            raise UnreadableJson(_("The JSON is nested too deeply: at most %(most)s levels.") % {"most": DEEPEST})
        if values > most:
            raise UnreadableJson(
                _("The JSON has too many values: at most %(most)s (WFE_MAX_JSON_VALUES).") % {"most": most}
            )


def _read_int(digits: str) -> int:
    try:
        return int(digits)
    except ValueError as error:
        raise UnreadableJson(
            _("The JSON has a number of %(count)s digits, which is too long.") % {"count": len(digits.lstrip("-"))}
        ) from error


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    built = dict(pairs)
    if len(built) < len(pairs):
        keys = [key for key, _value in pairs]
        twice = next(key for index, key in enumerate(keys) if key in keys[:index])
        raise UnreadableJson(_("The JSON has the key %(key)r twice in one object.") % {"key": twice[:100]})
    return built


def _refuse_constant(name: str) -> Any:
    raise UnreadableJson(_("The JSON holds %(name)s, which is no JSON number.") % {"name": name})
