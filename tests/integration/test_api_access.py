"""Who may call what in the REST API: every address, every method, with and without the slash."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admindocs.views import simplify_regex
from django.contrib.auth.models import User
from django.db import transaction
from django.test import override_settings
from rest_framework.permissions import IsAuthenticated
from rest_framework.test import APIClient

from django_wfe.api.frame.permissions import HoldsPermission
from django_wfe.api.urls import urlpatterns
from django_wfe.engine.lifecycle import pause_job, pause_workflow, run_workflow, start_bulk
from django_wfe.models import BulkRun, Job, JobEvent, Step, Workflow
from tests.declared.api_workflows import AskingFlow, BreakingFlow, ChoosingFlow
from tests.support.doors.api_calls import (
    CALLS,
    COLLEAGUE,
    PERMISSIONS,
    PREFIX,
    Call,
    create_user,
    record,
    sign_in,
    sign_in_superuser,
)

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]
SLASHES = pytest.mark.parametrize("slash", ["", "/"], ids=["without slash", "with slash"])
EACH_CALL = pytest.mark.parametrize("call", CALLS, ids=str)


@pytest.fixture(scope="module")
def names(django_db_setup: None, django_db_blocker: Any) -> Iterator[dict[str, int]]:
    """The ids that the calls' addresses name, the same for all tests of the file: each works in a savepoint."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield build_names()
        transaction.set_rollback(True)


def build_names() -> dict[str, int]:
    """Start a job that waits, one paused, one failed, and the like."""
    User.objects.create_user(COLLEAGUE)
    workflow = record(AskingFlow)
    paused = run_workflow(workflow_id=workflow.pk)
    pause_job(paused)
    held = record(ChoosingFlow)
    pause_workflow(held.pk)
    return {
        "workflow": workflow.pk,
        "step": Step.objects.get(name="Ask").pk,
        "job": run_workflow(workflow_id=workflow.pk),
        "paused": paused,
        "failed": run_workflow(workflow_id=record(BreakingFlow).pk),
        "held": held.pk,
        "bulk": start_bulk("cancel", Job.objects.all()).pk,
    }


def make(client: APIClient, call: Call, names: dict[str, int], slash: str, method: str = "") -> Any:
    body = json.dumps(call.body or {}).replace('"{workflow}"', str(names["workflow"]))
    path = PREFIX + call.path.format(**names) + slash
    return client.generic(method or call.method, path, body, content_type="application/json")


def describe_database() -> Any:
    tables = (Job, Workflow, BulkRun)
    return [list(table.objects.order_by("pk").values()) for table in tables], JobEvent.objects.count()


@SLASHES
@EACH_CALL
def test_somebody_who_is_not_signed_in_is_refused(call: Call, slash: str, names: dict[str, int]) -> None:
    before = describe_database()
    for method in METHODS:
        assert make(APIClient(), call, names, slash, method).status_code in (401, 403), method
    assert describe_database() == before


@SLASHES
@EACH_CALL
def test_a_user_without_rights_is_refused_by_every_method(call: Call, slash: str, names: dict[str, int]) -> None:
    client, before = sign_in(), describe_database()
    for method in METHODS:
        assert make(client, call, names, slash, method).status_code == 403, method
    assert describe_database() == before


@EACH_CALL
def test_a_user_without_rights_is_refused_before_the_body_and_the_id_are_looked_at(call: Call) -> None:
    client = sign_in()
    path = PREFIX + call.path.format(workflow=1, step=1, job=987654321, paused="x", failed=2**70, held="x", bulk=2**70)
    for body in ("{", "[]", '{"unknown": 1}'):
        assert client.generic(call.method, path, body, content_type="application/json").status_code == 403


@EACH_CALL
def test_all_other_rights_together_do_not_open_a_call(call: Call, names: dict[str, int]) -> None:
    before = describe_database()
    for needed in call.permissions:
        others = [permission for permission in PERMISSIONS if permission != needed]
        response = make(sign_in(*others), call, names, "/")
        # What somebody may not even see is unknown to them.
        assert response.status_code == (404 if needed == "view_bulkrun" else 403)
        assert response.json()["detail"]
    assert describe_database() == before


@SLASHES
@EACH_CALL
def test_just_the_rights_of_a_call_open_it(call: Call, slash: str, names: dict[str, int]) -> None:
    response = make(sign_in(*call.permissions), call, names, slash)
    assert response.status_code == (201 if str(call) in ("POST jobs", "POST bulk") else 200), response.content


@EACH_CALL
def test_a_superuser_may_make_every_call(call: Call, names: dict[str, int]) -> None:
    assert make(sign_in_superuser(), call, names, "/").status_code in (200, 201)


@EACH_CALL
def test_a_method_that_a_call_does_not_have_is_told_to_those_with_rights(call: Call, names: dict[str, int]) -> None:
    response = make(sign_in(*call.permissions), call, names, "/", "DELETE")
    assert response.status_code == 405
    assert response.json()["detail"]


@override_settings(REST_FRAMEWORK={"UNAUTHENTICATED_USER": None})
def test_a_project_without_anonymous_users_opens_nothing(names: dict[str, int]) -> None:
    # None would stand for trusted Python code in the engine.
    before = describe_database()
    for call in CALLS:
        assert make(APIClient(), call, names, "/").status_code in (401, 403)
        assert make(APIClient(), call, dict.fromkeys(names, 987654321), "/").status_code in (401, 403)
    assert describe_database() == before


@pytest.mark.parametrize("call", [call for call in CALLS if "{" in call.path], ids=str)
def test_what_a_user_does_not_see_is_unknown_before_any_permission_of_the_call(
    call: Call, names: dict[str, int]
) -> None:
    Workflow.objects.update(groups=["auditors"])
    viewer = sign_in("view_job", "view_workflow", "view_step", "view_bulkrun")
    unknown = dict.fromkeys(names, 987654321)
    closed, missing = make(viewer, call, names, "/"), make(viewer, call, unknown, "/")
    assert closed.status_code == missing.status_code == 404
    number = str(names[call.path.partition("{")[2].partition("}")[0]])
    assert closed.json()["detail"].replace(number, "ID") == missing.json()["detail"].replace("987654321", "ID")


def test_an_inactive_user_is_refused(names: dict[str, int]) -> None:
    user = create_user("view_job")
    client = APIClient()
    client.force_login(user)
    user.is_active = False
    user.save()
    assert client.get("/wfe/jobs/").status_code in (401, 403)


def test_a_session_without_a_csrf_token_starts_nothing(names: dict[str, int]) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(create_user("add_job"))
    response = client.post("/wfe/jobs/", {"workflow_id": names["workflow"]}, format="json")
    assert response.status_code == 403
    assert Job.objects.count() == 3


def test_the_calls_tested_here_are_all_that_there_are() -> None:
    served = {
        (method, re.sub(r"<\w+>", "{}", simplify_regex(str(pattern.pattern)).strip("/")))
        for pattern in urlpatterns
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        if hasattr(pattern.callback.cls, method.lower())
    }
    assert served == {(call.method, re.sub(r"{\w+}", "{}", call.path)) for call in CALLS}


@pytest.mark.parametrize("pattern", urlpatterns, ids=lambda pattern: pattern.name)
def test_a_project_that_opens_its_own_api_to_everybody_does_not_open_this_one(pattern: Any) -> None:
    assert pattern.callback.cls.permission_classes == (IsAuthenticated, HoldsPermission)
    assert pattern.callback.cls.permissions
