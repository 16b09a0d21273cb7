"""Timeouts and cancels reach async steps wherever they are, and leave nothing behind."""

import asyncio
import logging
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import Group
from django.db import connection

from django_wfe import order_workflow_execution, run_workflow
from django_wfe.engine.isolation import coroutine_interrupts
from django_wfe.engine.isolation.coroutine_interrupts import CoroutineInterrupts
from django_wfe.engine.isolation.interrupts import ActiveRun
from django_wfe.engine.lifecycle import cancel_job
from django_wfe.engine.worker import heartbeat
from django_wfe.engine.worker.heartbeat import get_worker
from django_wfe.engine.worker.loop import run_step_run
from django_wfe.exceptions import Interrupt, StepCanceled, StepTimeout
from django_wfe.models import Job, JobState, StepRun, StepRunState
from django_wfe.steps import Step
from tests.declared import async_workflows as declared
from tests.declared import surroundings_workflows as plain
from tests.support.running.engine_helpers import get_last_run, read_log
from tests.support.running.waiting import wait_until

pytestmark = [
    pytest.mark.integration,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("fresh_engine", "sent"),
]

FAR = 600
"""Seconds that nothing here waits: what is not interrupted hangs until the test run's own timeout."""

Seen = list[str]


@pytest.fixture
def seen() -> Seen:
    """What the steps of this test have noted."""
    return []


@pytest.fixture
def began() -> threading.Event:
    return threading.Event()


@pytest.fixture
def act(monkeypatch: pytest.MonkeyPatch, began: threading.Event) -> Callable[[declared.Action], None]:
    """Say what the steps of this test do."""

    def set_action(action: declared.Action) -> None:
        async def note_and_act(step: Step) -> Any:
            began.set()
            return await action(step)

        monkeypatch.setattr(declared.Act, "ACTION", staticmethod(note_and_act))

    return set_action


@pytest.fixture
def retired(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The reasons why this process would have been replaced."""
    reasons: list[str] = []
    monkeypatch.setattr(get_worker(), "retire", reasons.append)
    return reasons


@pytest.fixture
def silent_server() -> Iterator[int]:
    """The port of a server that takes connections, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def time_out(workflow: Any) -> Job:
    job = Job.objects.get(pk=run_workflow(workflow))
    assert (job.state, "TimeoutError" in job.error) == (JobState.FAILED, True), job.error
    return job


def cancel(workflow: Any, began: threading.Event, monkeypatch: pytest.MonkeyPatch) -> Job:
    """Run a job, cancel it once its step has begun, and return it once the step has ended."""
    monkeypatch.setattr(heartbeat, "TICK_SECONDS", 0.05)
    began.clear()
    job_id = order_workflow_execution(workflow)

    def cancel_when_begun() -> None:
        assert began.wait(30)
        cancel_job(job_id)
        connection.close()

    canceller = threading.Thread(target=cancel_when_begun)
    canceller.start()
    get_worker().resident = True
    run_step_run(StepRun.objects.get(job_id=job_id, state=StepRunState.READY).pk)
    canceller.join()
    job = Job.objects.get(pk=job_id)
    assert job.state == JobState.CANCELED
    return job


def interrupt(how: str, is_atomic: bool, began: threading.Event, monkeypatch: pytest.MonkeyPatch) -> Job:
    if how == "timeout":
        return time_out(declared.AtomicInTime if is_atomic else declared.InTime)
    return cancel(declared.Atomic if is_atomic else declared.Acting, began, monkeypatch)


def expect_nothing_left(act: Callable[[declared.Action], None], threads: set[threading.Thread]) -> None:
    """The next job is run by the same thread as if nothing had been."""
    left = {t for t in set(threading.enumerate()) - threads if not t.name.startswith("django-wfe-")}
    left |= {t for t in threading.enumerate() if t.name.startswith("django-wfe-step")}
    assert left == set()
    act(declared.do_nothing)
    job = Job.objects.get(pk=run_workflow(declared.Atomic))
    assert (job.state, job.error) == (JobState.FINISHED, "")
    assert Group.objects.filter(name=f"written by {job.pk}").exists()


async def compute(step: Step) -> None:
    for _ in range(FAR * 1000):
        time.sleep(0.001)


def block() -> None:
    for _ in range(FAR * 1000):
        time.sleep(0.001)


async def compute_in_a_task(step: Step) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(FAR))
        group.create_task(compute(step))


async def wait_in_a_task_group(step: Step) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(FAR))
        group.create_task(asyncio.Event().wait())


