"""A database of django-wfe 1.x, at each of its versions, and a plain ``migrate``."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from django_wfe import order_workflow_execution
from django_wfe.discovery import sync_definitions
from django_wfe.engine.lifecycle import list_verbs, preview_bulk, rerun_job
from django_wfe.engine.project_code import classes
from django_wfe.engine.queries.situation import explain_job
from django_wfe.exceptions import FinishedWorkflow, WrongState
from django_wfe.models import Definition, Job, JobEvent, JobState, Step, Workflow
from django_wfe.models.workflows import load_graph
from django_wfe.version_one.tables import OWN_TABLES
from tests.support.doors.console import ADDRESSES, World, read_page
from tests.support.running.engine_helpers import read_log, recording_dispatcher, run_ready
from tests.version_one import JOBS, MIGRATIONS, UNTOLD, UUIDS, WORKFLOW, build_reference, build_version_one

pytestmark = pytest.mark.integration

VERSIONS = [0, 1, 2, 3]
"""The migrations of 1.x; 0 stands for the app before it had any of its own."""


@dataclass(frozen=True)
class TakenOver:
    """``before`` are the rows that were there, by their tables."""

    migration: int
    name: str
    before: dict[str, list[tuple[Any, ...]]]


@contextmanager
def _connected_to(name: str) -> Iterator[None]:
    """Have the default connection of this process lead to another database."""
    before = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before
        for forget in (load_graph.cache_clear, classes.clear, ContentType.objects.clear_cache):
            forget()


def _execute(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module")
def djangos_tables(django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    """A database with the tables of Django's own apps, to copy."""
    name = f"test_wfe_version_one_{os.getpid()}"
    with django_db_blocker.unblock():
        with _connected_to("postgres"):
            _execute(f"CREATE DATABASE {name}")
        with _connected_to(name):
            for app in ("contenttypes", "auth", "admin", "sessions"):
                call_command("migrate", app, verbosity=0)
        yield name
        with _connected_to("postgres"):
            _execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(djangos_tables: str, django_db_blocker: Any) -> Iterator[Callable[..., None]]:
    """A database of its own, by default: give SQL to fill it."""
    name = f"{djangos_tables}_copy"
    with django_db_blocker.unblock():
        with _connected_to("postgres"):
            _execute(f"CREATE DATABASE {name} TEMPLATE {djangos_tables}")
        try:
            with _connected_to(name), recording_dispatcher():
                yield _execute
        finally:
            with _connected_to("postgres"):
                _execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module", params=VERSIONS)
def taken_over(request: pytest.FixtureRequest, djangos_tables: str, django_db_blocker: Any) -> Iterator[TakenOver]:
    """A database of each version that was taken over, for tests that only look at it."""
    name = f"{djangos_tables}_taken"
    with django_db_blocker.unblock():
        with _connected_to("postgres"):
            _execute(f"CREATE DATABASE {name} TEMPLATE {djangos_tables}")
        try:
            with _connected_to(name):
                _execute(build_version_one(request.param))
                before = dump("django_wfe_")
                assert "Applying django_wfe.0004_take_over_version_one... OK" in migrate()
            yield TakenOver(request.param, name, before)
        finally:
            with _connected_to("postgres"):
                _execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def old(taken_over: TakenOver, django_db_blocker: Any) -> Iterator[TakenOver]:
    """As ``taken_over``, with the default connection leading there."""
    with django_db_blocker.unblock(), _connected_to(taken_over.name):
        yield taken_over


def migrate(*arguments: str) -> str:
    output = StringIO()
    call_command("migrate", *arguments, stdout=output, no_color=True)
    return output.getvalue()


def read_tables() -> set[str]:
    return {name for (name,) in _execute("SELECT tablename FROM pg_tables WHERE tablename LIKE 'django\\_wfe%'")}


def dump(prefix: str) -> dict[str, list[tuple[Any, ...]]]:
    """Give every row of the old tables."""
    tables = [
        name
        for name in read_tables()
        if name.startswith(prefix) and name.removeprefix(prefix) in ("job", "workflow", "step", "watchdog")
    ]
    return {name.removeprefix(prefix): _execute(f"SELECT * FROM {name} ORDER BY id") for name in tables}


