"""Workbooks: each value as the sheet shows it, or refused with the name of its cell."""

import datetime
import io
import zipfile
from decimal import Decimal
from typing import Any

import openpyxl
import pydantic
import pytest
from django.utils import timezone
from pydantic import BaseModel

from django_wfe.engine.inputs.validation import encode_input, load_input
from django_wfe.engine.lifecycle import StartRow
from django_wfe.spreadsheets import UnreadableFile, bounds, packages, workbooks
from tests.declared.inbox_workflows import AskOrder
from tests.support.forms.spreadsheets import open_file, read, write_package, write_workbook

pytestmark = [pytest.mark.integration, pytest.mark.versionless]

SHEET = "xl/worksheets/sheet1.xml"
MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


class Values(BaseModel):
    text: str | None = None
    whole: int | None = None
    number: float | None = None
    amount: Decimal | None = None
    flag: bool | None = None
    day: datetime.date | None = None
    moment: datetime.datetime | None = None
    aware: pydantic.AwareDatetime | None = None
    naive: pydantic.NaiveDatetime | None = None
    clock: datetime.time | None = None
    span: datetime.timedelta | None = None
    items: list[int] | None = None


def read_cell(column: str, value: Any, code: str = "General") -> StartRow:
    """Read a workbook of one cell below a name."""

    def change(sheet: Any) -> None:
        sheet["A2"].number_format = code

    [row] = read("a.xlsx", write_workbook([column], [value], change=change), Values)
    return row


def write_sheet(rows: str, before: str = "", after: str = "") -> bytes:
    """Give a workbook whose sheet is this XML."""
    return write_package(
        {SHEET: f"<worksheet {MAIN}>{before}<sheetData>{rows}</sheetData>{after}</worksheet>".encode()}
    )


HEADER = '<row r="1"><c r="A1" t="inlineStr"><is><t>whole</t></is></c></row>'


def test_a_workbook_gives_dates_texts_and_numbers_as_they_are_asked() -> None:
    [row] = read(
        "orders.xlsx",
        write_workbook(
            ["key", "customer", "express", "weight", "day", "address.city", "address.postcode", None],
            [17, 4711, True, 3, datetime.date(2026, 1, 31), "Uster", 8610.0, None],
            [None] * 8,
        ),
        AskOrder.UserInputSchema,
    )
    assert row == StartRow(
        2,
        "17",
        {
            "customer": "4711",
            "express": True,
            "weight": 3.0,
            "day": "2026-01-31",
            "address": {"city": "Uster", "postcode": "8610"},
        },
    )


@pytest.mark.parametrize(
    ("column", "value", "code", "given"),
    [
        ("text", 1067, "00000", "01067"),
        ("key", 1067, "00000", "01067"),
        ("text", 1067, "General", "1067"),
        ("text", 4006381333931, "General", "4006381333931"),
        ("text", 1067, "@", "1067"),
        ("text", 2.5, "0.00", "2.50"),
        ("text", -7, "000", "-007"),
        ("text", 0.1 + 0.2, "General", "0.3"),
        ("text", datetime.date(2026, 1, 31), "yyyy-mm-dd", "2026-01-31"),
        ("text", datetime.datetime(2026, 1, 31, 8, 30), "yyyy-mm-dd hh:mm:ss", "2026-01-31 08:30:00"),
        ("whole", 1067, "00000", 1067),
        ("whole", 4006381333931, "0.00E+00", None),
        ("number", 12.5, "#,##0.00", 12.5),
        ("number", 12.5, '#,##0.00\\ "€"', 12.5),
        ("number", 12.5, "[$€-407] #,##0.00;[Red]-[$€-407] #,##0.00", 12.5),
        ("number", -12.5, "#,##0.00_);(#,##0.00)", -12.5),
        ("amount", 0.1, "General", "0.1"),
        ("amount", 1234567.5, "#,##0.0", "1234567.5"),
        ("flag", True, "General", True),
        ("flag", 1, "General", "1"),
        ("day", datetime.date(2026, 1, 31), "dd.mm.yyyy", "2026-01-31"),
        ("day", datetime.date(2026, 1, 31), "[$-407]d. mmmm yyyy", "2026-01-31"),
        ("day", datetime.date(2026, 1, 31), "mm-dd-yy", "2026-01-31"),
        ("day", 20260131, "General", "20260131"),
        ("moment", datetime.datetime(2026, 1, 31, 8, 30), "dd/mm/yyyy hh:mm", "2026-01-31T08:30:00"),
        ("moment", datetime.datetime(2026, 1, 31, 8, 30), "m/d/yy h:mm AM/PM", "2026-01-31T08:30:00"),
        ("aware", datetime.datetime(2026, 7, 31, 8, 30), "dd/mm/yyyy hh:mm", "2026-07-31T08:30:00"),
        ("naive", datetime.datetime(2026, 7, 31, 8, 30), "dd/mm/yyyy hh:mm", "2026-07-31T08:30:00"),
        ("clock", datetime.time(8, 30), "hh:mm", "08:30:00"),
        ("clock", datetime.time(8, 30, 15), "h:mm:ss", "08:30:15"),
        ("span", datetime.timedelta(hours=25, minutes=30), "[h]:mm", "P1DT01H30M00S"),
        ("span", datetime.timedelta(hours=25, minutes=30, seconds=5), "[hh]:mm:ss", "P1DT01H30M05S"),
        ("items", "[1, 2]", "General", [1, 2]),
    ],
)
def test_a_cell_is_what_it_shows(column: str, value: Any, code: str, given: Any) -> None:
    row = read_cell(column, value, code)
    if given is None:
        assert row.errors
        return
    assert row.errors == ()
    assert (row.key if column == "key" else row.values[column]) == given
    with timezone.override("Europe/Berlin"):
        model: Any = load_input(Values, encode_input(Values, row.values, "the input"))
    for moment in (model.moment, model.aware):
        assert moment is None or (moment.hour, moment.utcoffset().seconds) == (8, 3600 if moment.month == 1 else 7200)


