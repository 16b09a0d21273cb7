"""Reading XLSX: the sheet that a person sees when the workbook opens, each cell as it shows itself.

What the sheet does not show is not guessed: the cells of hidden rows and columns, formulas that nothing has worked out,
errors, and cells that a merged one covers are refused by their name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.utils.translation import gettext as _
from openpyxl.styles.numbers import BUILTIN_FORMATS
from openpyxl.utils.escape import unescape

from django_wfe.spreadsheets.bounds import MAX_CELLS, Meter, UnreadableFile
from django_wfe.spreadsheets.cells import Cell, Line, Table, name_place, number_column
from django_wfe.spreadsheets.number_formats import show_number
from django_wfe.spreadsheets.packages import CLOSED, OPENED, Package

MAX_SHEET_COLUMNS = 16_384
MAX_SHEET_ROWS = 1_048_576
MAX_STRINGS = 2 * MAX_CELLS
MAX_FORMATS = 65_536
MAX_RANGES = 1_000

_REFERENCE = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})", re.ASCII)


def read_xlsx(content: bytes) -> Table:
    """Return the rows of the active sheet, or of the first visible one where that is hidden.

    Raises:
        UnreadableFile: it is not a workbook, or too much of it.
    """
    package = Package(content)
    book = next((part for kind, part in package.find_related("").values() if kind == "officeDocument"), "")
    related = package.find_related(book)
    parts = dict(related.values())
    workbook = _read_workbook(package, book)
    sheet = workbook.choose_sheet(related)
    if sheet is None:
        raise UnreadableFile(_("This workbook has no sheet that shows."))
    strings = list(_read_strings(package, parts.get("sharedStrings", "")))
    formats = list(_read_formats(package, parts.get("styles", "")))
    reader = _SheetReader(strings, formats, since_1904=workbook.since_1904)
    lines = reader.read(package, sheet.part)
    return Table(lines, sheet.name if workbook.count_visible() > 1 else "")


@dataclass(frozen=True, slots=True)
class _Sheet:
    name: str
    is_visible: bool
    relation: str
    part: str = ""


@dataclass(slots=True)
class _Workbook:
    sheets: list[_Sheet] = field(default_factory=list)
    active: int = 0
    since_1904: bool = False

    def count_visible(self) -> int:
        return sum(sheet.is_visible for sheet in self.sheets)

    def choose_sheet(self, related: dict[str, tuple[str, str]]) -> _Sheet | None:
        """Return the sheet that shows when the workbook opens; a sheet that is a chart holds no rows."""
        ordered = [*self.sheets[self.active : self.active + 1], *self.sheets]
        for sheet in ordered:
            kind, part = related.get(sheet.relation, ("", ""))
            if sheet.is_visible and kind == "worksheet":
                return _Sheet(sheet.name, sheet.is_visible, sheet.relation, part)
        return None


def _read_workbook(package: Package, part: str) -> _Workbook:
    workbook = _Workbook()
    for event, tag, attributes, _text in package.read(part):
        if event != OPENED:
            continue
        if tag == "sheet":
            is_visible = attributes.get("state", "visible") == "visible"
            workbook.sheets.append(_Sheet(attributes.get("name", ""), is_visible, attributes.get("id", "")))
            _check_count(len(workbook.sheets), MAX_RANGES)
        elif tag == "workbookPr":
            workbook.since_1904 = attributes.get("date1904") in ("1", "true")
        elif tag == "workbookView":
            workbook.active = _read_number(attributes.get("activeTab"))
    return workbook


def _read_strings(package: Package, part: str) -> Iterator[str]:
    pieces: list[str] = []
    count, is_phonetic = 0, False
    for event, tag, _attributes, text in package.read(part):
        if tag == "si" and event == OPENED:
            pieces = []
        elif tag == "rPh":  # how a Japanese word is read, which is not part of it
            is_phonetic = event == OPENED
        elif tag == "t" and event == CLOSED and not is_phonetic:
            pieces.append(text)
        elif tag == "si":
            count += 1
            _check_count(count, MAX_STRINGS)
            yield unescape("".join(pieces))


def _read_formats(package: Package, part: str) -> Iterator[str]:
    """Yield the number format of each style that cells can have."""
    own: dict[int, str] = {}
    place, count = "", 0
    for event, tag, attributes, _text in package.read(part):
        if tag in ("numFmts", "cellXfs"):
            place = tag if event == OPENED else ""
        elif event != OPENED:
            continue
        elif tag == "numFmt" and place == "numFmts":
            own[_read_number(attributes.get("numFmtId"))] = attributes.get("formatCode", "")
            _check_count(len(own), MAX_FORMATS)
        elif tag == "xf" and place == "cellXfs":
            number = _read_number(attributes.get("numFmtId"))
            count += 1
            _check_count(count, MAX_FORMATS)
            yield own.get(number) or BUILTIN_FORMATS.get(number, "General")


class _SheetReader:
    """Reads one sheet. A cell's facts are gathered from its tags, and become a Cell when it ends."""

    def __init__(self, strings: list[str], formats: list[str], *, since_1904: bool) -> None:
        self._strings, self._formats, self._since_1904 = strings, formats, since_1904
        self._meter = Meter()
        self._lines: list[Line] = []
        self._hidden_columns: set[int] = set()
        self._merged: list[tuple[int, int, int, int]] = []
        self._line = Line(0)
        self._column = 0
        self._attributes: dict[str, str] = {}
        self._value: str | None = None
        self._pieces: list[str] = []
        self._has_formula = self._is_phonetic = False

    def read(self, package: Package, part: str) -> list[Line]:
        for event, tag, attributes, text in package.read(part):
            if event == OPENED:
                self._open(tag, attributes)
            else:
                self._close(tag, text)
        self._refuse_merged()
        return self._lines

    def _open(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "c":
            self._open_cell(attributes)
        elif tag == "row":
            number = _read_number(attributes.get("r")) or self._line.number + 1
            if not self._line.number < number <= MAX_SHEET_ROWS:
                raise UnreadableFile(_("The rows of this sheet are not in order: row %(row)s.") % {"row": number})
            refusal = (
                _("it is hidden in the sheet; show it, or delete it") if _is_true(attributes.get("hidden")) else ""
            )
            self._line, self._column = Line(number, refusal=refusal), 0
        elif tag == "col" and _is_true(attributes.get("hidden")):
            last = min(_read_number(attributes.get("max")), MAX_SHEET_COLUMNS)
            self._hidden_columns.update(range(_read_number(attributes.get("min")), last + 1))
        elif tag == "mergeCell":
            self._merged.append(_read_range(attributes.get("ref", "")))
            _check_count(len(self._merged), MAX_RANGES)
        elif tag == "rPh":
            self._is_phonetic = True

    def _open_cell(self, attributes: dict[str, str]) -> None:
        found = _REFERENCE.fullmatch(attributes.get("r", ""))
        column = number_column(found[1]) if found else self._column + 1
        if not self._column < column <= MAX_SHEET_COLUMNS:
            raise UnreadableFile(
                _("The cells of this sheet are not in order: %(cell)s.")
                % {"cell": name_place(column, self._line.number)}
            )
        self._column, self._attributes = column, attributes
        self._value, self._pieces, self._has_formula = None, [], False

    def _close(self, tag: str, text: str) -> None:
        if tag == "v":
            self._value = text
        elif tag == "t" and not self._is_phonetic:
            self._pieces.append(text)
        elif tag == "f":
            self._has_formula = True
        elif tag == "rPh":
            self._is_phonetic = False
        elif tag == "c":
            self._close_cell()
        elif tag == "row" and self._line.cells:
            if self._lines:  # the first row names the columns
                self._meter.count_row()
            self._lines.append(self._line)

    def _close_cell(self) -> None:
        if self._value is None and not self._has_formula and not self._pieces:
            return  # of these there may be millions, which only have a colour
        cell = self._build_cell(name_place(self._column, self._line.number))
        if cell is None:
            return
        if self._column in self._hidden_columns:
            cell = Cell(cell.place, "", None, refusal=_("its column is hidden in the sheet; show it, or delete it"))
        self._meter.count_cell(cell.text)
        self._line.cells[self._column] = cell

    def _build_cell(self, place: str) -> Cell | None:
        kind, value = self._attributes.get("t", "n"), self._value
        if kind == "inlineStr":
            text = unescape("".join(self._pieces))
            return Cell(place, text, text) if text else None
        if value is None or (value == "" and kind != "str"):
            if not self._has_formula:
                return None
            return Cell(place, "", None, refusal=_("its formula was not worked out; open and save it in a spreadsheet"))
        if kind == "s":
            number = _read_number(value)
            text = self._strings[number] if number < len(self._strings) else ""
            return Cell(place, text, text) if text else None
        if kind == "str":
            text = unescape(value)
            return Cell(place, text, text) if text else None
        if kind == "e":
            return Cell(place, "", None, refusal=_("it is the error %(error)s of a formula") % {"error": value})
        if kind == "b":
            return Cell(place, "true" if _is_true(value) else "false", None, "boolean")
        if kind == "d":
            return Cell(place, value, None, "time")
        style = _read_number(self._attributes.get("s"))
        code = self._formats[style] if style < len(self._formats) else "General"
        return show_number(place, value, code, since_1904=self._since_1904)

    def _refuse_merged(self) -> None:
        for first_column, first_row, last_column, last_row in self._merged:
            for line in self._lines:
                covered = first_row <= line.number <= last_row
                if covered and (line.number > first_row or first_column < last_column):
                    place = f"{name_place(first_column, first_row)}:{name_place(last_column, last_row)}"
                    line.refusal = line.refusal or _("its cells are merged (%(range)s); part them") % {"range": place}


def _read_number(text: str | None) -> int:
    return int(text) if text and len(text) < 10 and text.isascii() and text.isdecimal() else 0


def _is_true(text: str | None) -> bool:
    return text in ("1", "true")


def _read_range(text: str) -> tuple[int, int, int, int]:
    first, _colon, last = text.partition(":")
    corners = [_REFERENCE.fullmatch(corner) for corner in (first, last or first)]
    if corners[0] is None or corners[1] is None:
        return (0, 0, 0, 0)
    start, end = corners[0], corners[1]
    return (number_column(start[1]), int(start[2]), number_column(end[1]), int(end[2]))


def _check_count(count: int, limit: int) -> None:
    if count > limit:
        raise UnreadableFile(_("This workbook is too large when it is unpacked. Split it."))
