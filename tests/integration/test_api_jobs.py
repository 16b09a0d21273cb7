"""Starting, listing and looking at jobs through HTTP."""

from datetime import datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from rest_framework.test import APIClient

from django_wfe.engine.lifecycle import cancel_job, run_workflow
from django_wfe.models import Job, JobEvent, JobLog, JobState, StepRun, Workflow
from tests.declared.api_workflows import AskingFlow, BreakingFlow, PlainFlow
from tests.declared.first_input_workflows import Ordered
from tests.support.doors.api_calls import create_user, record, sign_in, sign_in_superuser

pytestmark = [pytest.mark.integration, pytest.mark.django_db]
VIEW = ("view_job", "view_job_data")


def read_ids(response: Any) -> list[int]:
    assert response.status_code == 200, response.content
    return [job["id"] for job in response.json()["results"]]


def test_a_start_answers_201_with_the_id_and_state_of_the_new_job() -> None:
    workflow = record(PlainFlow)
    user = create_user("add_job")
    client = APIClient()
    client.force_login(user)
    response = client.post("/wfe/jobs/", {"workflow_id": workflow.pk}, format="json")
    assert response.status_code == 201
    job = Job.objects.get()
    assert (response.json()["id"], response.json()["state"]) == (job.pk, "PENDING")
    assert response.json()["workflow"] == workflow.pk
    assert job.created_by == user
    event = JobEvent.objects.get(job=job, kind=JobEvent.Kind.STARTED)
    assert (event.actor, event.source) == (user, "rest")


def test_a_second_start_with_the_same_key_answers_200_with_the_first_job() -> None:
    body = {"workflow_id": record(PlainFlow).pk, "key": "order 7"}
    client = sign_in("add_job")
    first = client.post("/wfe/jobs/", body, format="json")
    second = client.post("/wfe/jobs/", body, format="json")
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    assert first.json()["key"] == "order 7"
    assert Job.objects.count() == 1


def test_a_form_may_start_a_job_too() -> None:
    response = sign_in("add_job").post("/wfe/jobs/", {"workflow_id": record(PlainFlow).pk, "csrfmiddlewaretoken": "x"})
    assert response.status_code == 201


def test_starting_a_deleted_workflow_answers_400_with_the_reason() -> None:
    workflow = record(PlainFlow)
    Workflow.objects.update(deleted=True)
    response = sign_in("add_job").post("/wfe/jobs/", {"workflow_id": workflow.pk}, format="json")
    assert response.status_code == 400
    assert "PlainFlow" in response.json()["detail"]
    assert not Job.objects.exists()


def test_starting_an_unknown_workflow_answers_400_and_names_it() -> None:
    response = sign_in("add_job").post("/wfe/jobs/", {"workflow_id": 987654}, format="json")
    assert response.status_code == 400
    assert "987654" in response.json()["detail"]


def test_starting_a_workflow_that_cannot_run_answers_400_with_the_reason() -> None:
    workflow = Workflow.objects.create(path="shop.flows.Broken", name="Broken", load_error="it has no __start__")
    response = sign_in("add_job").post("/wfe/jobs/", {"workflow_id": workflow.pk}, format="json")
    assert response.status_code == 400
    assert "Broken" in response.json()["detail"]


def test_a_misspelled_key_is_named_and_starts_nothing() -> None:
    body = {"workflow_id": record(PlainFlow).pk, "kee": "order 7"}
    response = sign_in("add_job").post("/wfe/jobs/", body, format="json")
    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["kee"]
    assert not Job.objects.exists()


def test_a_start_may_bring_the_first_input_and_a_repeat_does_nothing_more() -> None:
    body = {"workflow_id": record(Ordered).pk, "key": "order 7", "first_input": {"some_data": 4}}
    client = sign_in("add_job", "provide_input_job")
    first = client.post("/wfe/jobs/", body, format="json")
    second = client.post("/wfe/jobs/", {**body, "first_input": {"some_data": "x"}}, format="json")
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"] == Job.objects.get().pk
    assert first.json()["state"] == "INPUT_RECEIVED"
    events = JobEvent.objects.order_by("pk").values_list("kind", "source")
    assert list(events) == [("started", "rest"), ("input_provided", "rest")]


def test_a_first_input_that_is_not_valid_answers_422_by_field_and_starts_nothing() -> None:
    workflow = record(Ordered)
    client = sign_in("add_job", "provide_input_job")
    for given, fields in (({}, ["some_data"]), ({"some_data": 0}, ["some_data"]), (None, ["non_field_errors"])):
        response = client.post("/wfe/jobs/", {"workflow_id": workflow.pk, "first_input": given}, format="json")
        assert response.status_code == 422, given
        assert list(response.json()["errors"]) == fields
    assert not Job.objects.exists()


