"""Steps that are declared with ``async``: what they get, what they leave, and that all else is as with plain ones."""

import asyncio
import contextvars
import gc
import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group
from django.core.exceptions import SynchronousOnlyOperation
from django.db import connection, connections
from django.utils import translation
from pydantic import BaseModel

from django_wfe import arun, order_workflow_execution, run_workflow
from django_wfe.models import Job, JobAttribute, JobState, StepRun
from django_wfe.steps import Step
from django_wfe.testing import assert_survives_crashes, run_to_end
from tests.declared import async_workflows as declared
from tests.support.running.engine_helpers import get_last_run, read_log, run_ready
from tests.support.running.waiting import wait_until

pytestmark = [
    pytest.mark.integration,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("fresh_engine", "sent"),
]

NUMBER: contextvars.ContextVar[int] = contextvars.ContextVar("number", default=1)


@pytest.fixture
def act(monkeypatch: pytest.MonkeyPatch) -> Callable[[declared.Action], None]:
    """Say what the steps of this test do."""
    return lambda action: monkeypatch.setattr(declared.Act, "ACTION", staticmethod(action))


@pytest.fixture
def outside(transactional_db: None) -> Iterator[Callable[[], list[str]]]:
    """Ask for the names that another session sees: those that are committed."""
    session = connection.get_new_connection(connection.get_connection_params())
    session.autocommit = True

    def ask() -> list[str]:
        with session.cursor() as cursor:
            cursor.execute("SELECT name FROM auth_group ORDER BY name")
            return [name for (name,) in cursor.fetchall()]

    yield ask
    session.close()


def run(workflow: Any, **options: Any) -> Job:
    return Job.objects.get(pk=run_workflow(workflow, **options))


def ask_backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def count_backends() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def list_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if not thread.name.startswith("django-wfe-heartbeat")}


def test_it_gets_what_a_plain_step_gets(act):
    async def tell(step: Step) -> dict[str, Any]:
        await asyncio.sleep(0)
        step.set_attribute("customer", "Ada")
        return {
            "name": step.job_input.name,
            "job": step.job.pk,
            "workflow": step.job.workflow.path.rpartition(".")[2],
            "attempt": step.attempt,
            "key": step.idempotency_key,
        }

    act(tell)
    job = run(declared.Acting, input={"name": "Ada"})
    told = StepRun.objects.get(job=job, number=1)
    assert job.state == JobState.FINISHED
    assert list(JobAttribute.objects.values_list("job", "name", "value")) == [(job.pk, "customer", "Ada")]
    assert told.result == {
        "name": "Ada",
        "job": job.pk,
        "workflow": "Acting",
        "attempt": 1,
        "key": told.idempotency_key,
    }


def test_without_job_input_there_is_none_and_no_refusal(act):
    async def tell(step: Step) -> str:
        return repr(step.job_input)

    act(tell)
    assert run(declared.WithoutInput).storage["data"][1]["result"] == "None"


@pytest.mark.parametrize("asks", [False, True])
def test_job_input_that_no_longer_fits_fails_the_step_that_asks_for_it(asks, act, monkeypatch):
    class Narrower(BaseModel):
        name: int

    async def tell(step: Step) -> Any:
        return step.job_input if asks else "not asked"

    act(tell)
    job_id = order_workflow_execution(declared.Acting, input={"name": "Ada"})
    monkeypatch.setattr(declared.Acting, "InputSchema", Narrower)
    job = run_ready(job_id)
    assert job.state == (JobState.FAILED if asks else JobState.FINISHED)
    assert ("ValidationError" in job.error) == asks


def test_what_it_asks_of_the_database_by_the_plain_orm_is_refused_by_django(act):
    async def ask(step: Step) -> int:
        return step.job.step_runs.count()

    act(ask)
    assert get_last_run(run(declared.Acting).pk).error_type.endswith(SynchronousOnlyOperation.__name__)

    async def ask_in_thread(step: Step) -> int:
        return await sync_to_async(step.job.step_runs.count)()

    act(ask_in_thread)
    assert run(declared.Acting).storage["data"][1]["result"] == 2


