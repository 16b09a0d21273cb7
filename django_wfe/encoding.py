"""Results and inputs as JSON, exactly or not at all: what cannot be kept is refused, nothing is changed in silence."""

from __future__ import annotations

import json
import math
from typing import Any

from pydantic_core import PydanticSerializationError, to_jsonable_python

from django_wfe.conf import settings
from django_wfe.exceptions import NotEncodable


def encode(value: Any, what: str) -> str:
    """Give ``value`` as JSON text that PostgreSQL's jsonb takes.

    Beyond JSON's own types it takes what pydantic writes without loss for a reader: models and dataclasses, dates and
    times (ISO 8601), Decimal and UUID (text), Enum members (their value), sets and tuples (lists).

    Args:
        what: what the value is, for the error message: "the result of shop.steps.Charge".

    Raises:
        NotEncodable: for a value that JSON cannot hold, NaN and Infinity, NUL characters and lone surrogates in text,
            mapping keys that are no text or number, and more than ``WFE_MAX_RESULT_BYTES``.
    """
    if value is None:
        return "null"
    try:
        jsonable = to_jsonable_python(value, inf_nan_mode="constants", bytes_mode="utf8")
    except (PydanticSerializationError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise NotEncodable(f"{_sentence(what)} ({type(value).__name__}) cannot be kept as JSON: {error}.") from error
    try:
        text = json.dumps(jsonable, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        size = len(text.encode())
    except ValueError as error:  # includes UnicodeEncodeError
        raise NotEncodable(f"{_sentence(what)} cannot be kept as JSON: {_explain(jsonable, error)}") from error
    except RecursionError as error:
        raise NotEncodable(f"{_sentence(what)} is nested too deeply to be kept as JSON.") from error
    if "\\u0000" in text and _find(jsonable, lambda leaf: isinstance(leaf, str) and "\0" in leaf):
        raise NotEncodable(f"{_sentence(what)} cannot be kept as JSON: {_explain(jsonable, None)}")
    if size > settings.max_result_bytes:
        raise NotEncodable(
            f"{_sentence(what)} takes {size:,} bytes as JSON; WFE_MAX_RESULT_BYTES is {settings.max_result_bytes:,}. "
            "Keep it elsewhere and return a reference, or raise the setting."
        )
    return text


def _explain(value: Any, error: Exception | None) -> str:
    path = _find(value, lambda leaf: isinstance(leaf, float) and not math.isfinite(leaf))
    if path is not None:
        return f"{path} is NaN or Infinity. Return None or text in its place."
    path = _find(value, lambda leaf: isinstance(leaf, str) and "\0" in leaf)
    if path is not None:
        return f"{path} holds a NUL character, which PostgreSQL cannot keep. Take it out."
    return f"{error}."


def _find(value: Any, matches: Any, path: str = "value") -> str | None:
    """Give the path of the first leaf that matches, as Python would write it, or None."""
    pending = [(value, path)]
    while pending:
        current, place = pending.pop()
        if isinstance(current, dict):
            for key, item in current.items():
                if matches(key):
                    return f"the key {key!r} of {place}"
                pending.append((item, f"{place}[{key!r}]"))
        elif isinstance(current, list):
            pending.extend((item, f"{place}[{index}]") for index, item in enumerate(current))
        elif matches(current):
            return place
    return None


def _sentence(what: str) -> str:
    return what[:1].upper() + what[1:]