async def leave_a_task_that_computes(step: Step) -> None:
    tasks = [asyncio.create_task(compute(step))]
    await asyncio.gather(*tasks, asyncio.sleep(FAR))


async def block_in_the_steps_thread(step: Step) -> None:
    await sync_to_async(block)()


async def block_in_another_thread(step: Step) -> None:
    await asyncio.gather(asyncio.to_thread(block), sync_to_async(block, thread_sensitive=False)())


async def block_beside_a_wait(step: Step) -> None:
    task = asyncio.create_task(sync_to_async(block)())
    await asyncio.sleep(FAR)
    await task


async def go_back_and_forth(step: Step) -> None:
    """A coroutine in plain code in a coroutine."""
    await sync_to_async(lambda: async_to_sync(asyncio.sleep)(FAR))()


async def write_for_ever(step: Step) -> None:
    while True:
        await Group.objects.filter(name="nobody").aupdate(name="nobody")


def sleep_in_the_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_sleep({FAR})")


async def wait_for_the_database(step: Step) -> None:
    await sync_to_async(sleep_in_the_database)()


async def wait_in_a_generator(step: Step) -> None:
    async def count() -> Any:
        yield 1
        await asyncio.sleep(FAR)

    async for _number in count():
        pass


async def hold_a_lock(step: Step) -> None:
    lock = asyncio.Lock()
    async with lock:
        # It waits in acquire(), where nothing may be raised from outside; a cancel may come.
        await lock.acquire()


async def log_for_ever(step: Step) -> None:
    while True:
        step.log.info("on and on")


PLACES = [
    *(compute, compute_in_a_task, wait_in_a_task_group, leave_a_task_that_computes, wait_in_a_generator, hold_a_lock),
    *(block_in_the_steps_thread, block_in_another_thread, block_beside_a_wait, go_back_and_forth),
    *(write_for_ever, wait_for_the_database, log_for_ever),
]


@pytest.mark.parametrize("is_atomic", [False, True], ids=["plain", "atomic"])
@pytest.mark.parametrize("how", ["timeout", "cancel"])
def test_a_read_of_a_socket_that_never_answers_is_ended(
    how, is_atomic, silent_server, act, began, seen, retired, monkeypatch
):
    async def read(step: Step) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", silent_server)
        try:
            await Group.objects.acreate(name="written before")
            await reader.read(1)
        except asyncio.CancelledError:
            seen.append("cut off while it read")
            raise
        finally:
            writer.close()

    threads = set(threading.enumerate())
    act(read)
    start = time.monotonic()
    interrupt(how, is_atomic, began, monkeypatch)
    assert time.monotonic() - start < 5, "generous: what is measured elsewhere is a quarter of a second"
    assert seen == ["cut off while it read"]
    assert Group.objects.filter(name="written before").exists() is not is_atomic
    assert retired == []
    expect_nothing_left(act, threads)


@pytest.mark.parametrize("how", ["timeout", "cancel"])
@pytest.mark.parametrize("place", PLACES)
def test_an_interrupt_comes_wherever_the_step_is(how, place, act, began, retired, monkeypatch):
    threads = set(threading.enumerate())
    act(place)
    interrupt(how, place is write_for_ever, began, monkeypatch)
    assert retired == []
    expect_nothing_left(act, threads)


@pytest.mark.parametrize("how", ["timeout", "cancel"])
def test_a_coroutine_that_swallows_the_cancel_is_canceled_again(how, act, began, seen, monkeypatch):
    monkeypatch.setattr(coroutine_interrupts, "AGAIN_SECONDS", 0.1)

    async def swallow(step: Step) -> None:
        while len(seen) < 2:
            try:
                await asyncio.sleep(FAR)
            except asyncio.CancelledError:
                seen.append("swallowed")
        await asyncio.sleep(FAR)

    threads = set(threading.enumerate())
    act(swallow)
    interrupt(how, False, began, monkeypatch)
    assert seen == ["swallowed"] * 2
    expect_nothing_left(act, threads)


def test_a_task_that_swallows_the_cancel_at_the_end_does_not_hold_the_step(act, seen, monkeypatch):
    monkeypatch.setattr(coroutine_interrupts, "AGAIN_SECONDS", 0.1)

    async def swallow() -> None:
        while len(seen) < 2:
            try:
                await asyncio.sleep(FAR)
            except asyncio.CancelledError:
                seen.append("swallowed")

    async def leave(step: Step) -> str:
        step.kept = asyncio.create_task(swallow())
        await asyncio.sleep(0)
        return "done"

    threads = set(threading.enumerate())
    act(leave)
    job = Job.objects.get(pk=run_workflow(declared.InTime))
    assert (job.state, job.storage["data"][1]["result"]) == (JobState.FINISHED, "done"), "its result was there in time"
    assert len(seen) == 2
    expect_nothing_left(act, threads)


