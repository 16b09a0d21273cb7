"""JSON that somebody gives, exactly or not at all: what Python would round or drop in silence is refused."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

SURE_LENGTH = 15
"""So many digits are always kept."""


def decode(text: str) -> Any:
    """Give what JSON text holds.

    Raises:
        ValueError: it is no JSON (NaN and Infinity are none), an object has a name twice, of which Python would keep
            the last, or a number has more digits than a float keeps.
        RecursionError: it is nested too deeply.
    """
    return json.loads(text, parse_constant=_refuse_constant, parse_float=_read_float, object_pairs_hook=_build_object)


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    built = dict(pairs)
    if len(built) < len(pairs):
        names = [name for name, _value in pairs]
        twice = next(name for name in built if names.count(name) > 1)
        raise ValueError(_("“%(name)s” is there twice in one object") % {"name": twice[:100]})
    return built


def _read_float(text: str) -> float:
    number = float(text)
    try:
        is_kept = len(text) <= SURE_LENGTH or Decimal(repr(number)) == Decimal(text)
    except ArithmeticError:  # an exponent that nobody can count with
        is_kept = False
    if not (is_kept and math.isfinite(number)):
        raise ValueError(_("%(number)s has more digits than a number keeps; write it as text") % {"number": text[:60]})
    return number


def _refuse_constant(name: str) -> None:
    raise ValueError(_("%(name)s is no JSON number") % {"name": name})