@pytest.mark.parametrize(
    ("column", "value", "code", "reason"),
    [
        ("number", 11.887, "0.00", "it holds 11.887 and shows 11.89"),
        ("whole", 1.4, "0", "it holds 1.4 and shows 1"),
        ("number", 0.5, "0%", "in the format “0%”"),
        ("whole", 1234567, "#,##0,", "in the format"),
        ("number", 5, ";;;", "in the format"),
        ("number", 5, "[<=99999]00000;00000-0000", "in the format"),
        ("number", 0.5, "# ?/?", "in the format"),
        ("text", 1234, "#,##0", "text is expected"),
        ("text", 1067, '"D-"00000', "text is expected"),
        ("text", True, "General", "text is expected"),
        ("text", datetime.date(2026, 1, 31), "dd.mm.yyyy", "text is expected"),
        ("key", datetime.date(2026, 1, 31), "dd.mm.yyyy", "text is expected"),
        ("day", datetime.datetime(2026, 1, 31, 8, 30), "dd.mm.yyyy", "it holds a time that it does not show"),
        ("day", datetime.date(2026, 1, 31), "mmm yy", "parts of a date"),
        ("moment", datetime.datetime(2026, 1, 31, 8, 30), "hh:mm", "parts of a date"),
        ("moment", datetime.datetime(2026, 1, 31, 8, 30, 15), "dd.mm.yyyy hh:mm", "seconds"),
        ("clock", datetime.time(8, 30, 15), "hh:mm", "seconds"),
        ("span", datetime.timedelta(seconds=90), "[h]:mm", "seconds"),
        ("day", -5, "dd.mm.yyyy", "no date that there is"),
        ("day", 60, "dd.mm.yyyy", "no date that there is"),
        ("day", 99_999_999, "dd.mm.yyyy", "no date that there is"),
        ("whole", "=1+1", "General", "its formula was not worked out"),
        ("key", "=1+1", "General", "its formula was not worked out"),
        ("text", "#N/A", "General", "it is the error #N/A"),
        ("key", "#N/A", "General", "it is the error #N/A"),
        ("items", "[1, ", "General", "This is not JSON"),
    ],
)
def test_a_cell_that_does_not_show_what_it_holds_is_refused_by_its_name(
    column: str, value: Any, code: str, reason: str
) -> None:
    row = read_cell(column, value, code)
    assert len(row.errors) == 1
    assert row.errors[0].startswith("A2: ")
    assert reason in row.errors[0]
    assert row.key is None
    assert row.values == {}


def test_what_is_said_of_a_secret_does_not_quote_it() -> None:
    def change(sheet: Any) -> None:
        sheet["A2"].number_format = "0"

    [row] = read("a.xlsx", write_workbook(["secret_code"], [1234.5], change=change), AskOrder.UserInputSchema)
    assert row.errors == ("A2: it cannot be read.",)


