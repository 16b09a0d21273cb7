"""Results and inputs as JSON, exactly or not at all: what cannot be kept is refused, nothing is changed in silence."""

from __future__ import annotations

import json
import math
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, time
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any
from uuid import UUID

from pydantic import BaseModel, RootModel, TypeAdapter
from pydantic_core import PydanticSerializationError, to_jsonable_python

from django_wfe.conf import settings
from django_wfe.definition.secret_places import SECRET_TYPES
from django_wfe.definition.texts import holds_nul, holds_surrogate
from django_wfe.exceptions import NotEncodable
from django_wfe.values.sentences import gettext as _

REFERENCE_MARK = "$wfe:large"
"""The name in a reference to a value that is too large for a row: see ``values.large_values``."""

_BEGINNING_OF_A_REFERENCE = f'{{"{REFERENCE_MARK}":'
_PLAIN = frozenset({str, int, float, bool, type(None)})
_KEYS = (str, int, float, Decimal, date, time, UUID, Enum)
_BOXES = (list, tuple, set, frozenset, deque)
_write = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode
_TEXT_OR_EXPONENT = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|(-?\d+(?:\.\d+)?e\+\d+)')


class _ReadOnceError(Exception):
    """An iterator, at the place that is its text: to look at it is to use it up."""


def encode(value: Any, what: str | Callable[[], str]) -> str:
    """Return ``value`` as JSON text that PostgreSQL's jsonb takes.

    Beyond JSON's own types it takes what pydantic writes without loss for a reader: models and dataclasses, dates and
    times (ISO 8601), Decimal and UUID (text), Enum members (their value), sets, tuples and iterators (lists), UTF-8
    bytes (text).
    Keys become text, as always in JSON.

    Args:
        what: what the value is, for the error message: "the result of shop.steps.Charge", or what gives that text.

    Raises:
        NotEncodable: for a value that JSON cannot hold, NaN and Infinity, NUL characters and lone surrogates in text,
            mapping keys that are not text, number, date or the like, two keys that are one as text, secrets that would
            be kept as asterisks, iterators held by a model or dataclass, the name that references to large values
            have, and more than ``WFE_MAX_RESULT_BYTES`` (with a storage for large values: ``WFE_MAX_LARGE_BYTES``).
    """
    if value is None:
        return "null"
    refusal = ""
    if type(value) not in _PLAIN:
        try:
            refusal = _find_refusal(value)
        except _ReadOnceError:
            value, refusal = _read_iterators(value)
    if refusal:
        raise NotEncodable(
            _("%(what)s cannot be kept as JSON: %(reason)s") % {"what": begin_sentence(what), "reason": refusal}
        )
    try:
        jsonable = to_jsonable_python(value, inf_nan_mode="constants", bytes_mode="utf8")
    except (PydanticSerializationError, ValueError, RecursionError) as error:  # includes UnicodeError
        raise NotEncodable(
            _("%(what)s (%(kind)s) cannot be kept as JSON: %(reason)s")
            % {"what": begin_sentence(what), "kind": type(value).__name__, "reason": _explain(value, error)}
        ) from error
    try:
        text = dump(jsonable)
        size = len(text.encode())
    except ValueError as error:  # includes UnicodeEncodeError
        raise NotEncodable(
            _("%(what)s cannot be kept as JSON: %(reason)s")
            % {"what": begin_sentence(what), "reason": _explain(jsonable, error)}
        ) from error
    except RecursionError as error:
        raise NotEncodable(
            _("%(what)s is nested too deeply to be kept as JSON.") % {"what": begin_sentence(what)}
        ) from error
    if "\\u0000" in text and _find(jsonable, holds_nul):
        raise NotEncodable(
            _("%(what)s cannot be kept as JSON: %(reason)s")
            % {"what": begin_sentence(what), "reason": _explain(jsonable, None)}
        )
    if looks_like_reference(text):
        raise NotEncodable(
            _("%(what)s holds the name “%(name)s”, which is kept for large values. Use another name.")
            % {"what": begin_sentence(what), "name": REFERENCE_MARK}
        )
    setting, most = settings.find_limit_of_values()
    if size > most:
        raise NotEncodable(
            _(
                "%(what)s takes %(size)s bytes as JSON; %(setting)s is %(most)s. "
                "Keep it elsewhere and return a reference, or raise the setting."
            )
            % {
                "what": begin_sentence(what),
                "size": f"{size:,}",
                "setting": setting,
                "most": f"{most:,}",
            }
        )
    return text


