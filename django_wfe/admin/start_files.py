"""Reading a file of Jobs to start: CSV, JSON or XLSX becomes rows of a key and values."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePath
from typing import Any

import tablib
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _
from tablib.exceptions import InvalidDimensions

from django_wfe.admin.start_columns import Columns
from django_wfe.engine.lifecycle import StartRow
from django_wfe.engine.starting_many import MAX_ROWS

try:
    import openpyxl
except ImportError:  # an extra: without it XLSX is not offered
    openpyxl = None

MAX_BYTES = 1_500_000
MAX_COLUMNS = 200
MAX_UNPACKED_BYTES = 50_000_000
DELIMITERS = ",;\t|"


class UnreadableFile(Exception):
    """The file cannot be taken; the message says why, for the person who chose it."""


def list_formats() -> list[str]:
    """Give the endings of the files that can be read."""
    return [ending for ending in _READERS if ending != ".xlsx" or openpyxl is not None]


def read_rows(upload: UploadedFile[Any], columns: Columns) -> list[StartRow]:
    """Give the rows of a file. A row that is empty is left out; the others keep their number in the file.

    Raises:
        UnreadableFile: it is too large, of another format than its name says, or has columns that cannot be told apart.
    """
    name, size = upload.name or "", upload.size or 0
    ending = PurePath(name).suffix.lower()
    if ending not in list_formats():
        raise UnreadableFile(
            _("“%(name)s” is none of the files that can be read: %(formats)s.")
            % {"name": name, "formats": ", ".join(list_formats())}
        )
    if size > MAX_BYTES:
        raise UnreadableFile(
            _("“%(name)s” has %(size)s bytes; at most %(limit)s are read. Split it.")
            % {"name": name, "size": f"{size:,}", "limit": f"{MAX_BYTES:,}"}
        )
    upload.seek(0)
    rows = _READERS[ending](upload.read(), columns)
    if not rows:
        raise UnreadableFile(_("“%(name)s” has no rows.") % {"name": name})
    if len(rows) > MAX_ROWS:
        raise UnreadableFile(
            _("“%(name)s” has more than %(limit)s rows, which is all that is started in one go. Split it.")
            % {"name": name, "limit": f"{MAX_ROWS:,}"}
        )
    return rows


def _read_csv(content: bytes, columns: Columns) -> list[StartRow]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableFile(
            _("This is no UTF-8 text: byte %(position)s cannot be read. Save it as “CSV UTF-8”.")
            % {"position": error.start + 1}
        ) from None
    if "\0" in text:
        raise UnreadableFile(_("This is no text: it holds a NUL character. Save it as “CSV UTF-8”."))
    table = tablib.Dataset()
    try:
        table.load(io.StringIO(text, newline=""), format="csv", delimiter=_find_delimiter(text), strict=True)
    except InvalidDimensions:
        raise UnreadableFile(_("A row has more cells than the first row, which names the columns.")) from None
    except csv.Error as error:
        raise UnreadableFile(_("This is no CSV: %(reason)s.") % {"reason": error}) from None
    return _read_table(table, columns)


def _find_delimiter(text: str) -> str:
    """Give what stands most often in the first line: spreadsheets write “;” where the comma is for decimals."""
    header = text.partition("\n")[0]
    return max(DELIMITERS, key=header.count)


def _read_xlsx(content: bytes, columns: Columns) -> list[StartRow]:
    """Read the first sheet. Not by tablib, which would go through the million empty rows that a sheet can name."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > MAX_UNPACKED_BYTES:
            raise UnreadableFile(_("This workbook is too large when it is unpacked. Split it."))
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        sheet = book.worksheets[0]
        found = list(sheet.iter_rows(max_row=MAX_ROWS + 2, max_col=MAX_COLUMNS + 1, values_only=True))
    except UnreadableFile:
        raise
    except Exception as error:  # a damaged workbook makes the package raise errors of every kind
        raise UnreadableFile(
            _("This is no workbook that can be read (%(kind)s).") % {"kind": type(error).__name__}
        ) from (error)
    width = max((index + 1 for row in found for index, cell in enumerate(row) if cell is not None), default=0)
    table = tablib.Dataset(*(row[:width] for row in found[1:]), headers=list(found[0][:width]) if width else None)
    return _read_table(table, columns)


def _read_table(table: tablib.Dataset, columns: Columns) -> list[StartRow]:
    headers = ["" if header is None else str(header).strip() for header in table.headers or ()]
    if len(headers) > MAX_COLUMNS:
        raise UnreadableFile(_("It has more than %(limit)s columns.") % {"limit": MAX_COLUMNS})
    _check_headers(headers)
    rows = []
    for number, cells in enumerate(table, start=2):  # the header is the first row, as a spreadsheet counts
        given = {header: cell for header, cell in zip(headers, cells, strict=True) if header and cell not in (None, "")}
        if given:
            rows.append(columns.read_cells(number, given))
    return rows


def _check_headers(headers: Iterable[str]) -> None:
    named = [header for header in headers if header]
    if not named:
        raise UnreadableFile(_("The first row must name the columns."))
    twice = sorted({header for header in named if named.count(header) > 1})
    if twice:
        raise UnreadableFile(_("The column “%(name)s” is there twice.") % {"name": twice[0]})


def _read_json(content: bytes, columns: Columns) -> list[StartRow]:
    """Read a list of objects. Not by tablib, which takes each row's values in the order of the first one's keys."""
    try:
        data = json.loads(content.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise UnreadableFile(_("This is no UTF-8 text.")) from None
    except RecursionError:
        raise UnreadableFile(_("This JSON is nested too deeply.")) from None
    except ValueError as error:
        raise UnreadableFile(_("This is no JSON: %(reason)s.") % {"reason": error}) from None
    if not isinstance(data, list) or not all(isinstance(row, Mapping) for row in data):
        raise UnreadableFile(_("This JSON is no list of objects: write [{…}, {…}], an object for each job."))
    return [columns.read_object(number, row) for number, row in enumerate(data, start=1)]


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


_READERS: dict[str, Callable[[bytes, Columns], list[StartRow]]] = {
    ".csv": _read_csv,
    ".xlsx": _read_xlsx,
    ".json": _read_json,
}
