"""Reading the rows of a text file and finding the doubtful ones: what the sample workflow "File intake" works with."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

DATA = Path(__file__).parent / "data"

Kind = Literal["json", "delimited", "other"]

SEPARATORS = ("\t", ";", ",", "|")
LONGEST_LINE = 500
"""Characters; a longer line of a text file is doubtful."""

ISO_6709 = re.compile(
    r"[+-](?P<lat>\d\d)(?P<lat_minutes>\d\d)(?P<lat_seconds>\d\d)?"
    r"[+-](?P<lon>\d{3})(?P<lon_minutes>\d\d)(?P<lon_seconds>\d\d)?"
)


class Layout(BaseModel):
    """How to read one row of a file.

    ``columns`` is empty where nothing names them; ``widths`` are the numbers of cells that a row may have, empty for
    any.
    """

    kind: Kind
    separator: str = ""
    columns: list[str] = []
    widths: list[int] = []


class Row(BaseModel):
    """One row as it stands in the file. ``line`` counts from 1: lines of text, or entries of a JSON list."""

    line: int
    text: str


class DoubtfulRow(Row):
    """A row that a person has to look at, and why."""

    doubt: str


def detect_kind(text: str) -> Kind:
    """Detect from the content, not from a name, what sort of file it is."""
    if _find_json_entries(text) is not None:
        return "json"
    lines = [row.text for row in _iterate_lines(text, skip_comments=True)]
    separator = _find_separator(lines)
    widths = Counter(len(line.split(separator)) for line in lines)
    # Prose has commas too, but neither in nearly every line nor the same number of them.
    is_table = (
        len(lines) > 1
        and sum(separator in line for line in lines) >= 0.8 * len(lines)
        and widths.most_common(1)[0][1] >= 0.5 * len(lines)
    )
    return "delimited" if is_table else "other"


def read_json(text: str) -> tuple[Layout, Iterator[Row]]:
    """Return the entries of a JSON list, or of the first list in a JSON object, as rows.

    Raises:
        ValueError: if the text is not JSON or holds no list.
    """
    entries = _find_json_entries(text)
    if entries is None:
        raise ValueError("The file holds no JSON list. Give a list of objects, or an object with such a list in it.")
    columns = list(dict.fromkeys(key for entry in entries if isinstance(entry, dict) for key in entry))
    rows = (Row(line=line, text=json.dumps(entry, ensure_ascii=False)) for line, entry in enumerate(entries, 1))
    return Layout(kind="json", columns=columns), rows


def read_delimited(text: str) -> tuple[Layout, Iterator[Row]]:
    """Return the rows of a table in text, with its separator and column names worked out from the content.

    Empty lines and comment lines, which begin with ``#``, are no rows. The column names are the last comment before the
    first row where it fits the table, as in the files of the time zone database, or else a first row without figures.
    """
    rows = list(_iterate_lines(text, skip_comments=True))
    separator = _find_separator([row.text for row in rows])
    counted = Counter(len(row.text.split(separator)) for row in rows)
    commonest = counted.most_common(1)[0][0] if rows else 0
    columns = _find_names_in_comment(text, separator, commonest)
    if not columns and len(rows) > 1 and not _has_figure(rows[0]) and any(_has_figure(row) for row in rows[1:]):
        columns = [name.strip() for name in rows.pop(0).text.split(separator)]
    # A width that many rows share is a habit of the file (it may leave out a last column), a rare one a slip.
    widths = {commonest} | {width for width, count in counted.items() if count >= max(3, 0.1 * len(rows))}
    return Layout(kind="delimited", separator=separator, columns=columns, widths=sorted(widths)), iter(rows)


def read_other(text: str) -> tuple[Layout, Iterator[Row]]:
    """Return the lines of any other text that are not empty as rows."""
    return Layout(kind="other"), _iterate_lines(text, skip_comments=False)


def find_doubt(text: str, layout: Layout) -> str:
    """Describe what is doubtful about one row, or "" if nothing is."""
    if layout.kind == "other":
        return _find_doubt_in_line(text)
    try:
        cells = _split_json(text, layout) if layout.kind == "json" else _split_delimited(text, layout)
    except ValueError as error:
        return str(error)
    doubts = (CHECKS[column.lower()](cell) for column, cell in cells.items() if column.lower() in CHECKS)
    return next(filter(None, doubts), "")


def check_country_codes(cell: str) -> str:
    """Doubt country codes that ISO 3166 does not know, and lists out of order.

    The order is the one that ``zone1970.tab`` sets itself: the main country first, the others alphabetically.
    """
    codes = cell.split(",")
    unknown = [code for code in codes if code not in load_country_codes()]
    if unknown:
        return f"Unknown country code: {', '.join(unknown)}."
    others = codes[1:]
    first_wrong = next((after for before, after in pairwise(others) if after < before), "")
    return f"Countries after the first are not in alphabetical order: {first_wrong}." if first_wrong else ""


def check_coordinates(cell: str) -> str:
    """Doubt coordinates that are not ISO 6709 in degrees, minutes and perhaps seconds, such as ``+4230+00131``."""
    match = ISO_6709.fullmatch(cell)
    if match is None or (match["lat_seconds"] is None) != (match["lon_seconds"] is None):
        return f"Not ±DDMM±DDDMM or ±DDMMSS±DDDMMSS: {cell}."
    if any(int(match[name] or 0) > 59 for name in ("lat_minutes", "lat_seconds", "lon_minutes", "lon_seconds")):
        return f"Minutes or seconds above 59: {cell}."
    if int(match["lat"]) > 90 or int(match["lon"]) > 180:
        return f"Not on Earth: {cell}."
    return ""


CHECKS: dict[str, Callable[[str], str]] = {
    "code": check_country_codes,
    "codes": check_country_codes,
    "country": check_country_codes,
    "coordinates": check_coordinates,
}
"""What to check in a column, by its name in lower case."""


@cache
def load_country_codes() -> frozenset[str]:
    """Return the country codes of ISO 3166-1 that ship with the demo."""
    lines = (DATA / "iso3166.tab").read_text(encoding="utf-8").splitlines()
    return frozenset(line.split("\t")[0] for line in lines if not line.startswith("#"))


def _iterate_lines(text: str, *, skip_comments: bool) -> Iterator[Row]:
    # Not splitlines(): that also splits at characters which may stand inside a cell, such as U+2028.
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        if line.strip() and not (skip_comments and line.startswith("#")):
            yield Row(line=number, text=line)


def _find_json_entries(text: str) -> list[Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict):
        value = next((entry for entry in value.values() if isinstance(entry, list)), None)
    return value if isinstance(value, list) else None


def _find_separator(lines: list[str]) -> str:
    return max(SEPARATORS, key=lambda separator: sum(separator in line for line in lines))


def _find_names_in_comment(text: str, separator: str, width: int) -> list[str]:
    comment = ""
    for line in text.split("\n"):
        if line.strip() and not line.startswith("#"):
            break
        comment = line if line.startswith("#") else comment
    names = [name.strip() for name in comment.lstrip("#").split(separator)]
    return names if len(names) == width else []


def _has_figure(row: Row) -> bool:
    return any(character.isdigit() for character in row.text)


def _split_json(text: str, layout: Layout) -> dict[str, str]:
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"Not JSON: {error}.") from error
    if not isinstance(entry, dict):
        raise ValueError("Not an object with named values.")
    missing = [column for column in layout.columns if column not in entry]
    if missing:
        raise ValueError(f"Nothing is given for {', '.join(missing)}.")
    return {column: str(entry[column]) for column in layout.columns}


def _split_delimited(text: str, layout: Layout) -> dict[str, str]:
    try:
        cells = next(csv.reader([text], delimiter=layout.separator, strict=True), [])
    except csv.Error as error:
        raise ValueError(f"Cannot be split into cells: {error}.") from error
    if layout.widths and len(cells) not in layout.widths:
        usual = " or ".join(map(str, layout.widths))
        raise ValueError(f"Has {len(cells)} cells where other rows have {usual}.")
    return dict(zip(layout.columns, (cell.strip() for cell in cells), strict=False))


def _find_doubt_in_line(line: str) -> str:
    if len(line) > LONGEST_LINE:
        return f"Has {len(line)} characters; lines of text have at most {LONGEST_LINE}."
    if not line.replace("\t", "").isprintable():
        return "Holds characters that cannot be printed."
    return ""