def looks_like_reference(text: str) -> bool:
    """Return whether a value's JSON text would be taken for a reference to a large value."""
    return text.startswith(_BEGINNING_OF_A_REFERENCE)


def dump(jsonable: Any) -> str:
    """Write what JSON can hold, so that jsonb gives the same back.

    jsonb writes numbers out in full, and 1e+23 would come back as an int: so a float is written with its ".0".
    """
    text = _write(jsonable)
    return _TEXT_OR_EXPONENT.sub(_write_out, text) if "e+" in text else text


def _write_out(match: re.Match[str]) -> str:
    return match[0] if match[1] is None else f"{Decimal(match[1]):f}.0"


def _find_refusal(value: Any) -> str:
    """Describe what in the containers of ``value`` would be written, but as something else; "" if nothing would."""
    pending, seen = [(value, "value")], set[int]()
    while pending:
        current, place = pending.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        refusal = ""
        if isinstance(current, dict):
            refusal = _find_wrong_key(current, place)
        elif not isinstance(current, _BOXES):
            refusal = _find_loss(current, place)
        if refusal:
            return refusal
        pending.extend(_list_items(current, place))
    return ""


def _find_loss(current: Any, place: str) -> str:
    if isinstance(current, SECRET_TYPES):
        return _("%(place)s is a secret, which would be kept as asterisks. Return its text if that may be stored.") % {
            "place": place
        }
    if isinstance(current, Iterator):
        raise _ReadOnceError(place)
    twice = _list_names_written_twice(current) if isinstance(current, BaseModel) else ()
    if twice:
        return _("two fields of %(place)s are written under one name (%(keys)s). Rename one.") % {
            "place": place,
            "keys": ", ".join(map(repr, sorted(twice))),
        }
    return ""


@dataclass(frozen=True, slots=True)
class _ModelFacts:
    """What is written of a model: the names, those of them that are of two fields, and what is computed for it."""

    names: frozenset[str]
    twice: frozenset[str]
    computed: tuple[str, ...]
    writes_itself: bool


@lru_cache(maxsize=1024)
def _read_model(kind: type[BaseModel]) -> _ModelFacts:
    declared: dict[str, Any] = {**kind.model_fields, **kind.model_computed_fields}
    written = [(name, info) for name, info in declared.items() if not getattr(info, "exclude", None)]
    names = [getattr(info, "serialization_alias", None) or info.alias or name for name, info in written]
    return _ModelFacts(
        names=frozenset(names),
        twice=frozenset(name for name in names if names.count(name) > 1),
        computed=tuple(kind.model_computed_fields),
        writes_itself=bool(kind.__pydantic_decorators__.model_serializers),
    )


def _list_names_written_twice(model: BaseModel) -> Set[str]:
    facts, extra = _read_model(type(model)), model.__pydantic_extra__
    return facts.twice | (facts.names & extra.keys()) if extra else facts.twice


def _find_wrong_key(mapping: dict[Any, Any], place: str) -> str:
    others = [key for key in mapping if type(key) is not str]
    if not others:
        return ""
    for key in others:
        if isinstance(key, bool) or not isinstance(key, _KEYS):
            return _("the key %(key)r of %(place)s is not a text or number. Write it as text.") % {
                "key": key,
                "place": place,
            }
        if isinstance(key, float) and not math.isfinite(key):
            return _("the key %(key)r of %(place)s is NaN or Infinity. Write it as text.") % {
                "key": key,
                "place": place,
            }
    if len(to_jsonable_python(dict.fromkeys(mapping))) < len(mapping):
        return _("two keys of %(place)s are the same as text (%(keys)s). Rename one.") % {
            "place": place,
            "keys": ", ".join(map(repr, others[:3])),
        }
    return ""


