"""What a file may hold at most, counted while it is read."""

from __future__ import annotations

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from django_wfe.engine.lifecycle import MAX_ROWS

MAX_BYTES = 1_500_000
"""The size of a file, as it is uploaded."""

MAX_UNPACKED_BYTES = 50_000_000
"""The size of all parts of a workbook that are read, unpacked."""

MAX_COLUMNS = 200
MAX_NAME_LENGTH = 255
"""How many characters the name of a column has."""

MAX_DEPTH = 4
"""How many models deep a column may reach: "stop.address.city" is two deep."""

MAX_CELLS = 250_000
"""How many cells of a file are filled; in JSON, how many values and names there are."""

MAX_CELLS_OF_ROW = 10_000
"""How many values and names one row of a JSON file, or one cell of JSON, holds."""

MAX_TEXT = 5_000_000
"""How many characters all cells of a file have together. A workbook may name one long text in many cells."""


class UnreadableFile(Exception):
    """The file cannot be taken; the message says why, for the person who chose it."""


class Meter:
    """Counts what is read of one file, and stops it if it is too much."""

    def __init__(self) -> None:
        self.rows = self.cells = self.characters = 0

    def count_row(self) -> None:
        """Count a row that holds something.

        Raises:
            UnreadableFile: it is one too many.
        """
        self.rows += 1
        if self.rows > MAX_ROWS:
            raise UnreadableFile(
                _("It has more than %(limit)s rows, which is all that is started in one go. Split it.")
                % {"limit": number_format(MAX_ROWS, force_grouping=True)}
            )

    def count_cell(self, text: str) -> None:
        """Count a filled cell.

        Raises:
            UnreadableFile: it is one too many, or its text is.
        """
        self.cells += 1
        self.characters += len(text)
        if self.cells > MAX_CELLS:
            raise UnreadableFile(
                _("It has more than %(limit)s filled cells. Split it.")
                % {"limit": number_format(MAX_CELLS, force_grouping=True)}
            )
        if self.characters > MAX_TEXT:
            raise UnreadableFile(
                _("Its cells have more than %(limit)s characters. Split it.")
                % {"limit": number_format(MAX_TEXT, force_grouping=True)}
            )
