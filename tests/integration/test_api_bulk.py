"""Bulk runs and whole workflows through HTTP: the same calls, permissions and events as from the console."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from rest_framework.test import APIClient

from django_wfe.engine.bulk.runs import work_on_bulk
from django_wfe.engine.delivery.dispatcher import NullDispatcher, install_dispatcher
from django_wfe.engine.lifecycle import run_workflow, start_bulk
from django_wfe.models import BulkItem, BulkRun, Job, JobEvent, StepRun, Workflow, WorkflowEvent
from tests.declared.api_workflows import BreakingFlow, PlainFlow
from tests.support.doors.api_calls import create_user, record, sign_in

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    before = install_dispatcher(NullDispatcher())
    yield
    install_dispatcher(before)


@pytest.fixture
def failed() -> list[int]:
    workflow = record(BreakingFlow).pk
    return [run_workflow(workflow_id=workflow) for _ in range(3)]


@pytest.fixture
def finished() -> int:
    return run_workflow(workflow_id=record(PlainFlow).pk)


@pytest.fixture
def client() -> APIClient:
    return sign_in("view_job", "retry_job", "skip_job", "rerun_job", "cancel_job")


def post(client: APIClient, **body: Any) -> Any:
    return client.post("/wfe/bulk/", body, format="json")


def get_fingerprint(job_id: int) -> str:
    return StepRun.objects.get(job_id=job_id, state="FAILED").fingerprint


def test_a_verb_over_the_jobs_of_a_list_is_tracked_job_by_job(failed: list[int], finished: int) -> None:
    user = create_user("view_job", "retry_job")
    client = APIClient()
    client.force_login(user)
    response = post(client, verb="retry", jobs=[*failed, finished, failed[0]], reason="the pump was mended")
    assert response.status_code == 201, response.content
    started = response.json()
    assert (started["verb"], started["state"], started["total"], started["pending"]) == ("retry", "WAITING", 4, 4)
    assert (started["source"], started["actor_name"], started["reason"]) == ("rest", str(user), "the pump was mended")
    work_on_bulk(started["id"])
    shown = client.get(f"/wfe/bulk/{started['id']}/").json()
    assert (shown["state"], shown["done"], shown["refused"], shown["pending"]) == ("FINISHED", 3, 1, 0)
    assert [(row["job"], row["state"]) for row in shown["results"]] == [
        *((job, "DONE") for job in failed),
        (finished, "REFUSED"),
    ]
    assert shown["results"][-1]["message"] == "Only a failed job can be tried again."
    events = JobEvent.objects.filter(kind="retried")
    assert set(events.values_list("actor", "source", "data__reason")) == {(user.pk, "rest", "the pump was mended")}


def test_a_preview_changes_nothing_and_equals_what_is_then_done(
    client: APIClient, failed: list[int], finished: int
) -> None:
    chosen = {"verb": "retry", "jobs": [*failed, finished]}
    preview = post(client, **chosen, preview=True)
    assert preview.status_code == 200
    assert preview.json() == {"total": 4, "allowed": 3, "left_alone": {"Only a failed job can be tried again.": 1}}
    assert not BulkRun.objects.exists()
    bulk = BulkRun.objects.get(pk=post(client, **chosen, preview=False).json()["id"])
    work_on_bulk(bulk.pk)
    assert bulk.items.filter(state=BulkItem.State.DONE).count() == 3


def test_a_filter_chooses_by_state_workflow_and_incident(client: APIClient, failed: list[int], finished: int) -> None:
    workflow = Workflow.objects.get(jobs=finished)
    fingerprint = get_fingerprint(failed[0])
    for chosen, total in (
        ({"state": ["FAILED"]}, 3),
        ({"state": ["FAILED", "FINISHED"]}, 4),
        ({"workflow": [workflow.pk]}, 1),
        ({"workflow": [workflow.pk], "state": ["FAILED"]}, 0),
        ({"incident": fingerprint}, 3),
        ({"incident": "unknown"}, 0),
    ):
        preview = post(client, verb="retry", filter=chosen, preview=True)
        assert preview.status_code == 200, preview.content
        assert preview.json()["total"] == total, chosen
        assert post(client, verb="retry", filter=chosen).json()["total"] == total


def test_an_incident_is_retried_until_it_comes_back(client: APIClient, failed: list[int]) -> None:
    fingerprint = get_fingerprint(failed[0])
    response = post(client, verb="retry", filter={"incident": fingerprint}, stop_on_fingerprint=fingerprint)
    assert response.json()["stop_on_fingerprint"] == fingerprint
    assert BulkRun.objects.get().stop_on_fingerprint == fingerprint


def test_a_filter_is_retried_until_a_job_fails_again(client: APIClient, failed: list[int]) -> None:
    fingerprint = get_fingerprint(failed[0])
    both = {"stop_on_failure": True, "stop_on_fingerprint": fingerprint}
    assert post(client, verb="retry", filter={"state": ["FAILED"]}, **both).status_code == 400
    response = post(client, verb="retry", filter={"state": ["FAILED"]}, stop_on_failure=True)
    assert response.json()["stop_on_fingerprint"] == BulkRun.ANY_FAILURE


def test_the_options_of_a_verb_are_those_of_its_own_call(client: APIClient, failed: list[int]) -> None:
    response = post(client, verb="skip", jobs=failed[:1], options={"result": {"given": 1}})
    assert response.status_code == 201
    work_on_bulk(response.json()["id"])
    assert StepRun.objects.get(job=failed[0], state="SKIPPED").result == {"given": 1}
    response = post(client, verb="retry", jobs=failed[1:], options={"value": None, "expected_state": "FAILED"})
    work_on_bulk(response.json()["id"])
    edited = StepRun.objects.filter(job__in=failed, attempt=2, state="READY").values_list("edited_input", flat=True)
    assert list(edited) == [{"value": None}] * 2


def test_jobs_in_another_state_than_the_expected_one_are_left_alone(client: APIClient, failed: list[int]) -> None:
    chosen = {"verb": "cancel", "jobs": failed, "options": {"expected_state": "ONGOING"}}
    assert post(client, **chosen, preview=True).json()["allowed"] == 0
    bulk = post(client, **chosen).json()["id"]
    work_on_bulk(bulk)
    assert BulkItem.objects.filter(bulk_run=bulk, state=BulkItem.State.REFUSED).count() == 3


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["verb"]),
        ({"verb": "dance", "jobs": [1]}, ["verb"]),
        ({"verb": "retry"}, ["non_field_errors"]),
        ({"verb": "retry", "jobs": [1], "filter": {"state": ["FAILED"]}}, ["non_field_errors"]),
        ({"verb": "retry", "jobs": []}, ["jobs"]),
        ({"verb": "retry", "jobs": [987654]}, ["jobs"]),
        ({"verb": "retry", "jobs": [2**70]}, ["jobs"]),
        ({"verb": "retry", "filter": {}}, ["filter"]),
        ({"verb": "retry", "filter": {"state": []}}, ["filter"]),
        ({"verb": "retry", "filter": {"state": ["BROKEN"]}}, ["filter"]),
        ({"verb": "retry", "filter": {"stat": ["FAILED"]}}, ["filter"]),
        ({"verb": "retry", "filter": {"incident": "a\0b"}}, ["filter"]),
        ({"verb": "retry", "filter": {"workflow": ["x"]}}, ["filter"]),
        ({"verb": "skip", "filter": {"state": ["FAILED"]}}, ["options.result"]),
        ({"verb": "rerun", "filter": {"state": ["FAILED"]}, "options": {"number": 0}}, ["options.number"]),
        ({"verb": "retry", "filter": {"state": ["FAILED"]}, "options": {"result": 1}}, ["options.result"]),
        ({"verb": "retry", "filter": {"state": ["FAILED"]}, "options": {"reason": "x"}}, ["options.reason"]),
        ({"verb": "retry", "filter": {"state": ["FAILED"]}, "options": 7}, ["options"]),
        ({"verb": "retry", "filter": {"state": ["FAILED"]}, "reson": "x"}, ["reson"]),
    ],
    ids=str,
)
def test_a_body_that_is_not_valid_is_refused_by_field_and_starts_nothing(
    client: APIClient, failed: list[int], body: dict[str, Any], fields: list[str]
) -> None:
    response = post(client, **body)
    assert response.status_code == 400, response.content
    assert list(response.json()["errors"]) == fields
    assert not BulkRun.objects.exists()


@pytest.mark.parametrize("preview", [True, False])
def test_each_verb_needs_its_own_permission(failed: list[int], preview: bool) -> None:
    response = post(sign_in("view_job", "cancel_job"), verb="retry", jobs=failed, preview=preview)
    assert response.status_code == 403
    assert "retry_job" in response.json()["detail"]
    assert not BulkRun.objects.exists()


def test_only_jobs_that_the_user_may_see_are_changed_and_shown(failed: list[int], finished: int) -> None:
    Workflow.objects.filter(jobs__in=failed).update(groups=["Bookkeeping"])
    client = sign_in("view_job", "view_bulkrun", "cancel_job")
    assert post(client, verb="cancel", filter={"state": ["FAILED"]}, preview=True).json()["total"] == 0
    assert post(client, verb="cancel", jobs=failed).status_code == 400
    bulk = start_bulk("cancel", Job.objects.all())
    shown = client.get(f"/wfe/bulk/{bulk.pk}/").json()
    assert (shown["total"], shown["pending"]) == (1, 1)
    assert [row["job"] for row in shown["results"]] == [finished]
    member = create_user("view_job", "cancel_job")
    member.groups.add(Group.objects.create(name="Bookkeeping"))
    client = APIClient()
    client.force_login(member)
    assert post(client, verb="cancel", filter={"state": ["FAILED"]}, preview=True).json()["total"] == 3


def test_a_bulk_run_of_somebody_else_needs_a_permission_of_its_own(failed: list[int]) -> None:
    bulk = start_bulk("cancel", Job.objects.all(), actor=create_user("cancel_job"))
    assert sign_in("view_job", "cancel_job").get(f"/wfe/bulk/{bulk.pk}/").status_code == 404
    assert sign_in("view_job", "view_bulkrun").get(f"/wfe/bulk/{bulk.pk}/").status_code == 200


def test_the_results_come_a_page_at_a_time(client: APIClient, failed: list[int]) -> None:
    bulk = post(client, verb="cancel", jobs=failed).json()["id"]
    first = client.get(f"/wfe/bulk/{bulk}/?page_size=2").json()
    second = client.get(first["next"]).json()
    assert [row["job"] for row in (*first["results"], *second["results"])] == failed
    assert (second["next"], second["total"]) == (None, 3)


def test_the_number_of_queries_does_not_depend_on_the_number_of_jobs(
    client: APIClient, failed: list[int], django_assert_num_queries: Any
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    small = post(client, verb="cancel", jobs=failed[:1]).json()["id"]
    large = post(client, verb="cancel", jobs=failed).json()["id"]
    with CaptureQueriesContext(connection) as queries:
        client.get(f"/wfe/bulk/{small}/")
    with django_assert_num_queries(len(queries)):
        client.get(f"/wfe/bulk/{large}/")


def test_an_operator_stops_a_bulk_run_and_what_is_done_stays_done(client: APIClient, failed: list[int]) -> None:
    bulk = post(client, verb="cancel", jobs=failed).json()["id"]
    stopped = client.post(f"/wfe/bulk/{bulk}/stop/", {"reason": "the wrong filter"}, format="json")
    assert stopped.status_code == 200
    assert (stopped.json()["state"], stopped.json()["pending"]) == ("STOPPED", 3)
    assert "the wrong filter" in stopped.json()["stop_reason"]
    again = client.post(f"/wfe/bulk/{bulk}/stop/")
    assert (again.status_code, again.json()["state"]) == (409, "STOPPED")
    [line] = client.get(f"/wfe/bulk/{bulk}/").json()["events"]
    assert line.pop("created_at")
    user = User.objects.get(pk=BulkRun.objects.get(pk=bulk).actor_id)
    assert line == {"kind": "stopped", "actor_name": str(user), "source": "rest", "reason": "the wrong filter"}


def test_stopping_needs_to_see_the_bulk_run_before_the_permission_of_its_verb(failed: list[int]) -> None:
    other = start_bulk("retry", Job.objects.all())
    address = f"/wfe/bulk/{other.pk}/stop/"
    assert sign_in("view_job", "retry_job").post(address).status_code == 404
    assert sign_in("view_job", "cancel_job", "view_bulkrun").post(address).status_code == 403
    Workflow.objects.update(groups=["Bookkeeping"])
    assert sign_in("view_job", "retry_job", "view_bulkrun").post(address).status_code == 404
    other.refresh_from_db()
    assert (other.state, other.events.count()) == ("WAITING", 0)
    Workflow.objects.update(groups=[])
    assert sign_in("view_job", "retry_job", "view_bulkrun").post(address).status_code == 200


@pytest.mark.parametrize("address", ["987654", "0", "x"])
def test_an_unknown_bulk_run_is_not_found(client: APIClient, address: str) -> None:
    assert client.get(f"/wfe/bulk/{address}/").status_code == 404
    assert client.post(f"/wfe/bulk/{address}/stop/").status_code == 404


def test_a_workflow_is_paused_and_resumed(finished: int) -> None:
    workflow = Workflow.objects.get(jobs=finished)
    user = create_user("pause_workflow")
    client = APIClient()
    client.force_login(user)
    paused = client.post(f"/wfe/workflows/{workflow.pk}/pause/", {"reason": "the bank is down"}, format="json")
    assert paused.status_code == 200, paused.content
    data = paused.json()
    assert (data["id"], data["paused"], data["pause_reason"]) == (workflow.pk, True, "the bank is down")
    assert data["paused_by"] == str(user)
    assert data["paused_at"].endswith("Z")
    assert client.post(f"/wfe/workflows/{workflow.pk}/pause/", {}, format="json").status_code == 409
    resumed = client.post(f"/wfe/workflows/{workflow.pk}/resume/", {}, format="json")
    assert (resumed.status_code, resumed.json()["paused"], resumed.json()["paused_at"]) == (200, False, None)
    assert client.post(f"/wfe/workflows/{workflow.pk}/resume/", {}, format="json").status_code == 409
    assert client.post("/wfe/workflows/987654/pause/", {}, format="json").status_code == 404
    assert client.post("/wfe/workflows/987654/resume/", {}, format="json").status_code == 404
    events = WorkflowEvent.objects.values_list("workflow", "kind", "actor", "source", "reason")
    assert list(events) == [
        (workflow.pk, "paused", user.pk, "rest", "the bank is down"),
        (workflow.pk, "resumed", user.pk, "rest", ""),
    ]
    unknown = client.post(f"/wfe/workflows/{workflow.pk}/resume/", {"reason": "x"}, format="json")
    assert unknown.status_code == 400


def test_a_workflow_for_some_groups_is_not_paused_by_others(finished: int) -> None:
    workflow = Workflow.objects.get(jobs=finished)
    Workflow.objects.update(groups=["Bookkeeping"])
    response = sign_in("pause_workflow").post(f"/wfe/workflows/{workflow.pk}/pause/", {}, format="json")
    assert (response.status_code, response.json()) == (404, {"detail": f"There is no workflow {workflow.pk}."})
    workflow.refresh_from_db()
    assert not workflow.paused