@pytest.mark.parametrize("column", ["day", "moment", "aware", "naive", "clock"])
def test_the_serial_number_of_a_day_is_no_day(column: str) -> None:
    row = read_cell(column, 46053)
    with pytest.raises(pydantic.ValidationError, match="A number is no"):
        encode_input(Values, row.values, "the input")


def test_the_days_of_a_workbook_may_be_counted_from_1904() -> None:
    book, stream = openpyxl.Workbook(), io.BytesIO()
    book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    book.active.append(["day"])
    book.active.append([datetime.date(2026, 1, 31)])
    book.save(stream)
    [row] = read("a.xlsx", stream.getvalue(), Values)
    assert load_input(Values, encode_input(Values, row.values, "")).day == datetime.date(2026, 1, 31)  # type: ignore[attr-defined]


def test_a_formula_counts_with_what_it_shows() -> None:
    cells = '<c r="A2"><f>1+1</f><v>2</v></c>'
    [row] = read("a.xlsx", write_sheet(f'{HEADER}<row r="2">{cells}</row>'), Values)
    assert row.values == {"whole": 2}
    text = '<row r="2"><c r="A2" t="str"><f>A1</f><v></v></c><c r="B2"><f/><v/></c></row>'
    [row] = read("a.xlsx", write_sheet(HEADER + text), Values)
    assert row.errors == ("B2: its formula was not worked out; open and save it in a spreadsheet.",)


def test_the_sheet_that_shows_is_read() -> None:
    book, stream = openpyxl.Workbook(), io.BytesIO()
    for name in ("Old", "Other", "New", "Late"):
        sheet = book.create_sheet(name)
        sheet.append(["text"])
        sheet.append([name])
    del book["Sheet"]
    book["Old"].sheet_state = "hidden"
    book.active = 2
    book.save(stream)
    found = open_file("a.xlsx", stream.getvalue(), Values)
    assert (found.sheet, found.rows[0].values) == ("New", {"text": "New"})
    book["New"].sheet_state = "veryHidden"
    book["Late"].sheet_state = "hidden"
    stream = io.BytesIO()
    book.save(stream)
    found = open_file("a.xlsx", stream.getvalue(), Values)
    assert (found.sheet, found.rows[0].values) == ("", {"text": "Other"})


def test_rows_that_are_empty_do_not_count_and_none_is_dropped() -> None:
    rows: list[list[Any]] = [["whole"]]
    for number in range(3_000):
        rows += [[number], [None]]
    found = read("a.xlsx", write_workbook(*rows), Values)
    assert [row.number for row in found] == list(range(2, 6_001, 2))
    with pytest.raises(UnreadableFile, match="more than 5,000 rows"):
        read("a.xlsx", write_workbook(["whole"], *([number] for number in range(5_001))), Values)


def test_what_stands_far_away_is_named() -> None:
    def change(sheet: Any) -> None:
        sheet.cell(row=1_048_576, column=16_384, value="far away")

    first, last = read("a.xlsx", write_workbook(["whole"], [1], change=change), Values)
    assert first == StartRow(2, None, {"whole": 1})
    assert last.errors == ("XFD1048576: its column has no name in the first row.",)


def test_what_a_sheet_hides_is_not_started() -> None:
    def change(sheet: Any) -> None:
        sheet.row_dimensions[3].hidden = True
        sheet.merge_cells("A4:A5")

    rows = read("a.xlsx", write_workbook(["whole"], [1], [2], [3], [4], [5], change=change), Values)
    assert [(row.number, row.errors) for row in rows] == [
        (2, ()),
        (3, ("row 3: it is hidden in the sheet; show it, or delete it.",)),
        (4, ()),
        (6, ()),
    ]
    merged = write_workbook(["whole", "text"], [1, None], change=lambda sheet: sheet.merge_cells("A2:B2"))
    [row] = read("a.xlsx", merged, Values)
    assert row.errors == ("row 2: its cells are merged (A2:B2); part them.",)

    def hide(sheet: Any) -> None:
        sheet.column_dimensions["B"].hidden = True

    with pytest.raises(UnreadableFile, match="B1, cannot be read: its column is hidden"):
        read("a.xlsx", write_workbook(["whole", "text"], [1, "x"], change=hide), Values)


