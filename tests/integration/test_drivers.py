"""What the engine reads and writes is the same with either driver, whatever binds parameters and keeps sessions."""

import json
import threading
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.db.models.functions import Now

from django_wfe import order_workflow_execution, provide_external_input, run_workflow, steps
from django_wfe.engine.bulk.runs import start_bulk, work_on_bulk
from django_wfe.engine.errors.database_errors import get_sqlstate, is_connection_error
from django_wfe.engine.queries.incidents import list_incidents
from django_wfe.engine.recovery.sweeping import sweep
from django_wfe.engine.store import statements
from django_wfe.engine.store.claims import RUNNABLE
from django_wfe.engine.store.prepared import fetch_row
from django_wfe.engine.worker.heartbeat import get_worker
from django_wfe.models import Job, JobState, StepRun, Worker
from django_wfe.workflows import Workflow
from tests import workflows
from tests.support.running.driver import is_psycopg3
from tests.support.running.engine_helpers import read_log, recording_dispatcher

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

HOSTILE = r"""' " \ \' %s %% %(id)s $1 :name ? -- /* ; E'\n' €uro 🙂""" + "\n\ttab"

only_psycopg3 = pytest.mark.skipif(
    not is_psycopg3, reason="Django uses psycopg2 here, and this needs psycopg 3 (make test DRIVER=psycopg3)"
)
WAYS: dict[str, dict[str, Any]] = {
    "as usual": {},
    "without prepared statements": {"DISABLE_SERVER_SIDE_CURSORS": True},
    "bound by the server": {"OPTIONS": {"server_side_binding": True}},
    "bound by the server, without prepared statements": {
        "OPTIONS": {"server_side_binding": True},
        "DISABLE_SERVER_SIDE_CURSORS": True,
    },
    "from a pool": {"OPTIONS": {"pool": {"min_size": 1, "max_size": 2}}},
}


@pytest.fixture(
    params=[pytest.param(way, marks=[only_psycopg3] if "OPTIONS" in values else []) for way, values in WAYS.items()]
)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    connection.close()
    for name, value in WAYS[request.param].items():
        monkeypatch.setitem(connection.settings_dict, name, value)
    yield request.param
    connection.close()
    if is_psycopg3:
        connection.close_pool()


class Echo(steps.Step):
    def execute(self, _input: Any = None) -> Any:
        print(HOSTILE)
        return {"text": HOSTILE, "number": 1.5, "nothing": None, "list": [1, True, HOSTILE]}


class EchoAtomic(Echo):
    atomic = True


class Break(steps.Step):
    retry = steps.Retry(max_attempts=2, backoff=0.01)

    def execute(self, _input: Any = None) -> Any:
        raise ValueError(HOSTILE)


class Echoing(Workflow):
    DIGRAPH = {steps.__start__: [Echo], Echo: [EchoAtomic], EchoAtomic: [Break]}


def test_whatever_a_step_prints_returns_and_raises_is_kept_to_the_letter(way: str) -> None:
    with recording_dispatcher():
        job = Job.objects.get(pk=run_workflow(Echoing, key=HOSTILE.strip()))
        assert run_workflow(Echoing, key=HOSTILE.strip()) == job.pk
    echoed, echoed_atomic, broken = StepRun.objects.filter(job=job, number__gt=0, attempt=1).order_by("number")
    assert echoed.result == echoed_atomic.result == Echo(None).execute()  # type: ignore[arg-type]
    assert (broken.error_type, broken.error) == ("ValueError", HOSTILE)
    assert read_log(job).count(HOSTILE) >= 2
    assert job.key == HOSTILE.strip()


