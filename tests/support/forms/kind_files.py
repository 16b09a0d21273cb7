"""A kind's data as a file of one row, as a person would write it."""

import csv
import datetime
import io
import json
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.duration import duration_iso_string
from openpyxl.utils.escape import escape
from pydantic import BaseModel

from django_wfe.forms.declarations.declaration import GroupDeclaration, declare_form
from django_wfe.forms.declarations.texts import TextReader
from django_wfe.forms.fields.values import MISSING
from django_wfe.spreadsheets.column_list import list_names
from tests.support.forms.spreadsheets import write_workbook

FORMATS = {datetime.date: "yyyy-mm-dd", datetime.datetime: "yyyy-mm-dd hh:mm:ss.000", datetime.time: "hh:mm:ss.000"}


class NotSayableError(Exception):
    """A file of texts has no text for this value: 5 for a text, which is the text "5" there."""


def write_cells(model: type[BaseModel], data: dict[str, Any], *, exactly: bool = False) -> dict[str, str]:
    """Give the texts of the cells by the names of their columns; an empty cell is "".

    Raises:
        NotSayableError: a cell would be a value of another type, and that is not wanted (``exactly``).
    """
    return dict(_write(declare_form(model), data, "", exactly=exactly))


def write_csv(cells: dict[str, str]) -> str:
    """Give a CSV file of one row."""
    stream = io.StringIO()
    # A mark in a column of its own: a row that is empty as a whole is none.
    csv.writer(stream).writerows([[*cells, "key"], [*cells.values(), "one"]])
    return stream.getvalue()


def write_xlsx(cells: dict[str, str], instance: BaseModel | None = None) -> bytes:
    """Give a workbook of one row; what ``instance`` holds as numbers, truths and days as a spreadsheet keeps them."""
    values = [_find_native(instance, name, text) for name, text in cells.items()]

    def set_formats(sheet: Any) -> None:
        for number, value in enumerate(values, start=1):
            if type(value) in FORMATS:
                sheet.cell(row=2, column=number).number_format = FORMATS[type(value)]

    return write_workbook([*cells, "key"], [*values, "one"], change=set_formats)


def _write(group: GroupDeclaration, data: dict[str, Any], prefix: str, *, exactly: bool) -> Iterator[tuple[str, str]]:
    left = dict(data)
    for child in group.children:
        name = next((name for name in list_names(child) if name in left), child.name)
        value = left.pop(name, MISSING)
        if value is MISSING and len(child.key) > 1:
            value = left.pop(str(child.key[0]), {}).get(child.key[1], MISSING)
        if value is MISSING:
            continue
        column = f"{prefix}{'input.' if f'{prefix}{name}' == 'key' else ''}{name}"
        if isinstance(child, GroupDeclaration) and isinstance(value, dict) and value:
            yield from _write(child, value, f"{column}.", exactly=exactly)
            continue
        reader = TextReader(child)
        written = "" if value is None else json.dumps(value, ensure_ascii=False)
        # Of a text, the one that is read as it: some columns take JSON.
        texts = [value, written] if isinstance(value, str) else [written]
        text = next((text for text in texts if text and _read(reader, text) == value), texts[0])
        if child.facts.type is datetime.timedelta and not isinstance(value, str) and not exactly:
            text = duration_iso_string(datetime.timedelta(seconds=value))
        if exactly and not _is_said(reader, text, value):
            raise NotSayableError
        yield column, text
    for name, value in left.items():
        if exactly and not isinstance(value, str):
            raise NotSayableError
        yield f"{prefix}{name}", str(value)


def _read(reader: TextReader, text: str) -> Any:
    try:
        return reader.read(text)
    except ValidationError:
        return MISSING


def _is_said(reader: TextReader, text: str, value: Any) -> bool:
    if value is None:
        return reader.declaration.facts.nullable
    read = _read(reader, text)
    return read is MISSING or type(read) is type(value)  # refused where it is read, as it should be


def _find_native(instance: BaseModel | None, name: str, text: str) -> Any:
    value = getattr(instance, name, None)
    if isinstance(value, bool) or (type(value) in (int, float) and len(text) < 15):
        return value
    if (
        type(value) in FORMATS
        and getattr(value, "tzinfo", None) is None
        and not getattr(value, "microsecond", 0) % 1000
    ):
        return value
    return escape(text) if text else None