def test_all_that_it_puts_out_is_in_its_log_in_order(act):
    async def put_out(step: Step) -> None:
        async def in_task() -> None:
            print("in a task")

        def in_step_thread() -> None:
            print("in the step's thread")

        def in_other_thread() -> None:
            print("in another thread", file=sys.stderr)

        print("first of all")
        step.log.info("logged in the coroutine")
        await asyncio.create_task(in_task())
        await sync_to_async(in_step_thread)()
        await sync_to_async(in_other_thread, thread_sensitive=False)()
        await asyncio.to_thread(step.log.info, "logged in a thread")
        await Group.objects.acreate(name="g")
        print("at the end")

    act(put_out)
    log = read_log(run(declared.WithoutInput))
    parts = [
        *("first of all\n", "logged in the coroutine\n", "in a task\n", "in the step's thread\n"),
        *("in another thread\n", "logged in a thread\n", "at the end\n"),
    ]
    assert [log.count(part) for part in parts] == [1] * len(parts)
    assert [log.index(part) for part in parts] == sorted(log.index(part) for part in parts)


def test_the_async_orm_works_in_the_steps_own_session(act):
    async def compare(step: Step) -> list[int]:
        return [await sync_to_async(ask_backend)(), await sync_to_async(ask_backend, thread_sensitive=False)()]

    act(compare)
    own, other = run(declared.WithoutInput).storage["data"][1]["result"]
    assert own == ask_backend()
    assert other != own


def test_what_an_atomic_step_writes_is_committed_with_its_result(act, outside):
    seen: list[list[str]] = []

    async def write(step: Step) -> None:
        await Group.objects.acreate(name="first")
        await asyncio.gather(*(Group.objects.acreate(name=name) for name in ("second", "third")))
        seen.append(outside())

    act(write)
    job = run(declared.Atomic)
    assert seen == [[]], "nothing is committed before the result is"
    assert outside() == ["first", "second", "third", f"written by {job.pk}"]


def test_what_an_atomic_step_wrote_before_it_failed_is_rolled_back(act, outside):
    async def write(step: Step) -> None:
        await Group.objects.acreate(name="first")
        raise ValueError("after all")

    act(write)
    job = run(declared.Atomic)
    assert (job.state, outside()) == (JobState.FAILED, [])
    assert "ValueError: after all" in job.error


def test_a_failure_is_told_from_the_steps_code_on_and_tried_again(act):
    async def fail_twice(step: Step) -> str:
        if step.attempt < 3:
            await Group.objects.aget(name=f"attempt {step.attempt}")
        return "at last"

    act(fail_twice)
    job = run_to_end(declared.Again)
    failed = StepRun.objects.get(job=job, number=1, attempt=1)
    assert (job.state, get_last_run(job.pk).result) == (JobState.FINISHED, "at last")
    assert failed.error_type.endswith("Group.DoesNotExist")
    first_line = failed.traceback.splitlines()[1]
    assert first_line.endswith("in execute"), "no frame of the engine comes before it"
    assert "fail_twice" in failed.traceback


@pytest.mark.parametrize(("name", "result"), [("known", "right"), ("unknown", "left")])
def test_a_decision_may_ask_the_database_for_the_edge(name, result, act):
    async def choose(step: Step) -> str:
        await Group.objects.acreate(name="known")
        return name

    act(choose)
    assert get_last_run(run(declared.Choosing).pk).result == result


def test_language_and_context_variables_are_those_before(act):
    async def change(step: Step) -> int:
        translation.activate("de")
        NUMBER.set(2)
        return NUMBER.get()

    before = translation.get_language()
    act(change)
    assert run(declared.WithoutInput).storage["data"][1]["result"] == 2
    assert (translation.get_language(), NUMBER.get()) == (before, 1)


def test_neither_threads_nor_tasks_nor_connections_are_left(act):
    ended: list[str] = []

    async def wait_for_ever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            # The async ORM still works at the end.
            ended.append(await Group.objects.values_list("name", flat=True).aget())

    async def fail_at_the_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("a task that nobody awaits")

    async def leave_all(step: Step) -> None:
        await Group.objects.acreate(name="left")
        tasks = [asyncio.create_task(wait_for_ever()), asyncio.create_task(fail_at_the_end())]
        await asyncio.sleep(0)
        counts = [sync_to_async(Group.objects.count, thread_sensitive=False)() for _ in range(3)]
        assert await asyncio.gather(*counts) == [1, 1, 1]
        asyncio.get_running_loop().run_in_executor(None, ended.append, "a call that nobody awaits")
        step.kept = tasks  # as long as the step is there

    threads, backends = list_threads(), count_backends()
    act(leave_all)
    job = run(declared.WithoutInput)
    assert job.state == JobState.FINISHED
    assert sorted(ended) == ["a call that nobody awaits", "left"]
    assert list_threads() <= threads
    # The heartbeat has one of its own, now and then.
    wait_until(lambda: count_backends() <= backends)
    assert "ValueError: a task that nobody awaits" in read_log(job)


