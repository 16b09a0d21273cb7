"""Reading CSV: text in UTF-8, its cells parted by whatever the first row is parted by."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import threading
from collections.abc import Iterator

from django.utils.translation import gettext as _

from django_wfe.spreadsheets.bounds import MAX_BYTES, Meter, UnreadableFile
from django_wfe.spreadsheets.cells import Cell, Line, Table, name_place

DELIMITERS = ",;\t|"
ERRORS = frozenset({"#N/A", "#NAME?", "#NULL!", "#NUM!", "#DIV/0!", "#REF!", "#VALUE!", "#SPILL!", "#CALC!", "#FIELD!"})
"""What a spreadsheet writes for a formula that went wrong."""

_LIMIT_LOCK = threading.Lock()


def read_csv(content: bytes) -> Table:
    """Return the rows of a CSV file.

    Raises:
        UnreadableFile: it is not CSV in UTF-8, or too much of it.
    """
    text = _decode(content)
    with _long_cells():
        return Table(list(_read_lines(text, _find_delimiter(text))))


def _decode(content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableFile(
            _("Not a UTF-8 text: byte %(position)s, in line %(line)s, cannot be read. Save it as “CSV UTF-8”.")
            % {"position": error.start + 1, "line": content.count(b"\n", 0, error.start) + 1}
        ) from None
    if "\0" in text:
        raise UnreadableFile(_("Not a text: it contains a NUL character. Save it as “CSV UTF-8”."))
    return text


def _read_lines(text: str, delimiter: str) -> Iterator[Line]:
    meter = Meter()
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    for number in itertools.count(1):
        try:
            texts = next(reader, None)
        except csv.Error as error:
            raise UnreadableFile(
                _("Not valid CSV: row %(row)s cannot be read (%(reason)s).") % {"row": number, "reason": error}
            ) from None
        if texts is None:
            return
        line = Line(number)
        for column, cell in enumerate(texts, start=1):
            if cell:
                meter.count_cell(cell)
                refusal = _("it is the error %(error)s of a formula") % {"error": cell} if cell in ERRORS else ""
                line.cells[column] = Cell(name_place(column, number), cell, cell, refusal=refusal)
        if line.cells:
            if meter.cells > len(line.cells):  # the first row names the columns
                meter.count_row()
            yield line


def _find_delimiter(text: str) -> str:
    """Return what parts the first row into most cells: spreadsheets write “;” where the comma is for decimals."""
    return max(DELIMITERS, key=lambda delimiter: _count_columns(text, delimiter))


def _count_columns(text: str, delimiter: str) -> int:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        return next((len(row) for row in reader if row), 0)
    except csv.Error:
        return 0


@contextlib.contextmanager
def _long_cells() -> Iterator[None]:
    """Let a cell be as long as a file. The limit, of 131,072 characters, is one for the whole process."""
    with _LIMIT_LOCK:
        before = csv.field_size_limit(MAX_BYTES)
        try:
            yield
        finally:
            csv.field_size_limit(before)
