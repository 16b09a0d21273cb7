"""What a verb takes beside the reason, as doors that know only words, numbers and JSON have to see it."""

from __future__ import annotations

from dataclasses import dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from django_wfe.engine.operations.verbs.base import BulkVerb

_PLAIN = (bool, int, str)


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a verb.

    ``kind`` is ``bool``, ``int`` or ``str``; None for all else, which is given as JSON. ``least`` and ``most`` bound a
    number, ``longest`` a text; the engine validates again by the whole model.
    """

    name: str
    kind: type | None
    is_required: bool
    is_nullable: bool
    description: str
    least: int | None
    most: int | None
    longest: int | None


def list_options(verb: BulkVerb) -> list[Option]:
    """Return the options that a verb takes, in the order of its model."""
    fields = verb.Options.model_fields if verb.Options is not None else {}
    return [_describe(name, info) for name, info in fields.items()]


def _describe(name: str, info: FieldInfo) -> Option:
    is_union = get_origin(info.annotation) in (Union, UnionType)
    kinds: list[Any] = list(get_args(info.annotation)) if is_union else [info.annotation]
    plain = [kind for kind in kinds if kind is not type(None)]
    limits = {limit: getattr(item, limit) for item in info.metadata for limit in _LIMITS if hasattr(item, limit)}
    return Option(
        name=name,
        kind=plain[0] if len(plain) == 1 and plain[0] in _PLAIN else None,
        is_required=info.is_required(),
        is_nullable=len(plain) < len(kinds) or info.annotation is Any,
        description=info.description or "",
        least=limits.get("ge"),
        most=limits.get("le"),
        longest=limits.get("max_length"),
    )


_LIMITS = ("ge", "le", "max_length")