def test_a_first_input_that_nothing_asks_for_answers_400_and_names_the_step() -> None:
    body = {"workflow_id": record(PlainFlow).pk, "first_input": {}}
    response = sign_in("add_job", "provide_input_job").post("/wfe/jobs/", body, format="json")
    assert response.status_code == 400
    assert "its first step, tests.declared.api_workflows." in response.json()["detail"]
    assert not Job.objects.exists()


def test_a_first_input_needs_the_permission_to_answer_too() -> None:
    body = {"workflow_id": record(Ordered).pk, "first_input": {"some_data": 4}}
    response = sign_in("add_job").post("/wfe/jobs/", body, format="json")
    assert response.status_code == 403
    assert "provide_input_job" in response.json()["detail"]
    assert not Job.objects.exists()


def test_a_form_may_bring_the_first_input_as_json() -> None:
    client, workflow = sign_in("add_job", "provide_input_job"), record(Ordered)
    response = client.post("/wfe/jobs/", {"workflow_id": workflow.pk, "first_input": '{"some_data": 4}'})
    assert response.status_code == 201
    assert StepRun.objects.get(number=1).external_data["some_data"] == 4
    response = client.post("/wfe/jobs/", {"workflow_id": workflow.pk, "first_input": "{"})
    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["first_input"]


def test_a_job_comes_with_its_storage_and_times() -> None:
    job_id = run_workflow(workflow_id=record(PlainFlow).pk, key="order 7")
    job = Job.objects.get(pk=job_id)
    response = sign_in(*VIEW).get(f"/wfe/jobs/{job_id}/")
    assert response.status_code == 200
    data = response.json()
    times = {name: data.pop(name) for name in ("created_at", "started_at", "finished_at")}
    assert data == {
        "id": job_id,
        "uuid": str(job.uuid),
        "workflow": job.workflow_id,
        "key": "order 7",
        "state": "FINISHED",
        "current_step": "tests.declared.api_workflows.Report",
        "current_step_number": 2,
        "error": "",
        "attributes": {},
        "subject": None,
        "storage": {
            "data": [
                {"step": "django_wfe.steps.__start__", "result": None},
                {"step": "tests.declared.api_workflows.Fetch", "result": {"rows": 2}},
                {"step": "tests.declared.api_workflows.Report", "result": {"report": {"rows": 2}}},
            ]
        },
    }
    assert data["storage"] == job.storage
    for name, text in times.items():
        assert datetime.fromisoformat(text) == getattr(job, name)


def test_without_the_right_to_see_data_storage_and_error_are_null_in_the_list_and_alone() -> None:
    job_id = run_workflow(workflow_id=record(BreakingFlow).pk)
    client = sign_in("view_job")
    alone = client.get(f"/wfe/jobs/{job_id}/")
    listed = client.get("/wfe/jobs/")
    assert alone.json() == listed.json()["results"][0]
    assert (alone.json()["storage"], alone.json()["error"], alone.json()["state"]) == (None, None, "FAILED")
    for response in (alone, listed):
        assert b"secret-4711" not in response.content
        assert b"rows" not in response.content


def test_a_superuser_sees_storage_and_error() -> None:
    job_id = run_workflow(workflow_id=record(BreakingFlow).pk)
    data = sign_in_superuser().get(f"/wfe/jobs/{job_id}/").json()
    assert "secret-4711" in data["error"]
    assert data["storage"] == Job.objects.get().storage


def test_an_unknown_job_is_404_with_json() -> None:
    response = sign_in(*VIEW).get("/wfe/jobs/987654/")
    assert response.status_code == 404
    assert "987654" in response.json()["detail"]


