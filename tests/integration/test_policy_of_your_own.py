"""The policy of docs/extending.md at each door, and what the engine does with one that is wrong."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.checks import Error
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db.models import QuerySet
from django.test import Client

from django_wfe.checks.project_checks import check_policy
from django_wfe.engine.access import list_visible_bulk_runs, list_visible_exports, list_visible_jobs
from django_wfe.engine.access.policy import get_policy
from django_wfe.engine.bulk.runs import work_on_bulk
from django_wfe.engine.delivery.dispatcher import NullDispatcher, install_dispatcher
from django_wfe.engine.lifecycle import (
    StartRow,
    cancel_job,
    plan_starts,
    provide_external_input,
    start_bulk,
    start_job,
)
from django_wfe.engine.operations.recording_exports import record_export
from django_wfe.engine.operations.starting import run_job_here
from django_wfe.engine.queries.inbox import list_waiting
from django_wfe.exceptions import PermissionRequired, UnknownJob
from django_wfe.models import BulkItem, Job, JobState
from django_wfe.policies import Policy
from tests.support.documents.documented_shop import write_shop
from tests.workflows import Asking, Linear

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

PATH = "shop.rules.OrderPolicy"
LISTS = ("/admin/django_wfe/job/", "/admin/django_wfe/steprun/", "/admin/django_wfe/jobevent/", "/wfe/jobs/")


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    before = install_dispatcher(NullDispatcher())
    yield
    install_dispatcher(before)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings) -> Iterator[None]:
    """The module of the section, named by the setting."""
    write_shop(tmp_path, "A policy of your own")
    monkeypatch.syspath_prepend(tmp_path)
    settings.WFE_POLICY = PATH
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        del sys.modules[name]


def create_clerk(name: str, *, groups: tuple[str, ...] = ()) -> User:
    """Create a member of staff with all permissions."""
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="django_wfe"))
    user.groups.set(Group.objects.get_or_create(name=group)[0] for group in groups)
    return User.objects.get(pk=user.pk)


def start_waiting(user: User, key: str) -> int:
    """Start a Job for this user that waits for input."""
    started = start_job(Asking, key=key, created_by=user, run_here=True)
    run_job_here(started)
    return started.job_id


def browse(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def people(shop: None) -> tuple[User, User, User]:
    """Two clerks with an order each, and a lead."""
    ann, bob, lead = create_clerk("ann"), create_clerk("bob"), create_clerk("lead", groups=("sales leads",))
    start_waiting(ann, "order-of-ann")
    start_waiting(bob, "order-of-bob")
    return ann, bob, lead


def test_clerks_see_their_own_orders_and_leads_see_all(people: tuple[User, User, User]) -> None:
    ann, _bob, lead = people
    (hidden,) = Job.objects.filter(key="order-of-bob")
    for path in LISTS:
        for user, number in ((ann, 1), (lead, 2)):
            page = browse(user).get(path).content.decode()
            assert page.count(str(hidden.uuid)) + page.count(f"job/{hidden.pk}/") <= (0 if number == 1 else 99), path
    assert browse(ann).get(f"/admin/django_wfe/job/{hidden.pk}/change/").status_code == 404
    assert browse(ann).get(f"/wfe/jobs/{hidden.pk}").status_code == 404
    assert browse(lead).get(f"/admin/django_wfe/job/{hidden.pk}/change/").status_code == 200
    assert [job.key for job in list_visible_jobs(ann)] == ["order-of-ann"]
    assert list_visible_jobs(lead).count() == list_visible_jobs(None).count() == 2


def test_nobody_answers_for_an_order_of_their_own(people: tuple[User, User, User]) -> None:
    ann, _bob, lead = people
    (own,) = Job.objects.filter(key="order-of-ann")
    assert tuple(list_waiting(user).count() for user in (ann, lead, None)) == (0, 2, 2)
    assert browse(ann).get(f"/admin/django_wfe/job/{own.pk}/input/").status_code == 403
    refused = browse(ann).post(f"/wfe/jobs/{own.pk}/input", {"some_data": 1}, content_type="application/json")
    assert (refused.status_code, Job.objects.get(pk=own.pk).state) == (403, JobState.INPUT_REQUIRED)
    with pytest.raises(PermissionRequired, match="the policy of this project refuses it"):
        provide_external_input(own.pk, {"some_data": 1}, actor=ann)
    provide_external_input(own.pk, {"some_data": 1}, actor=lead)
    assert Job.objects.get(pk=own.pk).state != JobState.INPUT_REQUIRED


def test_only_leads_cancel(people: tuple[User, User, User]) -> None:
    ann, bob, lead = people
    (own,) = Job.objects.filter(key="order-of-ann")
    page = browse(ann).get(f"/admin/django_wfe/job/{own.pk}/change/").content.decode()
    assert "The policy of this project refuses it." in page
    posted = browse(ann).post(f"/admin/django_wfe/job/{own.pk}/cancel/", {"reason": ""}, follow=True)
    assert "Nothing was changed: The policy of this project refuses it." in posted.content.decode()
    assert browse(ann).post(f"/wfe/jobs/{own.pk}/cancel").status_code == 403
    with pytest.raises(CommandError, match="1 job is left alone"):
        call_command("wfe_job", "cancel", str(own.pk), "--user", "ann")
    with pytest.raises(UnknownJob):
        cancel_job(own.pk, actor=bob)
    cancel_job(own.pk, actor=lead)
    assert Job.objects.get(pk=own.pk).state == JobState.CANCELED


def test_a_bulk_run_asks_for_each_job_and_shows_each_user_their_part(people: tuple[User, User, User]) -> None:
    ann, bob, lead = people
    bulk = start_bulk("cancel", Job.objects.all(), actor=ann)
    work_on_bulk(bulk.pk)
    assert {str(item.state) for item in bulk.items.all()} == {BulkItem.State.REFUSED}
    for user, total in ((ann, 1), (bob, 1), (lead, 2)):
        (seen,) = list_visible_bulk_runs(user)
        assert seen.pk == bulk.pk
        assert browse(user).get(f"/wfe/bulk/{bulk.pk}").json()["total"] == total
        assert len(browse(user).get(f"/wfe/bulk/{bulk.pk}").json()["results"]) == total
        page = browse(user).get("/admin/django_wfe/bulkrun/").content.decode()
        assert f'<td class="field-total_seen">{total}</td>' in page


def test_exports_hold_what_is_visible_and_those_of_others_are_for_who_sees_all(people: tuple[User, User, User]) -> None:
    ann, _bob, lead = people
    for user, number in ((ann, 1), (lead, 2)):
        sent = browse(user).post("/admin/django_wfe/job/export/", {"format": "0", "resource": "0"})
        assert sent.content.decode().strip().count("\n") == number
    record_export(Job.objects.all(), kind="jobs", file_format="csv")
    seen = [list_visible_exports(user).count() for user in (ann, lead)]
    assert seen == [1, 3]


def test_a_key_of_a_hidden_job_starts_nothing_and_tells_nothing(people: tuple[User, User, User]) -> None:
    ann, _bob, lead = people
    workflow_id, count = Job.objects.first().workflow_id, Job.objects.count()
    body = {"workflow_id": workflow_id, "key": "order-of-bob"}
    refused = browse(ann).post("/wfe/jobs/", body, content_type="application/json")
    assert refused.status_code == 403
    assert "The key belongs to a job that ann may not see. Use another key." in refused.content.decode()
    assert browse(lead).post("/wfe/jobs/", body, content_type="application/json").status_code in (200, 201)
    (planned,) = plan_starts(workflow_id, [StartRow(1, "order-of-bob", {"some_data": 1})], actor=ann)
    assert (planned.outcome, planned.job_id) == ("refused", None)
    assert Job.objects.count() == count


class NoStarts(Policy):
    """Lets people start with keys of their own only; may be asked before there is a Job."""

    def may(self, actor: Any, verb: str, job: Job) -> bool:
        return verb != "start" or (job.pk is None and job.key == actor.username and job.workflow.name == "Linear")


def test_it_decides_which_jobs_somebody_may_start(settings) -> None:
    settings.WFE_POLICY = f"{__name__}.NoStarts"
    ann = create_clerk("ann")
    workflow_id = Job.objects.get(pk=start_job(Linear).job_id).workflow_id
    with pytest.raises(PermissionRequired):
        start_job(Linear, key="bob", actor=ann)
    page = browse(ann).post(f"/admin/django_wfe/workflow/{workflow_id}/start/", {"key": "bob"})
    assert "ann may not do this: the policy of this project refuses it." in page.content.decode()
    (planned,) = plan_starts(workflow_id, [StartRow(1, "bob", {})], actor=ann)
    assert (planned.outcome, planned.errors) == ("refused", ("The policy of this project refuses it.",))
    assert start_job(Linear, key="ann", actor=ann).created


class Joining(Policy):
    """Joins what has many rows, and orders: each Job must still come once."""

    def visible(self, actor: Any, queryset: QuerySet[Job]) -> QuerySet[Job]:
        return queryset.filter(step_runs__number__gte=0, step_runs__superseded=False).order_by("key").distinct()


def test_joins_and_distinct_give_each_job_once(settings) -> None:
    ann = create_clerk("ann")
    job_id = start_waiting(ann, "one")
    settings.WFE_POLICY = f"{__name__}.Joining"
    assert [job.pk for job in list_visible_jobs(ann) & Job.objects.filter(state=JobState.INPUT_REQUIRED)] == [job_id]
    for path in LISTS:
        assert browse(ann).get(path).status_code == 200


class Sloppy(Policy):
    """Returns a list."""

    def visible(self, actor: Any, queryset: QuerySet[Job]) -> Any:
        return list(queryset)

    def check(self) -> list[Any]:
        return [Error("Sloppy.", id="shop.E002")]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("shop.nowhere.Rules", "WFE_POLICY = 'shop.nowhere.Rules' cannot be imported: No module named 'shop'."),
        ("Rules", "WFE_POLICY = 'Rules' cannot be imported"),
        ("tests.workflows.Linear", "name a subclass of django_wfe.policies.Policy, not <class"),
        (None, "WFE_POLICY = None: give the dotted path of a class."),
        (Sloppy, "give the dotted path of a class."),
    ],
)
def test_a_wrong_setting_is_an_error_of_the_project_and_shows_nothing(settings, value: object, words: str) -> None:
    ann = create_clerk("ann")
    start_job(Linear, created_by=ann)
    settings.WFE_POLICY = value
    (told,) = check_policy(None)
    assert (told.id, words in told.msg) == ("wfe.E009", True), told.msg
    with pytest.raises(ImproperlyConfigured):
        list_visible_jobs(ann)


def test_a_policy_that_returns_no_queryset_shows_nothing_and_its_own_check_is_asked(settings) -> None:
    settings.WFE_POLICY = f"{__name__}.Sloppy"
    assert [message.id for message in check_policy(None)] == ["shop.E002"]
    with pytest.raises(ImproperlyConfigured, match=r"Sloppy.visible\(\) returned \[\]: return a queryset of Jobs."):
        list_visible_jobs(create_clerk("ann"))


def test_without_the_setting_there_is_none() -> None:
    assert get_policy() is None
    assert check_policy(None) == []
