"""Files that other people made with other programs: read as their sheets show them, or refused with the cell named."""

import datetime
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field

from django_wfe.engine.inputs.validation import encode_input, load_input
from django_wfe.spreadsheets import UnreadableFile
from django_wfe.spreadsheets.cells import Table
from django_wfe.spreadsheets.csv_tables import read_csv
from django_wfe.spreadsheets.workbooks import read_xlsx
from tests.support.forms.spreadsheets import read

pytestmark = [pytest.mark.integration, pytest.mark.versionless]

FOLDER = Path(__file__).parent.parent / "files"
PERCENT = "it shows its number in the format “{}”; show it as a plain number"
HIDDEN = "it is hidden in the sheet; show it, or delete it"


@dataclass(frozen=True)
class Expected:
    """How many rows hold something, some of the cells, and what of it is refused, rows by their number."""

    rows: int
    cells: dict[str, str]
    refused: dict[str, str] = field(default_factory=dict)
    sheet: str = ""


FILES = {
    "bad_dimensions.xlsx": Expected(4, {"A1": "PN", "B2": "10000", "C2": "0.036700", "C4": "0.001000"}),
    "chickens.csv": Expected(6, {"A2": "Foghorn Leghorn", "D2": "That's a joke, ah say, that's a joke, son."}),
    "clippy.xlsx": Expected(3, {"A3": "Clippy", "C3": "2007-01-01", "D3": "0.9"}, sheet="two-row-header"),
    "countries_ar.csv": Expected(250, {"A2": "IS", "B2": "آيسلندا"}),
    "countries_de.csv": Expected(250, {"B3": "Ägypten", "A250": "CY", "B250": "Zypern"}),
    "datetime.xlsx": Expected(1, {"A1": "2011-09-15T15:22:00"}),
    "deaths.xlsx": Expected(
        19,
        {"A5": "Name", "B4": "keep making notes"},
        {"4": "its cells are merged (B4:E4); part them", "19": "its cells are merged (E19:F19); part them"},
        sheet="other",
    ),
    "empty_row.xlsx": Expected(
        2,
        {"A2": "Date", "H2": "Impressions", "A3": "At the moment no data for report"},
        {"3": "its cells are merged (A3:G3); part them"},
    ),
    "escape.xlsx": Expected(1, {"E1": "Hello\nWorld\t!", "F1": "false"}, sheet="Austin"),
    "eurofxref.csv": Expected(2, {"A1": "Date", "B1": " USD", "A2": "30 October 2026", "B2": " 1.1172"}),
    "float.xlsx": Expected(4, {"A2": "0.10300", "A3": "0.27600", "A5": "0.27600"}, sheet="Лист1"),
    "float2.xlsx": Expected(
        1,
        {"A1": "00048929", "B1": "0004892900240051", "D1": "30-06-2023"},
        {
            "E1": PERCENT.format("0.0%"),
            "F1": PERCENT.format("0%"),
            "H1": "it holds 20.4100614385744 and shows 20.41; round it, or show all its digits",
        },
    ),
    "founders.xlsx": Expected(4, {"A1": "first_name", "B3": "Washington", "C4": "50"}),
    "geometry.xlsx": Expected(4, {"B3": "B3", "D6": "D6"}),
    "groupTest.xlsx": Expected(4, {"A1": "ehvk39", "D2": "j94fjmc"}, {"3": HIDDEN, "4": HIDDEN}),
    "inlineStr.xlsx": Expected(3, {"A1": "this", "B3": "with open.xlsx::read.xlsx"}),
    "input-weird.xlsx": Expected(
        1, {"A2": "Some data"}, {"2": "its cells are merged (A2:B2); part them"}, sheet="Sheet1"
    ),
    "iowa-electricity.csv": Expected(52, {"A2": "2001-01-01", "B2": "Fossil Fuels", "C2": "35361"}),
    "junk-small.xlsx": Expected(1, {"A1": "1940-03-29", "D1": "2009-04-08", "F1": "false"}, sheet="Austin"),
    "la-riots.csv": Expected(64, {"F2": "1992-04-30", "G2": "2009 W. 6th St.", "G3": "Main & College streets"}),
    "last-column-empty.xlsx": Expected(6, {"B2": "more stuff", "C3": "even more things"}),
    "mtcars.csv": Expected(33, {"A1": "mpg", "F2": "2.62", "A4": "22.8"}),
    "namedRegions2.xlsx": Expected(2, {"B3": "fooref2", "B4": "barref2"}, sheet="Sheet with space"),
    "namespace.xlsx": Expected(7, {"E1": "SW101014-03", "Q4": "strong"}),
    "no_cell_ids.xlsx": Expected(
        2, {"A2": "Date", "H2": "Impressions"}, {"3": "its cells are merged (A3:G3); part them"}
    ),
    "penguins.csv": Expected(345, {"A2": "Adelie", "C2": "39.1", "C5": "NA", "H5": "2007"}),
    "percentage.xlsx": Expected(
        4,
        {},
        {place: PERCENT.format(code) for place, code in {"A1": "0.00%", "A2": "0%", "A3": "0%", "A4": "0.00%"}.items()},
    ),
    "ragged.xlsx": Expected(2, {"A1": "a", "B1": "b", "A2": "1"}),
    "read_failure_test.xlsx": Expected(
        3,
        {"C1": "INDU.EU.TOT.COF.B.M", "I2": "-6", "F3": "-6"},
        {
            "A2": "it holds parts of a date that it does not show; show them, or take them out",
            "D2": "it holds -13.2 and shows -13; round it, or show all its digits",
            "F2": "it holds -4.6 and shows -5; round it, or show all its digits",
        },
    ),
    "sheets_order.xlsx": Expected(26, {"A1": "x", "B2": "-1000", "B3": "-729"}, sheet="b"),
    "timeformat.xlsx": Expected(
        3, {"A1": "2017-08-03T14:35:00", "A2": "2017-08-03T00:00:00", "A3": "2017-08-03T15:40:00"}
    ),
    "twolettercolumns.xlsx": Expected(2, {"A1": "1", "Z2": "h"}, sheet="Sheet1"),
    "type-me.xlsx": Expected(7, {"A3": "cabbage", "A4": "true", "A5": "1.3"}, sheet="text_coercion"),
    "us-employment.csv": Expected(121, {"A2": "2006-01-01", "B2": "135450"}),
    "utf8.xlsx": Expected(5, {"A1": "สวัสดี ครับ", "A2": "こんにちは", "A4": "नमस्ते", "A5": "السلام عليكم"}),
    "xlsx_cell_values.xlsx": Expected(1, {"A1": "Hello World"}),
}