def test_what_a_canceled_step_does_to_clean_up_is_left_alone(act, began, seen, retired, monkeypatch):
    def block_for_a_while() -> None:
        for _ in range(300):
            time.sleep(0.001)

    async def work(step: Step) -> None:
        try:
            await asyncio.sleep(FAR)
        finally:
            await Group.objects.acreate(name="noted")
            await sync_to_async(block_for_a_while)()
            await asyncio.to_thread(block_for_a_while)
            await Group.objects.filter(name="noted").aupdate(name="cleaned up")
            seen.append("cleaned up")

    async def clean_up(step: Step) -> None:
        seen.append(f"on_cancel of {step.job.pk}")
        await Group.objects.acreate(name="by on_cancel")

    monkeypatch.setattr(declared.Act, "CLEAN_UP", staticmethod(clean_up))
    act(work)
    job = cancel(declared.Acting, began, monkeypatch)
    assert seen == ["cleaned up", f"on_cancel of {job.pk}"]
    assert sorted(Group.objects.values_list("name", flat=True)) == ["by on_cancel", "cleaned up"]
    assert retired == []


def test_what_on_cancel_raises_is_logged_and_the_job_is_canceled(act, began, monkeypatch, caplog):
    async def fail(step: Step) -> None:
        raise ValueError("not cleaned up")

    async def work(step: Step) -> None:
        await asyncio.sleep(FAR)

    monkeypatch.setattr(declared.Act, "CLEAN_UP", staticmethod(fail))
    act(work)
    log = read_log(cancel(declared.Acting, began, monkeypatch))
    assert "ValueError: not cleaned up" in log
    assert "/django_wfe/" not in log, "its traceback begins in the step's own code"


def test_a_step_that_catches_the_cancel_and_fails_keeps_its_own_error(act):
    async def work(step: Step) -> None:
        try:
            await asyncio.sleep(FAR)
        except asyncio.CancelledError:
            raise ValueError("could not even clean up") from None

    act(work)
    run = get_last_run(run_workflow(declared.InTime))
    assert (run.state, run.error_type, run.error) == ("FAILED", "ValueError", "could not even clean up")


def test_a_step_that_catches_the_cancel_and_returns_is_finished(act):
    async def work(step: Step) -> str:
        try:
            await asyncio.sleep(FAR)
        except asyncio.CancelledError:
            return "as far as it came"
        return "never"

    act(work)
    job = Job.objects.get(pk=run_workflow(declared.InTime))
    assert (job.state, job.storage["data"][1]["result"]) == (JobState.FINISHED, "as far as it came")


def test_code_that_blocks_gets_the_interrupt_itself(act, seen, monkeypatch):
    def note_and_block() -> None:
        try:
            block()
        except Interrupt as interrupt:
            seen.append(type(interrupt).__mro__[1].__name__)
            raise

    async def in_the_loop(step: Step) -> None:
        note_and_block()

    async def in_the_steps_thread(step: Step) -> None:
        await sync_to_async(note_and_block)()

    for place in (in_the_loop, in_the_steps_thread):
        act(place)
        time_out(declared.InTime)
    assert seen == [StepTimeout.__name__] * 2


