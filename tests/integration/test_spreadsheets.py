"""Files of rows: what each cell becomes, and what is not a file that can be read."""

import json
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel

from django_wfe.definition.secret_places import MASK
from django_wfe.engine.lifecycle import StartRow
from django_wfe.spreadsheets import Columns, UnreadableFile, list_formats, reading
from tests.declared.inbox_workflows import AskOrder
from tests.support.forms.spreadsheets import read, write_workbook

pytestmark = [pytest.mark.integration, pytest.mark.versionless]

Order = AskOrder.UserInputSchema


class Where(BaseModel):
    when: str = ""
    floor: int = 0


class Trip(BaseModel):
    name: str = ""
    stop: Where | None = None
    stops: list[Where] = []


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
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
    assert read("orders.CSV", text, Order) == [
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
    text = 'lines,customer\n"[{""article"": ""pen"", ""price"": 1.5}]",[no list]\n[no list],Ada\n'
    [row, refused] = read("a.csv", text, Order)
    assert row.values == {"lines": [{"article": "pen", "price": 1.5}], "customer": "[no list]"}
    assert refused.errors[0].startswith("A3: This is not JSON")


def test_json_is_taken_as_it_is_whatever_the_order_of_its_names() -> None:
    rows = read("a.json", '[{"key": 5, "a": 1, "b": 2}, {"b": 3, "a": null, "input.key": "k"}, {"key": ""}]', Order)
    assert rows == [
        StartRow(1, "5", {"a": 1, "b": 2}),
        StartRow(2, None, {"b": 3, "a": None, "key": "k"}),
        StartRow(3, None, {}),
    ]
    assert [row.errors for row in read("a.json", '[{"key": 1.5}, {"key": true}, {"key": [1]}]', Order)] == [
        ("key: use a text.",)
    ] * 3


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.exe", "x", "cannot be read"),
        ("a", "x", "cannot be read"),
        ("a.csv", b"a,b\n1,\xff", "byte 7, in line 2"),
        ("a.csv", b"\xff\xfe\x00a", "ot a UTF-8"),
        ("a.csv", "key\0,a\n1,2", "NUL"),
        ("a.csv", "key,a\n", "no rows"),
        ("a.csv", "\n", "must name the columns"),
        ("a.csv", " , \n1,2\n", "must name the columns"),
        ("a.csv", "a,a\n1,2\n", "“a” is there twice"),
        ("a.csv", "address,address.city\n1,2\n", "“address.city” and “address” say the same twice"),
        ("a.csv", "a,#N/A\n1,2\n", "B1, cannot be read"),
        ("a.csv", 'a,b\n"1"x,2\n', "row 2 cannot be read"),
        ("a.csv", 'a,b\n\n1,2\n"1,2\n', "row 4 cannot be read"),
        ("a.csv", ",".join(f"c{n}" for n in range(300)) + "\n1\n", "more than 200 columns: GS"),
        ("a.csv", "x" * 256 + ",b\n1\n", "A1, is too long"),
        ("a.csv", ".".join("a" * 200) + ",b\n1\n", "A1, is too long"),
        ("a.json", "{", "not JSON"),
        ("a.json", b"\xff", "ot a UTF-8"),
        ("a.json", "[1, 2]", "not a list of objects"),
        ("a.json", '{"a": 1}', "not a list of objects"),
        ("a.json", '[{"a": NaN}]', "not a JSON number"),
        ("a.json", '[{"a": 1, "b": {"c": 1, "c": 2}}]', "twice in one object"),
        ("a.json", '[{"a": 12345678901234567890.25}]', "more digits than are kept"),
        ("a.json", '[{"a": 1e999}]', "more digits than are kept"),
        ("a.json", '[{"a": 0e99999999999999999999}]', "more digits than are kept"),
        ("a.json", "[" * 100_000, "nested too deeply"),
        ("a.json", "[]", "no rows"),
        ("a.json", json.dumps([{"a": [0] * 10_001}]), "Object 1 holds more than 10,000 values"),
        ("a.xlsx", "workbook cannot be read", "workbook cannot be read"),
        ("a.xlsx", write_workbook(), "must name the columns"),
        ("a.csv", "a\n" + "1\n" * 800_000, "at most 1,500,000 are read"),
        ("a.csv", "a\n" + "1\n" * 5_001, "more than 5,000 rows"),
        ("a.csv", "a\n" + ("1," * 100 + "\n") * 3_000, "more than 250,000 filled cells"),
        ("a.json", json.dumps([{}] * 5_001), "more than 5,000 rows"),
        ("a.json", json.dumps([{"a": [0] * 300}] * 1_000), "too many values"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(name: str, content: str | bytes, reason: str) -> None:
    with pytest.raises(UnreadableFile, match=reason):
        read(name, content, Order)


def test_without_the_package_for_workbooks_they_are_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list_formats() == [".csv", ".xlsx", ".json"]
    monkeypatch.setattr(reading.importlib.util, "find_spec", lambda name: None)
    assert list_formats() == [".csv", ".json"]
    with pytest.raises(UnreadableFile, match="cannot be read"):
        read("a.xlsx", write_workbook(["a"], [1]), Order)


def test_rows_of_a_csv_are_numbered_as_a_spreadsheet_counts() -> None:
    rows = read("a.csv", '\n\ncustomer,weight\n\nAda,1\n,\n"two\nlines",2\n\r\nBob,x\n', Order)
    assert [(row.number, row.values["customer"]) for row in rows] == [(5, "Ada"), (7, "two\nlines"), (9, "Bob")]


def test_empty_rows_between_do_not_count() -> None:
    text = "customer\n" + "Ada\n,\n" * 3_000
    assert [row.number for row in read("a.csv", text, Order)] == list(range(2, 6_001, 2))


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ('"a;b;c;d","e"', ["a;b;c;d", "e"]),
        ('"a,b,c";d', ["a,b,c", "d"]),
        ('"a\nb,c,d";e', ["a\nb,c,d", "e"]),
        ("a,b|c", ["a", "b|c"]),
        ("only", ["only"]),
    ],
)
def test_what_stands_in_quotes_parts_no_cells(header: str, names: list[str]) -> None:
    delimiter = ";" if header.endswith((";d", ";e")) else ","
    [row] = read("a.csv", header + "\n" + delimiter.join("1234"[: len(names)]) + "\n", None)
    assert list(row.values.values()) == list("1234"[: len(names)])


