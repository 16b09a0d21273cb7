"""Who may open what in the console: every address, every method."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client
from django.urls import URLPattern

from django_wfe.models import JobEvent
from tests.support.doors.console import (
    ADDRESSES,
    Address,
    World,
    build_world,
    describe_database,
    read_page,
    sign_in,
    sign_in_superuser,
)

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

EACH = pytest.mark.parametrize("address", ADDRESSES, ids=str)
ALL_PERMISSIONS = {permission for address in ADDRESSES for permission in address.permissions}
REFUSED_TO_ALL = {
    "django_wfe_job_add",
    "django_wfe_job_delete",
    "django_wfe_workflow_add",
    "django_wfe_workflow_delete",
    "django_wfe_steprun_add",
    "django_wfe_steprun_delete",
    "django_wfe_worker_add",
    "django_wfe_worker_delete",
    "django_wfe_definition_add",
    "django_wfe_definition_delete",
    "django_wfe_step_add",
    "django_wfe_step_delete",
    "django_wfe_jobevent_add",
    "django_wfe_jobevent_delete",
    "django_wfe_bulkrun_add",
    "django_wfe_export_add",
    "django_wfe_export_delete",
    "django_wfe_bulkrun_delete",
}


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """One for all tests of the file: each works in a savepoint."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield build_world()
        transaction.set_rollback(True)


def send(client: Client, address: Address, world: World, method: str) -> int:
    path = address.build(world)
    if method == "GET":
        return client.get(path).status_code
    job = address.arguments[0] if address.name == "django_wfe_job_verb" else ""
    return client.post(path, world.fill(address.data, job)).status_code


def list_methods(address: Address) -> list[str]:
    return [method for method, known in (("GET", address.gets), ("POST", True)) if known]


def list_names() -> Iterator[str]:
    for pattern in admin.site.urls[0]:
        for inner in getattr(pattern, "url_patterns", [pattern]):
            if isinstance(inner, URLPattern) and inner.name and inner.name.startswith("django_wfe_"):
                yield inner.name


def test_the_list_of_addresses_is_complete() -> None:
    assert set(list_names()) == {address.name for address in ADDRESSES} | REFUSED_TO_ALL


@EACH
def test_nobody_without_rights_gets_in(address: Address, world: World) -> None:
    before = describe_database()
    no_staff, staff = sign_in(*ALL_PERMISSIONS, is_staff=False), sign_in()
    for method in list_methods(address):
        assert send(Client(), address, world, method) == 302
        assert send(no_staff, address, world, method) == 302
        assert send(staff, address, world, method) == 403
    for client in (Client(), no_staff):
        assert client.get(address.build(world))["Location"].startswith("/admin/login/")
    assert describe_database() == before


@EACH
def test_each_right_is_needed_and_all_of_them_suffice(address: Address, world: World) -> None:
    before = describe_database()
    for missing in address.permissions:
        client = sign_in(*ALL_PERMISSIONS - {missing})
        for method in list_methods(address):
            # A row that hangs on rows which the user may not see answers as if there were none.
            answer = send(client, address, world, method)
            assert answer in (302, 403, 404) or address.name.endswith(("_changelist", "_export")), (missing, method)
    assert describe_database() == before
    client = sign_in(*address.permissions)
    if address.gets:
        assert send(client, address, world, "GET") == 200
    assert describe_database() == before, "GET changed something"
    status = send(client, address, world, "POST")
    if address.posts:
        assert status == 302
    assert JobEvent.objects.count() == before[-1] + (address.posts and address.writes_event)
    assert (describe_database() != before) == address.posts


@pytest.mark.parametrize("address", [address for address in ADDRESSES if address.posts], ids=str)
def test_whatever_an_operator_does_stands_in_the_history_with_who_and_why(address: Address, world: World) -> None:
    client, before = sign_in(*address.permissions), JobEvent.objects.count()
    operator = User.objects.latest("pk")
    assert send(client, address, world, "POST") == 302
    written = LogEntry.objects.filter(user=operator)
    assert written.count() == 1
    row = written.get().get_edited_object()
    history = sign_in_superuser().get(f"/admin/django_wfe/{row._meta.model_name}/{row.pk}/history/")
    assert written.get().get_change_message() in read_page(history).text
    if "reason" in address.data:
        assert "because" in written.get().get_change_message()
    events = JobEvent.objects.filter(actor=operator, actor_name=operator.username, source="admin")
    assert events.count() == JobEvent.objects.count() - before == address.writes_event
    if address.writes_event and "reason" in address.data:
        assert events.get().data["reason"] == "because"