def test_migrate_takes_the_jobs_over_as_they_were(old: TakenOver) -> None:
    assert dump("django_wfe1_") == old.before, "the old tables are kept, with all that was in them"
    assert {f"django_wfe_{name}" for name in OWN_TABLES} <= read_tables()

    workflow = Workflow.objects.get(path=WORKFLOW)
    assert (workflow.pk, workflow.name, workflow.deleted) == (2, "Asking", False)
    jobs = {job.pk: job for job in Job.objects.select_related("workflow")}
    assert sorted(jobs) == [was.pk for was in JOBS]
    for was in JOBS:
        job = jobs[was.pk]
        assert (job.state, job.workflow, job.current_step_number) == (was.becomes, workflow, was.number), was
        runs = job.step_runs.order_by("number")
        expected = list(was.runs)
        if was.pk in UNTOLD.get(old.migration, {}):
            expected[-1] = (UNTOLD[old.migration][was.pk], expected[-1][1])
        assert [(run.step, run.state) for run in runs] == expected
        assert job.current_step == expected[-1][0]
        assert [run.number for run in runs] == list(range(len(runs)))
        assert [run.previous_id for run in runs] == [None, *[run.pk for run in runs][:-1]]
        done = [entry for entry in was.data if "result" in entry]
        assert job.storage == {
            "data": [
                {name: value for name, value in entry.items() if value is not None or name != "external_data"}
                for entry in done
            ]
        }
        [event] = job.events.all()
        assert (event.kind, event.source, event.data["was"]) == ("adopted", "engine", was.state or "")
        assert event.data.get("storage") == (was.more or None)
        assert (job.finished_at is None) == (job.state == JobState.FINISHED)
    received = jobs[6].step_runs.get(state="CANCELED")
    assert received.external_data == {"some_data": 7}


def test_an_old_job_says_what_it_was_and_can_do_nothing_more(old: TakenOver) -> None:
    told = {was.pk: explain_job(Job.objects.get(pk=was.pk)) for was in JOBS}
    assert {explanation.code for explanation in told.values()} == {"adopted"}
    assert told[3].sentence.startswith("It ran to its end under django-wfe 1.x, and is kept as history.")
    assert told[5].sentence.startswith("It waited for input at “Ask” under django-wfe 1.x. It is kept as history")
    step = "unknown" if old.migration in UNTOLD else "Fetch"
    assert told[8].sentence.startswith(f"It failed at “{step}” under django-wfe 1.x.")
    assert told[6].sentence.startswith("It was at “Ask” under django-wfe 1.x.")
    assert [pk for pk, explanation in told.items() if not explanation.way_out] == [3, 4]
    for was in JOBS:
        assert not [status.verb.name for status in list_verbs(Job.objects.get(pk=was.pk), None) if status.allowed]
    with pytest.raises((WrongState, FinishedWorkflow), match=r"ran under django-wfe 1\.x and cannot go on"):
        rerun_job(3, 1)
    preview = preview_bulk("rerun", Job.objects.all())
    assert (preview.total, preview.allowed) == (len(JOBS), 0)
    if old.migration >= 2:
        path = f"/var/log/wfe/Asking_{UUIDS[2]}.log"
        assert str(Job.objects.get(pk=5).uuid) == UUIDS[2]
        assert told[5].sentence.endswith(f"Its log is the file {path}.")
        assert path in read_log(Job.objects.get(pk=5))
        assert len(set(Job.objects.values_list("uuid", flat=True))) == len(JOBS), "two had been given the same"


@pytest.mark.parametrize("migration", [0, 3])
def test_new_jobs_run_beside_the_old_ones(database, migration: int) -> None:
    database(build_version_one(migration))
    migrate()
    sync_definitions()
    workflow = Workflow.objects.get(path=WORKFLOW)
    assert workflow.pk == 2, "the row is known again by its path"
    assert Workflow.objects.get(path="shop.Gone").deleted
    assert Step.objects.filter(path="tests.workflows.Ask", deleted=False).count() == 1
    job = run_ready(order_workflow_execution(WORKFLOW))
    assert job.state == JobState.INPUT_REQUIRED
    assert job.pk == 12, "ids go on where they were"
    assert not job.definition.load_graph().is_history
    assert explain_job(Job.objects.get(pk=3)).code == "adopted"


