"""What the REST API takes in is bounded before it is parsed, and what a project's own code raises is told."""

import json
from typing import Any

import pytest
from django.test import override_settings

from django_wfe.engine.lifecycle import run_workflow
from django_wfe.models import Job
from tests.declared.api_hostile_workflows import (
    AnythingFlow,
    BytesDefaultFlow,
    DefaultRaisesFlow,
    RowsFlow,
    ValidatorExitsFlow,
    ValidatorRaisesFlow,
)
from tests.declared.api_workflows import AskingFlow, BreakingFlow
from tests.support.doors.api_calls import record, sign_in_superuser

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


def post(path: str, body: str | bytes, content_type: str = "application/json") -> Any:
    response = sign_in_superuser().generic("POST", path, body, content_type=content_type)
    return response.status_code, response.json()


def wait_in(workflow: Any) -> int:
    return run_workflow(workflow_id=record(workflow).pk)


@pytest.mark.parametrize(
    ("name", "body", "told"),
    [
        ("deep", '{"anything": ' + "[" * 201 + "]" * 201 + "}", "nested too deeply"),
        ("many", '{"anything": [' + "1," * 50_001 + "1]}", "too many values"),
        ("digits", '{"anything": ' + "9" * 5_000 + "}", "5000 digits"),
        ("constant", '{"anything": -Infinity}', "-Infinity"),
        ("twice", '{"anything": 1, "anything": 2}', "'anything' twice"),
        ("encoding", b'{"anything": "\xff"}', "Not valid JSON"),
    ],
)
def test_json_that_is_too_much_is_refused_with_the_reason(name: str, body: str | bytes, told: str) -> None:
    job_id = wait_in(AnythingFlow)
    status, answer = post(f"/wfe/jobs/{job_id}/input/", body)
    assert (status, told in answer["detail"]) == (400, True), answer
    assert Job.objects.get().state == "INPUT_REQUIRED"


def test_json_at_the_bounds_is_taken() -> None:
    for value in ("[" * 199 + "]" * 199, json.dumps(list(range(40_000))), "9" * 4_300, '"' + "[{," * 100_000 + '"'):
        status, answer = post(f"/wfe/jobs/{wait_in(AnythingFlow)}/input/", f'{{"anything": {value}}}')
        assert status == 200, answer


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
@pytest.mark.parametrize("allowed", [1_000_000, 60_000_000, None])
def test_a_body_over_the_limit_is_not_read(content_type: str, *, allowed: int | None) -> None:
    workflow = record(AskingFlow)
    body = json.dumps({"workflow_id": workflow.pk, "key": "x" * 5_000_000})
    with override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=allowed):
        status, answer = post("/wfe/jobs/", body, content_type)
    assert status == 413
    assert "too large" in answer["detail"]
    assert not Job.objects.exists()


@pytest.mark.parametrize("charset", ["bz2_codec", "zlib_codec", "hex", "punycode", "utf-7", "idna"])
def test_a_charset_that_unpacks_the_body_is_refused(charset: str) -> None:
    status, answer = post("/wfe/jobs/", b"\x00" * 10, f"application/json; charset={charset}")
    assert status == 400
    assert "charset" in answer["detail"]


def test_only_the_first_of_many_problems_are_listed_and_the_rest_is_counted() -> None:
    job_id = wait_in(RowsFlow)
    for rows in (50, 20_000):
        status, answer = post(f"/wfe/jobs/{job_id}/input/", json.dumps({"rows": [{}] * rows}))
        assert status == 422
        errors = answer["errors"]
        assert errors.pop("non_field_errors") == [f"{rows * 12 - 100} more problems are not listed."]
        assert len(errors) == 100
        assert errors["rows.8.field_3"] == ["Field required"]


@pytest.mark.parametrize("value", ["[" * 990 + "]" * 990, "[" * 100_000, "9" * 5_000, "{", "NaN", '{"a": 1, "a": 2}'])
@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_json_in_a_form_is_read_as_json_in_a_body_is(content_type: str, value: str) -> None:
    job_id = wait_in(BreakingFlow)
    if content_type.startswith("multipart"):
        body = f'--x\r\nContent-Disposition: form-data; name="result"\r\n\r\n{value}\r\n--x--\r\n'
    else:
        body = f"result={value}"
    status, answer = post(f"/wfe/jobs/{job_id}/skip/", body, content_type)
    assert (status, list(answer["errors"])) == (400, ["result"])
    assert Job.objects.get().state == "FAILED"


def test_a_file_in_a_form_is_refused() -> None:
    job_id = wait_in(BreakingFlow)
    body = '--x\r\nContent-Disposition: form-data; name="result"; filename="1"\r\n\r\n1\r\n--x--\r\n'
    status, answer = post(f"/wfe/jobs/{job_id}/skip/", body, "multipart/form-data; boundary=x")
    assert status == 400
    assert "files" in answer["detail"]
    assert Job.objects.get().state == "FAILED"


@pytest.mark.parametrize("path", ["jobs/{job}/input/", "jobs/{job}/skip/", "jobs/", "bulk/"])
def test_half_a_surrogate_pair_as_a_key_is_told(path: str) -> None:
    job_id = wait_in(AnythingFlow)
    body = r'{"\ud800": 1, "verb": "skip", "jobs": [1], "options": {"\udfff": 1}, "anything": {"\ud800": 1}}'
    status, answer = post(f"/wfe/{path.format(job=job_id)}", body)
    assert 400 <= status < 500
    assert answer["detail"]
    assert Job.objects.get().state == "INPUT_REQUIRED"


@pytest.mark.parametrize("workflow", [DefaultRaisesFlow, ValidatorRaisesFlow, ValidatorExitsFlow])
def test_what_a_schemas_own_code_raises_is_told_and_nothing_is_done(workflow: Any) -> None:
    job_id = wait_in(workflow)
    body = json.dumps({} if workflow is DefaultRaisesFlow else {"number": 0})
    status, answer = post(f"/wfe/jobs/{job_id}/input/", body)
    assert status == 422
    error = "SystemExit" if workflow is ValidatorExitsFlow else "ZeroDivisionError"
    assert f"raised {error}" in answer["detail"]
    assert "secret-4711" not in json.dumps(answer)
    assert Job.objects.get().state == "INPUT_REQUIRED"
    start = json.dumps({"workflow_id": Job.objects.get().workflow_id, "first_input": json.loads(body)})
    status, answer = post("/wfe/jobs/", start)
    assert (status, Job.objects.count()) == (422, 1)


def test_a_default_of_bytes_that_are_no_text_is_no_fault_of_who_looks() -> None:
    job_id = wait_in(BytesDefaultFlow)
    client = sign_in_superuser()
    assert client.get(f"/wfe/jobs/{job_id}/input/").status_code == 200
    assert client.get("/wfe/steps/").status_code == 200
    status, answer = post(f"/wfe/jobs/{job_id}/input/", "{}")
    assert status in (200, 422), answer


def test_a_list_of_ids_is_counted_before_it_is_looked_at() -> None:
    body = json.dumps({"verb": "cancel", "jobs": ["x"] * 10_001})
    status, answer = post("/wfe/bulk/", body)
    assert status == 400
    assert answer["errors"] == {"jobs": ["Ensure this field has no more than 10000 elements."]}
