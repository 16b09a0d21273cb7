"""What the commands print: lines for people, or one JSON value for machines.

Whatever steps and people wrote only shows: no character of it moves the cursor, colours or turns what is around it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.management.base import CommandError, OutputWrapper
from django.core.serializers.json import DjangoJSONEncoder

from django_wfe.values.visible_text import escape_unseen_in_json, show_in_terminal, show_on_one_line

REFUSED = 1
"""The exit code where the engine did not do what was asked, for one Job at least."""

USAGE = 2
"""The exit code for arguments that make no sense, as of argparse."""


@dataclass(slots=True)
class Output:
    """Prints what a command has to say; ``as_json`` leaves out the lines that only people want."""

    stdout: OutputWrapper
    stderr: OutputWrapper
    as_json: bool

    def say(self, text: str) -> None:
        """Print a line for people."""
        if not self.as_json:
            self.stdout.write(show_in_terminal(text))

    def note(self, text: str) -> None:
        """Print a line beside the results."""
        self.stderr.write(show_in_terminal(text))

    def give(self, value: Any) -> None:
        """Print the result for machines."""
        if self.as_json:
            text = json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2)
            self.stdout.write(escape_unseen_in_json(text))

    def table(self, rows: Iterable[Sequence[object]]) -> None:
        """Print rows for people, in columns."""
        texts = [[show_on_one_line(str(cell)) for cell in row] for row in rows]
        widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
        for row in texts:
            self.say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def refuse(message: str) -> CommandError:
    """Return the error that ends the command where the engine refused."""
    return CommandError(show_in_terminal(message), returncode=REFUSED)


def reject(message: str) -> CommandError:
    """Return the error that ends the command where its arguments make no sense."""
    return CommandError(show_in_terminal(message), returncode=USAGE)