def test_the_path_that_each_job_took_is_drawn(old: TakenOver) -> None:
    [definition] = Definition.objects.all()
    graph = definition.load_graph()
    assert graph.is_history
    ways = {(edge.source.rpartition(".")[2], edge.target.rpartition(".")[2], edge.index) for edge in graph.edges}
    ways.discard(("__start__", "unknown", 1))
    assert ways == {
        ("__start__", "Fetch", 0), ("Fetch", "Ask", 0), ("Ask", "Route", 0), ("Route", "Left", 0), ("Route", "Right", 1)
    }  # fmt: skip
    assert {node.name: node.kind for node in graph.nodes}["Route"] == "decision"
    taken = {job: Job.objects.get(pk=job).step_runs.get(step="tests.workflows.Route").transition for job in (3, 4)}
    assert taken == {3: 0, 4: 1}


def test_a_second_migrate_does_nothing(database) -> None:
    database(build_version_one(3))
    migrate()
    counted = (Job.objects.count(), JobEvent.objects.count(), Definition.objects.count(), read_tables())
    assert "No migrations to apply." in migrate()
    assert counted == (Job.objects.count(), JobEvent.objects.count(), Definition.objects.count(), read_tables())


def test_a_migration_back_and_forth_copies_nothing_twice(database) -> None:
    database(build_version_one(3))
    migrate()
    migrate("django_wfe", "0001")
    migrate()
    assert JobEvent.objects.filter(kind="adopted").count() == Job.objects.count() == len(JOBS)
    migrate("django_wfe", "zero")
    migrate()
    assert JobEvent.objects.filter(kind="adopted").count() == Job.objects.count() == len(JOBS)


def test_tables_that_were_used_before_the_old_jobs_came_are_not_mixed_with_theirs(database) -> None:
    database(build_version_one(3, has_records=False))
    migrate("django_wfe", "0001")
    database(
        "INSERT INTO django_wfe_workflow SELECT 99, 'shop.New', 'New', '', '', FALSE, FALSE, NULL, '', '', '[]', ''"
    )
    with pytest.raises(CommandError, match="empty the new tables first"):
        migrate()
    migrate("django_wfe", "zero")
    migrate()
    assert Job.objects.count() == len(JOBS)


def test_tables_of_1x_without_a_record_of_a_migration_are_taken_over_too(database) -> None:
    database(build_version_one(3, has_records=False))
    migrate()
    assert Job.objects.count() == len(JOBS)
    assert "django_wfe1_job" in read_tables()


@pytest.mark.parametrize(("migration", "has_records"), [(2, True), (3, True), (3, False)])
def test_what_refers_to_an_old_job_refers_to_the_same_job_now(database, migration: int, has_records: bool) -> None:
    database(build_version_one(migration, has_records=has_records) + build_reference())
    migrate()
    [(table, definition)] = database(
        "SELECT confrelid::regclass::text, pg_get_constraintdef(oid)"
        " FROM pg_constraint WHERE conname = 'shop_order_job'"
    )
    assert table == "django_wfe_job"
    assert definition == "FOREIGN KEY (job_id) REFERENCES django_wfe_job(id) DEFERRABLE INITIALLY DEFERRED"
    assert database("SELECT count(*) FROM shop_order JOIN django_wfe_job AS job ON job.id = job_id") == [(len(JOBS),)]
    sync_definitions()
    database(f"INSERT INTO shop_order (job_id) VALUES ({order_workflow_execution(WORKFLOW)})")


