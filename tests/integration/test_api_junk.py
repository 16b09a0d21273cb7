"""Whatever is sent to the REST API, the answer is the client's fault or a result: never an error of the server."""

import json
from typing import Any

import pytest

from django_wfe.engine.lifecycle import pause_workflow, run_workflow, start_bulk
from django_wfe.models import Job, Workflow
from tests.declared.api_workflows import AskingFlow
from tests.support.doors.api_calls import CALLS, PREFIX, Call, record, sign_in_superuser

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

JUNK_IDS = [
    "0",
    "-1",
    str(2**63),
    str(2**70),
    "9" * 5000,
    "abc",
    "1.5",
    "1e3",
    "%00",
    "1%00",
    "%F0%9F%92%A9",
    "٣",
    "%0A",
]
JUNK_IDS += ["1%0A", "%201"]
DEEP = "[" * 200_000
JUNK_BODIES = [
    "",
    "{",
    "null",
    "true",
    "7",
    '"text"',
    "[]",
    "[[1]]",
    "NaN",
    '{"a": NaN}',
    '{"a": 1e999}',
    '{"": ""}',
    "\x00",
    '"\\u0000"',
    '{"\\u0000": "\\u0000"}',
    DEEP,
    '{"result": ' + DEEP + "}",
    "9" * 10_000,
    b"\xff\xfe\x00",
]
NAMES = ("workflow", "held", "step", "job", "paused", "failed", "bulk")
POSTS = [call for call in CALLS if call.method == "POST"]


def is_clients_fault(status: int) -> bool:
    return 400 <= status < 500


@pytest.fixture
def job_id() -> int:
    """The id of a job that waits for input."""
    return run_workflow(workflow_id=record(AskingFlow).pk)


@pytest.mark.parametrize("call", [call for call in CALLS if "{" in call.path], ids=str)
def test_a_junk_id_is_not_found(call: Call) -> None:
    client = sign_in_superuser()
    for junk in JUNK_IDS:
        path = PREFIX + call.path.format_map(dict.fromkeys(NAMES, junk))
        for slash in ("", "/"):
            response = client.generic(call.method, path + slash, json.dumps(call.body), content_type="application/json")
            assert response.status_code == 404, junk[:20]


CONTENT_TYPES = [
    "application/json",
    "application/json; charset=klingon",
    "text/csv",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "application/x-www-form-urlencoded",
]


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
@pytest.mark.parametrize("call", POSTS, ids=str)
def test_a_junk_body_is_the_clients_fault(call: Call, content_type: str, job_id: int) -> None:
    client = sign_in_superuser()
    workflow = Workflow.objects.get(jobs=job_id).pk
    names = {**dict.fromkeys(NAMES, job_id), "workflow": workflow, "held": workflow}
    path = PREFIX + call.path.format_map({**names, "bulk": start_bulk("cancel", Job.objects.all()).pk})
    if "{held}" in call.path:
        pause_workflow(workflow)
    before = describe_jobs()
    for body in JUNK_BODIES:
        response = client.generic("POST", path, body, content_type=content_type)
        if response.status_code == 200:
            # Nothing is required of these: an empty body, or a form without fields, is none of its faults.
            assert call.path.endswith(("cancel", "pause", "stop", "{held}/resume"))
            before = describe_jobs()
        else:
            assert is_clients_fault(response.status_code), (body[:20], response.content)
            assert response.json()["detail"]
        assert describe_jobs() == before


def describe_jobs() -> Any:
    return list(Job.objects.values())


