"""The files of exports, written row by row, so that a large one takes no more memory than a small one.

What somebody wrote is text in them and nothing else, whatever the project's settings say: no formula, no control
character, and no second meaning.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import IO, Any

from django.utils.translation import gettext as _
from import_export.formats import base_formats

from django_wfe.values.visible_text import show_controls

LONGEST_CELL = 32_767
"""Characters; a cell of a spreadsheet holds no more."""

ROWS_OF_A_SHEET = 1_048_576

# Full-width signs count as well; and where a program takes ";" or a tab for the delimiter, what comes after one.
_FORMULA = re.compile(r"(^|[;\t])(?=[=+\-@\t\r＝＋－＠])")
_ESCAPE_OF_XLSX = re.compile(r"_(?=x[0-9a-fA-F]{4}_)")

Row = Sequence[Any]


class StreamedFormat(base_formats.Format):
    """A format that is written to a file, a row at a time."""

    CONTENT_TYPE: str

    def write(self, file: IO[bytes], header: Row, rows: Iterable[Row]) -> None:
        """Write everything into ``file``."""
        raise NotImplementedError


class _Delimited(StreamedFormat):
    """Text with a delimiter, in UTF-8."""

    delimiter: str

    def write(self, file: IO[bytes], header: Row, rows: Iterable[Row]) -> None:
        with _open_text(file) as text:
            writer = csv.writer(text, delimiter=self.delimiter)
            writer.writerow(header)
            writer.writerows([_guard_cell(value) for value in row] for row in rows)


class StreamedCSV(_Delimited, base_formats.CSV):
    """CSV."""

    delimiter = ","


class StreamedTSV(_Delimited, base_formats.TSV):
    """CSV with tabs."""

    delimiter = "\t"


class StreamedJSON(StreamedFormat, base_formats.JSON):
    """A list with an object for each row. Nothing is escaped but what JSON escapes."""

    def write(self, file: IO[bytes], header: Row, rows: Iterable[Row]) -> None:
        with _open_text(file) as text:
            text.write("[")
            for number, row in enumerate(rows):
                text.write(",\n" if number else "\n")
                text.write(json.dumps(dict(zip(header, row, strict=True)), ensure_ascii=False, default=_write_moment))
            text.write("\n]\n")


class StreamedXLSX(StreamedFormat, base_formats.XLSX):
    """A workbook; with more rows than a sheet holds, one of several sheets."""

    def write(self, file: IO[bytes], header: Row, rows: Iterable[Row]) -> None:
        from openpyxl import Workbook

        book = Workbook(write_only=True)
        sheet: Any = None
        for number, row in enumerate(rows):
            if number % (ROWS_OF_A_SHEET - 1) == 0:
                sheet = self._begin_sheet(book, header)
            sheet.append([self._build_cell(sheet, value) for value in row])
        if sheet is None:
            self._begin_sheet(book, header)
        book.save(file)

    def _begin_sheet(self, book: Any, header: Row) -> Any:
        sheet = book.create_sheet()
        sheet.freeze_panes = "A2"
        sheet.append(list(header))
        return sheet

    def _build_cell(self, sheet: Any, value: Any) -> Any:
        if isinstance(value, datetime):
            return value.replace(tzinfo=None)  # a sheet knows no time zones: it is the local time, as everywhere
        if not isinstance(value, str):
            return value
        from openpyxl.cell import WriteOnlyCell

        text = _ESCAPE_OF_XLSX.sub("_x005F_", show_controls(value))
        if len(text) > LONGEST_CELL:
            mark = _("… [%(count)s characters in all; CSV and JSON have them]") % {"count": len(value)}
            text = text[: LONGEST_CELL - len(mark)] + mark
        cell = WriteOnlyCell(sheet, text)
        cell.data_type = "s"  # neither a formula nor an error, whatever it looks like
        cell.quotePrefix = text[:1] in tuple("=+-@")  # and not once somebody has edited it
        return cell


FORMATS: tuple[type[StreamedFormat], ...] = (StreamedCSV, StreamedXLSX, StreamedTSV, StreamedJSON)


def list_formats(allowed: Iterable[type[base_formats.Format]]) -> list[type[StreamedFormat]]:
    """Return the formats of exports, of those that the project allows."""
    chosen, known = tuple(allowed), tuple[Any, ...](FORMATS)
    return [kind for kind in known if kind.is_available() and any(issubclass(kind, one) for one in chosen)]


def _open_text(file: IO[bytes]) -> _Text:
    return _Text(file, encoding="utf-8", errors="backslashreplace", newline="")


class _Text(io.TextIOWrapper):
    """Text in a file that stays open."""

    def __exit__(self, *exception: object) -> None:
        self.detach()


def _guard_cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return _write_moment(value)
    if isinstance(value, bool):
        return int(value)
    return _FORMULA.sub(r"\1'", show_controls(value)) if isinstance(value, str) else value


def _write_moment(moment: Any) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
