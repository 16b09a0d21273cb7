"""The columns of a file of rows: which there can be, and what a cell of each becomes."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from pydantic import BaseModel

from django_wfe.definition.secret_places import SecretPlaces, find_secret_places
from django_wfe.engine.lifecycle import StartRow
from django_wfe.forms.declarations.declaration import Declaration, GroupDeclaration, ListDeclaration, declare_form
from django_wfe.forms.declarations.texts import TextReader
from django_wfe.spreadsheets.bounds import MAX_CELLS_OF_ROW, MAX_DEPTH, MAX_NAME_LENGTH, UnreadableFile
from django_wfe.spreadsheets.cells import Cell, Line
from django_wfe.spreadsheets.column_list import KEY, PREFIX, Column, list_columns, list_names

Place = tuple[str, ...]
"""The way into the values: the names of nested fields."""


class Columns:
    """What the columns of a file mean for one input schema, or for a step that asks for nothing (None).

    The column "key" is the Job's key. Any other names a field of the input, by its name or alias: "address.city" a
    field of a nested model, and "input.key" a field that is called "key" itself.
    """

    def __init__(self, schema: type[BaseModel] | None) -> None:
        self.secrets = find_secret_places(schema) if schema is not None else SecretPlaces.read()
        self._root = declare_form(schema) if schema is not None else None
        self._readers: dict[Place, TextReader] = {}
        self._first_names: dict[Place, Place] = {}
        for place, first, found in _walk_names(self._root):
            self._first_names[place] = first
            if place == first:
                self._readers[place] = TextReader(found)

    def list_columns(self) -> list[Column]:
        """Return the columns of the fields, those of nested models included, lists as one column each."""
        return list(list_columns(self._root, "", required=True)) if self._root is not None else []

    def check_names(self, names: Mapping[int, Cell]) -> None:
        """Look at the names of columns, by their number.

        Raises:
            UnreadableFile: one is there twice, is too long, or says again what another says.
        """
        seen: dict[Place, str] = {}
        for cell in names.values():
            if cell.refusal:
                raise UnreadableFile(_("The name of a column, %(cell)s, cannot be read: %(reason)s.") % _describe(cell))
            name = cell.text.strip()
            if len(name) > MAX_NAME_LENGTH:
                raise UnreadableFile(
                    _("The name of a column, %(cell)s, is too long: “%(name)s…”.")
                    % {"cell": cell.place, "name": name[:40]}
                )
            place = ("", KEY) if name == KEY else self._find(name)
            for other, other_name in seen.items():
                shorter = min(len(place), len(other))
                if place[:shorter] == other[:shorter]:
                    message = (
                        _("The column “%(name)s” is there twice.")
                        if place == other
                        else _("The columns “%(name)s” and “%(other)s” say the same twice. Take one out.")
                    )
                    raise UnreadableFile(message % {"name": name, "other": other_name})
            seen[place] = name

    def list_unknown(self, rows: list[StartRow]) -> list[str]:
        """Return the names in ``rows`` that no field has, those of nested models included."""
        unknown: dict[str, None] = {}
        for row in rows:
            if isinstance(row.values, dict):
                unknown.update(dict.fromkeys(_list_unknown(self._root, row.values, "")))
        return sorted(unknown)

    def describe_values(self, row: StartRow) -> list[tuple[str, str]]:
        """Return what a row brings along as texts by name, with secrets covered."""
        return [
            (".".join(place), value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
            for place, value in _flatten(self.secrets.cover(row.values))
        ]

    def read_line(self, line: Line, names: Mapping[int, Cell]) -> StartRow:
        """Make a row of the filled cells of a line. What cannot be taken as it shows is an error of the row."""
        values: dict[str, Any] = {}
        errors = [_("row %(row)s: %(reason)s.") % {"row": line.number, "reason": line.refusal}] if line.refusal else []
        key = None
        for number, cell in line.cells.items():
            try:
                if number not in names:
                    raise ValidationError(cell.refusal or _("its column has no name in the first row"))
                name = names[number].text.strip()
                if cell.refusal:
                    raise ValidationError(_("it cannot be read") if self._is_secret(name) else cell.refusal)
                if name == KEY:
                    key = _take_text(cell)
                else:
                    self._put(values, name, cell)
            except ValidationError as error:
                reason = " ".join(error.messages).rstrip(".")
                errors.append(_("%(cell)s: %(reason)s.") % {"cell": cell.place, "reason": reason})
        return StartRow(line.number, key, values, tuple(errors))

    def read_object(self, number: int, data: Mapping[str, Any]) -> StartRow:
        """Make a row of a JSON object, whose values are taken as they are."""
        key = data.get(KEY)
        values = {self._strip_prefix(str(name)): value for name, value in data.items() if name != KEY}
        if key in (None, ""):
            return StartRow(number, None, values)
        if isinstance(key, bool) or not isinstance(key, (str, int)):
            return StartRow(number, None, values, (_("key: use a text."),))
        return StartRow(number, str(key), values)

    def _is_secret(self, name: str) -> bool:
        return bool(functools.reduce(SecretPlaces.find_below, self._find(name), self.secrets))

    def _put(self, values: dict[str, Any], name: str, cell: Cell) -> None:
        place = self._find(name)
        reader = self._readers.get(place)
        owner = values
        for part in place[:-1]:
            owner = owner.setdefault(part, {})
        owner[place[-1]] = _take_text(cell) if reader is None else _read(reader, cell)

    def _find(self, name: str) -> Place:
        """Return the way into the values that a column's name means, by the first name of each field."""
        name = self._strip_prefix(name)
        # What is deeper than any field is one name, which no field has.
        is_whole = (name,) in self._first_names or name.count(".") > MAX_DEPTH
        place = (name,) if is_whole else tuple(name.split("."))
        known = next((end for end in range(len(place), 0, -1) if place[:end] in self._first_names), 0)
        return (*self._first_names.get(place[:known], ()), *place[known:])

    def _strip_prefix(self, name: str) -> str:
        return name if (PREFIX.rstrip("."),) in self._first_names else name.removeprefix(PREFIX)


