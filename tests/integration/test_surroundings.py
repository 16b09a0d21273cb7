"""A step gives its thread back as it got it, and what it does to its sessions harms no other step."""

import decimal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import freezegun
import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils import timezone, translation

from django_wfe import order_workflow_execution, run_workflow, signals
from django_wfe.engine.lifecycle import cancel_job
from django_wfe.engine.worker import step_execution
from django_wfe.engine.worker.heartbeat import get_worker
from django_wfe.engine.worker.loop import run_step_run
from django_wfe.exceptions import StepTimeout
from django_wfe.models import Job, JobState, StepRun, StepRunState
from django_wfe.steps import Step
from django_wfe.testing import run_to_end
from tests.declared import surroundings_workflows as declared
from tests.support.running.engine_helpers import get_last_run
from tests.support.running.waiting import wait_until

pytestmark = [
    pytest.mark.integration,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("fresh_engine", "sent"),
]

Action = Callable[[Step], Any]


@pytest.fixture
def act(monkeypatch: pytest.MonkeyPatch) -> Callable[[Action], None]:
    """Say what the steps of this test do."""
    return lambda action: monkeypatch.setattr(declared.Act, "ACTION", staticmethod(action))


@pytest.fixture
def outside(transactional_db: None) -> Iterator[Callable[[str], list[tuple[Any, ...]]]]:
    """Ask the database from a session of its own: what is not committed is not there."""
    session = connection.get_new_connection(connection.get_connection_params())
    session.autocommit = True

    def ask(statement: str) -> list[tuple[Any, ...]]:
        with session.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()

    yield ask
    session.close()


