"""How error messages name a value of a declaration, and which values the database cannot keep."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from django_wfe.steps import dotted_path

LONGEST_VALUE = 200


def name_value(value: Any) -> str:
    """Return what a declaration names: the path of a class, else the value as Python writes it."""
    if isinstance(value, type):
        return dotted_path(value)
    try:
        text = repr(value)
    except Exception as error:  # a declaration may hold anything at all
        return f"<{type(value).__name__} whose repr() raises {type(error).__name__}>"
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."


def describe_value(value: Any) -> str:
    """Return a value as an error message names it, with its kind."""
    return f"the class {name_value(value)}" if isinstance(value, type) else f"{name_value(value)} ({_kind(value)})"


def find_unstorable(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Yield the place and the reason of each value in JSON-like data that PostgreSQL's ``jsonb`` refuses."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from find_unstorable(key, f"{place}.{key}".lstrip("."))
            yield from find_unstorable(item, f"{place}.{key}".lstrip("."))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from find_unstorable(item, f"{place}[{index}]")
    elif isinstance(value, float) and not math.isfinite(value):
        yield place, "a number that JSON cannot hold"
    elif isinstance(value, str):
        if "\0" in value:
            yield place, "a NUL character"
        elif any("\ud800" <= character <= "\udfff" for character in value):
            yield place, "half of a surrogate pair"


def make_storable(text: str) -> str:
    """Return the text as PostgreSQL can keep it."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def _kind(value: Any) -> str:
    return type(value).__name__
