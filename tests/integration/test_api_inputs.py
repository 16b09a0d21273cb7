"""Seeing what a job asks for, and giving it, through HTTP."""

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from django_wfe.engine.lifecycle import run_workflow
from django_wfe.models import Job, JobEvent, StepRun
from tests.declared.api_workflows import Ask, AskingFlow, PlainFlow
from tests.support.doors.api_calls import create_user, record, sign_in

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


@pytest.fixture
def waiting() -> int:
    """The id of a job that waits for input."""
    return run_workflow(workflow_id=record(AskingFlow).pk)


def give(client: APIClient, job_id: int, data: Any, query: str = "") -> Any:
    return client.post(f"/wfe/jobs/{job_id}/input/{query}", data, format="json")


def test_what_is_asked_comes_with_step_label_and_schema(waiting: int) -> None:
    response = sign_in("view_job").get(f"/wfe/jobs/{waiting}/input/")
    assert response.status_code == 200
    assert response.json() == {
        "step_run": StepRun.objects.get(job_id=waiting, state="INPUT_REQUIRED").pk,
        "step": "tests.declared.api_workflows.Ask",
        "label": "Ask the clerk",
        "description": "Asks a clerk.",
        "input_schema": Ask.UserInputSchema.model_json_schema(),
        "problem": "",
    }


def test_where_nothing_is_asked_both_calls_answer_409() -> None:
    job_id = run_workflow(workflow_id=record(PlainFlow).pk)
    client = sign_in("view_job", "provide_input_job")
    for response in (client.get(f"/wfe/jobs/{job_id}/input/"), give(client, job_id, {"some_data": 1})):
        assert response.status_code == 409
        assert "“finished”" in response.json()["detail"]
        assert response.json()["state"] == "FINISHED"


def test_an_unknown_job_is_404() -> None:
    client = sign_in("view_job", "provide_input_job")
    assert client.get("/wfe/jobs/987654/input/").status_code == 404
    assert give(client, 987654, {"some_data": 1}).status_code == 404


def test_good_input_is_taken_and_the_history_tells_who_gave_it(waiting: int) -> None:
    user = create_user("provide_input_job")
    client = APIClient()
    client.force_login(user)
    response = give(client, waiting, {"some_data": 1, "day": "2024-02-29"})
    assert response.status_code == 200
    assert response.json()["id"] == waiting
    assert response.json()["state"] == Job.objects.get(pk=waiting).state == "INPUT_RECEIVED"
    event = JobEvent.objects.get(job_id=waiting, kind=JobEvent.Kind.INPUT_PROVIDED)
    assert (event.actor, event.source) == (user, "rest")


def test_a_second_input_answers_409_and_changes_nothing(waiting: int) -> None:
    client = sign_in("provide_input_job")
    assert give(client, waiting, {"some_data": 1}).status_code == 200
    assert give(client, waiting, {"some_data": 2}).status_code == 409
    assert StepRun.objects.get(job_id=waiting, number=2).external_data["some_data"] == 1


def test_input_that_does_not_validate_answers_422_by_field_and_the_job_goes_on_waiting(waiting: int) -> None:
    client = sign_in("provide_input_job")
    response = give(client, waiting, {"some_data": "many", "items": [{"name": "pump", "price": -1}, {"price": 2}]})
    assert response.status_code == 422
    errors = response.json()["errors"]
    assert set(errors) == {"some_data", "items.0.price", "items.1.name"}
    assert errors["items.1.name"] == ["Field required"]
    assert response.json()["detail"]
    assert Job.objects.get(pk=waiting).state == "INPUT_REQUIRED"
    assert give(client, waiting, {"some_data": 1}).status_code == 200


@pytest.mark.parametrize("body", [[], [1], "text", 7, None, True])
def test_a_body_that_is_no_object_answers_422_and_the_job_goes_on_waiting(waiting: int, body: Any) -> None:
    response = sign_in("provide_input_job").generic(
        "POST", f"/wfe/jobs/{waiting}/input/", json.dumps(body), content_type="application/json"
    )
    assert response.status_code == 422
    assert response.json()["errors"]
    assert Job.objects.get(pk=waiting).state == "INPUT_REQUIRED"


def test_input_for_a_step_run_that_no_longer_waits_answers_409(waiting: int) -> None:
    client = sign_in("view_job", "provide_input_job")
    step_run = client.get(f"/wfe/jobs/{waiting}/input/").json()["step_run"]
    assert give(client, waiting, {"some_data": 1}, f"?step_run={step_run - 1}").status_code == 409
    assert Job.objects.get(pk=waiting).state == "INPUT_REQUIRED"
    assert give(client, waiting, {"some_data": 1}, f"?step_run={step_run}").status_code == 200


def test_where_the_server_lacks_the_code_it_says_so_and_the_job_goes_on_waiting() -> None:
    workflow = record(AskingFlow)
    graph = json.dumps(workflow.current_definition.graph).replace("api_workflows.Ask", "api_workflows.Gone")
    workflow.current_definition = workflow.definitions.create(fingerprint="newer", graph=json.loads(graph))
    workflow.save()
    job_id = run_workflow(workflow_id=workflow.pk)
    client = sign_in("view_job", "provide_input_job")
    question = client.get(f"/wfe/jobs/{job_id}/input/")
    assert question.status_code == 200
    assert "tests.declared.api_workflows.Gone" in question.json()["problem"]
    assert question.json()["input_schema"] == Ask.UserInputSchema.model_json_schema()
    response = give(client, job_id, {"some_data": 1})
    assert response.status_code == 503
    assert "tests.declared.api_workflows.Gone" in response.json()["detail"]
    assert Job.objects.get(pk=job_id).state == "INPUT_REQUIRED"


def test_a_form_is_told_that_input_is_json(waiting: int) -> None:
    response = sign_in("provide_input_job").post(f"/wfe/jobs/{waiting}/input/", {"some_data": 1})
    assert response.status_code == 415
