"""Worker processes are killed, frozen and stopped at bad moments."""

import os
import signal
from pathlib import Path

import pytest
from pytest_django import Settings

from django_wfe import order_workflow_execution
from django_wfe.engine.lifecycle import cancel_job
from django_wfe.engine.recovery.sweeping import sweep
from django_wfe.models import Job, JobEvent, JobState, StepRun, StepRunState, Worker
from tests import workflows
from tests.support.running.engine_helpers import read_log
from tests.support.running.waiting import wait_until
from tests.support.running.workers import running_workers

pytestmark = [pytest.mark.chaos, pytest.mark.django_db(transaction=True)]

TIMEOUT = 2


@pytest.fixture(params=["rabbitmq_url", "redis_url"])
def broker_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder through which a test holds steps in other processes (tests.workflows.Gate)."""
    monkeypatch.setenv("WFE_TEST_GATE", str(tmp_path))
    return tmp_path


@pytest.fixture
def environment(child_environment: dict[str, str], gate: Path) -> dict[str, str]:
    return {**child_environment, "WFE_TEST_GATE": str(gate)}


@pytest.fixture
def sweeping(settings: Settings) -> None:
    settings.WFE_WORKER_TIMEOUT = TIMEOUT
    settings.WFE_REDISPATCH_AFTER = 1


def _start_held_job(gate: Path) -> tuple[int, int]:
    """Start a Job whose first step waits at the gate; give the Job's id and the process id that runs it."""
    job_id = order_workflow_execution(workflows.Gated)
    reached = gate / f"{job_id}.reached"
    wait_until(lambda: reached.exists() and reached.read_text(), timeout=20, message="no worker began the step")
    return job_id, int(reached.read_text())


def _sweep_until(job_id: int, state: str) -> None:
    def look() -> bool:
        sweep()
        return Job.objects.get(pk=job_id).state == state

    wait_until(look, timeout=30, interval=0.2, message=lambda: _describe(job_id))


def _describe(job_id: int) -> str:
    runs = StepRun.objects.filter(job_id=job_id).values_list("number", "attempt", "state", "error")
    return f"job {Job.objects.get(pk=job_id).state}: {list(runs)}"


@pytest.mark.usefixtures("sweeping")
def test_a_step_whose_worker_is_killed_is_lost_and_run_again(
    broker_url: str, environment: dict[str, str], gate: Path
) -> None:
    with running_workers(environment, broker_url, WFE_WORKER_TIMEOUT=TIMEOUT) as workers:
        job_id, pid = _start_held_job(gate)
        os.kill(pid, signal.SIGKILL)
        workers.kill_all()
    (gate / f"{job_id}.open").touch()
    with running_workers(environment, broker_url, WFE_WORKER_TIMEOUT=TIMEOUT):
        _sweep_until(job_id, JobState.FINISHED)
    runs = StepRun.objects.filter(job_id=job_id, number=1).order_by("attempt")
    assert [run.state for run in runs] == [StepRunState.LOST, StepRunState.FINISHED]
    assert "died" in runs[0].error
    assert runs[0].idempotency_key == runs[1].idempotency_key
    assert JobEvent.objects.filter(job_id=job_id, kind=JobEvent.Kind.STEP_LOST).count() == 1
    assert Worker.objects.exclude(declared_dead_at=None).exists()


@pytest.mark.usefixtures("sweeping")
def test_a_step_that_kills_every_worker_fails_with_the_reason(environment: dict[str, str], redis_url: str) -> None:
    poison = order_workflow_execution(workflows.Poisoned)

    def is_failed() -> bool:
        sweep()
        return Job.objects.get(pk=poison).state == JobState.FAILED

    while not is_failed():
        # Dramatiq ends as a whole when one of its processes dies; a supervisor starts it again, as here.
        with running_workers(environment, redis_url, WFE_WORKER_TIMEOUT=TIMEOUT) as workers:
            wait_until(
                lambda process=workers.process: is_failed() or process.poll() is not None,
                timeout=90,
                interval=0.2,
                message=lambda: _describe(poison),
            )
            if workers.process.poll() is not None:
                workers.kill_all()
    job = Job.objects.get(pk=poison)
    assert "lost its worker 3 times" in job.error
    assert list(job.step_runs.filter(number=1).values_list("state", flat=True)) == [StepRunState.LOST] * 3
    with running_workers(environment, redis_url, WFE_WORKER_TIMEOUT=TIMEOUT):
        _sweep_until(order_workflow_execution(workflows.Linear), JobState.FINISHED)


