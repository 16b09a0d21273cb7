"""Files of jobs to start: what each cell becomes, and what is no file that can be read."""

import datetime
import io
import json
import zipfile
from typing import Any

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from pydantic import RootModel

from django_wfe.admin import start_files
from django_wfe.admin.start_columns import Columns
from django_wfe.admin.start_files import UnreadableFile, list_formats, read_rows
from django_wfe.engine.lifecycle import StartRow
from django_wfe.graph import describe_schema
from django_wfe.secret_places import MASK
from tests.inbox_workflows import AskOrder
from tests.workflows import Ask

pytestmark = pytest.mark.unit

ORDER = Columns(describe_schema(AskOrder.UserInputSchema))
NUMBER = Columns(describe_schema(Ask.UserInputSchema))


def read(name: str, content: str | bytes, columns: Columns = ORDER) -> list[StartRow]:
    return read_rows(SimpleUploadedFile(name, content.encode() if isinstance(content, str) else content), columns)


def write_workbook(*rows: list[Any]) -> bytes:
    book, stream = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(stream)
    return stream.getvalue()


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_becomes_keys_and_values_of_the_types_that_are_asked(delimiter: str) -> None:
    text = "\ufeff" + "\r\n".join(
        delimiter.join(cells)
        for cells in (
            ["key", "customer", "express", "weight", "day", "address.city", "address.postcode"],
            ["order 1", "007", "true", "2.5", "2026-01-31", "Zürich", "08001"],
            ["", "Ada", "yes", "much", "", "Uster", ""],
            ["", "", "", "", "", "", ""],
        )
    )
    assert read("orders.CSV", text) == [
        StartRow(
            2,
            "order 1",
            {
                "customer": "007",
                "express": True,
                "weight": 2.5,
                "day": "2026-01-31",
                "address": {"city": "Zürich", "postcode": "08001"},
            },
        ),
        StartRow(3, None, {"customer": "Ada", "express": "yes", "weight": "much", "address": {"city": "Uster"}}),
    ]


def test_a_list_is_given_as_json_in_its_cell() -> None:
    [row] = read("a.csv", 'lines,customer\n"[{""article"": ""pen"", ""price"": 1.5}]",[no list]\n')
    assert row.values == {"lines": [{"article": "pen", "price": 1.5}], "customer": "[no list]"}


def test_a_workbook_gives_dates_texts_and_numbers_as_they_are_asked() -> None:
    [row] = read(
        "orders.xlsx",
        write_workbook(
            ["key", "customer", "express", "weight", "day", "address.city", "address.postcode", None],
            [17, 4711, True, 3, datetime.datetime(2026, 1, 31), "Uster", 8610.0, None],
            [None] * 8,
        ),
    )
    assert row == StartRow(
        2,
        "17",
        {
            "customer": "4711",
            "express": True,
            "weight": 3,
            "day": "2026-01-31",
            "address": {"city": "Uster", "postcode": "8610"},
        },
    )


def test_json_is_taken_as_it_is_whatever_the_order_of_its_names() -> None:
    rows = read("a.json", '[{"key": 5, "a": 1, "b": 2}, {"b": 3, "a": null, "input.key": "k"}, {"key": ""}]')
    assert rows == [
        StartRow(1, "5", {"a": 1, "b": 2}),
        StartRow(2, None, {"b": 3, "a": None, "key": "k"}),
        StartRow(3, None, {}),
    ]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.exe", "x", "none of the files"),
        ("a", "x", "none of the files"),
        ("a.csv", b"\xff\xfe\x00a", "no UTF-8"),
        ("a.csv", "key\0,a\n1,2", "NUL"),
        ("a.csv", "key,a\n", "no rows"),
        ("a.csv", "\n", "must name the columns"),
        ("a.csv", "a,a\n1,2\n", "“a” is there twice"),
        ("a.csv", "a,b\n1,2,3\n", "more cells"),
        ("a.csv", 'a,b\n"1"x,2\n', "no CSV"),
        ("a.csv", 'a,b\n"1,2\n', "no CSV"),
        ("a.csv", "a\n" + "x" * 200_000, "no CSV"),
        ("a.csv", ",".join(f"c{n}" for n in range(300)) + "\n1\n", "more than 200 columns"),
        ("a.json", "{", "no JSON"),
        ("a.json", b"\xff", "no UTF-8"),
        ("a.json", "[1, 2]", "no list of objects"),
        ("a.json", '{"a": 1}', "no list of objects"),
        ("a.json", '[{"a": NaN}]', "no JSON"),
        ("a.json", "[" * 100_000, "nested too deeply"),
        ("a.json", "[]", "no rows"),
        ("a.xlsx", "no workbook", "no workbook"),
        ("a.xlsx", write_workbook(), "must name the columns"),
        ("a.csv", "a\n" + "1\n" * 800_000, "at most 1,500,000 are read"),
        ("a.csv", "a\n" + "1\n" * 5_001, "more than 5,000 rows"),
        ("a.json", json.dumps([{}] * 5_001), "more than 5,000 rows"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(name: str, content: str | bytes, reason: str) -> None:
    with pytest.raises(UnreadableFile, match=reason):
        read(name, content)


def test_a_workbook_that_is_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b" " * (start_files.MAX_UNPACKED_BYTES + 1))
    with pytest.raises(UnreadableFile, match="too large when it is unpacked"):
        read("a.xlsx", stream.getvalue())


def test_the_million_empty_rows_of_a_sheet_are_not_read() -> None:
    book, stream = openpyxl.Workbook(), io.BytesIO()
    book.active.append(["some_data"])
    book.active.append([1])
    book.active.cell(row=1_048_576, column=16_384, value="far away")
    book.save(stream)
    assert read("a.xlsx", stream.getvalue(), NUMBER) == [StartRow(2, None, {"some_data": 1})]


def test_without_the_package_for_workbooks_they_are_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list_formats() == [".csv", ".xlsx", ".json"]
    monkeypatch.setattr(start_files, "openpyxl", None)
    assert list_formats() == [".csv", ".json"]
    with pytest.raises(UnreadableFile, match="none of the files"):
        read("a.xlsx", write_workbook(["a"], [1]))


def test_the_columns_are_told_with_nested_fields_and_what_they_take() -> None:
    columns = {column.name: column for column in ORDER.list_columns()}
    assert list(columns) == [
        "customer",
        "express",
        "weight",
        "day",
        "address.city",
        "address.postcode",
        "lines",
        "secret_code",
        "letter",
    ]
    assert columns["customer"].description == "As on the invoice."
    assert columns["customer"].required
    assert columns["address.city"].required
    assert not columns["address.postcode"].required
    assert columns["lines"].kinds == ("a list, as JSON",)
    assert columns["weight"].kinds == ("number",)
    assert columns["day"].kinds == ("date, as 2026-01-31",)
    assert Columns(None).list_columns() == []
    assert Columns(describe_schema(RootModel[list[int]])).list_columns() == []


def test_columns_that_nobody_asks_for_are_found_and_secrets_are_covered() -> None:
    rows = read("a.csv", "customer,colour,address.street,secret_code\nAda,red,Main,1234\n")
    assert ORDER.list_unknown(rows) == ["colour"]
    assert Columns(None).list_unknown(rows) == ["address", "colour", "customer", "secret_code"]
    described = dict(ORDER.describe_values(rows[0]))
    assert described["secret_code"] == MASK
    assert described["address.street"] == "Main"
