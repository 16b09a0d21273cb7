"""``on_cancel`` is for what is cut off in the middle; the signal tells of every cancel."""

from collections.abc import Callable, Iterator

import pytest

from django_wfe import order_workflow_execution, run_workflow, signals, steps, workflows
from django_wfe.engine.lifecycle import cancel_job, pause_job
from django_wfe.engine.worker.heartbeat import stop_worker
from django_wfe.models import Job, JobState
from tests.declared import causes
from tests.support.running.engine_helpers import get_job, recording_dispatcher, run_ready
from tests.workflows import Ask

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

CALLED: list[str] = []


class AskAndClean(Ask):
    def on_cancel(self) -> None:
        CALLED.append("asked")


class FailAndClean(steps.Step):
    retry = steps.Retry(max_attempts=3, backoff=300)

    def execute(self) -> None:
        raise ConnectionError("the bank is gone")

    def on_cancel(self) -> None:
        CALLED.append("failed")


class Waiting(workflows.Workflow):
    DIGRAPH = {steps.__start__: [AskAndClean]}


class Retrying(workflows.Workflow):
    DIGRAPH = {steps.__start__: [FailAndClean]}


def wait_for_input() -> int:
    return run_workflow(Waiting)


def wait_for_a_retry() -> int:
    return run_workflow(Retrying)


def wait_for_a_worker() -> int:
    return order_workflow_execution(Retrying)


def be_paused() -> int:
    job_id = order_workflow_execution(Retrying)
    pause_job(job_id)
    return job_id


def be_parked() -> int:
    job_id = causes.order(causes.Vanishing)
    causes.run_without_code(job_id)
    return job_id


@pytest.fixture(autouse=True)
def canceled() -> Iterator[list[int]]:
    """The Jobs that the signal has told of."""
    told: list[int] = []

    def receive(job: Job, **named: object) -> None:
        assert job.storage["data"][0]["step"] == "django_wfe.steps.__start__"
        told.append(job.pk)

    CALLED.clear()
    signals.job_canceled.connect(receive)
    with recording_dispatcher(), causes.keeping_vanish():
        yield told
    signals.job_canceled.disconnect(receive)
    stop_worker()


@pytest.mark.parametrize("wait", [wait_for_input, wait_for_a_retry, wait_for_a_worker, be_paused, be_parked])
def test_a_job_that_waits_is_canceled_without_its_steps_code(wait: Callable[[], int], canceled: list[int]) -> None:
    job_id = wait()
    cancel_job(job_id)
    run_ready(job_id)
    assert get_job(job_id).state == JobState.CANCELED
    assert not get_job(job_id).step_runs.filter(state__in=["READY", "RUNNING", "INPUT_REQUIRED"]).exists()
    assert CALLED == []
    assert canceled == [job_id]