def execute(statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone() if cursor.description else None


def read_session() -> tuple[Any, ...]:
    """Read what the next step meets: its settings, its locks, its temporary tables, its transaction."""
    names = ("search_path", "statement_timeout", "application_name", "default_transaction_isolation", "role")
    return (
        *(execute(f"SHOW {name}")[0] for name in names),
        execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")[0],
        execute("SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND relname = 'left_behind'")[0],
        execute("SELECT count(*) FROM pg_prepared_statements WHERE name = 'left_behind'")[0],
        connection.in_atomic_block,
        connection.get_autocommit(),
        connection.connection.isolation_level,
        len(connection.execute_wrappers),
    )


def leave_begin(step: Step) -> None:
    execute("BEGIN")
    Group.objects.create(name="uncommitted")


def leave_block(step: Step) -> None:
    transaction.atomic().__enter__()
    Group.objects.create(name="uncommitted")


def leave_two_blocks(step: Step) -> None:
    transaction.atomic().__enter__()
    leave_block(step)


def leave_autocommit_off(step: Step) -> None:
    transaction.set_autocommit(False)
    Group.objects.create(name="uncommitted")


def leave_broken_transaction(step: Step) -> None:
    execute("BEGIN")
    with pytest.raises(Exception, match="division by zero"):
        execute("SELECT 1 / 0")


OPEN_TRANSACTIONS = [leave_begin, leave_block, leave_two_blocks, leave_autocommit_off, leave_broken_transaction]


@pytest.mark.parametrize("leave", OPEN_TRANSACTIONS)
def test_a_step_that_leaves_a_transaction_open_fails_and_says_so(leave, act, outside):
    before = read_session()
    act(leave)
    job = Job.objects.get(pk=run_workflow(declared.ActThenWrite))
    assert job.state == JobState.FAILED
    assert "with transaction.atomic()" in job.error, "the cure is named"
    assert read_session() == before
    assert outside("SELECT name FROM auth_group") == []
    act(lambda step: None)
    following = run_workflow(declared.ActThenWrite)
    assert outside(f"SELECT state FROM django_wfe_job WHERE id = {following}") == [("FINISHED",)]
    assert outside("SELECT name FROM auth_group") == [(f"written by {following}",)]


@pytest.mark.parametrize("leave", OPEN_TRANSACTIONS)
def test_a_step_that_fails_with_a_transaction_open_keeps_its_own_error(leave, act, outside):
    def leave_and_raise(step: Step) -> None:
        leave(step)
        raise ValueError("the real reason")

    before = read_session()
    act(leave_and_raise)
    job = Job.objects.get(pk=run_workflow(declared.ActThenWrite))
    assert "ValueError: the real reason" in job.error
    assert read_session() == before
    assert outside("SELECT name FROM auth_group") == []


def test_an_atomic_step_that_leaves_a_block_open_fails_without_its_writes(act, outside):
    before = read_session()
    act(leave_block)
    job = Job.objects.get(pk=run_workflow(declared.ActAtomicallyThenWrite))
    assert (job.state, "atomic()" in job.error) == (JobState.FAILED, True)
    assert read_session() == before
    assert outside("SELECT name FROM auth_group") == []


def test_an_atomic_step_that_ends_the_transaction_itself_fails(act):
    def commit(step: Step) -> None:
        Group.objects.create(name="committed too early")
        execute("COMMIT")

    before = read_session()
    act(commit)
    job = Job.objects.get(pk=run_workflow(declared.ActAtomicallyThenWrite))
    assert (job.state, "ended the transaction" in job.error) == (JobState.FAILED, True)
    assert read_session() == before


@pytest.mark.parametrize(
    "statement",
    [
        "set session statement_timeout = 1234",
        "/* a comment */ SET application_name = 'mine'",
        "SELECT set_config('statement_timeout', '1234', FALSE)",
        "SELECT pg_advisory_lock(42)",
        "SELECT pg_try_advisory_lock_shared(42)",
        "CREATE TEMPORARY TABLE left_behind (id integer)",
        "SELECT 1 AS id INTO TEMP left_behind",
        "PREPARE left_behind AS SELECT 1",
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    ],
)
@pytest.mark.parametrize("workflow", [declared.ActThenWrite, declared.ActAtomicallyThenWrite])
def test_what_a_step_sets_for_its_session_ends_with_it(statement, workflow, act):
    before = read_session()

    def change(step: Step) -> None:
        execute(statement)
        assert read_session() != before

    # The next step writes with the session that it gets.
    act(change)
    job = Job.objects.get(pk=run_workflow(workflow))
    assert (job.state, job.error) == (JobState.FINISHED, "")
    assert read_session() == before


@pytest.mark.parametrize("statement", ["SET search_path TO pg_catalog", "SET ROLE pg_monitor"])
def test_a_step_that_hides_the_tables_or_gives_up_its_role_harms_itself_alone(statement, act):
    """In the transaction of an atomic step the engine has to commit the result with what the step has set."""
    before = read_session()
    act(lambda step: execute(statement))
    assert Job.objects.get(pk=run_workflow(declared.ActThenWrite)).state == JobState.FINISHED
    assert read_session() == before
    assert Job.objects.get(pk=run_workflow(declared.ActAtomicallyThenWrite)).state == JobState.FAILED
    assert read_session() == before


@pytest.mark.parametrize("statement", ["SET LOCAL statement_timeout = 1234", "SELECT pg_advisory_xact_lock(42)"])
def test_what_ends_with_a_transaction_costs_no_session(statement, act):
    def change(step: Step) -> int:
        with transaction.atomic():
            execute(statement)
        return execute("SELECT pg_backend_pid()")[0]

    act(change)
    job = Job.objects.get(pk=run_workflow(declared.ActThenWrite))
    assert job.storage["data"][1]["result"] == execute("SELECT pg_backend_pid()")[0]


def test_the_drivers_own_switches_are_put_back(act):
    def change(step: Step) -> None:
        if hasattr(connection.connection, "readonly"):
            connection.connection.set_session(isolation_level="SERIALIZABLE", readonly=True)
        else:  # psycopg 3
            connection.connection.read_only = True
        connection.execute_wrappers.append(lambda execute, *arguments: execute(*arguments))

    before = read_session()
    act(change)
    assert Job.objects.get(pk=run_workflow(declared.ActThenWrite)).state == JobState.FINISHED
    assert read_session() == before


def test_a_connection_that_a_step_has_closed_is_made_anew(act):
    act(lambda step: connection.connection.close())
    assert Job.objects.get(pk=run_workflow(declared.ActThenWrite)).state == JobState.FINISHED


def test_the_language_time_zone_and_decimal_context_are_those_before(act):
    def change(step: Step) -> None:
        translation.activate("de")
        timezone.activate("Asia/Tokyo")
        decimal.getcontext().prec = 3

    before = (translation.get_language(), timezone.get_current_timezone_name(), decimal.getcontext().prec)
    act(change)
    run_workflow(declared.ActThenWrite)
    assert (translation.get_language(), timezone.get_current_timezone_name(), decimal.getcontext().prec) == before


def loop_in_blocks(step: Step) -> None:
    while True:
        with transaction.atomic():
            Group.objects.filter(name="nobody").update(name="nobody")


def sleep_in_the_database(step: Step) -> None:
    execute("SELECT pg_sleep(600)")


def swallow_what_the_database_says(step: Step) -> None:
    while True:
        try:
            execute("SELECT pg_sleep(600)")
        except OperationalError:
            step.log.info("again")


def raise_something_else(step: Step) -> None:
    try:
        loop_in_blocks(step)
    except StepTimeout:
        with transaction.atomic():
            Group.objects.count()
        raise


@pytest.mark.parametrize(
    "work", [loop_in_blocks, sleep_in_the_database, swallow_what_the_database_says, raise_something_else]
)
@pytest.mark.parametrize("workflow", [declared.ActInTimeThenWrite, declared.ActAtomicallyInTimeThenWrite])
def test_a_timeout_reaches_a_step_that_is_always_in_the_database(work, workflow, act, outside):
    before = read_session()
    act(work)
    job = Job.objects.get(pk=run_workflow(workflow))
    assert (job.state, "TimeoutError" in job.error) == (JobState.FAILED, True)
    assert read_session() == before
    act(lambda step: None)
    following = run_workflow(declared.ActThenWrite)
    assert outside(f"SELECT state FROM django_wfe_job WHERE id = {following}") == [("FINISHED",)]


def test_a_timeout_comes_though_a_test_has_frozen_the_time(act):
    act(lambda step: [time.sleep(0.001) for _ in range(100_000)])
    with freezegun.freeze_time("2031-05-06"):
        job = run_to_end(declared.ActInTimeThenWrite)
    assert "TimeoutError" in job.error


def test_an_interrupt_of_a_step_that_runs_another_job_ends_both(act, monkeypatch):
    """The outer step is out of time while the inner one is at work: the outer fails, the inner was cut off."""
    monkeypatch.setattr(declared.ActInTime, "timeout", 1.0)

    def run_another(step: Step) -> None:
        declared.Act.ACTION = staticmethod(lambda step: [time.sleep(0.001) for _ in range(100_000)])
        run_workflow(declared.ActThenWrite)

    act(run_another)
    outer = Job.objects.get(pk=run_workflow(declared.ActInTimeThenWrite))
    inner = Job.objects.exclude(pk=outer.pk).get()
    assert "TimeoutError" in outer.error
    states = inner.step_runs.filter(number=1).order_by("attempt").values_list("state", flat=True)
    assert list(states) == [StepRunState.LOST, StepRunState.READY]


def test_a_step_that_raises_the_interrupt_itself_has_failed(act):
    def raise_it(step: Step) -> None:
        raise StepTimeout("my own")

    act(raise_it)
    failed = get_last_run(run_workflow(declared.ActThenWrite))
    assert (failed.state, failed.error_type, failed.error) == ("FAILED", "StepTimeout", "my own")


def test_a_canceled_step_cleans_up_with_a_session_that_works(act, monkeypatch):
    def note(step: Step) -> None:
        Group.objects.create(name="cleaned up")

    monkeypatch.setattr(declared.Act, "on_cancel", note)
    began = threading.Event()

    def work(step: Step) -> None:
        began.set()
        loop_in_blocks(step)

    act(work)
    for workflow in (declared.ActThenWrite, declared.ActAtomicallyThenWrite):
        began.clear()
        job_id = order_workflow_execution(workflow)
        canceller = threading.Thread(target=cancel_when, args=(began, job_id))
        canceller.start()
        get_worker().resident = True  # looks for canceled jobs each second
        run_step_run(StepRun.objects.get(job_id=job_id, state=StepRunState.READY).pk)
        canceller.join()
        assert Job.objects.get(pk=job_id).state == JobState.CANCELED
        assert Group.objects.filter(name="cleaned up").delete()[0] == 1


def cancel_when(began: threading.Event, job_id: int) -> None:
    assert began.wait(30)
    cancel_job(job_id)
    connection.close()


def conflict_once(state: str) -> Action:
    """Return code of a step that PostgreSQL refuses at its commit, at the first attempt, with this SQLSTATE."""
    execute(
        "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION 'conflict' USING ERRCODE = '{state}'; END $$"
    )
    execute(
        "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON auth_group DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW WHEN (NEW.name = 'attempt 1') EXECUTE FUNCTION refuse()"
    )
    return lambda step: Group.objects.create(name=f"attempt {step.attempt}").pk


@pytest.mark.parametrize("state", ["40001", "40P01", "55P03", "57014", "53100"])
def test_a_conflict_at_the_commit_of_an_atomic_step_is_a_failure_that_retry_tries_again(state, act):
    try:
        act(conflict_once(state))
        job = run_to_end(declared.ActAtomicallyAgainThenWrite)
    finally:
        execute("DROP TRIGGER IF EXISTS refuse ON auth_group")
        execute("DROP FUNCTION IF EXISTS refuse()")
    runs = list(job.step_runs.filter(number=1).order_by("attempt").values_list("state", "lost_before"))
    assert job.state == JobState.FINISHED
    assert runs == [("FAILED", 0), ("FINISHED", 0)], "no worker has died of it"
    assert list(Group.objects.filter(name__startswith="attempt").values_list("name", flat=True)) == ["attempt 2"]


def test_an_error_of_the_engine_fails_the_run_and_names_both(act, monkeypatch):
    def break_description(*arguments: Any, **keywords: Any) -> None:
        raise RuntimeError("the engine is broken here")

    def fail(step: Step) -> None:
        raise ValueError("the step is broken here")

    act(fail)
    monkeypatch.setattr(step_execution, "describe_failure", break_description)
    job = Job.objects.get(pk=run_workflow(declared.ActThenWrite))
    assert job.state == JobState.FAILED
    assert "the engine is broken here" in job.error
    assert "the step is broken here" in job.error


@pytest.mark.parametrize("error", [ValueError("too late"), SystemExit(3)])
def test_what_a_hook_raises_after_the_commit_of_an_atomic_step_is_logged_and_the_job_goes_on(error, act, caplog):
    def hook_and_write(step: Step) -> None:
        def raise_it() -> None:
            raise error

        transaction.on_commit(raise_it)
        Group.objects.create(name="by the step")

    act(hook_and_write)
    job = Job.objects.get(pk=run_workflow(declared.ActAtomicallyThenWrite))
    assert (job.state, job.error) == (JobState.FINISHED, "")
    assert Group.objects.count() == 2
    assert f"raise_it, called after the commit, raised {type(error).__name__}" in caplog.text


class TestInATransactionOfTheCallers:
    """As Django's TestCase does, and ``run_workflow`` inside ``transaction.atomic()``."""

    pytestmark = pytest.mark.django_db

    def test_a_constraint_that_a_step_breaks_fails_the_step_alone(self, act):
        def repeat(step: Step) -> None:
            Group.objects.create(name="only one")

        act(repeat)
        with transaction.atomic():
            Group.objects.create(name="only one")
            job = run_to_end(declared.ActThenWrite)
            assert job.state == JobState.FAILED
            assert "IntegrityError" in job.error
            assert Group.objects.count() == 1, "the caller's transaction goes on"

    def test_what_a_step_catches_is_not_held_against_it(self, act):
        def catch(step: Step) -> None:
            try:
                Group.objects.create(name="only one")
            except IntegrityError:
                step.log.info("it was there")

        act(catch)
        with transaction.atomic():
            Group.objects.create(name="only one")
            assert run_to_end(declared.ActThenWrite).state == JobState.FINISHED

    @pytest.mark.parametrize("leave", [leave_block, leave_two_blocks])
    def test_blocks_that_a_step_leaves_open_are_closed(self, leave, act):
        act(leave)
        with transaction.atomic():
            job = run_to_end(declared.ActThenWrite)
            assert job.state == JobState.FAILED
            assert not Group.objects.exists()
            Group.objects.create(name="by the caller")
        assert list(Group.objects.values_list("name", flat=True)) == ["by the caller"]

    def test_writes_of_a_step_that_fails_stay_as_they_do_in_autocommit(self, act):
        def write_and_raise(step: Step) -> None:
            Group.objects.create(name="written")
            raise ValueError("and then this")

        act(write_and_raise)
        with transaction.atomic():
            assert run_to_end(declared.ActThenWrite).state == JobState.FAILED
            assert Group.objects.filter(name="written").exists()


@pytest.mark.parametrize("leave", [leave_begin, leave_block])
def test_a_receiver_that_leaves_a_transaction_open_harms_no_step(leave, act, outside):
    def receive(**named: Any) -> None:
        leave(named["step_run"])

    before = read_session()
    act(lambda step: None)
    signals.step_finished.connect(receive)
    try:
        job_id = run_workflow(declared.ActThenWrite)
    finally:
        signals.step_finished.disconnect(receive)
    assert outside(f"SELECT state FROM django_wfe_job WHERE id = {job_id}") == [("FINISHED",)]
    assert outside("SELECT name FROM auth_group") == [(f"written by {job_id}",)]
    assert read_session() == before


def test_messages_find_sound_sessions_though_another_actor_left_them_open(act, sent):
    from django_wfe.tasks import run_step

    act(lambda step: None)
    job_id = order_workflow_execution(declared.ActThenWrite)
    step_run_id = StepRun.objects.get(job_id=job_id, state=StepRunState.READY).pk
    transaction.atomic().__enter__()
    Group.objects.create(name="of another actor")
    run_step(step_run_id)
    wait_until(lambda: Job.objects.get(pk=job_id).state == JobState.FINISHED)
    assert not connection.in_atomic_block
    assert not Group.objects.filter(name="of another actor").exists()
