"""From an uploaded file to rows: the way in."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from django_wfe.engine.lifecycle import StartRow
from django_wfe.spreadsheets.bounds import MAX_BYTES, MAX_COLUMNS, UnreadableFile
from django_wfe.spreadsheets.cells import Table, name_column
from django_wfe.spreadsheets.columns import Columns
from django_wfe.spreadsheets.csv_tables import read_csv
from django_wfe.spreadsheets.json_rows import read_json

CSV, XLSX, JSON = ".csv", ".xlsx", ".json"


@dataclass(frozen=True, slots=True)
class ReadFile:
    """The rows of a file. ``sheet`` is the name of the sheet that was read, "" if there is no choice."""

    rows: list[StartRow]
    sheet: str = ""


def list_formats() -> list[str]:
    """Return the endings of the files that can be read. XLSX needs the package that knows its number formats."""
    return [CSV, XLSX, JSON] if importlib.util.find_spec("openpyxl") is not None else [CSV, JSON]


def read_file(upload: UploadedFile[Any], columns: Columns) -> ReadFile:
    """Return the rows of a file. A row that is empty is left out; the others keep their number in the file.

    A row with a cell that cannot be taken as it shows has errors, and can be started by nobody.

    Raises:
        UnreadableFile: it is too large, of another format than its name says, or has columns that cannot be told apart.
    """
    name, size = upload.name or "", upload.size or 0
    ending = PurePath(name).suffix.lower()
    if ending not in list_formats():
        raise UnreadableFile(
            _("“%(name)s” cannot be read. Supported formats: %(formats)s.")
            % {"name": name, "formats": ", ".join(list_formats())}
        )
    if size > MAX_BYTES:
        raise UnreadableFile(
            _("“%(name)s” has %(size)s bytes; at most %(limit)s are read. Split it.")
            % {
                "name": name,
                "size": number_format(size, force_grouping=True),
                "limit": number_format(MAX_BYTES, force_grouping=True),
            }
        )
    upload.seek(0)
    content = upload.read()
    if ending == JSON:
        found = ReadFile([columns.read_object(number, row) for number, row in enumerate(read_json(content), start=1)])
    else:
        found = _read_table(_read_content(content, ending), columns)
    if not found.rows:
        raise UnreadableFile(_("“%(name)s” has no rows.") % {"name": name})
    return found


def _read_content(content: bytes, ending: str) -> Table:
    if ending == CSV:
        return read_csv(content)
    # Its package is an extra, and is imported where it is there and needed.
    from django_wfe.spreadsheets.workbooks import read_xlsx

    return read_xlsx(content)


def _read_table(table: Table, columns: Columns) -> ReadFile:
    if not table.lines:
        raise UnreadableFile(_("The first row must name the columns."))
    header, *lines = table.lines
    if len(header.cells) > MAX_COLUMNS:
        raise UnreadableFile(
            _("It has more than %(limit)s columns: %(column)s is one too many.")
            % {"limit": MAX_COLUMNS, "column": name_column(sorted(header.cells)[MAX_COLUMNS])}
        )
    if header.refusal:
        raise UnreadableFile(
            _("The names of the columns, in row %(row)s, cannot be read: %(reason)s.")
            % {"row": header.number, "reason": header.refusal}
        )
    names = {number: cell for number, cell in header.cells.items() if cell.refusal or cell.text.strip()}
    if not names:
        raise UnreadableFile(_("The first row must name the columns."))
    columns.check_names(names)
    return ReadFile([columns.read_line(line, names) for line in lines], table.sheet)
