"""The columns of a file of Jobs to start: which there can be, and what a cell of each means as JSON."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy

from django_wfe.engine.lifecycle import StartRow
from django_wfe.secret_places import SecretPlaces

KEY = "key"
PREFIX = "input."
MAX_DEPTH = 4

Schema = Mapping[str, Any]

_FORMATS = {
    "date": gettext_lazy("date, as 2026-01-31"),
    "date-time": gettext_lazy("date and time, as 2026-01-31T08:30"),
    "time": gettext_lazy("time, as 08:30"),
}
_WORDS = {
    **_FORMATS,
    "array": gettext_lazy("a list, as JSON"),
    "boolean": gettext_lazy("true or false"),
    "integer": gettext_lazy("whole number"),
    "number": gettext_lazy("number"),
    "object": gettext_lazy("an object, as JSON"),
    "string": gettext_lazy("text"),
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column that the input can be given in. ``kinds`` tell in words what it takes, () for anything."""

    name: str
    title: str
    description: str
    kinds: tuple[str, ...]
    required: bool


class Columns:
    """What the columns of a file mean for one input schema, or for a step that asks for nothing (None).

    The column "key" is the Job's key. Any other names a field of the input: "address.city" a field of a nested model,
    and "input.key" a field that is called "key" itself.
    """

    def __init__(self, schema: Schema | None) -> None:
        self.schema: Schema = schema or {}
        self.secrets = SecretPlaces.read(self.schema)
        self._definitions: Schema = self.schema.get("$defs", {})

    def list_columns(self) -> list[Column]:
        """Give the columns of the fields, those of nested models included, lists as one column each."""
        return list(self._walk(self.schema, "", required=True, depth=0))

    def list_unknown(self, rows: list[StartRow]) -> list[str]:
        """Give the names in ``rows`` that are no field, where the schema does not take any name."""
        resolved = self._resolve(self.schema)
        if resolved.get("additionalProperties"):
            return []
        known = resolved.get("properties", {})
        return sorted({name for row in rows for name in row.values if name not in known})

    def describe_values(self, row: StartRow) -> list[tuple[str, str]]:
        """Give what a row brings along as texts by name, with secrets covered."""
        return [
            (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
            for name, value in _flatten(self.secrets.cover(row.values))
        ]

    def read_cells(self, number: int, cells: Mapping[str, Any]) -> StartRow:
        """Make a row of the filled cells of a table."""
        key = cells.get(KEY)
        values: dict[str, Any] = {}
        for name, cell in cells.items():
            if name != KEY:
                self._put(values, name, cell)
        return StartRow(number, None if key is None else _write_text(key), values)

    def read_object(self, number: int, data: Mapping[str, Any]) -> StartRow:
        """Make a row of a JSON object, whose values are taken as they are."""
        key = data.get(KEY)
        values = {self._strip_prefix(str(name)): value for name, value in data.items() if name != KEY}
        return StartRow(number, None if key in (None, "") else _write_text(key), values)

    def _put(self, values: dict[str, Any], name: str, cell: Any) -> None:
        name = self._strip_prefix(name)
        top = self._resolve(self.schema).get("properties", {})
        parts = [name] if name in top else name.split(".")
        place, schema = values, self.schema
        for part in parts[:-1]:
            schema = self._resolve(schema).get("properties", {}).get(part, {})
            inner = place.setdefault(part, {})
            if not isinstance(inner, dict):  # "address" was given as a whole, and "address.city" besides
                inner = place[part] = {"": inner}
            place = inner
        schema = self._resolve(schema).get("properties", {}).get(parts[-1], {})
        place[parts[-1]] = _read_cell(cell, self._list_kinds(schema), self._list_formats(schema))

    def _strip_prefix(self, name: str) -> str:
        is_field = PREFIX.rstrip(".") in self._resolve(self.schema).get("properties", {})
        return name.removeprefix(PREFIX) if not is_field else name

    def _walk(self, schema: Schema, prefix: str, *, required: bool, depth: int) -> Iterator[Column]:
        resolved = self._resolve(schema)
        needed = resolved.get("required", ())
        for name, field in resolved.get("properties", {}).items():
            inner = self._resolve(field)
            is_required = required and name in needed
            full = f"{prefix}{name}"
            if inner.get("properties") and depth < MAX_DEPTH:
                yield from self._walk(inner, f"{full}.", required=is_required, depth=depth + 1)
                continue
            column = PREFIX + full if full == KEY else full
            text = {**inner, **field}
            yield Column(
                column,
                str(text.get("title", name)),
                str(text.get("description", "")),
                self._describe_kinds(field),
                is_required,
            )

    def _describe_kinds(self, schema: Schema) -> tuple[str, ...]:
        formats = self._list_formats(schema) & set(_FORMATS)
        kinds = self._list_kinds(schema) - {"null"} - ({"string"} if formats else set())
        return tuple(str(_WORDS.get(kind, kind)) for kind in [*sorted(formats), *sorted(kinds)])

    def _resolve(self, schema: Schema) -> Schema:
        """Follow a reference, and look through "or null"."""
        for _hop in range(MAX_DEPTH):
            reference = schema.get("$ref")
            if isinstance(reference, str):
                schema = self._definitions.get(reference.rpartition("/")[2], {})
                continue
            options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
            if len(options) != 1:
                break
            schema = options[0]
        return schema

    def _list_kinds(self, schema: Schema) -> set[str]:
        return {kind for option in self._list_options(schema) for kind in _read_kinds(option)}

    def _list_formats(self, schema: Schema) -> set[str]:
        return {str(option["format"]) for option in self._list_options(schema) if "format" in option}

    def _list_options(self, schema: Schema) -> list[Schema]:
        resolved = self._resolve(schema)
        options = resolved.get("anyOf") or resolved.get("oneOf") or [resolved]
        return [self._resolve(option) for option in options]


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict) and value and prefix.count(".") < MAX_DEPTH:
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _read_kinds(schema: Schema) -> list[str]:
    kind = schema.get("type")
    if isinstance(kind, str):
        return [kind]
    values = [*schema.get("enum", ()), *([schema["const"]] if "const" in schema else ())]
    return ["string" if isinstance(value, str) else "number" for value in values]


def _read_cell(cell: Any, kinds: set[str], formats: set[str]) -> Any:
    """Give the JSON value of a cell. What does not look like its field's type stays text, and pydantic says so."""
    if isinstance(cell, datetime.datetime) and "date" in formats and cell.time() == datetime.time():
        cell = cell.date()  # a spreadsheet knows no date without a time
    if isinstance(cell, str) or not isinstance(cell, (bool, int, float)):
        text = _write_text(cell)
        return text if "string" in kinds or not kinds else _parse(text)
    if "string" in kinds and not isinstance(cell, bool):
        # A postcode is text though a spreadsheet keeps it as a number; a Decimal keeps the digits that are shown.
        return _write_text(cell)
    return cell


def _write_text(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, (datetime.datetime, datetime.date, datetime.time)):
        return cell.isoformat()
    return str(cell)


def _parse(text: str) -> Any:
    try:
        parsed: Any = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return text
    return parsed


def _refuse_constant(name: str) -> None:
    raise ValueError(name)