def test_odd_storages_are_taken_over_as_far_as_they_can_be_read(database) -> None:
    odd = ("{}", "[]", '"text"', '{"data": {}}', '{"data": [1, null, {"result": 2}, {"step": ""}]}', "null")
    database(build_version_one(3))
    for number, storage in enumerate(odd, start=50):
        state = "FINISHED" if number % 2 else "ONGOING"
        database(
            "INSERT INTO django_wfe_job (id, uuid, workflow_id, storage, state, current_step, current_step_number,"
            f" logfile) VALUES ({number}, gen_random_uuid(), 7, '{storage}', '{state}', '{'s.' * 140}', 2, '')"
        )
    migrate()
    assert Job.objects.filter(pk__gte=50).count() == len(odd)
    for job in Job.objects.filter(pk__gte=50):
        assert job.step_runs.exists()
        assert isinstance(job.storage["data"], list)
        assert explain_job(job).code == "adopted"
        assert not job.events.get().data.get("logfile")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("ALTER TABLE django_wfe_job ADD COLUMN priority integer", "priority"),
        ("DROP TABLE django_wfe_watchdog", "form that no version of it made"),
        ("ALTER TABLE django_wfe_workflow DROP COLUMN deleted", "form that no version of it made"),
        ("CREATE TABLE django_wfe_steprun (id bigint)", "beside tables of this version (django_wfe_steprun)"),
        ("CREATE TABLE django_wfe1_job (id bigint)", "django_wfe1_job already, from an upgrade before"),
    ],
)
@pytest.mark.parametrize("has_records", [True, False])
def test_what_is_not_known_is_refused_and_left_as_it_was(database, change: str, told: str, has_records: bool) -> None:
    database(build_version_one(3, has_records=has_records) + change)
    before, tables = dump("django_wfe_"), read_tables()
    for _ in range(2):
        with pytest.raises(CommandError) as raised:
            migrate()
        assert told in str(raised.value)
        assert "Nothing was changed." in str(raised.value)
        assert "DELETE FROM django_migrations WHERE app = 'django_wfe'" in str(raised.value)
        assert (dump("django_wfe_"), read_tables()) == (before, tables)


def test_the_way_out_of_a_refusal_leads_to_new_tables(database) -> None:
    database(build_version_one(3) + "ALTER TABLE django_wfe_job ADD COLUMN priority integer; CREATE SCHEMA kept;")
    for table in ("job", "workflow", "watchdog"):
        database(f"ALTER TABLE django_wfe_{table} SET SCHEMA kept")
    with pytest.raises(CommandError, match="its tables are not there"):
        migrate()
    database("DELETE FROM django_migrations WHERE app = 'django_wfe'")
    migrate()
    assert Job.objects.count() == 0
    assert database("SELECT count(*) FROM kept.django_wfe_job") == [(len(JOBS),)]


def test_an_empty_database_and_one_of_this_version_are_left_as_they_are(database) -> None:
    migrate("django_wfe", "0001")
    assert {name.removeprefix("django_wfe_") for name in read_tables()} == OWN_TABLES | {"job", "workflow", "step"}
    database(
        "INSERT INTO django_wfe_workflow (id, path, name, label, description, deleted, paused, paused_by, pause_reason,"
        f" groups, load_error) VALUES (90, '{WORKFLOW}', 'Asking', '', '', FALSE, FALSE, '', '', '[]', '')"
    )
    indexes = "SELECT indexname FROM pg_indexes WHERE tablename IN ('django_wfe_job', 'django_wfe_steprun') ORDER BY 1"
    before = database(indexes)
    migrate()
    added = {"wfe_job_key_begins", "wfe_job_key_numbers", "wfe_job_open_version", "wfe_job_rare_state"}
    added |= {"wfe_run_due", "wfe_run_due_step"}
    dropped = {"wfe_run_waiting", "wfe_job_open_state", "wfe_job_canceled", "wfe_job_created"}
    assert {name for (name,) in database(indexes)} == {name for (name,) in before} - dropped | added
    assert [workflow.pk for workflow in Workflow.objects.all()] == [90]
    sync_definitions()
    assert run_ready(order_workflow_execution(WORKFLOW)).workflow_id == 90
    assert not [name for name in read_tables() if name.startswith("django_wfe1_")]


def test_the_tables_are_the_same_whether_migrated_or_taken_over(database) -> None:
    query = (
        "SELECT table_name, column_name, data_type, is_nullable, column_default, is_identity FROM"
        " information_schema.columns WHERE table_name LIKE 'django\\_wfe\\_%' ORDER BY 1, 2"
    )
    constraints = (
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid::regclass::text LIKE 'django\\_wfe\\_%' ORDER BY 1, 2"
    )
    indexes = "SELECT indexdef FROM pg_indexes WHERE tablename LIKE 'django\\_wfe\\_%' ORDER BY 1"
    database(build_version_one(2))
    migrate()
    taken_over = [database(sql) for sql in (query, constraints, indexes)]
    migrate("django_wfe", "zero")
    for table in ("job", "workflow", "watchdog", "step"):
        database(f"DROP TABLE django_wfe1_{table} CASCADE")
    migrate()
    assert [database(sql) for sql in (query, constraints, indexes)] == taken_over