def test_a_failure_that_came_from_the_steps_thread_leaves_no_thread(act):
    """What it holds on to, through its traceback, is the frame that holds the executor of the loop's thread."""
    failures: list[BaseException] = []

    async def fail(step: Step) -> None:
        try:
            await Group.objects.aget(name="nobody")
        except Group.DoesNotExist as error:
            failures.append(error)
            raise

    threads = list_threads()
    act(fail)
    run(declared.WithoutInput)
    assert len(failures) == 1
    assert list_threads() <= threads


def test_a_connection_that_the_loops_thread_has_made_is_closed(act, monkeypatch):
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

    async def ask(step: Step) -> int:
        return ask_backend()

    backends = count_backends()
    act(ask)
    job = run(declared.WithoutInput)
    assert job.storage["data"][1]["result"] != ask_backend()
    wait_until(lambda: count_backends() <= backends)


def test_what_it_had_is_freed_without_the_garbage_collector(act):
    class Large:
        pass

    had: list[weakref.ref[Large]] = []

    async def hold(step: Step) -> None:
        large = Large()
        had.append(weakref.ref(large))
        await Group.objects.acount()
        step.large = large

    act(hold)
    gc.disable()
    try:
        run(declared.WithoutInput)
        assert [reference() for reference in had] == [None]
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("name", "error_type"), [("cancel", "CancelledError"), ("exit", "SystemExit"), ("stop", "RuntimeError")]
)
def test_what_ends_a_loop_is_a_failure_of_the_step_alone(name, error_type, act):
    async def end(step: Step) -> None:
        match name:
            case "cancel":
                asyncio.current_task().cancel()  # type: ignore[union-attr]
            case "exit":
                asyncio.get_running_loop().call_soon(sys.exit, 3)
            case "stop":
                asyncio.get_running_loop().stop()
        await asyncio.sleep(600)

    threads = list_threads()
    act(end)
    assert get_last_run(run(declared.WithoutInput).pk).error_type.rpartition(".")[2] == error_type
    act(declared.do_nothing)
    assert run(declared.Acting).state == JobState.FINISHED
    assert list_threads() <= threads


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_that_comes_back_from_the_coroutine_ends_there(act):
    async def fork(step: Step) -> int:
        child = os.fork()
        if child == 0:
            print("in the child", flush=True)
            return 0
        return await asyncio.to_thread(lambda: os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    act(fork)
    job = run(declared.Acting)
    assert (job.state, job.storage["data"][1]["result"]) == (JobState.FINISHED, 0)
    assert read_log(job).count("in the child\n") == 1


def test_in_a_thread_whose_loop_is_running_it_fails_and_says_what_to_do(act, monkeypatch):
    """As in a notebook, where people allow the plain ORM in the thread of the loop."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

    async def call() -> Job:
        job = run(declared.WithoutInput)
        connections.close_all()
        return job

    job = asyncio.run(call())
    assert job.state == JobState.FAILED
    assert "await arun(...)" in job.error


def test_it_runs_under_an_async_caller(act):
    """``arun`` and async tests run the engine in the thread that asgiref keeps for the ORM of the caller's loop."""

    async def call(step: Step) -> str:
        return await Group.objects.values_list("name", flat=True).aget(name="of the caller")

    async def view() -> int:
        await Group.objects.acreate(name="of the caller")
        try:
            return await arun(declared.WithoutInput)
        finally:
            await sync_to_async(connections.close_all)()

    act(call)
    assert Job.objects.get(pk=asyncio.run(view())).state == JobState.FINISHED


@pytest.mark.django_db
def test_it_runs_in_the_transaction_of_a_test(act):
    async def write(step: Step) -> str:
        await Group.objects.acreate(name=step.job_input.name)
        return step.job_input.name

    act(write)
    job = run_to_end(declared.Acting, job_input={"name": "in a test"})
    assert job.state == JobState.FINISHED
    assert Group.objects.filter(name__in=["in a test", f"written by {job.pk}"]).count() == 2


def test_it_survives_a_crash_at_every_point(act):
    async def write(step: Step) -> None:
        await Group.objects.acreate(name=step.idempotency_key)

    def check(job: Job) -> None:
        assert Group.objects.filter(name__startswith=str(job.uuid)).count() == 1

    act(write)
    assert_survives_crashes(declared.Atomic, check=check)
    assert Job.objects.count() > 8
