"""A page stays small whatever steps have stored: what is large is cut in the database, and has a file of its own."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_wfe.engine.lifecycle import run_workflow
from django_wfe.models import JobLog, StepRun
from tests.support.doors.console import read_page, record, sign_in, sign_in_superuser
from tests.workflows import Linear

pytestmark = [pytest.mark.integration, pytest.mark.versionless, pytest.mark.django_db]

NUMBERS = list(range(150_000))
"""About a megabyte of JSON, which is larger still in the database."""


def deepen(value: Any, levels: int = 190) -> Any:
    for _ in range(levels):
        value = [value]
    return value


def run_with_results(result: Any, runs: int = 1) -> int:
    job_id = run_workflow(record(Linear))
    StepRun.objects.bulk_create(
        [
            StepRun(job_id=job_id, number=number, step="tests.workflows.Store", state="FINISHED", result=result)
            for number in range(10, 10 + runs)
        ],
        batch_size=10,
    )
    return job_id


@pytest.mark.parametrize(
    "result",
    [NUMBERS, deepen(list(range(50_000))), "<'\"&" * 250_000, [{"a": 1}] * 60_000],
    ids=["numbers", "deep", "text", "records"],
)
def test_the_page_of_a_job_with_a_hundred_large_results_is_small(result: Any) -> None:
    job_id = run_with_results(result, 100)
    client = sign_in_superuser()
    with CaptureQueriesContext(connection) as captured:
        response = client.get(f"/admin/django_wfe/job/{job_id}/change/")
    read_page(response)
    assert len(response.content) < 4 * 2**20
    whole = [query["sql"] for query in captured if '"result"' in query["sql"].partition(" FROM ")[0]]
    # A step run that waits has no result yet.
    assert [sql for sql in whole if "INPUT_REQUIRED" not in sql] == []


def test_a_value_that_is_too_large_among_others_says_so_and_leads_to_its_page() -> None:
    job_id = run_with_results(NUMBERS, 100)
    response = sign_in_superuser().get(f"/admin/django_wfe/job/{job_id}/change/")
    last = StepRun.objects.filter(job_id=job_id).latest("number")
    assert "Too large to be shown among others:" in read_page(response).text
    assert f"/admin/django_wfe/steprun/{last.pk}/change/" in response.content.decode()


def test_who_may_not_see_step_runs_is_told_the_size_and_no_address() -> None:
    job_id = run_with_results(NUMBERS, 100)
    response = sign_in("view_job", "view_job_data").get(f"/admin/django_wfe/job/{job_id}/change/")
    assert "Too large to be shown among others" in read_page(response).text
    assert b"/steprun/" not in response.content


def test_the_page_of_a_step_run_is_cut_and_its_file_is_whole(settings: Any) -> None:
    settings.WFE_MAX_ANSWER_BYTES = 500_000
    run_with_results("żółć <b> " * 50_000)
    run = StepRun.objects.get(number=10)
    client = sign_in("view_job", "view_steprun", "view_job_data")
    response = client.get(f"/admin/django_wfe/steprun/{run.pk}/change/")
    assert len(response.content) < 1_000_000
    address = f"/admin/django_wfe/steprun/{run.pk}/data/result/"
    assert address in response.content.decode()
    file = client.get(address)
    assert file.headers["Content-Type"] == "application/json; charset=utf-8"
    assert file.headers["Content-Disposition"] == f'attachment; filename="result-{run.job_id}-10-1.json"'
    assert file.headers["X-Content-Type-Options"] == "nosniff"
    assert json.loads(file.content) == run.result


def test_a_value_that_fits_is_indented_and_has_no_file() -> None:
    run_with_results({"a": [1, 2]})
    run = StepRun.objects.get(number=10)
    html = sign_in_superuser().get(f"/admin/django_wfe/steprun/{run.pk}/change/").content.decode()
    assert "/data/result/" not in html
    assert "&quot;a&quot;: [\n        1,\n" in html


@pytest.mark.parametrize("column", ["external_data", "error", "job__created_by__password", "x", "%00"])
def test_there_is_no_file_of_what_is_no_value(column: str) -> None:
    run_with_results(1)
    run = StepRun.objects.get(number=10)
    assert sign_in_superuser().get(f"/admin/django_wfe/steprun/{run.pk}/data/{column}/").status_code == 404


def test_without_the_right_to_see_data_there_is_no_file() -> None:
    run_with_results(1)
    run = StepRun.objects.get(number=10)
    address = f"/admin/django_wfe/steprun/{run.pk}/data/result/"
    assert sign_in("view_job", "view_steprun").get(address).status_code == 403


def test_the_log_of_a_step_run_is_cut_on_its_page_and_whole_as_text(settings: Any) -> None:
    settings.WFE_MAX_ANSWER_BYTES = 500_000
    run_with_results(1)
    run = StepRun.objects.get(number=10)
    JobLog.objects.bulk_create(JobLog(step_run=run, sequence=n, text="line of a log\n" * 5_000) for n in range(10))
    client = sign_in_superuser()
    assert len(client.get(f"/admin/django_wfe/steprun/{run.pk}/change/").content) < 500_000
    assert len(client.get(f"/admin/django_wfe/steprun/{run.pk}/log/").content) == 14 * 50_000