def test_an_interrupt_inside_logging_leaves_its_locks_free_for_all_threads(act, retired):
    class Careless(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            self.acquire()
            block()
            self.release()  # not reached
            return True

    logger, handler = logging.getLogger("tests.careless"), Careless()
    logger.addHandler(handler)

    async def log(step: Step) -> None:
        logger.error("in the loop")

    async def log_in_a_thread(step: Step) -> None:
        await asyncio.to_thread(logger.error, "in a thread")

    try:
        for place in (log, log_in_a_thread):
            act(place)
            time_out(declared.InTime)
            assert handler.lock is not None
            assert handler.lock.acquire(timeout=5), "no thread holds it any more"
            handler.lock.release()
    finally:
        logger.removeHandler(handler)
    assert retired == []


def test_where_locks_may_be_held_the_process_is_replaced(act, retired, monkeypatch):
    """What blocks in the loop, inside a lock of threading, is interrupted after some patience."""
    monkeypatch.setattr("django_wfe.engine.isolation.interrupts._PATIENCE", dict.fromkeys(_list_places(), 0.0))

    class Keeper:
        def __enter__(self) -> None:
            block()

        def __exit__(self, *exception: object) -> None:
            pass

    async def hold(step: Step) -> None:
        with Keeper():
            pass

    act(hold)
    time_out(declared.InTime)
    assert len(retired) == 1
    assert "Keeper.__enter__" in retired[0] or "block" in retired[0]


def _list_places() -> list[Any]:
    from django_wfe.engine.isolation.stacks import Place

    return [place for place in Place if place is not Place.OUTSIDE]


def test_a_plain_step_that_runs_a_job_with_an_async_one_is_interrupted_there(act, seen, monkeypatch):
    async def wait(step: Step) -> None:
        try:
            await asyncio.sleep(FAR)
        finally:
            seen.append("the inner step was cut off")

    act(wait)
    monkeypatch.setattr(plain.ActInTime, "timeout", 1.0)
    monkeypatch.setattr(plain.Act, "ACTION", staticmethod(lambda step: run_workflow(declared.Acting)))
    outer = Job.objects.get(pk=run_workflow(plain.ActInTimeThenWrite))
    inner = Job.objects.exclude(pk=outer.pk).get()
    assert "TimeoutError" in outer.error
    assert seen == ["the inner step was cut off"]
    states = inner.step_runs.filter(number=1).order_by("attempt").values_list("state", flat=True)
    assert list(states) == [StepRunState.LOST, StepRunState.READY]


def test_an_async_step_that_runs_a_job_with_another_one_is_interrupted_there(act, seen, monkeypatch):
    async def wait_or_run(step: Step) -> None:
        if isinstance(step, declared.ActInTime):
            await sync_to_async(run_workflow)(declared.Acting)
        try:
            await asyncio.sleep(FAR)
        finally:
            seen.append("the inner step was cut off")

    threads = set(threading.enumerate())
    act(wait_or_run)
    monkeypatch.setattr(declared.ActInTime, "timeout", 1.0)
    time_out(declared.InTime)
    assert seen == ["the inner step was cut off"]
    expect_nothing_left(act, threads)


def test_a_cancel_that_comes_after_its_run_reaches_no_other_run_on_the_thread(act, monkeypatch):
    """The heartbeat looks at the runs as they were a moment ago."""
    runs: list[ActiveRun] = []
    pressed = threading.Event()
    press = CoroutineInterrupts.press

    def press_and_tell(interrupts: CoroutineInterrupts, run: ActiveRun) -> bool:
        try:
            return press(interrupts, run)
        finally:
            pressed.set()

    async def wait_for_a_press(step: Step) -> bool:
        runs.extend(get_worker()._active.values())
        return await asyncio.to_thread(pressed.wait, 10) if len(runs) > 1 else False

    monkeypatch.setattr(CoroutineInterrupts, "press", press_and_tell)
    act(wait_for_a_press)
    run_workflow(declared.WithoutInput)
    get_worker()._cancel(runs[0])
    assert runs[0].asked is None, "it is over"
    assert runs[0].ask(StepCanceled)
    get_worker()._interrupter.add(runs[0])
    job = Job.objects.get(pk=run_workflow(declared.WithoutInput))
    assert (job.state, job.storage["data"][1]["result"]) == (JobState.FINISHED, True)


def test_a_person_at_a_shell_ends_it(act, seen):
    """Ctrl-C reaches the step's thread while it waits for the coroutine."""

    async def wait(step: Step) -> None:
        # The main thread is in the midst of its wait by then.
        await asyncio.sleep(0.1)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        try:
            await asyncio.sleep(FAR)
        finally:
            seen.append("cut off")

    threads = set(threading.enumerate())
    act(wait)
    with pytest.raises(KeyboardInterrupt):
        run_workflow(declared.Acting)
    assert seen == ["cut off"]
    states = StepRun.objects.filter(number=1).order_by("attempt").values_list("state", flat=True)
    assert list(states) == [StepRunState.LOST, StepRunState.READY]
    wait_until(lambda: {t for t in set(threading.enumerate()) - threads if "django-wfe" not in t.name} == set())


def test_a_canceled_step_is_told_so(act, began, seen, monkeypatch):
    def note_and_block() -> None:
        try:
            block()
        except StepCanceled:
            seen.append("canceled")
            raise

    async def work(step: Step) -> None:
        await sync_to_async(note_and_block)()

    act(work)
    cancel(declared.Acting, began, monkeypatch)
    assert seen == ["canceled"]