def _list_items(value: Any, place: str) -> Iterable[tuple[Any, str]]:
    """List what a container holds that is more than a plain value, each with its place."""
    if isinstance(value, dict):
        return [(item, f"{place}[{key!r}]") for key, item in value.items() if type(item) not in _PLAIN]
    if isinstance(value, (list, tuple)):
        return [(item, f"{place}[{index}]") for index, item in enumerate(value) if type(item) not in _PLAIN]
    if isinstance(value, _BOXES):
        # A set has no places.
        return [(item, _("an item of %(place)s") % {"place": place}) for item in value if type(item) not in _PLAIN]
    if isinstance(value, BaseModel) or (is_dataclass(value) and not isinstance(value, type)):
        items = [(name, item) for name, item in _list_attributes(value) if type(item) not in _PLAIN]
        return [(item, f"{place}.{name}") for name, item in items if not _is_written_out(value, name, item)]
    return []


def _list_attributes(value: Any) -> Iterable[tuple[str, Any]]:
    """List what a model or dataclass is written with: its fields, and a model's extra and computed ones."""
    if not isinstance(value, BaseModel):
        return [(field.name, getattr(value, field.name)) for field in fields(value) if hasattr(value, field.name)]
    facts, extra = _read_model(type(value)), value.__pydantic_extra__
    items = [*vars(value).items(), *(extra.items() if extra else ())]
    items += [(name, getattr(value, name)) for name in facts.computed]
    return [*items, ("model_dump()", value.model_dump(mode="python", warnings=False))] if facts.writes_itself else items


def _is_written_out(owner: Any, name: str, item: Any) -> bool:
    """Return whether the model or dataclass of a secret has a serializer that writes what it hides."""
    if not isinstance(item, SECRET_TYPES) or not hasattr(owner, "__pydantic_serializer__"):
        return False
    adapter: TypeAdapter[Any] = TypeAdapter(type(owner))
    if isinstance(owner, RootModel):
        return bool(adapter.dump_python(owner, mode="json") != str(item))
    written = adapter.dump_python(owner, mode="json", include={name})
    return not isinstance(written, dict) or str(item) not in written.values()


def _read_iterators(value: Any) -> tuple[Any, str]:
    """Return the value with lists in place of the iterators in its containers, and what would be lost of it."""
    try:
        read = _replace_iterators(value)
        return read, _find_refusal(read)
    except _ReadOnceError as error:
        return value, _("%(place)s can be read only once. Put a list in its place.") % {"place": error}
    except RecursionError:
        return value, _("it holds itself. Take that out.")


def _replace_iterators(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _replace_iterators(item) for key, item in value.items()}
    return [_replace_iterators(item) for item in value] if isinstance(value, (Iterator, *_BOXES)) else value


def _explain(value: Any, error: Exception | None) -> str:
    path = _find(value, lambda leaf: isinstance(leaf, float) and not math.isfinite(leaf))
    if path is not None:
        return _("%(place)s is NaN or Infinity. Return None or text in its place.") % {"place": path}
    path = _find(value, holds_nul)
    if path is not None:
        return _("%(place)s holds a NUL character, which PostgreSQL cannot keep. Take it out.") % {"place": path}
    path = _find(value, holds_surrogate)
    if path is not None:
        return _("%(place)s contains a lone surrogate, which is not text. Decode it properly, or remove it.") % {
            "place": path
        }
    path = _find(value, _is_unknown)
    return f"{error}." if path in (None, "value") else f"{path}: {error}."


def _is_unknown(leaf: Any) -> bool:
    if type(leaf) in _PLAIN:
        return False
    try:
        to_jsonable_python(leaf, inf_nan_mode="constants", bytes_mode="utf8")
    except (PydanticSerializationError, ValueError, RecursionError):
        return True
    return False


def _find(value: Any, matches: Callable[[Any], bool], path: str = "value") -> str | None:
    """Return the path of the first leaf that matches, as Python would write it, or None."""
    pending, seen = [(value, path)], set[int]()
    while pending:
        current, place = pending.pop()
        if isinstance(current, (dict, list, tuple)):
            if id(current) in seen:
                continue
            seen.add(id(current))
        if isinstance(current, dict):
            for key, item in current.items():
                if matches(key):
                    return _("the key %(key)r of %(place)s") % {"key": key, "place": place}
                pending.append((item, f"{place}[{key!r}]"))
        elif isinstance(current, (list, tuple)):
            pending.extend((item, f"{place}[{index}]") for index, item in enumerate(current))
        elif matches(current):
            return place
    return None


def begin_sentence(what: str | Callable[[], str]) -> str:
    """Return the words that name a value, or what gives them, as the beginning of a sentence."""
    text = what() if callable(what) else what
    return text[:1].upper() + text[1:]
