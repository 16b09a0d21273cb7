"""What reading a file costs in memory: the same for a hostile one as for an honest one, within the bounds."""

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from django_wfe.spreadsheets import MAX_BYTES
from tests.support.forms.spreadsheets import write_package, write_workbook

pytestmark = [pytest.mark.integration, pytest.mark.versionless]

MOST = 200_000_000
SHEET = "xl/worksheets/sheet1.xml"
MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
HIDDEN_SHEET = '<sheet name="a" state="hidden"/>'
READ = """
import os, resource, sys
from types import SimpleNamespace
import django
django.setup()
from django.core.files.uploadedfile import SimpleUploadedFile
from django_wfe.admin.starting.many import _pack
from django_wfe.engine.operations.starting_many import validate_row
from django_wfe.spreadsheets import Columns, UnreadableFile, read_file, workbooks
from tests.declared.inbox_workflows import AskOrder

def measure():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

def read(name):
    schema = AskOrder.UserInputSchema
    columns = Columns(schema)
    before = measure()
    try:
        with open(name, "rb") as file:
            rows = read_file(SimpleUploadedFile(name, file.read()), columns).rows
        columns.list_unknown(rows)
        for row in rows:
            validate_row(row, schema)[0]
        for row in rows[:100]:
            columns.describe_values(row)
        _pack(SimpleNamespace(pk=1), SimpleNamespace(pk=1), rows, columns.secrets)
        told = f"{len(rows)} rows"
    except UnreadableFile as error:
        told = str(error)
    print(measure() - before, told, flush=True)

for line in sys.stdin:
    if os.fork() == 0:  # a process of its own, whose peak is that of this file
        try:
            read(line.strip())
        except BaseException as error:  # a child that went on would answer in its parent's place
            print(0, repr(error), flush=True)
            os._exit(1)
        os._exit(0)
    os.wait()
"""


@pytest.fixture(scope="module")
def reader() -> Iterator[subprocess.Popen[str]]:
    """A process that reads the files whose paths it is told, each in a child of its own."""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": "."}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", READ], env=environment, **pipes) as process:
        yield process
        process.stdin.close()  # type: ignore[union-attr]


def build_sheet(rows: str, *, strings: str = "", styles: str = "", after: str = "") -> bytes:
    sheet = f"<worksheet {MAIN}><sheetData>{rows}</sheetData>{after}</worksheet>"
    parts = {SHEET: sheet.encode()}
    if strings:
        parts["xl/sharedStrings.xml"] = f"<sst {MAIN}>{strings}</sst>".encode()
    if styles:
        parts["xl/styles.xml"] = f"<styleSheet {MAIN}>{styles}</styleSheet>".encode()
    return write_package(parts)