def test_a_cell_may_be_as_long_as_the_file() -> None:
    import csv

    [row] = read("a.csv", "customer\n" + "x" * 200_000, Order)
    assert row.values == {"customer": "x" * 200_000}
    assert csv.field_size_limit() == 131_072


def test_a_cell_without_a_column_is_named_and_its_row_is_not_started() -> None:
    rows = read("a.csv", "customer;;weight;\nAda;;1;;\nBob;x;1\nCem;;1;;y\n", Order)
    assert [row.errors for row in rows] == [
        (),
        ("B3: its column has no name in the first row.",),
        ("E4: its column has no name in the first row.",),
    ]


def test_an_error_of_a_formula_is_no_text() -> None:
    [row] = read("a.csv", "key,customer\n#N/A,#DIV/0!\n", Order)
    assert row.key is None
    assert row.errors == ("A2: it is the error #N/A of a formula.", "B2: it is the error #DIV/0! of a formula.")


def test_the_columns_are_told_with_nested_fields_and_what_they_take() -> None:
    columns = {column.name: column for column in Columns(Order).list_columns()}
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
    assert Columns(RootModel[list[int]]).list_columns() == []


def test_columns_that_nobody_asks_for_are_found_and_secrets_are_covered() -> None:
    rows = read("a.csv", "customer,colour,address.street,secret_code\nAda,red,Main,1234\n", Order)
    assert Columns(Order).list_unknown(rows) == ["address.street", "colour"]
    assert Columns(None).list_unknown(rows) == ["address", "colour", "customer", "secret_code"]
    described = dict(Columns(Order).describe_values(rows[0]))
    assert described["secret_code"] == MASK
    assert described["address.street"] == "Main"


@pytest.mark.parametrize(
    ("name", "content", "unknown"),
    [
        ("a.csv", "stop.wehn,stop.floor\nnow,1\n", ["stop.wehn"]),
        ("a.csv", 'stops\n"[{""wehn"": 1}]"\n', ["stops.wehn"]),
        ("a.json", '[{"stop": {"wehn": "now"}}, {"stops": [{"floor": 1}, {"flor": 1}]}]', ["stop.wehn", "stops.flor"]),
        ("a.json", '[{"stop": {"when": "now"}, "nmae": 1}]', ["nmae"]),
    ],
)
def test_a_misspelt_name_is_told_however_deep_it_stands(name: str, content: str, unknown: list[str]) -> None:
    assert Columns(Trip).list_unknown(read(name, content, Trip)) == unknown


def test_a_name_that_is_deeper_than_any_field_is_one_name() -> None:
    rows = read("a.csv", "name,a.b.c.d.e.f\nAda,1\n", Trip)
    assert rows[0].values == {"name": "Ada", "a.b.c.d.e.f": "1"}
    assert Columns(Trip).list_unknown(rows) == ["a.b.c.d.e.f"]


def test_a_field_goes_by_its_alias_and_its_name() -> None:
    class Named(BaseModel):
        count: int = Field(alias="theCount")
        dotted: str = Field("", alias="a.b")

    rows = read("a.csv", "theCount,a.b\n5,x\n", Named) + read("a.csv", "count,dotted\n5,x\n", Named)
    assert [row.values for row in rows] == [{"theCount": 5, "a.b": "x"}] * 2
    assert Columns(Named).list_unknown(rows) == []
    assert [column.name for column in Columns(Named).list_columns()] == ["theCount", "a.b"]
    with pytest.raises(UnreadableFile, match="“count” is there twice"):
        read("a.csv", "theCount,count\n5,6\n", Named)


def test_columns_of_one_group_go_together_by_whichever_name() -> None:
    class Outer(BaseModel):
        where: Where = Field(alias="place")

    [row] = read("a.csv", "place.when,where.floor,where.flor\nnow,1,2\n", Outer)
    assert row.values == {"place": {"when": "now", "floor": 1, "flor": "2"}}
    assert Columns(Outer).list_unknown([row]) == ["place.flor"]


def test_what_a_model_takes_besides_its_fields_is_text() -> None:
    class Open(BaseModel):
        model_config = ConfigDict(extra="allow")
        name: str = ""

    [row] = read("a.csv", "name,postcode\nAda,007\n", Open)
    assert row.values == {"name": "Ada", "postcode": "007"}
    assert Columns(Open).list_unknown([row]) == []


def test_a_field_called_key_is_not_the_key_of_the_job() -> None:
    class Keyed(BaseModel):
        key: str

    [row] = read("a.csv", "key,input.key\njob,field\n", Keyed)
    assert row == StartRow(2, "job", {"key": "field"})
    assert [column.name for column in Columns(Keyed).list_columns()] == ["input.key"]


@pytest.mark.parametrize(("text", "value"), [("4.00638E+12", "4.00638E+12"), ("5", 5), ("05", 5), ("5.0", "5.0")])
def test_a_whole_number_is_written_as_one(text: str, value: Any) -> None:
    [row] = read("a.csv", f"floor\n{text}\n", Where)
    assert row.values == {"floor": value}