@pytest.mark.usefixtures("sweeping")
def test_a_worker_that_was_frozen_finds_its_commit_refused(
    environment: dict[str, str], redis_url: str, gate: Path
) -> None:
    with running_workers(environment, redis_url, WFE_WORKER_TIMEOUT=TIMEOUT) as workers:
        job_id, pid = _start_held_job(gate)
        os.kill(pid, signal.SIGSTOP)
        try:
            wait_until(lambda: sweep().lost == 1, timeout=20, interval=0.2, message=lambda: _describe(job_id))
            (gate / f"{job_id}.open").touch()
        finally:
            os.kill(pid, signal.SIGCONT)
        _sweep_until(job_id, JobState.FINISHED)
        first, second = StepRun.objects.filter(job_id=job_id, number=1).order_by("attempt")
        assert first.state == StepRunState.LOST
        assert first.result is None
        assert second.state == StepRunState.FINISHED
        wait_until(lambda: "was declared dead" in workers.read_log(), timeout=20, message=workers.read_log)
        assert second.worker_id != first.worker_id, "the worker that woke up goes on under a new id"


@pytest.mark.usefixtures("sweeping")
def test_sigterm_finishes_the_current_step_and_leaves_nothing_running(
    environment: dict[str, str], broker_url: str, gate: Path
) -> None:
    with running_workers(environment, broker_url, WFE_WORKER_TIMEOUT=TIMEOUT) as workers:
        job_id, _ = _start_held_job(gate)
        workers.process.terminate()
        wait_until(lambda: "is told to stop" in workers.read_log(), timeout=10, message=workers.read_log)
        (gate / f"{job_id}.open").touch()
        workers.process.wait(timeout=30)
    states = dict(StepRun.objects.filter(job_id=job_id).values_list("number", "state"))
    assert states == {0: StepRunState.FINISHED, 1: StepRunState.FINISHED, 2: StepRunState.READY}
    assert Worker.objects.filter(stopped_at=None).count() == 0
    with running_workers(environment, broker_url, WFE_WORKER_TIMEOUT=TIMEOUT):
        _sweep_until(job_id, JobState.FINISHED)
    assert StepRun.objects.filter(job_id=job_id, state=StepRunState.LOST).count() == 0


@pytest.mark.usefixtures("sweeping")
def test_a_message_that_the_broker_lost_is_sent_again(environment: dict[str, str], redis_url: str) -> None:
    job_id = order_workflow_execution(workflows.Linear)  # this process's broker keeps it to itself
    with running_workers(environment, redis_url, WFE_WORKER_TIMEOUT=TIMEOUT):
        _sweep_until(job_id, JobState.FINISHED)
    assert StepRun.objects.get(job_id=job_id, number=1).dispatches >= 1


@pytest.mark.usefixtures("sweeping")
def test_canceling_interrupts_a_running_step_which_cleans_up(
    environment: dict[str, str], redis_url: str, gate: Path
) -> None:
    with running_workers(environment, redis_url, WFE_WORKER_TIMEOUT=TIMEOUT):
        job_id, _ = _start_held_job(gate)
        cancel_job(job_id)
        run = StepRun.objects.filter(job_id=job_id, number=1, state=StepRunState.CANCELED)
        wait_until(run.exists, timeout=20, message=lambda: _describe(job_id))
    assert (gate / f"{job_id}.cleaned").exists()
    assert Job.objects.get(pk=job_id).state == JobState.CANCELED


@pytest.mark.usefixtures("sweeping")
def test_the_log_of_a_running_step_can_be_followed(environment: dict[str, str], redis_url: str, gate: Path) -> None:

    with running_workers(environment, redis_url, WFE_WORKER_TIMEOUT=TIMEOUT):
        job_id, _ = _start_held_job(gate)
        job = Job.objects.get(pk=job_id)
        wait_until(lambda: "at the gate" in read_log(job), timeout=20, message="the log was not flushed")
        (gate / f"{job_id}.open").touch()
        _sweep_until(job_id, JobState.FINISHED)
        assert read_log(job) == "at the gate\nthrough the gate\n"


@pytest.mark.usefixtures("sweeping")
def test_a_worker_that_an_interrupt_may_have_damaged_finishes_its_steps_and_makes_room_for_another(
    broker_url: str, environment: dict[str, str], gate: Path
) -> None:
    """A step could only be interrupted where it may hold a lock: it fails, its neighbour is not cut off."""
    with running_workers(environment, broker_url, threads=2) as workers:
        neighbour, _ = _start_held_job(gate)
        stuck = order_workflow_execution(workflows.Stuck)
        wait_until(lambda: Job.objects.get(pk=stuck).state == JobState.FAILED, timeout=60)
        assert "TimeoutError" in Job.objects.get(pk=stuck).error
        (gate / f"{neighbour}.open").touch()
        workers.process.wait(timeout=60)
        assert "has to be started anew" in workers.read_log()
        assert "Door.__exit__" in workers.read_log(), "it says where the step was"
    assert "TimeoutError" in Job.objects.get(pk=stuck).error
    with running_workers(environment, broker_url):
        _sweep_until(neighbour, JobState.FINISHED)
    assert not StepRun.objects.filter(state=StepRunState.LOST).exists()
