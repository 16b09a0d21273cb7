"""JSON that a person typed: read as it stands, or refused with the reason."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

MAX_DEPTH = 100


def read_json(text: str) -> Any:
    """The value of a JSON text, in plain Python types.

    Raises Django's ValidationError for a text that is no JSON, that would be changed by being read (a name that stands
    twice in one object, a number of more digits than a float has), that cannot be stored (NaN, infinite numbers, NUL
    characters, lone surrogates), or that is nested more than 100 levels deep.
    """
    try:
        value = json.loads(
            text, parse_constant=_refuse_constant, parse_float=_read_float, object_pairs_hook=_read_object
        )
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise _too_deep() from None
    except UnicodeEncodeError:
        raise ValidationError(_("This JSON cannot be stored: it holds text that is not Unicode."), "storable") from None
    except (TypeError, ValueError) as error:
        raise ValidationError(_("This is not JSON: %(reason)s."), "syntax", {"reason": error}) from None
    _check(value)
    return value


def _refuse_constant(name: str) -> None:
    raise ValidationError(
        _("This JSON cannot be stored: it holds %(name)s, which is no finite number."), "storable", {"name": name}
    )


def _read_float(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        _refuse_constant(digits)
    if not _is_exact(digits, number):
        raise ValidationError(
            _("The number %(digits)s has more digits than can be kept. Shorten it, or write it in quotes as a text."),
            "digits",
            {"digits": digits},
        )
    return number


def _is_exact(digits: str, number: float) -> bool:
    try:
        return Decimal(digits) == Decimal(repr(number))
    except InvalidOperation:
        return False  # an exponent that not even a Decimal has


def _read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValidationError(_("The name “%(name)s” stands twice in one object."), "twice", {"name": name})
        found[name] = value
    return found


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
