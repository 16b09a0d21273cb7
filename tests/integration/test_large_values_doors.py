"""What the console, the REST API and exports show of values that are in files: the same as of others."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import storages
from django.urls import reverse

from django_wfe import lifecycle, order_workflow_execution, provide_external_input
from django_wfe.models import Job, JobEvent, JobState, StepRun
from tests.declared.large_workflows import Importing, Pasting, Storing, write_lines
from tests.support.doors import api_calls
from tests.support.doors.console import read_page, record, sign_in_superuser
from tests.support.running.engine_helpers import get_last_run, run_ready
from tests.support.running.large_values import list_files, storage

__all__ = ["storage"]

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

GIVEN, ANSWER = write_lines(60), write_lines(60, "more")


@pytest.fixture
def job(storage: Path) -> Job:
    record(Importing)
    job_id = order_workflow_execution(Importing, input={"lines": GIVEN})
    run_ready(job_id)
    provide_external_input(job_id, {"lines": ANSWER})
    return run_ready(job_id)


@pytest.fixture
def csv_limit() -> Iterator[None]:
    before = csv.field_size_limit(10**7)
    yield
    csv.field_size_limit(before)


def open_page(name: str, *arguments: Any) -> Any:
    return sign_in_superuser().get(reverse(f"admin:django_wfe_{name}", args=arguments))


def get_run(job: Job, number: int) -> StepRun:
    return StepRun.objects.get(job=job, number=number)


def test_the_job_page_shows_the_values_and_not_where_they_are(job: Job) -> None:
    text = read_page(open_page("job_change", job.pk)).text
    assert GIVEN[0] in text
    assert ANSWER[0] in text
    assert "$wfe" not in open_page("job_change", job.pk).content.decode()


def test_a_step_run_has_its_values_and_a_file_with_the_whole(job: Job) -> None:
    run = get_run(job, 2)
    assert ANSWER[-1] in read_page(open_page("steprun_change", run.pk)).text
    response = open_page("steprun_data", run.pk, "external_data")
    assert json.loads(response.content) == {"lines": ANSWER}


def test_a_page_shows_the_beginning_of_what_is_longer_than_it(storage: Path) -> None:
    record(Importing)
    lines = write_lines(20_000)
    job_id = order_workflow_execution(Importing, input={"lines": lines})
    run_ready(job_id)
    response = open_page("job_change", job_id)
    assert lines[0] in response.content.decode()
    assert lines[-1] not in response.content.decode()
    assert len(response.content) < 500_000
    whole = open_page("steprun_data", get_run(Job.objects.get(pk=job_id), 1).pk, "result")
    assert json.loads(whole.content)["lines"] == lines


def test_secrets_in_files_are_masked_on_pages(storage: Path) -> None:
    record(Storing)
    job_id = order_workflow_execution(Storing, input={"token": "canary", "lines": GIVEN})
    run_ready(job_id)
    provide_external_input(job_id, {"key": "canary", "lines": ANSWER})
    assert len(list_files(storage)) == 2
    for name, arguments in (
        ("job_change", [job_id]),
        ("steprun_data", [StepRun.objects.get(job_id=job_id, number=0).pk, "result"]),
        ("steprun_data", [StepRun.objects.get(job_id=job_id, number=1).pk, "external_data"]),
    ):
        content = open_page(name, *arguments).content.decode()
        assert "canary" not in content
        assert "$wfe" not in content, content[content.index("$wfe") - 300 :][:600]
        assert "****" in content


def test_an_operator_sees_what_failed_and_may_change_it(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """The forms of the verbs are filled in with what is in the files."""
    lifecycle.rerun_job(job.pk, number=2)
    page = open_page("job_input", job.pk)
    assert ANSWER[0] in page.content.decode(), "the former answer is filled in"
    skip = open_page("job_verb", job.pk, "skip").content.decode()
    assert ANSWER[-1] in skip, "its former result is filled in"
    provide_external_input(job.pk, {"lines": ANSWER})
    monkeypatch.setattr("tests.declared.large_workflows.Enrich.execute", lambda self, _input, external_input: 1 / 0)
    assert run_ready(job.pk).state == JobState.FAILED
    retry = open_page("job_verb", job.pk, "retry").content.decode()
    assert GIVEN[-1] in retry
    assert ANSWER[-1] in retry


def test_comparing_jobs_says_that_files_differ_and_takes_the_same_file_for_the_same_value(job: Job) -> None:
    same = order_workflow_execution(Importing, input={"lines": GIVEN})
    run_ready(same)
    provide_external_input(same, {"lines": GIVEN})
    run_ready(same)
    rows = read_page(open_page("job_compare", job.pk, same)).rows
    found = {row.facts["step"].rpartition(".")[2]: " ".join(row.cells) for row in rows if "step" in row.facts}
    assert "Too large" not in found["Import"]
    assert "Too large" in found["Enrich"]


def test_rest_gives_the_values_and_counts_their_size(job: Job, settings: Any) -> None:
    client = api_calls.sign_in_superuser()
    body = client.get(f"/wfe/jobs/{job.pk}/").json()
    assert body["storage"] == job.storage
    settings.WFE_MAX_ANSWER_BYTES = 3_000
    parts, address = [], f"/wfe/jobs/{job.pk}/"
    while address:
        storage = client.get(address).json()["storage"]
        parts.append(len(storage["data"]))
        address = storage.get("next")
    assert parts == [1, 1, 1, 1]


def test_rest_starts_and_answers_with_large_values(storage: Path) -> None:
    client = api_calls.sign_in_superuser()
    workflow = record(Importing)
    body = {"workflow_id": workflow.pk, "input": {"lines": GIVEN}}
    response = client.post("/wfe/jobs/", body, format="json")
    assert response.status_code == 201
    job_id = response.json()["id"]
    run_ready(job_id)
    response = client.post(f"/wfe/jobs/{job_id}/input/", {"lines": ANSWER}, format="json")
    assert response.status_code in (200, 202, 204), response.content
    assert get_last_run(run_ready(job_id).pk).result == 120
    assert len(list_files(storage)) == 4


def test_the_history_shows_what_was_refused(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    lifecycle.rerun_job(job.pk, number=2)
    provide_external_input(job.pk, {"lines": ANSWER})
    monkeypatch.setattr("tests.declared.large_workflows.Enrich.UserInputSchema", Storing.InputSchema)
    assert run_ready(job.pk).state == JobState.INPUT_REQUIRED
    event = JobEvent.objects.get(job=job, kind="input_refused")
    content = open_page("jobevent_change", event.pk).content.decode()
    assert ANSWER[-1] in content
    assert "$wfe" not in content
    monkeypatch.setitem(storages._storages, "django_wfe", Away())
    assert "no route to host" in open_page("jobevent_change", event.pk).content.decode()


def test_an_export_has_the_values(job: Job, csv_limit: None) -> None:
    response = sign_in_superuser().post("/admin/django_wfe/steprun/export/", {"format": "0", "resource": "1"})
    content = response.getvalue() if response.streaming else response.content
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    values = {row["number"]: row for row in rows}
    assert json.loads(values["2"]["external_data"]) == {"lines": ANSWER}
    assert json.loads(values["1"]["result"]) == {"lines": GIVEN, "read": 60}


class Away:
    def save(self, name: str, content: Any) -> str:
        raise ConnectionError("no route to host")

    open = delete = save


def test_without_its_storage_a_page_says_so_at_the_value_and_the_rest_is_there(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(storages._storages, "django_wfe", Away())
    page = read_page(open_page("job_change", job.pk))
    assert "The storage “django_wfe” does not work for" in page.text
    assert "ConnectionError: no route to host" in page.text
    response = open_page("steprun_data", get_run(job, 1).pk, "result")
    assert response.status_code == 503
    assert "Try again once the storage works." in response.content.decode()
    client = api_calls.sign_in_superuser()
    assert client.get(f"/wfe/jobs/{job.pk}/").status_code == 503
    response = client.post(
        "/wfe/jobs/", {"workflow_id": job.workflow_id, "input": {"lines": write_lines(70)}}, format="json"
    )
    assert response.status_code == 503
    assert "no route to host" in response.json()["detail"]
    assert Job.objects.count() == 1


def test_forms_say_that_the_storage_takes_nothing_and_keep_what_was_typed(
    storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow = record(Pasting)
    job_id = order_workflow_execution(Pasting, input={"text": "short"})
    run_ready(job_id)
    monkeypatch.setitem(storages._storages, "django_wfe", Away())
    run = get_last_run(job_id).pk
    client, text = sign_in_superuser(), "long " * 500
    for address, typed in (
        (reverse("admin:django_wfe_job_input", args=[job_id]), {"input-text": text, "step_run": str(run)}),
        (reverse("admin:django_wfe_workflow_start", args=[workflow.pk]), {"input-text": text}),
        (
            reverse("admin:django_wfe_job_verb", args=[job_id, "skip"]),
            {"result": json.dumps(text), "expected_state": "INPUT_REQUIRED"},
        ),
    ):
        response = client.post(address, typed, follow=True)
        content = response.content.decode()
        assert "no route to host" in content, address
        assert text.strip() in content, address
    assert Job.objects.get().state == JobState.INPUT_REQUIRED
    assert list_files(storage) == set()
