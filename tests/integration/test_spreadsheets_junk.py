"""Junk in place of files: each is read or refused with a reason, and none raises anything else."""

import io
import os
import random
import zipfile
from pathlib import Path

import pytest

from django_wfe.engine.operations.starting_many import validate_row
from django_wfe.spreadsheets import Columns, UnreadableFile
from tests.declared.inbox_workflows import AskOrder
from tests.support.forms.spreadsheets import read

pytestmark = [pytest.mark.integration, pytest.mark.versionless]

FOLDER = Path(__file__).parent.parent / "files"
ROUNDS = int(os.environ.get("WFE_JUNK_FILES", "40"))
WORKBOOKS = ("float2.xlsx", "groupTest.xlsx", "junk-small.xlsx", "timeformat.xlsx", "type-me.xlsx")
TEXTS = ("eurofxref.csv", "chickens.csv")
PIECES = (
    b'"',
    b",",
    b";",
    b"\r",
    b"\n",
    b"\0",
    b"\xff",
    b"<",
    b">",
    b"&",
    b"1e999",
    b"-1",
    b"9" * 30,
    b"#N/A",
    b"[",
    b"{",
)
SCHEMA = AskOrder.UserInputSchema


def spoil(content: bytes, chance: random.Random) -> bytes:
    """Replace, double, cut out or put in some bytes."""
    spoilt = bytearray(content)
    for _change in range(chance.randint(1, 6)):
        position = chance.randrange(len(spoilt) or 1)
        length = chance.choice((0, 1, 1, 5, 50))
        spoilt[position : position + length] = chance.choice(
            (b"", chance.choice(PIECES), bytes(spoilt[position : position + length]) * 2, chance.randbytes(3))
        )
    return bytes(spoilt)


def spoil_part(content: bytes, chance: random.Random) -> bytes:
    """Spoil one part of a package, which stays one."""
    package, stream = zipfile.ZipFile(io.BytesIO(content)), io.BytesIO()
    chosen = chance.choice([name for name in package.namelist() if name.endswith((".xml", ".rels"))])
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as spoilt:
        for name in package.namelist():
            part = package.read(name)
            spoilt.writestr(name, spoil(part, chance) if name == chosen else part)
    return stream.getvalue()


def try_to_read(name: str, content: bytes) -> None:
    try:
        rows = read(name, content, SCHEMA)
    except UnreadableFile as error:
        assert str(error)  # noqa: PT017 - most are refused, and some are not
        return
    Columns(SCHEMA).list_unknown(rows)
    for row in rows[:20]:
        validate_row(row, SCHEMA)
        Columns(SCHEMA).describe_values(row)


@pytest.mark.parametrize("name", [*WORKBOOKS, *TEXTS])
def test_a_file_that_was_damaged_raises_nothing_else(name: str) -> None:
    content, chance = (FOLDER / name).read_bytes(), random.Random(name)
    for _round in range(ROUNDS):
        try_to_read(name, spoil(content, chance))
        if name in WORKBOOKS:
            try_to_read(name, spoil_part(content, chance))


def test_bytes_of_no_kind_raise_nothing_else() -> None:
    chance = random.Random("junk")
    for _round in range(ROUNDS):
        junk = b"".join(chance.choice((*PIECES, b"customer", b"key", b":", b"}", b"]", b"5")) for _piece in range(60))
        for name in ("a.csv", "a.json", "a.xlsx"):
            try_to_read(name, junk)
            try_to_read(name, b'[{"customer":' + junk + b"}]")