def test_nobody_adds_or_deletes_rows_by_hand(world: World) -> None:
    client, before = sign_in_superuser(), describe_database()
    ids = {"job": "waiting", "steprun": "failed_run", "jobevent": "event", "bulkrun": "bulk_run"}
    for name in REFUSED_TO_ALL:
        kind = name.removeprefix("django_wfe_").rpartition("_")[0]
        path = Address(name, () if name.endswith("_add") else (ids.get(kind, kind),)).build(world)
        assert client.get(path).status_code == 403
        assert client.post(path, {"post": "yes"}).status_code == 403
    assert describe_database() == before


def test_a_post_to_a_job_page_changes_nothing(world: World) -> None:
    before = describe_database()
    path = Address("django_wfe_job_change", ("waiting",)).build(world)
    assert sign_in_superuser().post(path, {"state": "FINISHED"}).status_code == 405
    assert describe_database() == before


def test_each_page_is_well_and_obeys_a_strict_policy(world: World) -> None:
    client = sign_in_superuser()
    for address in ADDRESSES:
        if address.gets and address.is_page:
            assert read_page(client.get(address.build(world))).title, address


def test_what_does_not_exist_is_not_found(world: World) -> None:
    client = sign_in_superuser()
    for name in (
        "django_wfe_job_change",
        "django_wfe_workflow_change",
        "django_wfe_steprun_change",
        "django_wfe_bulkrun_change",
        "django_wfe_incident",
    ):
        for pk in ("0", "999999", "99999999999999999999", "x", "-1"):
            assert client.get(Address(name, (pk,)).build(world)).status_code == 404, (name, pk)


def test_data_is_hidden_from_those_who_may_not_see_it(world: World) -> None:
    client = sign_in("view_job", "view_steprun", "provide_input_job", "retry_job", "view_jobevent")
    page = client.get(Address("django_wfe_job_change", ("failed",)).build(world)).content.decode()
    assert "hidden" in page
    assert "Traceback (most recent" not in page
    assert "attempt 1 fails" not in page
    assert "ValueError" in page
    assert "fetched" not in page
    assert "&quot;rows&quot;" not in page
    step_run = client.get(Address("django_wfe_steprun_change", ("failed_run",)).build(world)).content.decode()
    assert "Traceback (most recent" not in step_run
    assert "attempt 1 fails" not in step_run
    for name in ("django_wfe_console", "django_wfe_incidents", "django_wfe_job_changelist"):
        assert "attempt 1 fails" not in client.get(Address(name).build(world)).content.decode(), name
    incident = client.get(Address("django_wfe_incident", ("fingerprint",)).build(world)).content.decode()
    assert "attempt 1 fails" not in incident
    assert "Traceback (most recent" not in incident
    assert "ValueError" in incident
    question = client.get(Address("django_wfe_job_input", ("waiting",)).build(world)).content.decode()
    assert "&quot;rows&quot;" not in question
    event = client.get(Address("django_wfe_jobevent_change", ("event",)).build(world)).content.decode()
    assert "<pre" not in event


def test_data_is_shown_to_those_who_may_see_it(world: World) -> None:
    client = sign_in("view_job", "view_steprun", "view_job_data", "provide_input_job")
    page = client.get(Address("django_wfe_job_change", ("failed",)).build(world)).content.decode()
    assert "Traceback (most recent" in page
    assert "fetched" in page
    assert "&quot;rows&quot;: 3" in page
    assert "kept to itself" not in page.replace("password = &quot;kept to itself&quot;", "")
    question = client.get(Address("django_wfe_job_input", ("waiting",)).build(world)).content.decode()
    assert "&quot;rows&quot;: 3" in question
