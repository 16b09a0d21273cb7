"""What surrounds a Job, by the tenants of docs/extending.md: one schema each, and one worker's thread for all."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import translation
from pydantic import ValidationError

from django_wfe import order_workflow_execution, provide_external_input, run_workflow
from django_wfe.checks.project_checks import check_context
from django_wfe.contexts import JobContext
from django_wfe.exceptions import ContextFailed
from django_wfe.models import Job, JobState
from django_wfe.steps import Step
from tests.declared import async_workflows
from tests.declared.tenant_workflows import SEEN, WORLD, Booking, BookingAtOnce, BookingFor, read_search_path
from tests.support.documents.documented_shop import write_shop
from tests.support.running.engine_helpers import get_job, get_last_run, run_ready
from tests.workflows import Asking, Linear

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

TENANTS = ("bakery", "florist")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Any]:
    """The module of the section, named by the setting, and a schema with a table for each tenant."""
    write_shop(tmp_path, "What surrounds a Job")
    monkeypatch.syspath_prepend(tmp_path)
    SEEN.clear()
    WORLD.clear()
    with connection.cursor() as cursor:
        for tenant in TENANTS:
            cursor.execute(f"CREATE SCHEMA {tenant}; CREATE TABLE {tenant}.tenant_order (number text)")
    settings.WFE_CONTEXT = "shop.tenants.TenantContext"
    yield importlib.import_module("shop.tenants")
    WORLD.clear()
    with connection.cursor() as cursor:
        for tenant in TENANTS:
            cursor.execute(f"DROP SCHEMA {tenant} CASCADE")
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        del sys.modules[name]


def start_for(shop: Any, tenant: str, workflow: Any = Booking) -> int:
    with shop.using_tenant(tenant):
        return order_workflow_execution(workflow)


def list_booked(tenant: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT number FROM {tenant}.tenant_order")
        return [number for (number,) in cursor.fetchall()]


def test_each_job_works_for_its_tenant_in_one_thread(shop: Any) -> None:
    jobs = [start_for(shop, tenant) for tenant in ("bakery", "florist", "bakery")]
    for job in jobs:
        assert run_ready(job).state == JobState.INPUT_REQUIRED
        assert "bakery" not in read_search_path()
        assert "florist" not in read_search_path()
    assert list_booked("bakery") == [f"job {jobs[0]}", f"job {jobs[2]}"]
    assert list_booked("florist") == [f"job {jobs[1]}"]
    assert get_job(jobs[1]).context == {"tenant": "florist"}


@pytest.mark.parametrize("workflow", [Booking, BookingAtOnce])
def test_a_job_that_runs_where_it_starts_is_its_tenants_too(shop: Any, workflow: Any) -> None:
    with shop.using_tenant("florist"):
        job_id = run_workflow(workflow)
        assert read_search_path().startswith("florist"), "the caller's is as it was"
    assert list_booked("florist") == [f"job {job_id}"]


def test_an_async_step_works_for_its_tenant(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def read(step: Step) -> str:
        return await sync_to_async(read_search_path)()

    monkeypatch.setattr(async_workflows.Act, "ACTION", staticmethod(read))
    job = run_ready(start_for(shop, "bakery", async_workflows.WithoutInput))
    assert job.storage["data"][1]["result"].startswith("bakery")
    assert "bakery" not in read_search_path()


def test_an_answer_is_checked_by_the_tenants_rows_at_every_door(shop: Any) -> None:
    jobs = [run_ready(start_for(shop, tenant)).pk for tenant in ("bakery",) * 3 + ("florist",)]
    own, other = f"job {jobs[0]}", f"job {jobs[3]}"
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    with pytest.raises(ValidationError, match="use one of"):
        provide_external_input(jobs[0], {"order": other})
    provide_external_input(jobs[0], {"order": own})

    rest = f"/wfe/jobs/{jobs[1]}/input/"
    assert client.post(rest, {"order": other}, content_type="application/json").status_code == 422
    assert client.post(rest, {"order": own}, content_type="application/json").status_code == 200

    form = f"/admin/django_wfe/job/{jobs[2]}/input/"
    step_run = client.get(form).context["step_run"].pk
    refused = client.post(form, {"step_run": step_run, "input-order": other})
    assert "use one of" in refused.content.decode()
    assert client.post(form, {"step_run": step_run, "input-order": own}).status_code == 302
    for job in jobs[:3]:
        assert run_ready(job).state == JobState.FINISHED
    assert [(order, path.partition(",")[0]) for order, path in SEEN] == [(own, "bakery")] * 3


def test_a_step_that_is_interrupted_leaves_the_tenant(shop: Any) -> None:
    WORLD["hangs"] = True
    job = run_ready(start_for(shop, "bakery", BookingFor))
    assert job.state == JobState.FAILED
    assert "ran longer than its timeout" in job.error
    assert "bakery" not in read_search_path()
    assert shop.current_tenant.get() is None


def test_a_job_from_before_has_no_tenant(shop: Any, settings: Any) -> None:
    settings.WFE_CONTEXT = ""
    job = start_for(shop, "bakery", Linear)
    assert get_job(job).context is None
    settings.WFE_CONTEXT = "shop.tenants.TenantContext"
    assert run_ready(job).state == JobState.FINISHED


def test_the_page_of_a_job_shows_its_tenant_to_who_may_see_data(shop: Any) -> None:
    job = start_for(shop, "bakery", Linear)
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    page = client.get(f"/admin/django_wfe/job/{job}/change/").content.decode()
    assert "&quot;tenant&quot;: &quot;bakery&quot;" in page


class Language(JobContext):
    """A Job speaks the language that it was started in."""

    def capture(self) -> Any:
        return translation.get_language()

    def enter(self, captured: Any) -> AbstractContextManager[Any]:
        return translation.override(captured)


class Broken(JobContext):
    """Fails where the test says."""

    where = ""

    def capture(self) -> Any:
        if Broken.where == "capture":
            raise LookupError("no tenant here")
        return object() if Broken.where == "json" else "x" * 9_000 if Broken.where == "size" else "x"

    @contextmanager
    def enter(self, captured: Any) -> Iterator[None]:
        if Broken.where == "enter":
            raise LookupError("no such tenant")
        yield
        if Broken.where == "exit":
            raise LookupError("cannot put it back")


def test_a_job_speaks_the_language_that_it_was_started_in(settings: Any) -> None:
    settings.WFE_CONTEXT = f"{__name__}.Language"
    with translation.override("de"):
        job_id = order_workflow_execution(Asking)
    assert run_ready(job_id).state == JobState.INPUT_REQUIRED
    with pytest.raises(ValidationError), translation.override("en"):
        provide_external_input(job_id, {})
    assert get_job(job_id).context == "de"
    assert translation.get_language() != "de"


@pytest.mark.parametrize(
    ("where", "told"), [("capture", "no tenant here"), ("json", "capture"), ("size", "returned 9,?00. bytes")]
)
def test_what_cannot_be_captured_starts_nothing(settings: Any, where: str, told: str) -> None:
    settings.WFE_CONTEXT = f"{__name__}.Broken"
    Broken.where = where
    with pytest.raises(ContextFailed, match=told):
        order_workflow_execution(Linear)
    assert not Job.objects.exists()


@pytest.mark.parametrize("where", ["enter", "exit"])
def test_what_cannot_be_entered_or_left_fails_the_step(settings: Any, where: str) -> None:
    settings.WFE_CONTEXT = f"{__name__}.Broken"
    Broken.where = where
    job = run_ready(order_workflow_execution(Linear))
    assert job.state == JobState.FAILED
    assert get_last_run(job.pk).error_type == "LookupError"
    Broken.where = ""
    assert run_ready(order_workflow_execution(Linear)).state == JobState.FINISHED


def test_a_person_who_answers_is_told_and_the_job_goes_on_waiting(settings: Any) -> None:
    settings.WFE_CONTEXT = f"{__name__}.Broken"
    Broken.where = ""
    job = run_ready(order_workflow_execution(Asking))
    Broken.where = "enter"
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    with pytest.raises(ContextFailed, match="no such tenant"):
        provide_external_input(job.pk, {"some_data": 1})
    answer = client.post(f"/wfe/jobs/{job.pk}/input/", {"some_data": 1}, content_type="application/json")
    assert answer.status_code == 500
    page = client.get(f"/admin/django_wfe/job/{job.pk}/input/", follow=True)
    assert "could not set up what surrounds the job" in page.content.decode()
    assert get_job(job.pk).state == JobState.INPUT_REQUIRED


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("shop.nowhere.Context", "cannot be imported"),
        ("django_wfe.models.Job", "name a subclass"),
        (None, "give the dotted path"),
    ],
)
def test_a_wrong_setting_is_found_by_the_check(settings: Any, value: Any, told: str) -> None:
    settings.WFE_CONTEXT = value
    (error,) = check_context(None)
    assert error.id == "wfe.E010"
    assert told in error.msg
