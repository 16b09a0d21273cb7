"""The engine reads and writes its rows in one database, whatever the project's routers say."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.db import connections
from django.db.models import Count, Model, Prefetch

import django_wfe
from django_wfe.engine.lifecycle import assign_input, provide_external_input, run_workflow, save_draft
from django_wfe.models import Job, JobEvent, StepRun, Worker, Workflow
from django_wfe.models.database import EngineManager, EngineModel
from tests.support.doors.console import build_world, sign_in_superuser
from tests.workflows import Asking, Linear

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


class LostRouter:
    """Sends what concerns the engine to a database that no test may touch; people are read where they are."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        origin = hints.get("instance", model)
        return "nowhere" if "django_wfe" in (model._meta.app_label, origin._meta.app_label) else "default"

    db_for_write = db_for_read


@pytest.fixture(autouse=True)
def _lost(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(connections.settings, "nowhere", dict(connections["default"].settings_dict))
    settings.DATABASE_ROUTERS = [LostRouter()]
    yield
    with suppress(AttributeError):  # nothing asked for it
        del connections["nowhere"]


def test_the_router_of_these_tests_does_lead_nowhere() -> None:
    with pytest.raises(AssertionError, match="nowhere"):
        Job.objects.using("nowhere").count()


def test_each_table_of_the_engine_is_held_to_it() -> None:
    models = list(apps.get_app_config("django_wfe").get_models())
    assert len(models) > 10
    for model in models:
        assert issubclass(model, EngineModel), model
        assert isinstance(model._default_manager, EngineManager), model
        assert isinstance(model._base_manager, EngineManager), model
        for field in model._meta.concrete_fields:
            if field.remote_field is not None:
                assert type(field).__module__ == EngineModel.__module__, field


def test_each_time_of_the_engine_is_one_that_keeps_its_instant() -> None:
    for file in (Path(django_wfe.__file__).parent / "models").glob("*.py"):
        # As a call: the field itself derives from it.
        assert " = models.DateTimeField(" not in file.read_text(), file


def test_every_way_to_read_rows_finds_those_of_the_engines_database() -> None:
    job_id = run_workflow(Linear)
    job = Job.objects.get(pk=job_id)
    assert Job.objects.filter(step_runs__number=1).count() == 1
    assert Job._base_manager.get(pk=job_id) == Job._default_manager.get(pk=job_id) == job
    assert job.step_runs.count() == 4
    assert job.workflow.definitions.get() == job.definition
    assert StepRun.objects.get(job=job, number=1).previous == StepRun.objects.get(job=job, number=0)
    assert Job.objects.prefetch_related("step_runs", Prefetch("events", JobEvent.objects.all())).get().events.all()
    assert Job.objects.select_for_update().in_bulk([job_id]) == {job_id: job}
    assert Job.objects.aggregate(number=Count("pk")) == {"number": 1}
    assert [found.pk for found in Job.objects.raw("SELECT id FROM django_wfe_job")] == [job_id]
    assert list(Job.objects.filter(pk=job_id).union(Job.objects.filter(pk=job_id))) == [job]
    job.refresh_from_db()
    assert Job.objects.defer("error").get().error == ""
    assert job.storage["data"]


def test_every_way_to_write_rows_writes_to_the_engines_database() -> None:
    worker = Worker(hostname="barn", pid=1)
    worker.save()
    assert worker._state.db == "default"
    Worker.objects.bulk_create([Worker(hostname="barn", pid=2), Worker(hostname="barn", pid=3)])
    Worker.objects.get_or_create(hostname="barn", defaults={"pid": 4}, pid=4)
    Worker.objects.update_or_create(hostname="barn", pid=4, defaults={"threads": 8})
    assert Worker.objects.filter(hostname="barn").update(threads=2) == 4
    Worker.objects.bulk_update(Worker.objects.all(), ["threads"])
    worker.delete()
    assert Worker.objects.all().delete()[0] == 3


def test_who_started_a_job_is_read_where_the_job_is() -> None:
    user = User.objects.create_user("clerk")
    job_id = run_workflow(Linear, created_by=user)
    assert Job.objects.get(pk=job_id).created_by == user
    event = JobEvent.objects.filter(job_id=job_id).earliest("pk")
    assert event.actor == user


def test_a_person_who_was_read_elsewhere_can_start_claim_and_answer() -> None:
    user = User.objects.create_superuser("boss")
    user._state.db = "nowhere"  # as a router for a replica leaves it
    job_id = run_workflow(Asking, created_by=user)
    waiting = StepRun.objects.get(job_id=job_id, state="INPUT_REQUIRED")
    assign_input(waiting.pk, user)
    save_draft(waiting.pk, {"some_data": 1}, user)
    assert waiting.assignment.user == user
    provide_external_input(job_id, {"some_data": 2}, actor=user)
    assert set(JobEvent.objects.filter(job_id=job_id).values_list("actor", flat=True)) >= {user.pk}
    event = JobEvent(job_id=job_id, actor=user, kind="started")
    event.actor = None
    assert event.actor_id is None
    with pytest.raises(ValueError, match='must be a "User" instance'):
        event.actor = Group()


def test_a_console_page_of_each_kind_is_read_there_too() -> None:
    world = build_world()
    client = sign_in_superuser()
    for path in (
        "/admin/",
        "/admin/django_wfe/workflow/console/",
        "/admin/django_wfe/job/",
        f"/admin/django_wfe/job/{world.get('waiting')}/change/",
        f"/admin/django_wfe/job/{world.get('waiting')}/input/",
        "/admin/django_wfe/steprun/?state=failed",
        "/admin/django_wfe/job/export/",
        "/wfe/jobs/",
    ):
        assert client.get(path).status_code == 200, path


def test_an_alias_that_is_asked_for_is_used() -> None:
    with pytest.raises(AssertionError, match="nowhere"):
        Worker(hostname="barn", pid=1).save(using="nowhere")
    with pytest.raises(AssertionError, match="nowhere"):
        Workflow.objects.db_manager("nowhere").exists()
