"""The cells of a table, whatever kind of file it stands in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["text", "number", "time", "boolean"]


@dataclass(frozen=True, slots=True)
class Cell:
    """A filled cell.

    ``place`` is "B2". ``text`` is its value as a person types it into an input of its type: a number without dress, a
    date or time by ISO 8601. ``shown`` is the text that the sheet shows, for fields that take a text; None if that
    cannot be told. ``refusal`` says why the cell can be taken for nothing at all.
    """

    place: str
    text: str
    shown: str | None
    kind: Kind = "text"
    refusal: str = ""


@dataclass(slots=True)
class Line:
    """A row that holds something: its number as a spreadsheet counts, and its filled cells by column, from 1.

    ``refusal`` says why none of it can be taken.
    """

    number: int
    cells: dict[int, Cell] = field(default_factory=dict)
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a file that hold something. ``sheet`` is the name of the sheet, "" if there is no choice."""

    lines: list[Line]
    sheet: str = ""


def name_column(number: int) -> str:
    """Return the letters of a column: 1 is "A", 27 is "AA"."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def name_place(column: int, row: int) -> str:
    """Return a cell's name, such as "B2"."""
    return f"{name_column(column)}{row}"


def number_column(letters: str) -> int:
    """Return the number of a column: "A" is 1, "AA" is 27."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number
