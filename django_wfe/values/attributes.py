"""Attributes of Jobs: their names, and their values as the text that is searched for."""

from __future__ import annotations

import datetime
import enum
import math
import re
import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django_wfe.definition.texts import is_storable
from django_wfe.exceptions import NotEncodable
from django_wfe.values.sentences import gettext as _

LONGEST_NAME = 63
LONGEST_VALUE = 255

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)


def encode_attributes(attributes: Mapping[Any, Any]) -> dict[str, str | None]:
    """Return attributes as they are kept: texts by name. None stays None: there is no such attribute.

    Raises:
        NotEncodable: with the name that is not one, or whose value cannot be searched for.
    """
    return {
        encode_name(name): None if value is None else encode_value(name, value) for name, value in attributes.items()
    }


def encode_name(name: Any) -> str:
    """Return the name of an attribute.

    Raises:
        NotEncodable: it is not one. What has a dot names the model of a subject.
    """
    if isinstance(name, str) and len(name) <= LONGEST_NAME and _NAME.fullmatch(name):
        return name
    raise NotEncodable(
        _(
            "%(name)r is not a name of an attribute. Use 1 to %(longest)s letters, digits, - and _, "
            "with a letter or _ first."
        )
        % {"name": name, "longest": LONGEST_NAME}
    )


def encode_value(name: Any, value: Any) -> str:
    """Return the value of an attribute as text: the same for what is kept and for what is searched for.

    A time with a zone is written in UTC, what is true and false as in JSON, a member of an enum by its value.

    Raises:
        NotEncodable: it is of another kind, longer than 255 characters, or PostgreSQL cannot keep it.
    """
    text = _write(value)
    if text is None:
        raise NotEncodable(
            _(
                "The attribute %(name)s is of the type %(type)s. "
                "Give a text, a number, a date, a time, a UUID, True, False or None."
            )
            % {"name": name, "type": type(value).__name__}
        )
    if len(text) > LONGEST_VALUE or not is_storable(text):
        raise NotEncodable(
            _("The attribute %(name)s has %(length)s characters. Use at most %(longest)s, without NUL and surrogates.")
            % {"name": name, "length": len(text), "longest": LONGEST_VALUE}
        )
    return text


def _write(value: Any) -> str | None:
    match value:
        case enum.Enum():
            return _write(value.value)
        case str():
            return str(value)
        case bool():
            return "true" if value else "false"
        case int() | uuid.UUID():
            return str(value)
        case float() | Decimal():
            return str(value) if math.isfinite(value) else None
        case datetime.datetime() if value.tzinfo is not None:
            return value.astimezone(datetime.UTC).isoformat()
        case datetime.date() | datetime.time():
            return value.isoformat()
    return None