@pytest.mark.parametrize(
    "body",
    [
        {"workflow_id": value}
        for value in (None, "", "abc", -1, 0, 1.5, 2**63, 2**70, 10**4000, True, [], {}, [1], "\0", "1\0")
    ]
    + [{"workflow_id": "{id}", "key": value} for value in ("a\0b", "\ud800", "", "x" * 256, [], {}, [1], True)],
    ids=lambda body: json.dumps(body)[:40],
)
def test_a_junk_start_is_refused_and_starts_nothing(body: dict[str, Any]) -> None:
    workflow = record(AskingFlow)
    if body["workflow_id"] == "{id}":
        body = {**body, "workflow_id": workflow.pk}
    response = sign_in_superuser().generic("POST", "/wfe/jobs/", json.dumps(body), content_type="application/json")
    assert response.status_code == 400, response.content
    assert response.json()["detail"]
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        (verb, {**required, **junk})
        for verb, required in {"cancel": {}, "retry": {}, "skip": {"result": 1}, "rerun": {"number": 1}}.items()
        for junk in (
            {"reason": "a\0b"},
            {"reason": []},
            {"reason": "x" * 1001},
            {"expected_state": "DONE"},
            {"expected_state": None},
            {"expected_state": []},
        )
    ]
    + [("rerun", {"number": value}) for value in (-1, 2**31, 2**70, "abc", None, [], 1.5, True)]
    + [("skip", {"result": 1, "transition": value}) for value in (-1, 2**31, 2**70, "abc", None, [], True)],
    ids=lambda value: json.dumps(value)[:40],
)
def test_a_junk_operation_is_refused_and_does_nothing(verb: str, body: dict[str, Any], job_id: int) -> None:
    response = sign_in_superuser().generic(
        "POST", f"/wfe/jobs/{job_id}/{verb}/", json.dumps(body), content_type="application/json"
    )
    assert response.status_code == 400, response.content
    assert response.json()["errors"]
    assert Job.objects.get().state == "INPUT_REQUIRED"


@pytest.mark.parametrize(
    "query",
    [
        "cursor=abc",
        "cursor=cD1hYmM=",  # p=abc
        "cursor=cD0tMQ==",  # p=-1
        "cursor=bz0tMSZwPTE=",  # o=-1&p=1
        "state=%00",
        "state=FINISHED%00",
        "workflow=%00",
        "workflow=1.5",
        f"workflow={'9' * 5000}",
    ],
)
def test_a_junk_query_is_the_clients_fault(query: str) -> None:
    assert is_clients_fault(sign_in_superuser().get(f"/wfe/jobs/?{query}").status_code)


@pytest.mark.parametrize(
    "query",
    ["page_size=-1", "page_size=abc", f"page_size={2**70}", f"page_size={'9' * 5000}", "page_size=", "nonsense=1"],
)
def test_a_junk_page_size_gives_a_page_all_the_same(query: str, job_id: int) -> None:
    response = sign_in_superuser().get(f"/wfe/jobs/?{query}")
    assert [job["id"] for job in response.json()["results"]] == [job_id]


@pytest.mark.parametrize("junk", ["abc", "-1", str(2**63), "%00", "1.5"])
def test_a_junk_step_run_is_refused(junk: str, job_id: int) -> None:
    client = sign_in_superuser()
    response = client.post(f"/wfe/jobs/{job_id}/input/?step_run={junk}", {"some_data": 1}, format="json")
    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["step_run"]
    assert Job.objects.get().state == "INPUT_REQUIRED"


@pytest.mark.parametrize(("price", "status"), [("1e999", 400), ('"NaN"', 422), ('"Infinity"', 422)])
def test_a_number_that_json_cannot_keep_is_refused(price: str, status: int, job_id: int) -> None:
    body = f'{{"some_data": 1, "items": [{{"name": "pump", "price": {price}}}]}}'
    response = sign_in_superuser().generic("POST", f"/wfe/jobs/{job_id}/input/", body, content_type="application/json")
    assert response.status_code == status
    assert Job.objects.get().state == "INPUT_REQUIRED"


def test_text_that_the_database_cannot_keep_answers_422(job_id: int) -> None:
    for name in ("a\0b", "\ud800"):
        data = {"some_data": 1, "items": [{"name": name, "price": 1}]}
        response = sign_in_superuser().generic(
            "POST", f"/wfe/jobs/{job_id}/input/", json.dumps(data), content_type="application/json"
        )
        assert response.status_code == 422
        assert response.json()["detail"]
    assert Job.objects.get().state == "INPUT_REQUIRED"
