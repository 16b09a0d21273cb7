"""Texts of declarations: how an error names a value, what fits on a line, and what the database can keep."""

from __future__ import annotations

import math
import unicodedata
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
        if holds_nul(value):
            yield place, "a NUL character"
        elif holds_surrogate(value):
            yield place, "half of a surrogate pair"


def is_storable(text: str) -> bool:
    """Return whether PostgreSQL can keep the text, and no row can hold one for which this is false."""
    return not (holds_nul(text) or holds_surrogate(text))


def holds_nul(value: Any) -> bool:
    """Return whether the value is a text with a NUL character."""
    return isinstance(value, str) and "\0" in value


def holds_surrogate(value: Any) -> bool:
    """Return whether the value is a text with half of a surrogate pair, which no encoding can write."""
    return isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value)


def flatten_text(text: str) -> str:
    """Put a text on one line, without control characters, which SVG and DOT cannot hold."""
    spaced = "".join(" " if character.isspace() else character for character in text)
    kept = "".join(character for character in spaced if unicodedata.category(character) not in {"Cc", "Cs"})
    return " ".join(kept.split())


def make_storable(text: str) -> str:
    """Return the text as PostgreSQL can keep it: what it cannot hold becomes an escape that a reader sees."""
    if type(text) is not str:
        # A subclass, with methods of its own.
        text = str.encode(text, "utf-8", "backslashreplace").decode()
    if "\0" in text:
        text = text.replace("\0", "\\x00")
    return text.encode("utf-8", "backslashreplace").decode()


def _kind(value: Any) -> str:
    return type(value).__name__