def test_the_plan_says_what_will_be_done_and_does_nothing(database) -> None:
    database(build_version_one(3))
    plan = migrate("--plan")
    assert "Take over the jobs of django-wfe 1.x" in plan
    with pytest.raises(SystemExit):
        migrate("--check")
    output = StringIO()
    call_command("sqlmigrate", "django_wfe", "0004", stdout=output)
    assert "THIS OPERATION CANNOT BE WRITTEN AS SQL" in output.getvalue()
    assert "django_wfe1_job" not in read_tables()


def test_the_take_over_comes_before_all_that_changes_tables() -> None:
    """A database of 1.x has none of them yet, and its history says that 0001 is applied."""
    from django.db.migrations.loader import MigrationLoader

    graph = MigrationLoader(None).graph
    own = [key for key in graph.nodes if key[0] == "django_wfe"]
    take_over = ("django_wfe", "0004_take_over_version_one")
    before = {key for key in graph.forwards_plan(take_over) if key[0] == "django_wfe"}
    assert before == {take_over, *(("django_wfe", name) for name in MIGRATIONS)}
    for key in own:
        assert key in before or take_over in graph.forwards_plan(key), key


NOT_THERE = ("django_wfe_job_input", "django_wfe_workflow_graph")
"""Nothing is asked, and the watchdog has recorded no definition yet."""


def test_the_pages_and_calls_about_old_jobs_are_there(old: TakenOver) -> None:
    user, _ = User.objects.get_or_create(username="boss", is_staff=True, is_superuser=True)
    console, api = Client(), APIClient()
    console.force_login(user)
    api.force_authenticate(user)
    runs = {was.pk: Job.objects.get(pk=was.pk).step_runs.order_by("-number")[0] for was in JOBS}
    for was in JOBS:
        ids = {"workflow": 2, "waiting": was.pk, "failed": was.pk, "failed_run": runs[was.pk].pk, "paused": was.pk}
        ids |= {"definition": Definition.objects.get().pk, "event": JobEvent.objects.get(job=was.pk).pk}
        about = {"workflow", "waiting", "failed", "failed_run", "definition", "event"}
        for address in ADDRESSES:
            if not address.gets or not set(address.arguments[:1]) <= about or address.name in NOT_THERE:
                continue
            if was is not JOBS[0] and address.arguments[:1] in ((), ("workflow",), ("definition",)):
                continue
            path = address.build(World(ids))
            response = console.get(path)
            if address.name in {
                "django_wfe_job_verb",
                "django_wfe_workflow_start",
                "django_wfe_workflow_start_many",
                "django_wfe_workflow_columns",
            }:
                # Nothing can be done: the page says why, or leads back to where it is said.
                assert response.status_code in (200, 302), path
                continue
            assert response.status_code == 200, (path, response)
            if address.is_page:
                read_page(response)
    page = read_page(console.get(reverse("admin:django_wfe_job_change", args=[3]))).text
    assert "It ran to its end under django-wfe 1.x, and is kept as history." in page
    assert "taken over from django-wfe 1.x" in page
    listed = console.get(reverse("admin:django_wfe_job_changelist")).content.decode()
    assert [was.pk for was in JOBS if f"/django_wfe/job/{was.pk}/change/" not in listed] == []

    assert len(api.get("/wfe/jobs/").json()["results"]) == len(JOBS)
    told = api.get("/wfe/jobs/3/").json()
    assert (told["state"], told["storage"]["data"][-1]["result"]) == ("FINISHED", "left")
    assert api.get("/wfe/jobs/3/logs").status_code == 200
    assert api.get("/wfe/jobs/5/input/").status_code == 409
    assert api.post("/wfe/jobs/3/rerun/", {"number": 1}, format="json").status_code == 409
