"""No answer of the REST API is longer than its budget, however much jobs have stored; and all of it can be read."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_wfe.engine.lifecycle import run_workflow
from django_wfe.models import Job, JobLog, StepRun
from tests.declared.api_workflows import PlainFlow
from tests.support.doors.api_calls import record, sign_in, sign_in_superuser
from tests.support.running.engine_helpers import read_log

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

BUDGET = 100_000


@pytest.fixture(autouse=True)
def budget(settings: Any) -> None:
    settings.WFE_MAX_ANSWER_BYTES = BUDGET


def run_with_results(*results: Any) -> int:
    """Run a job, and give it further step runs with these results."""
    job_id = run_workflow(workflow_id=record(PlainFlow).pk)
    StepRun.objects.bulk_create(
        StepRun(job_id=job_id, number=number, step="shop.Large", state="FINISHED", result=result)
        for number, result in enumerate(results, start=10)
    )
    return job_id


def make_text(letters: int, seed: int = 0) -> str:
    """Return a text that PostgreSQL cannot make smaller by much."""
    return "".join(chr(33 + (seed + number * number * 31) % 90) for number in range(letters))


def test_a_page_of_large_jobs_keeps_to_the_budget_and_says_where_the_rest_is() -> None:
    large = [run_with_results(*[make_text(40_000, seed) for seed in range(3)]) for _ in range(4)]
    small = run_with_results("little")
    client = sign_in("view_job", "view_job_data")
    response = client.get("/wfe/jobs/")
    assert len(response.content) < 2 * BUDGET
    storages = {job["id"]: job["storage"] for job in response.json()["results"]}
    assert storages[small] == Job.objects.get(pk=small).storage
    assert all(storages[job_id]["next"] for job_id in large)
    # Each has at least its share of what is left: the small results that it begins with.
    assert all(len(storages[job_id]["data"]) >= 3 for job_id in large)


def test_following_next_gives_the_whole_storage_and_each_part_keeps_to_the_budget() -> None:
    job_id = run_with_results(*[make_text(30_000, seed) for seed in range(9)], make_text(BUDGET * 2), "last")
    client = sign_in("view_job", "view_job_data")
    [listed] = client.get("/wfe/jobs/").json()["results"]
    entries, address = listed["storage"]["data"], listed["storage"]["next"]
    while address:
        storage = client.get(address).json()["storage"]
        # One entry alone may be more than the budget.
        assert len(storage["data"]) == 1 or len(json.dumps(storage)) < BUDGET * 1.2
        entries, address = [*entries, *storage["data"]], storage.get("next")
    assert {"data": entries} == Job.objects.get(pk=job_id).storage


def test_what_is_small_in_the_database_and_large_in_an_answer_counts_as_large() -> None:
    job_id = run_with_results(*["x" * 60_000] * 5)
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(pg_column_size(result)) FROM django_wfe_steprun WHERE job_id = %s", [job_id])
        assert cursor.fetchone()[0] < 2_000
    storage = sign_in_superuser().get(f"/wfe/jobs/{job_id}/").json()["storage"]
    assert len(storage["data"]) == 4
    assert storage["next"].endswith(f"/wfe/jobs/{job_id}?after=10.1")


def test_a_job_whose_storage_fits_has_no_next() -> None:
    run_with_results("little")
    client = sign_in_superuser()
    [listed] = client.get("/wfe/jobs/").json()["results"]
    assert list(listed["storage"]) == ["data"]


def test_the_number_of_queries_depends_on_neither_jobs_nor_sizes() -> None:
    client, counts = sign_in_superuser(), []
    for _ in range(3):
        run_with_results(*[make_text(40_000)] * 4)
        with CaptureQueriesContext(connection) as captured:
            client.get("/wfe/jobs/")
        counts.append(len(captured))
    assert len(set(counts)) == 1


@pytest.mark.parametrize("junk", ["x", "1", "-1.1", "1.", "9" * 30 + ".1", "1.1\0", "٣.1"])
def test_a_junk_place_is_the_clients_fault(junk: str) -> None:
    job_id = run_with_results()
    response = sign_in_superuser().get(f"/wfe/jobs/{job_id}/", {"after": junk})
    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["after"]


def test_who_may_not_see_data_gets_no_next() -> None:
    job_id = run_with_results(make_text(BUDGET * 2), 1)
    assert sign_in("view_job").get(f"/wfe/jobs/{job_id}/").json()["storage"] is None


def test_a_long_log_is_read_a_part_at_a_time_and_nothing_of_it_is_lost() -> None:
    job_id = run_with_results(*range(9))
    runs = list(StepRun.objects.filter(job_id=job_id, number__gte=10).order_by("number"))
    JobLog.objects.bulk_create(
        JobLog(step_run=run, sequence=sequence, text=f"{run.number}.{sequence} {'ß' * 9_000}\n")
        for run in runs
        for sequence in range(3)
    )
    client, parts = sign_in("view_job", "view_job_data"), []
    address: str | None = f"/wfe/jobs/{job_id}/logs"
    while address:
        response = client.get(address)
        text = response.content.decode()
        address = None
        if "Link" in response.headers:
            address = response.headers["Link"].split(">")[0].removeprefix("<")
            text, mark, told = text.rpartition("[…")
            assert mark
            assert address in told
        assert len(text.encode()) < BUDGET
        parts.append(text)
    assert len(parts) > 4
    assert "".join(parts) == read_log(Job.objects.get(pk=job_id))


def test_a_short_log_is_whole_and_has_no_mark() -> None:
    job_id = run_with_results()
    response = sign_in_superuser().get(f"/wfe/jobs/{job_id}/logs")
    assert response.content.decode() == read_log(Job.objects.get(pk=job_id))
    assert "Link" not in response.headers
