"""Reading JSON that somebody sent: judged while it is still text, so that none makes the process big, deep or slow."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import Any

from django_wfe.conf import settings
from django_wfe.values.sentences import gettext as _

DEEPEST = 200
"""Levels of lists and objects; pydantic reads no deeper JSON either."""

SURE_LENGTH = 15
"""So many digits are always kept by a float."""

# Possessive: no step back is remembered, however long a text is. A text without an end reaches to the end.
_MARKS = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{\]},]', re.DOTALL)


class UnreadableJson(ValueError):
    """A text is not JSON, or more than is read; the message is a sentence for who sent it."""


def read_json(text: str | bytes, *, most_values: int | None = None) -> Any:
    """Return the value that a JSON text holds.

    Args:
        most_values: how many values it may have. Default: ``WFE_MAX_JSON_VALUES``.

    Raises:
        UnreadableJson: it is not JSON or not UTF-8, holds NaN, Infinity or a key twice, of which Python would keep the
            last, is nested in more than ``DEEPEST`` levels, has more values than that, or a number
            that is too long for Python or has more digits than a float keeps.
    """
    try:
        text = text.decode() if isinstance(text, bytes) else text
        _check_bounds(text, settings.max_json_values if most_values is None else most_values)
        return json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=_read_float,
            parse_int=_read_int,
            object_pairs_hook=_build_object,
        )
    except UnreadableJson:
        raise
    except (ValueError, RecursionError) as error:  # includes UnicodeDecodeError
        raise UnreadableJson(_("This is not JSON: %(reason)s.") % {"reason": error}) from error


def _check_bounds(text: str, most: int) -> None:
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
            raise UnreadableJson(_("The JSON has too many values: at most %(most)s.") % {"most": most})


def _read_int(digits: str) -> int:
    try:
        return int(digits)
    except ValueError as error:
        raise UnreadableJson(
            _("The JSON has a number of %(count)s digits, which is too long.") % {"count": len(digits.lstrip("-"))}
        ) from error


def _read_float(digits: str) -> float:
    number = float(digits)
    try:
        is_kept = len(digits) <= SURE_LENGTH or Decimal(repr(number)) == Decimal(digits)
    except ArithmeticError:  # an exponent that nobody can count with
        is_kept = False
    if not (is_kept and math.isfinite(number)):
        raise UnreadableJson(
            _("The JSON has a number with more digits than are kept: %(number)s. Shorten it, or write it as text.")
            % {"number": digits[:60]}
        )
    return number


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    built = dict(pairs)
    if len(built) < len(pairs):
        keys = [key for key, _value in pairs]
        twice = next(key for index, key in enumerate(keys) if key in keys[:index])
        raise UnreadableJson(_("The JSON has the key %(key)r twice in one object.") % {"key": twice[:100]})
    return built


def _refuse_constant(name: str) -> Any:
    raise UnreadableJson(_("The JSON contains %(name)s, which is not a JSON number.") % {"name": name})