class TestList:
    def test_jobs_come_newest_first_in_pages_without_gap_or_repetition(self) -> None:
        workflow = record(PlainFlow)
        ids = [run_workflow(workflow_id=workflow.pk) for _ in range(5)]
        client = sign_in(*VIEW)
        pages, address = [], "/wfe/jobs/?page_size=2"
        while address:
            response = client.get(address)
            pages.append(read_ids(response))
            address = response.json()["next"]
        assert pages == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]

    def test_a_page_is_never_longer_than_its_bound(self) -> None:
        workflow = record(PlainFlow)
        template = Job.objects.get(pk=run_workflow(workflow_id=workflow.pk))
        Job.objects.bulk_create(
            Job(workflow=workflow, definition_id=template.definition_id, state="CANCELED") for _ in range(120)
        )
        client = sign_in(*VIEW)
        assert len(read_ids(client.get("/wfe/jobs/"))) == 50
        assert len(read_ids(client.get("/wfe/jobs/?page_size=100000"))) == 100

    def test_the_number_of_queries_does_not_depend_on_the_rows(self) -> None:
        counts = []
        for jobs in (1, 9):
            for _ in range(jobs):
                run_workflow(workflow_id=record(PlainFlow).pk)
                run_workflow(workflow_id=record(AskingFlow).pk)
            client = sign_in(*VIEW)
            with CaptureQueriesContext(connection) as captured:
                results = client.get("/wfe/jobs/?page_size=100").json()["results"]
            assert all(job["storage"]["data"] for job in results)
            counts.append(len(captured))
        assert len(results) == 20
        assert counts[0] == counts[1]
        assert not any("COUNT(" in query["sql"] for query in captured)

    def test_each_job_has_its_own_storage(self) -> None:
        run_workflow(workflow_id=record(PlainFlow).pk)
        run_workflow(workflow_id=record(AskingFlow).pk)
        run_workflow(workflow_id=record(BreakingFlow).pk)
        results = sign_in(*VIEW).get("/wfe/jobs/").json()["results"]
        assert {job["id"]: job["storage"] for job in results} == {job.pk: job.storage for job in Job.objects.all()}

    def test_jobs_can_be_chosen_by_state_and_workflow(self) -> None:
        plain, asking = record(PlainFlow), record(AskingFlow)
        finished = run_workflow(workflow_id=plain.pk)
        waiting = run_workflow(workflow_id=asking.pk)
        canceled = run_workflow(workflow_id=asking.pk)
        cancel_job(canceled)
        client = sign_in(*VIEW)
        for query, expected in {
            "state=FINISHED": [finished],
            "state=FINISHED&state=CANCELED": [canceled, finished],
            "state=FINISHED,CANCELED": [canceled, finished],
            "state=FAILED": [],
            f"workflow={asking.pk}": [canceled, waiting],
            f"workflow={asking.pk},{plain.pk}": [canceled, waiting, finished],
            f"workflow={asking.pk}&state=INPUT_REQUIRED": [waiting],
            f"workflow={plain.pk}&state=INPUT_REQUIRED": [],
            "state=&workflow=": [canceled, waiting, finished],
            "workflow=987654": [],
        }.items():
            assert read_ids(client.get(f"/wfe/jobs/?{query}")) == expected, query

    def test_a_filter_stays_on_the_next_page(self) -> None:
        plain, asking = record(PlainFlow), record(AskingFlow)
        ids = []
        for _ in range(3):
            ids.append(run_workflow(workflow_id=plain.pk))
            run_workflow(workflow_id=asking.pk)
        client = sign_in(*VIEW)
        first = client.get("/wfe/jobs/?state=FINISHED&page_size=2")
        assert read_ids(client.get(first.json()["next"])) == ids[:1]

    @pytest.mark.parametrize(
        "query", ["state=DONE", "state=finished", "workflow=abc", "workflow=-1", f"workflow={2**70}"]
    )
    def test_a_filter_that_can_match_nothing_is_told(self, query: str) -> None:
        response = sign_in(*VIEW).get(f"/wfe/jobs/?{query}")
        assert response.status_code == 400
        assert list(response.json()["errors"]) == [query.partition("=")[0]]


class TestLogs:
    def test_the_log_comes_as_text(self) -> None:
        job_id = run_workflow(workflow_id=record(PlainFlow).pk)
        response = sign_in(*VIEW).get(reverse("django_wfe:job_logs", args=[job_id]))
        assert response.status_code == 200
        assert response["Content-Type"] == "text/plain; charset=utf-8"
        assert response["X-Content-Type-Options"] == "nosniff"
        assert "two rows fetched, <b>bold</b> & żółć" in response.content.decode()

    @pytest.mark.parametrize("accept", ["*/*", "text/html", "application/json", "text/plain", "image/png"])
    def test_the_log_is_text_whatever_the_client_accepts(self, accept: str) -> None:
        job_id = run_workflow(workflow_id=record(PlainFlow).pk)
        response = sign_in(*VIEW).get(f"/wfe/jobs/{job_id}/logs", HTTP_ACCEPT=accept)
        assert response["Content-Type"] == "text/plain; charset=utf-8"
        assert response.content.decode().count("two rows fetched") == 1

    def test_a_job_that_printed_nothing_has_an_empty_log(self) -> None:
        job_id = run_workflow(workflow_id=record(AskingFlow).pk)
        JobLog.objects.all().delete()
        response = sign_in(*VIEW).get(f"/wfe/jobs/{job_id}/logs/")
        assert (response.status_code, response.content) == (200, b"")

    def test_errors_come_as_json(self) -> None:
        response = sign_in(*VIEW).get("/wfe/jobs/987654/logs")
        assert (response.status_code, response["Content-Type"]) == (404, "application/json")
        assert "987654" in response.json()["detail"]


def test_the_states_are_those_of_the_engine() -> None:
    run_workflow(workflow_id=record(PlainFlow).pk)
    state = sign_in(*VIEW).get("/wfe/jobs/").json()["results"][0]["state"]
    assert JobState(state) is JobState.FINISHED
