"""Secrets of pydantic in clear, on the way to where they are encrypted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django_wfe.definition.secret_places import SECRET_TYPES


def reveal(value: Any) -> Any:
    """Return what a model wrote in Python's mode with each secret in it as it was given."""
    if isinstance(value, SECRET_TYPES):
        return reveal(value.get_secret_value())
    if isinstance(value, Mapping):
        return {name: reveal(part) for name, part in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(map(reveal, value), key=repr)  # in one order, whichever process asks
    if isinstance(value, (list, tuple)):
        return [reveal(part) for part in value]
    return value
