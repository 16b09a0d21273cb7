"""Dates and times in data that was given: one meaning at every door, where pydantic would guess.

Pydantic takes a number, and a text of digits, for seconds since 1970, and leaves a moment without an offset as it is:
"20260131" and the 46053 of a spreadsheet become days of 1970, and what a form takes for 8:30 in the project's time zone
would be no moment at all elsewhere. So the data is walked along the model's core schema before it is validated.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.conf import settings as django_settings
from django.utils import timezone
from pydantic import BaseModel
from pydantic_core import InitErrorDetails, PydanticCustomError

from django_wfe.values.encoding import dump
from django_wfe.values.sentences import gettext as _

Place = tuple[str | int, ...]
Fields = list[tuple[str, Any]]

_TIMES = frozenset({"date", "datetime", "time"})
_INNER = ("schema", "lax_schema", "json_schema", "arguments_schema")
_LENIENT = frozenset({"function-before", "function-wrap"})
_OPAQUE = frozenset({"json", "function-plain"})
_NUMBER = re.compile(r"\s*[-+]?\d+(\.\d*)?\s*", re.ASCII)
_BASIC_DATE = re.compile(r"\d{8}", re.ASCII)
_MINUTE = timedelta(minutes=1)


def settle_times(schema: type[BaseModel], given: str) -> tuple[str, list[InitErrorDetails]]:
    """Return JSON text with its times written out, and an error for each that would have to be guessed.

    A moment without an offset is in Django's current time zone, if the project has ``USE_TZ`` on or the field asks for
    an aware one; a field whose default is without an offset, or that asks for that, is left alone. A local time that a
    clock change skips or repeats is refused. "20260131" is a date as ISO 8601 writes it; any other number in place of a
    date, a moment or a time of day is refused, unless the model sets ``val_temporal_unit``. What stands behind a
    "before" or "wrap" validator may have another meaning there: it only gets its time zone.
    """
    if not _has_times(schema):
        return given, []
    walk = _Walk()
    return dump(walk.settle(_get_core(schema), json.loads(given), ())), walk.errors


def read_moment(value: Any) -> datetime | None:
    """Return the moment that a text shows, or None if it shows none, or just a number."""
    if not isinstance(value, str):
        return None
    text = value.strip()
    if _NUMBER.fullmatch(text) and not _BASIC_DATE.fullmatch(text):
        return None  # 13 digits would be a date, any separator and a time
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


class _Walk:
    """One walk through data. ``errors`` are those found so far."""

    def __init__(self) -> None:
        self.errors: list[InitErrorDetails] = []
        self._definitions: dict[str, Any] = {}
        self._settlers: dict[str, Callable[..., Any]] = {
            "datetime": self._settle_moment,
            "date": self._settle_date,
            "time": self._refuse_number,
            "union": self._settle_union,
            "tagged-union": self._settle_tagged,
        }

    def settle(self, core: Any, value: Any, place: Place, **state: Any) -> Any:
        """Return what ``value`` becomes. ``state`` is what the schemas around say: naive, lenient, has_unit."""
        kind = core.get("type")
        if kind == "definitions":
            self._definitions.update({item["ref"]: item for item in core["definitions"]})
        elif kind == "definition-ref":
            return self.settle(self._definitions[core["schema_ref"]], value, place, **state)
        elif kind == "default":
            state = {**state, "naive": state.get("naive") or functools.partial(_has_naive_default, core)}
        elif kind in _LENIENT:
            state = {**state, "lenient": True}
        if kind in _OPAQUE or value is None:
            return value
        if "config" in core:  # each model has its own
            state = {**state, "has_unit": (core["config"] or {}).get("val_temporal_unit", "infer") != "infer"}
        settler = self._settlers.get(str(kind))
        if settler is not None:
            return settler(core, value, place, state)
        fields = _list_fields(core)
        if fields and isinstance(value, dict):
            return self._settle_fields(fields, value, place, state)
        if fields and isinstance(value, list):
            return self._settle_named_tuple(fields, value, place, state)
        if "items_schema" in core and isinstance(value, list):
            return self._settle_items(core, value, place, state)
        if "values_schema" in core and isinstance(value, dict):
            return self._settle_entries(core, value, place, state)
        inner = next((core[name] for name in _INNER if isinstance(core.get(name), dict)), None)
        if kind == "chain":
            inner = core["steps"][0]
        return value if inner is None else self.settle(inner, value, place, **state)

    def _settle_fields(self, fields: Fields, value: dict[str, Any], place: Place, state: dict[str, Any]) -> Any:
        for name, field in fields:
            for path in _list_paths(name, field.get("validation_alias")):
                owner = _find(value, path[:-1])
                try:
                    owner[path[-1]] = self.settle(field["schema"], owner[path[-1]], (*place, *path), **state)
                except (KeyError, IndexError, TypeError):
                    continue  # the field is not given by this name
        return value

    def _settle_named_tuple(self, fields: Fields, value: list[Any], place: Place, state: dict[str, Any]) -> Any:
        for index, (_name, field) in enumerate(fields[: len(value)]):
            value[index] = self.settle(field["schema"], value[index], (*place, index), **state)
        return value

    def _settle_items(self, core: Any, value: list[Any], place: Place, state: dict[str, Any]) -> list[Any]:
        schemas = core["items_schema"]
        if isinstance(schemas, Mapping):
            return [self.settle(schemas, item, (*place, index), **state) for index, item in enumerate(value)]
        repeated = core.get("variadic_item_index", len(schemas))
        for index, item in enumerate(value):
            number = min(index, repeated)
            if number < len(schemas):
                value[index] = self.settle(schemas[number], item, (*place, index), **state)
        return value

    def _settle_entries(self, core: Any, value: dict[str, Any], place: Place, state: dict[str, Any]) -> Any:
        keys = core.get("keys_schema") or {}
        return {
            self.settle(keys, name, (*place, name, "[key]"), **state): self.settle(
                core["values_schema"], item, (*place, name), **state
            )
            for name, item in value.items()
        }

    def _settle_union(self, core: Any, value: Any, place: Place, state: dict[str, Any]) -> Any:
        choices = [choice[0] if isinstance(choice, (tuple, list)) else choice for choice in core["choices"]]
        choices = [self._resolve(choice) for choice in choices]
        choices = [choice for choice in choices if choice.get("type") != "none"]
        if choices and all(choice.get("type") in _TIMES for choice in choices):
            moments = [choice for choice in choices if choice["type"] == "datetime"]
            is_day = isinstance(value, str) and len(value.strip()) <= len("2026-01-31")
            return self.settle(choices[0] if is_day or not moments else moments[0], value, place, **state)
        # Of several that could hold it, pydantic chooses by trying; that is not done twice.
        fitting = [choice for choice in choices if _may_hold(choice, value)]
        return self.settle(fitting[0], value, place, **state) if len(fitting) == 1 else value

    def _settle_tagged(self, core: Any, value: Any, place: Place, state: dict[str, Any]) -> Any:
        paths = core["discriminator"]
        if callable(paths) or not isinstance(value, dict):
            return value
        for path in _list_paths(None, paths):
            tag = _find(value, path)
            choice = core["choices"].get(tag) if isinstance(tag, (str, int)) else None
            if isinstance(choice, dict):
                return self.settle(choice, value, (*place, str(tag)), **state)
        return value

    def _settle_moment(self, core: Any, value: Any, place: Place, state: dict[str, Any]) -> Any:
        constraint = core.get("tz_constraint")
        moment = read_moment(value)
        if moment is None:
            return self._refuse_number(core, value, place, state)
        if moment.tzinfo is None and (constraint == "aware" or (constraint is None and _is_zoned(state))):
            localized = _find_localized(moment)
            if localized is None:
                message = _(
                    "This time occurs twice, or not at all, because the clocks change. Add its offset from UTC."
                )
                return self._refuse(message, "moment_ambiguous", value, place)
            moment = localized
        elif state.get("lenient"):
            return value
        if moment.tzinfo is not None and (moment.utcoffset() or timedelta()) % _MINUTE:
            moment = moment.astimezone(UTC)  # local mean time, which ISO 8601 cannot write
        return moment.isoformat()

    def _settle_date(self, core: Any, value: Any, place: Place, state: dict[str, Any]) -> Any:
        if isinstance(value, str) and _BASIC_DATE.fullmatch(value.strip()):
            try:
                return date.fromisoformat(value.strip()).isoformat()
            except ValueError:
                pass  # eight digits that are not a date are a number
        return self._refuse_number(core, value, place, state)

    def _refuse_number(self, core: Any, value: Any, place: Place, state: dict[str, Any]) -> Any:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if isinstance(value, str):
            is_number = _NUMBER.fullmatch(value) is not None
        if not is_number or state.get("lenient") or state.get("has_unit"):
            return value
        messages = {
            "date": _("A number is not a date. Write it as 2026-01-31."),
            "datetime": _("A number is not a date and time. Write it as 2026-01-31T08:30."),
            "time": _("A number is not a time of day. Write it as 08:30."),
        }
        return self._refuse(messages[core["type"]], f"{core['type']}_number", value, place)

    def _refuse(self, message: str, code: Any, value: Any, place: Place) -> Any:
        self.errors.append({"type": PydanticCustomError(code, message), "loc": place, "input": value})
        return value

    def _resolve(self, core: Any) -> Any:
        while core.get("type") in ("definition-ref", "default", "nullable", "function-after"):
            core = self._definitions[core["schema_ref"]] if core["type"] == "definition-ref" else core["schema"]
        return core


@functools.lru_cache(maxsize=512)
def _has_times(schema: type[BaseModel]) -> bool:
    pending, seen = [_get_core(schema)], set[int]()
    while pending:
        core = pending.pop()
        if id(core) in seen:
            continue
        seen.add(id(core))
        if isinstance(core, Mapping):
            if core.get("type") in _TIMES:
                return True
            pending.extend(value for name, value in core.items() if name not in ("metadata", "serialization"))
        elif isinstance(core, (list, tuple)):
            pending.extend(core)
    return False


def _get_core(schema: type[BaseModel]) -> Any:
    schema.model_rebuild()  # does nothing where the model is complete
    return schema.__pydantic_core_schema__


def _find_localized(moment: datetime) -> datetime | None:
    """Return a moment without an offset in Django's current time zone, or None if it is there twice or not at all."""
    zone = timezone.get_current_timezone()
    earlier, later = (moment.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    return earlier if earlier.utcoffset() == later.utcoffset() else None


def _list_fields(core: Any) -> Fields:
    """List the names and schemas of the fields that a core schema has: of a model, a dataclass, a named tuple."""
    fields = core.get("fields", core.get("arguments_schema"))
    if isinstance(fields, Mapping):
        return [(name, field) for name, field in fields.items() if isinstance(field, Mapping) and "schema" in field]
    if not isinstance(fields, list):
        return []
    # A dataclass lists its names first, and has its fields within.
    return [(field["name"], field) for field in fields if isinstance(field, Mapping)]


def _list_paths(name: Any, alias: Any) -> Iterator[Place]:
    """List the ways into the data by which a field may be given: its name, its aliases, the paths of its aliases."""
    if name is not None:
        yield (name,)
    if isinstance(alias, str):
        yield (alias,)
    elif isinstance(alias, (list, tuple)) and alias:
        for path in alias if isinstance(alias[0], (list, tuple)) else [alias]:
            yield tuple(path)


def _find(value: Any, path: Place) -> Any:
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _may_hold(core: Any, value: Any) -> bool:
    if isinstance(value, dict):
        return bool({"values_schema", "fields"} & core.keys()) or core.get("type") in ("model", "dataclass")
    return isinstance(value, list) and "items_schema" in core


def _is_zoned(state: dict[str, Any]) -> bool:
    has_naive_default = state.get("naive")
    return django_settings.USE_TZ and not (has_naive_default is not None and has_naive_default())


def _has_naive_default(core: Any) -> bool:
    """Return whether a field's default is a moment without an offset, or holds one."""
    if "default_factory" not in core or core.get("default_factory_takes_data"):
        return _holds_naive(core.get("default"))
    try:
        return _holds_naive(core["default_factory"]())
    except Exception:
        return False  # it is code of the project, and is not needed: a value is given


def _holds_naive(value: Any, depth: int = 4) -> bool:
    """Return whether there is a moment without an offset in a default."""
    if isinstance(value, datetime):
        return value.tzinfo is None
    if isinstance(value, BaseModel):
        value = vars(value)
    if isinstance(value, Mapping):
        value = value.values()
    elif not isinstance(value, (list, tuple, set, frozenset)):
        return False
    return depth > 0 and any(_holds_naive(item, depth - 1) for item in value)
