"""Verbs and bulk runs in a project whose transactions are REPEATABLE READ by default."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from django_wfe.engine.bulk.runs import start_bulk
from django_wfe.engine.lifecycle import assign_input, pause_job, pause_workflow, provide_external_input, run_workflow
from django_wfe.engine.store.transactions import atomic
from django_wfe.engine.worker.heartbeat import WorkerProcess
from django_wfe.models import BulkItem, Job, StepRun, Worker
from tests.support.running.waiting import wait_until
from tests.workflows import Asking

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

STRICT = "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ"
TOUCHES = """
UPDATE django_wfe_steprun SET dispatches = dispatches + 1;
UPDATE django_wfe_job SET error = 'changed meanwhile';
UPDATE django_wfe_workflow SET description = 'changed meanwhile'
"""


@pytest.fixture
def other() -> Iterator[Any]:
    """The session of somebody else."""
    other = connection.copy()
    yield other
    other.close()


def claim_first(job_id: int) -> None:
    user = User.objects.get()
    assign_input(StepRun.objects.get(job_id=job_id, state="INPUT_REQUIRED").pk, user)


DEEDS: dict[str, Callable[[int], Any]] = {
    "pause a job": pause_job,
    "pause a workflow": lambda job_id: pause_workflow(Job.objects.get(pk=job_id).workflow_id),
    "claim an input": claim_first,
    "give an input": lambda job_id: provide_external_input(job_id, {"some_data": 2}),
    "start a bulk run": lambda job_id: start_bulk("cancel", Job.objects.filter(pk=job_id)),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_what_waits_for_somebodys_lock_goes_on_with_what_they_have_committed(deed: str, other: Any) -> None:
    User.objects.create_superuser("boss")
    job_id = run_workflow(Asking)
    began = threading.Event()

    def act() -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute(STRICT)
            began.set()
            DEEDS[deed](job_id)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute(TOUCHES)
        done: Future[None] = pool.submit(act)
        try:
            assert began.wait(30)
            wait_until(lambda: done.done() or count_waiting() == 1, timeout=30)
        finally:
            with other.cursor() as cursor:
                cursor.execute("COMMIT")
        done.result(timeout=30)
    if deed == "start a bulk run":
        assert BulkItem.objects.count() == 1


def test_an_open_transaction_keeps_its_isolation() -> None:
    with connection.cursor() as cursor:
        cursor.execute(STRICT)
    try:
        with atomic():
            assert show_isolation() == "read committed"
            with atomic():
                assert show_isolation() == "read committed"
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            assert show_isolation() == "repeatable read"
            cursor.execute("ROLLBACK")
    finally:
        connection.close()


def show_isolation() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_isolation")
        return str(cursor.fetchone()[0])


def count_waiting() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return int(cursor.fetchone()[0])


def test_threads_that_enlist_one_worker_at_once_are_not_refused(transactional_db: None) -> None:
    """A message comes while the process is still starting: both write the worker's row."""
    worker = WorkerProcess()
    troubles: list[BaseException] = []
    begin = threading.Barrier(4)

    def enlist() -> None:
        try:
            connection.ensure_connection()
            with connection.cursor() as cursor:
                cursor.execute(STRICT)
            begin.wait(30)
            for _round in range(50):
                worker._beat()
        except BaseException as error:
            troubles.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=enlist) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert troubles == []
    assert Worker.objects.filter(pk=worker.id).count() == 1