def fill(piece: str, size: int = MAX_BYTES) -> str:
    return piece * (size // len(piece) - 2)


def build_references() -> bytes:
    """Many cells that all name one long text."""
    names = "".join(f'<c t="inlineStr"><is><t>c{number}</t></is></c>' for number in range(200))
    row = "<row>" + '<c t="s"><v>0</v></c>' * 200 + "</row>"
    return build_sheet(f"<row>{names}</row>" + row * 5_000, strings=f"<si><t>{'🚀' * 8_000}</t></si>")


def build_nested_package() -> bytes:
    """A package in a package, whose outer one is a thousandth of the inner one."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("xl/workbook.xml", write_package({"xl/media/a": bytes(40_000_000)}))
        package.writestr("_rels/.rels", b" " * 60_000_000)
    return stream.getvalue()


FILES: dict[str, Callable[[], str | bytes]] = {
    "honest.csv": lambda: "customer,address.city,weight\n" + "".join(f"{'x' * 250},y,{n}\n" for n in range(5_000)),
    "wide header.csv": lambda: fill("a,", 60_000),
    "widest header.csv": lambda: ",".join(f"c{number}" for number in range(200_000)),
    "deep header.csv": lambda: ".".join("a" * 6_000) + "\n1" + "\n2" * 5_000,
    "deepest header.csv": lambda: fill("a.") + "\n1",
    "commas.csv": lambda: "customer\n" + fill(",", 1_400_000),
    "quotes.csv": lambda: fill('"'),
    "one cell.csv": lambda: "customer\n" + fill("é", 700_000) + "🚀",
    "short rows.csv": lambda: "customer\n" + fill("1\n", 1_400_000),
    "cells.csv": lambda: "a\n" + fill("1,", 1_400_000),
    "lists in cells.csv": lambda: "lines\n" + fill("[" + "1;" * 20_000 + "]\n", 1_400_000).replace(";", ","),
    "wrong list.csv": lambda: 'lines\n"[' + "0," * 9_000 + '0]"\n',
    "lists.json": lambda: "[" + fill("[],") + "[]]",
    "deep.json": lambda: fill("["),
    "objects.json": lambda: '[{"lines": [' + fill("{},", 1_400_000) + "{}]}]",
    "names.json": lambda: "[{" + ",".join(f'"{number}":0' for number in range(120_000)) + "}]",
    "wrong lists.json": lambda: json.dumps([{"customer": "a", "address": {"city": "b"}, "lines": [0] * 9_000}] * 25),
    "digits.json": lambda: '[{"weight": ' + fill("9", 1_400_000) + "}]",
    "strings.xlsx": lambda: build_sheet("", strings="<si/>" * 9_000_000),
    "long strings.xlsx": lambda: build_sheet("", strings=f"<si><t>{'é' * 30_000}</t></si>" * 800),
    "references.xlsx": build_references,
    "cells.xlsx": lambda: build_sheet("<row>" + "<c><v>1</v></c>" * 3_000_000),
    "rows.xlsx": lambda: build_sheet("<row/>" * 8_000_000),
    "empty cells.xlsx": lambda: build_sheet(("<row>" + "<c/>" * 16_000 + "</row>") * 700),
    "styles.xlsx": lambda: build_sheet("", styles="<cellXfs>" + "<xf/>" * 9_000_000 + "</cellXfs>"),
    "formats.xlsx": lambda: build_sheet(
        "",
        styles="<numFmts>" + "".join(f"<numFmt numFmtId='{n}' formatCode='0'/>" for n in range(400_000)) + "</numFmts>",
    ),
    "merged.xlsx": lambda: build_sheet("", after="<mergeCell ref='A1:B2'/>" * 2_000_000),
    "long tag.xlsx": lambda: build_sheet(f"<row r='{'1' * 40_000_000}'/>"),
    "attributes.xlsx": lambda: build_sheet("<row " + " ".join(f"a{n}=''" for n in range(600_000)) + "/>"),
    "entities.xlsx": lambda: write_package(
        {SHEET: b"<!DOCTYPE a [<!ENTITY b '" + b"x" * 1_000 + b"'>]><worksheet>" + b"&b;" * 100_000 + b"</worksheet>"}
    ),
    "spaces.xlsx": lambda: write_package({SHEET: b" " * 200_000_000}),
    "sheets.xlsx": lambda: write_package(
        {"xl/workbook.xml": f"<workbook {MAIN}>{HIDDEN_SHEET * 900_000}</workbook>".encode()}
    ),
    "nested.xlsx": build_nested_package,
    "honest.xlsx": lambda: write_workbook(["customer", "weight"], *(["x" * 200, number] for number in range(4_999))),
}


QUICK = frozenset(
    {"honest.csv", "wide header.csv", "deep header.csv", "lists.json", "references.xlsx", "strings.xlsx", "cells.xlsx"}
)


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.survey) for name in FILES]
)
def test_no_file_takes_much_memory(name: str, reader: subprocess.Popen[str], tmp_path: Path) -> None:
    content = FILES[name]()
    data = content.encode() if isinstance(content, str) else content
    assert len(data) <= MAX_BYTES, "a larger file is not read at all"
    path = tmp_path / name
    path.write_bytes(data)
    assert reader.stdin is not None
    assert reader.stdout is not None
    reader.stdin.write(f"{path}\n")
    reader.stdin.flush()
    taken, _space, told = reader.stdout.readline().partition(" ")
    assert told.strip()
    assert int(taken) > 0, told
    assert int(taken) < MOST, f"{int(taken):,} bytes: {told}"