def test_what_is_read_outside_of_the_orm_has_the_same_types(way: str) -> None:
    with recording_dispatcher():
        job_id = run_workflow(workflows.Asking)
        provide_external_input(job_id, {"some_data": 3})
    worker = get_worker()
    worker.enlist()
    run = StepRun.objects.get(job=job_id, state="READY")
    row = fetch_row(
        statements.CLAIM, {"id": run.pk, "worker_id": worker.id.hex, "runnable": RUNNABLE, "suspects": True}
    )
    assert row is not None
    assert [type(value) for value in row[:10]] == [int, int, uuid.UUID, str, str, int, int, int, int, str]
    # jsonb as text, whichever driver: it is decoded once, here.
    assert json.loads(row[10]) == StepRun.objects.get(pk=run.previous_id).result
    assert json.loads(row[11])["some_data"] == 3
    assert row[12] == 0
    found = fetch_row(statements.FIND_WORKFLOW_BY_PATH, {"path": "tests.workflows.Asking"})
    assert found is not None
    assert dict(zip((*statements.WORKFLOW_COLUMNS, "version"), found, strict=True))["groups"] == "[]"
    assert fetch_row(statements.FIND_WORKFLOW, {"workflow_id": 0}) is None


def test_the_same_holds_in_a_transaction_of_the_callers(way: str) -> None:
    with recording_dispatcher(), transaction.atomic():
        job_id = order_workflow_execution(workflows.Linear, key=HOSTILE.strip())
        run_workflow(workflows.Linear)
    assert Job.objects.get(pk=job_id).key == HOSTILE.strip()


def test_every_statement_of_recovery_incidents_and_bulk_runs_passes(way: str) -> None:
    with recording_dispatcher():
        lost = order_workflow_execution(workflows.Linear)
        worker = Worker.objects.create(hostname="gone", pid=1, last_seen=Now() - timedelta(hours=1))
        parameters = {"id": StepRun.objects.get(job=lost, number=1).pk, "runnable": RUNNABLE, "suspects": True}
        assert fetch_row(statements.CLAIM, {**parameters, "worker_id": worker.pk.hex})
        overdue = order_workflow_execution(workflows.Linear)
        StepRun.objects.filter(job=overdue).update(dispatched_at=Now() - timedelta(hours=1), due_at=Now())
        StepRun.objects.filter(job=overdue).update(due_at=Now() - timedelta(hours=1))
        report = sweep()
        assert (report.dead_workers, report.lost) == (1, 1)
        assert report.redispatched >= 1
        get_worker().note_lack("shop.Step", HOSTILE)
        get_worker().note_found("shop.Step")
        failed = run_workflow(workflows.Failing)
        assert [(incident.jobs, incident.job_id) for incident in list_incidents(None)] == [(1, failed)]
        bulk = start_bulk("cancel", Job.objects.filter(pk__in=[lost, overdue]))
        work_on_bulk(bulk.pk)
    assert list(bulk.items.values_list("state", flat=True)) == ["DONE", "DONE"]


def test_a_session_that_others_had_meanwhile_serves_as_before(way: str) -> None:
    """A pool gives out one session after another; what was prepared in each is known by the session, not the thread."""
    states: list[str] = []

    def run() -> None:
        for _ in range(3):
            states.append(Job.objects.get(pk=run_workflow(workflows.Linear)).state)
            connections.close_all()

    with recording_dispatcher():
        run()
        threads = [threading.Thread(target=run) for _ in range(2)]
        connection.close()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        run()
    assert states == [JobState.FINISHED] * 12


@pytest.mark.parametrize(("statement", "state"), [("SELECT 1 / 0", "22012"), ("SELECT nothing", "42703")])
def test_an_error_has_the_state_that_the_server_gives(way: str, statement: str, state: str) -> None:
    with pytest.raises(DatabaseError) as caught, connection.cursor() as cursor:
        cursor.execute(statement)
    assert get_sqlstate(caught.value) == state
    assert not is_connection_error(caught.value)


def test_a_session_that_the_server_ends_is_a_connection_error(way: str) -> None:
    with pytest.raises(DatabaseError) as caught, connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert is_connection_error(caught.value)
    connection.close()
    with recording_dispatcher():
        assert Job.objects.get(pk=run_workflow(workflows.Linear)).state == JobState.FINISHED
