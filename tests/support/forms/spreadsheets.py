"""Files of rows, made and read as a person's browser would bring them."""

import io
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import openpyxl
from django.core.files.uploadedfile import SimpleUploadedFile
from openpyxl.worksheet.worksheet import Worksheet
from pydantic import BaseModel

from django_wfe.engine.lifecycle import StartRow
from django_wfe.spreadsheets import Columns, ReadFile, read_file

STRINGS = (
    b'<Relationship Id="rIdS" Target="sharedStrings.xml" '
    b'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings"/>'
)


def open_file(name: str, content: str | bytes, schema: type[BaseModel] | None) -> ReadFile:
    """Read a file for a schema."""
    data = content.encode() if isinstance(content, str) else content
    return read_file(SimpleUploadedFile(name, data), Columns(schema))


def read(name: str, content: str | bytes, schema: type[BaseModel] | None) -> list[StartRow]:
    """Give the rows of a file."""
    return open_file(name, content, schema).rows


def write_workbook(*rows: list[Any], change: Callable[[Worksheet], Any] | None = None) -> bytes:
    """Give a workbook of these rows, whose sheet ``change`` may change before it is saved."""
    book, stream = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    if change is not None:
        change(book.active)
    book.save(stream)
    return stream.getvalue()


def write_package(parts: Mapping[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Give a workbook of hand-written parts, in place of those of a workbook with a cell "a" above a cell 1."""
    base = zipfile.ZipFile(io.BytesIO(write_workbook(["a"], [1])))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as package:
        for name in base.namelist():
            if name not in parts:
                package.writestr(name, base.read(name).replace(b"</Relationships>", STRINGS + b"</Relationships>"))
        for name, content in parts.items():
            package.writestr(name, content)
    return stream.getvalue()