def _read(reader: TextReader, cell: Cell) -> Any:
    if reader.takes_text:
        return reader.read(_take_text(cell))
    if reader.takes_json and cell.kind == "time":
        return cell.text
    value = reader.read(cell.text)
    if reader.takes_json and count_values(value, MAX_CELLS_OF_ROW) > MAX_CELLS_OF_ROW:
        limit = number_format(MAX_CELLS_OF_ROW, force_grouping=True)
        raise ValidationError(_("it holds more than %(limit)s values") % {"limit": limit})
    return value


def _take_text(cell: Cell) -> str:
    if cell.shown is None:
        raise ValidationError(_("text is expected, but the cell is not text; format it as text and enter it again"))
    return cell.shown


def count_values(value: Any, limit: int) -> int:
    """Count the values and names that JSON data consists of; a number above ``limit`` once there are more."""
    pending, count = [value], 0
    while pending and count <= limit:
        value = pending.pop()
        count += 1
        if isinstance(value, dict):
            count += len(value)
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
    return count


def _list_unknown(declaration: Declaration | None, value: Any, prefix: str) -> Iterator[str]:
    if isinstance(declaration, ListDeclaration) and isinstance(value, list):
        for item in value:
            yield from _list_unknown(declaration.item, item, prefix)
    if not isinstance(value, dict) or not (declaration is None or isinstance(declaration, GroupDeclaration)):
        return
    takes_any = isinstance(declaration, GroupDeclaration) and declaration.schema.model_config.get("extra") == "allow"
    children = declaration.children if isinstance(declaration, GroupDeclaration) else ()
    known = {name: child for child in children for name in [*list_names(child), *_list_first_steps(child)]}
    for name, item in value.items():
        if name in known:
            yield from _list_unknown(known[name], item, f"{prefix}{name}.")
        elif not takes_any and all(child.key for child in children):
            yield f"{prefix}{name}"


def _walk_names(
    group: GroupDeclaration | None, prefix: Place = (), first: Place = ()
) -> Iterator[tuple[Place, Place, Declaration]]:
    """Yield each way that a value can be named, the one that is told, and its declaration."""
    for child in group.children if group is not None and len(prefix) <= MAX_DEPTH else ():
        names = list_names(child)
        for name in names:
            yield (*prefix, name), (*first, names[0]), child
            if isinstance(child, GroupDeclaration):
                yield from _walk_names(child, (*prefix, name), (*first, names[0]))


def _list_first_steps(declaration: Declaration) -> list[str]:
    return [str(path[0]) for path in declaration.locations if path]


def _flatten(values: Any, prefix: Place = ()) -> Iterator[tuple[Place, Any]]:
    for name, value in values.items() if isinstance(values, dict) else ():
        if isinstance(value, dict) and value and len(prefix) < MAX_DEPTH:
            yield from _flatten(value, (*prefix, name))
        else:
            yield (*prefix, name), value


def _describe(cell: Cell) -> dict[str, str]:
    return {"cell": cell.place, "reason": cell.refusal}
