"""Reading JSON: a list of objects, one for each row. What Python would round or drop is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from django_wfe.spreadsheets.bounds import MAX_CELLS, MAX_CELLS_OF_ROW, Meter, UnreadableFile
from django_wfe.spreadsheets.columns import count_values

SURE_LENGTH = 15
"""So many digits are always kept."""


def read_json(content: bytes) -> list[Mapping[str, Any]]:
    """Give the objects of a JSON file.

    Raises:
        UnreadableFile: it is no list of objects, or too much of it.
    """
    try:
        data = json.loads(
            content.decode("utf-8-sig"),
            parse_constant=_refuse_constant,
            parse_float=_read_float,
            object_pairs_hook=_build_object,
        )
    except UnicodeDecodeError:
        raise UnreadableFile(_("This is no UTF-8 text.")) from None
    except RecursionError:
        raise UnreadableFile(_("This JSON is nested too deeply.")) from None
    except ValueError as error:
        raise UnreadableFile(_("This is no JSON: %(reason)s.") % {"reason": error}) from None
    if not isinstance(data, list) or not all(isinstance(row, Mapping) for row in data):
        raise UnreadableFile(_("This JSON is no list of objects: write [{…}, {…}], an object for each job."))
    meter, total = Meter(), 0
    for number, row in enumerate(data, start=1):
        meter.count_row()
        count = count_values(row, MAX_CELLS_OF_ROW)
        total += count
        if count > MAX_CELLS_OF_ROW:
            raise UnreadableFile(
                _("Object %(number)s holds more than %(limit)s values.")
                % {"number": number, "limit": number_format(MAX_CELLS_OF_ROW, force_grouping=True)}
            )
    if total > MAX_CELLS:
        raise UnreadableFile(
            _("It holds more than %(limit)s values. Split it.")
            % {"limit": number_format(MAX_CELLS, force_grouping=True)}
        )
    return data


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
