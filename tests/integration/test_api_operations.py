"""The operator's verbs through HTTP: the same calls, permissions and events as from the console."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from django_wfe.engine.lifecycle import VERBS, pause_job, provide_external_input, run_workflow
from django_wfe.engine.worker.loop import run_step_run
from django_wfe.models import Job, JobEvent, StepRun
from tests.declared.api_workflows import (
    AskingAndBreakingFlow,
    AskingFlow,
    BreakingFlow,
    ChoosingFlow,
    PlainFlow,
)
from tests.support.doors.api_calls import create_user, record, sign_in

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


def start_failed() -> int:
    return run_workflow(workflow_id=record(BreakingFlow).pk)


def start_waiting() -> int:
    return run_workflow(workflow_id=record(AskingFlow).pk)


def start_paused() -> int:
    job_id = start_waiting()
    pause_job(job_id)
    return job_id


def start_finished() -> int:
    return run_workflow(workflow_id=record(PlainFlow).pk)


def act(client: APIClient, job_id: int, verb: str, **body: Any) -> Any:
    return client.post(f"/wfe/jobs/{job_id}/{verb}/", body, format="json")


CASES = pytest.mark.parametrize(
    ("verb", "start", "body", "kind"),
    [
        ("cancel", start_waiting, {}, JobEvent.Kind.CANCELED),
        ("pause", start_waiting, {}, JobEvent.Kind.PAUSED),
        ("resume", start_paused, {}, JobEvent.Kind.RESUMED),
        ("retry", start_failed, {}, JobEvent.Kind.RETRIED),
        ("skip", start_failed, {"result": {"given": [1, None]}}, JobEvent.Kind.SKIPPED),
        ("rerun", start_finished, {"number": 1}, JobEvent.Kind.RERUN),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)


def test_every_verb_of_the_engine_has_its_call() -> None:
    assert set(VERBS) == {"cancel", "pause", "resume", "retry", "skip", "rerun"}


@CASES
def test_a_verb_answers_with_the_job_and_leaves_an_event(verb: str, start: Any, body: Any, kind: str) -> None:
    job_id = start()
    user = create_user(VERBS[verb].permission.partition(".")[2])
    client = APIClient()
    client.force_login(user)
    response = act(client, job_id, verb, reason="the pump was mended", **body)
    assert response.status_code == 200, response.content
    job = Job.objects.get(pk=job_id)
    data = response.json()
    assert (data["id"], data["state"], data["current_step"]) == (job_id, job.state, job.current_step)
    assert "storage" not in data
    event = JobEvent.objects.filter(job=job, kind=kind).latest("pk")
    assert (event.actor, event.source) == (user, "rest")
    assert "the pump was mended" in str(event.data)


@CASES
def test_a_verb_does_nothing_when_the_state_is_not_the_expected_one(
    verb: str, start: Any, body: Any, kind: str
) -> None:
    job_id = start()
    before = list(Job.objects.values()), JobEvent.objects.count()
    response = act(sign_in(VERBS[verb].permission.partition(".")[2]), job_id, verb, expected_state="ONGOING", **body)
    assert response.status_code == 409
    assert response.json()["detail"]
    assert response.json()["state"] == Job.objects.get(pk=job_id).state
    assert (list(Job.objects.values()), JobEvent.objects.count()) == before


@CASES
def test_an_unknown_field_is_named_and_nothing_is_done(verb: str, start: Any, body: Any, kind: str) -> None:
    job_id = start()
    client = sign_in(VERBS[verb].permission.partition(".")[2])
    before = list(Job.objects.values()), JobEvent.objects.count()
    response = act(client, job_id, verb, **body, reson="typo")
    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["reson"]
    assert (list(Job.objects.values()), JobEvent.objects.count()) == before


@CASES
def test_an_unknown_job_is_404(verb: str, start: Any, body: Any, kind: str) -> None:
    assert act(sign_in(VERBS[verb].permission.partition(".")[2]), 987654, verb, **body).status_code == 404


@pytest.mark.parametrize(
    ("verb", "start", "body"),
    [
        ("cancel", start_finished, {}),
        ("pause", start_finished, {}),
        ("resume", start_waiting, {}),
        ("retry", start_waiting, {}),
        ("skip", start_finished, {"result": 1}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_verb_in_the_wrong_state_answers_409(verb: str, start: Any, body: Any) -> None:
    job_id = start()
    response = act(sign_in(VERBS[verb].permission.partition(".")[2]), job_id, verb, **body)
    assert response.status_code == 409
    assert response.json()["detail"]
    assert response.json()["state"] == Job.objects.get(pk=job_id).state


@pytest.mark.parametrize(("verb", "body"), [("retry", {}), ("skip", {"result": 1})])
def test_a_verb_does_nothing_when_the_job_is_at_another_step_run(verb: str, body: Any) -> None:
    job_id, client = start_failed(), sign_in(f"{verb}_job")
    last = Job.objects.get(pk=job_id).step_runs.latest("pk").pk
    refused = act(client, job_id, verb, expected_step_run=last - 1, **body)
    assert (refused.status_code, refused.json()["state"]) == (409, "FAILED")
    assert act(client, job_id, verb, expected_step_run=last, **body).status_code == 200


def test_the_state_in_the_way_is_a_code_in_every_language() -> None:
    client, job_id = sign_in("cancel_job"), start_waiting()
    address, body = f"/wfe/jobs/{job_id}/cancel/", {"expected_state": "FAILED"}
    answer = client.post(address, body, format="json", headers={"accept-language": "de"})
    assert answer.status_code == 409
    assert "wartet auf Eingabe" in answer.json()["detail"]
    assert answer.json()["state"] == "INPUT_REQUIRED"


@pytest.mark.parametrize(("verb", "field"), [("skip", "result"), ("rerun", "number")])
def test_a_required_field_is_asked_for(verb: str, field: str) -> None:
    response = act(sign_in(f"{verb}_job"), start_failed(), verb)
    assert response.status_code == 400
    assert list(response.json()["errors"]) == [field]


def test_cancel_may_come_without_any_body_or_as_a_form() -> None:
    client = sign_in("cancel_job")
    assert client.post(f"/wfe/jobs/{start_waiting()}/cancel/").status_code == 200
    assert client.generic("POST", f"/wfe/jobs/{start_waiting()}/cancel").status_code == 200
    form = client.post(f"/wfe/jobs/{start_waiting()}/cancel/", {"reason": "x"}, format="multipart")
    assert form.status_code == 200


def test_a_retry_with_another_value_gives_the_step_that_value() -> None:
    job_id = start_failed()
    assert act(sign_in("retry_job"), job_id, "retry", value={"repaired": True}).status_code == 200
    latest = StepRun.objects.filter(job_id=job_id).latest("number", "attempt")
    assert (latest.attempt, latest.edited_input) == (2, {"value": {"repaired": True}})


def test_a_retry_without_a_value_leaves_the_input_alone_and_null_is_a_value() -> None:
    client = sign_in("retry_job")
    for body, expected in (({}, None), ({"value": None}, {"value": None})):
        job_id = start_failed()
        assert act(client, job_id, "retry", **body).status_code == 200
        assert StepRun.objects.filter(job_id=job_id).latest("number", "attempt").edited_input == expected


def test_a_retry_with_other_external_data_validates_it_first() -> None:
    job_id = run_workflow(workflow_id=record(AskingAndBreakingFlow).pk)
    provide_external_input(job_id, {"some_data": 13})
    run_step_run(StepRun.objects.get(job_id=job_id, number=1).pk)
    client = sign_in("retry_job")
    refused = act(client, job_id, "retry", external_data={"some_data": "many"})
    assert refused.status_code == 422
    assert list(refused.json()["errors"]) == ["some_data"]
    assert Job.objects.get(pk=job_id).state == "FAILED"
    assert act(client, job_id, "retry", external_data={"some_data": 14}).status_code == 200
    latest = StepRun.objects.get(job_id=job_id, number=1, attempt=2)
    assert latest.external_data["some_data"] == 14


def test_a_skip_stands_with_the_result_it_was_given() -> None:
    job_id = start_failed()
    assert act(sign_in("skip_job"), job_id, "skip", result=None).status_code == 200
    skipped = StepRun.objects.get(job_id=job_id, state="SKIPPED")
    assert (skipped.step, skipped.result) == ("tests.declared.api_workflows.Breaks", None)


def test_a_skipped_decision_takes_the_edge_that_is_named() -> None:
    job_id = run_workflow(workflow_id=record(ChoosingFlow).pk)
    client = sign_in("skip_job")
    assert act(client, job_id, "skip", result=1, transition=2).status_code in (409, 422)
    assert act(client, job_id, "skip", result=1, transition=1).status_code == 200
    assert Job.objects.get(pk=job_id).current_step == "tests.declared.api_workflows.Right"


def test_a_result_that_cannot_be_kept_answers_422_and_changes_nothing() -> None:
    job_id = start_failed()
    response = act(sign_in("skip_job"), job_id, "skip", result="a\0b")
    assert response.status_code == 422
    assert "NUL" in response.json()["detail"]
    assert Job.objects.get(pk=job_id).state == "FAILED"