def test_a_cell_that_a_merged_one_covers_refuses_its_row() -> None:
    def change(sheet: Any) -> None:
        sheet.merge_cells("A2:A3")
        sheet["B3"] = "left alone"

    rows = read("a.xlsx", write_workbook(["whole", "text"], [1, "x"], [None, "y"], change=change), Values)
    assert [row.errors for row in rows] == [(), ("row 3: its cells are merged (A2:A3); part them.",)]


def test_texts_are_read_whole() -> None:
    strings = (
        f"<sst {MAIN}><si><t>text</t></si>"
        "<si><r><t>two </t></r><r><t xml:space='preserve'>runs</t></r><rPh sb='0' eb='1'><t>heard</t></rPh></si>"
        "<si><t>line_x000D_\nbreak</t></si></sst>"
    )
    sheet = (
        '<row r="1"><c t="s"><v>0</v></c></row><row r="2"><c t="s"><v>1</v></c></row>'
        '<row r="3"><c t="s"><v>2</v></c></row>'
    )
    content = write_package(
        {
            SHEET: f"<worksheet {MAIN}><sheetData>{sheet}</sheetData></worksheet>".encode(),
            "xl/sharedStrings.xml": strings.encode(),
        }
    )
    assert [row.values["text"] for row in read("a.xlsx", content, Values)] == ["two runs", "line\r\nbreak"]


def test_what_a_sheet_says_of_its_size_is_not_believed() -> None:
    content = write_sheet(
        HEADER + "".join(f'<row r="{n}"><c r="A{n}"><v>{n}</v></c></row>' for n in (2, 3, 9)),
        "<dimension ref='A1:A2'/>",
    )
    assert [row.number for row in read("a.xlsx", content, Values)] == [2, 3, 9]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"PK\x03\x04 junk", "workbook cannot be read"),
        (write_package({SHEET: b"<worksheet><sheetData>"}), "workbook cannot be read"),
        (write_package({SHEET: b"<!DOCTYPE a [<!ENTITY b 'c'>]><worksheet>&b;</worksheet>"}), "DOCTYPE"),
        (write_package({SHEET: b"<a>" * 60}), "tags in tags"),
        (write_package({SHEET: b"<worksheet a='" + b"x" * 1_200_000 + b"'/>"}), "a tag without end"),
        (write_package({}, compression=zipfile.ZIP_LZMA), "packed or locked"),
        (write_sheet(HEADER + '<row r="3"/><row r="2"/>'), "not in order: row 2"),
        (write_sheet('<row r="1"><c r="B1"><v>1</v></c><c r="A1"><v>1</v></c></row>'), "not in order: A1"),
        (write_sheet(HEADER + f'<row r="2"><c t="str"><v>{"x" * 40_000}</v></c></row>'), "more than 32,767 characters"),
        (write_package({"xl/workbook.xml": f"<workbook {MAIN}/>".encode()}), "no sheet that shows"),
        (write_workbook(["a"] * 300), "more than 200 columns: GS"),
    ],
)
def test_what_is_no_workbook_says_why(content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableFile, match=reason):
        read("a.xlsx", content, Values)


@pytest.mark.parametrize(
    ("module", "limit", "most"),
    [
        (packages, "MAX_UNPACKED_BYTES", 500),
        (packages, "MAX_TAGS", 20),
        (workbooks, "MAX_STRINGS", 0),
        (workbooks, "MAX_FORMATS", 0),
        (workbooks, "MAX_RANGES", 0),
        (bounds, "MAX_CELLS", 2),
        (bounds, "MAX_TEXT", 5),
        (bounds, "MAX_ROWS", 1),
    ],
)
def test_a_workbook_that_is_a_bomb_is_not_unpacked(
    module: Any, limit: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    strings = f"<sst {MAIN}><si><t>text</t></si></sst>".encode()
    rows = '<row r="1"><c t="s"><v>0</v></c></row>' + '<row><c t="inlineStr"><is><t>some</t></is></c></row>' * 2
    columns = "<cols><col min='2' max='2' hidden='1'/></cols>"
    sheet = f"<worksheet {MAIN}>{columns}<sheetData>{rows}</sheetData><mergeCell ref='C1:C9'/></worksheet>".encode()
    content = write_package({SHEET: sheet, "xl/sharedStrings.xml": strings})
    assert [row.values for row in read("a.xlsx", content, Values)] == [{"text": "some"}] * 2
    monkeypatch.setattr(module, limit, most)
    with pytest.raises(UnreadableFile):
        read("a.xlsx", content, Values)