WITHOUT_NAMES = {
    "datetime.xlsx": "has no rows",
    "escape.xlsx": "has no rows",
    "float2.xlsx": "E1, cannot be read",
    "input-weird.xlsx": "in row 2, cannot be read: its cells are merged",
    "junk-small.xlsx": "“2008-07-25” is there twice",
    "percentage.xlsx": "A1, cannot be read",
    "xlsx_cell_values.xlsx": "has no rows",
}


def open_table(name: str) -> Table:
    return (read_csv if name.endswith(".csv") else read_xlsx)((FOLDER / name).read_bytes())


def test_each_file_is_told_of() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {*FILES, "README.md"}
    told = (FOLDER / "README.md").read_text()
    assert [name for name in FILES if f"`{name}`" not in told] == []


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_read_as_its_sheet_shows_it(name: str) -> None:
    table, expected = open_table(name), FILES[name]
    cells = {cell.place: cell for line in table.lines for cell in line.cells.values()}
    refused = {str(line.number): line.refusal for line in table.lines if line.refusal}
    refused |= {place: cell.refusal for place, cell in cells.items() if cell.refusal}
    assert (len(table.lines), table.sheet) == (expected.rows, expected.sheet)
    assert {place: cells[place].shown or cells[place].text for place in expected.cells} == expected.cells
    assert {place: refused.get(place) for place in expected.refused} == expected.refused
    assert bool(refused) == bool(expected.refused), refused


@pytest.mark.parametrize("name", sorted(FILES.keys() - WITHOUT_NAMES.keys()))
def test_each_cell_of_a_file_is_a_value_or_an_error(name: str) -> None:
    rows = read(name, (FOLDER / name).read_bytes(), None)
    first, *lines = open_table(name).lines
    assert [row.number for row in rows] == [line.number for line in lines]
    for row, line in zip(rows, lines, strict=True):
        assert len(row.values) + len(row.errors) >= len(line.cells), "each cell is a value or an error"
        assert all(number in first.cells for number in line.cells) or row.errors


@pytest.mark.parametrize("name", WITHOUT_NAMES)
def test_a_file_whose_first_row_names_no_columns_says_so(name: str) -> None:
    with pytest.raises(UnreadableFile, match=WITHOUT_NAMES[name]):
        read(name, (FOLDER / name).read_bytes(), None)


class Employment(BaseModel):
    month: datetime.date
    nonfarm: int
    nonfarm_change: int


class Founder(BaseModel):
    name: str = Field(alias="first_name")
    gpa: float


class Part(BaseModel):
    number: str = Field(alias="PN")
    price: Decimal = Field(alias="Price")
    count: int | None = Field(None, alias="Qty")


@pytest.mark.parametrize(
    ("name", "schema", "first"),
    [
        (
            "us-employment.csv",
            Employment,
            {"month": datetime.date(2006, 1, 1), "nonfarm": 135450, "nonfarm_change": 282},
        ),
        ("founders.xlsx", Founder, {"name": "John", "gpa": 90.0}),
        ("bad_dimensions.xlsx", Part, {"number": "EP00001", "price": Decimal("0.0367"), "count": 10000}),
    ],
)
def test_the_rows_of_a_file_are_input(name: str, schema: type[BaseModel], first: dict[str, Any]) -> None:
    rows = read(name, (FOLDER / name).read_bytes(), schema)
    models = [load_input(schema, encode_input(schema, row.values, "the input")) for row in rows if not row.errors]
    assert len(models) == len(rows)
    assert models[0].model_dump() == first
