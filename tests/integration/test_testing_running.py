"""Running Jobs inside a test, also in the transaction of Django's TestCase."""

import threading
from typing import Any

import pytest
from django.db import transaction
from django.test import TestCase
from pydantic import ValidationError

from django_wfe import order_workflow_execution, steps, workflows
from django_wfe.engine.lifecycle import pause_job, pause_workflow
from django_wfe.engine.recovery.sweeping import sweep
from django_wfe.exceptions import CodeNotLoaded, WrongState
from django_wfe.models import Job, JobState, StepRun, StepRunState, Worker
from django_wfe.retry import Retry
from django_wfe.testing import RecordingDispatcher, advance_time, provide, run_to_end, work
from tests import workflows as samples
from tests.declared.job_input_workflows import AskAddress, Shipping

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


class Later(steps.Step):
    retry = Retry(max_attempts=3, backoff=3600, max_backoff=3600, factor=1, jitter=0)

    def execute(self, _input=None):
        if self.attempt < 3:
            raise ConnectionError("not yet")
        return self.attempt


class MuchLater(workflows.Workflow):
    DIGRAPH = {steps.__start__: [Later]}


class InATestCase(TestCase):
    """Everything in one transaction that is rolled back, where on_commit never runs."""

    def test_a_job_runs_to_its_end(self):
        job = run_to_end(samples.Linear)
        assert job.state == JobState.FINISHED
        assert job.storage["data"][-1]["result"] == {"stored": 6}

    def test_input_is_given_and_the_job_goes_on(self):
        job = run_to_end(samples.Asking)
        assert job.state == JobState.INPUT_REQUIRED
        assert provide(job, {"some_data": 2}).state == JobState.FINISHED

    def test_a_job_that_starts_with_data_gets_them(self):
        job = run_to_end(Shipping, job_input={"order": 5}, inputs={AskAddress: {"address": "1 Main Street"}})
        assert (job.state, job.storage["data"][0]["result"]) == (JobState.FINISHED, {"order": 5})

    def test_a_wait_of_hours_is_skipped(self):
        assert run_to_end(MuchLater).storage["data"][-1]["result"] == 3

    def test_a_step_is_still_cut_off_when_its_time_is_up(self):
        job = run_to_end(samples.TimingOut)
        assert job.state == JobState.FAILED
        assert "timeout of 0.1 s" in job.error

    def test_work_finds_what_is_ready(self):
        job_id = order_workflow_execution(samples.Linear)
        assert work() == 1
        assert Job.objects.get(pk=job_id).state == JobState.FINISHED


@pytest.mark.parametrize(
    "given", [{"some_data": 4}, [{"some_data": 4}], lambda job: {"some_data": job.pk - job.pk + 4}]
)
@pytest.mark.parametrize("key", [samples.Ask, "tests.workflows.Ask"])
def test_inputs_answer_a_step_by_class_or_path_with_data_a_list_or_a_callable(key: Any, given: Any) -> None:
    job = run_to_end(samples.Asking, inputs={key: given})
    assert job.state == JobState.FINISHED
    assert job.storage["data"][-1]["result"] == "left 4"


def test_a_list_that_is_used_up_leaves_the_job_waiting() -> None:
    assert run_to_end(samples.Asking, inputs={samples.Ask: []}).state == JobState.INPUT_REQUIRED


def test_an_input_that_does_not_fit_is_told_and_the_job_waits() -> None:
    with pytest.raises(ValidationError):
        run_to_end(samples.Asking, inputs={samples.Ask: {"some_data": "many"}})
    assert Job.objects.get().state == JobState.INPUT_REQUIRED


def test_an_input_for_a_step_that_never_asks_is_an_error_that_names_those_that_do() -> None:
    with pytest.raises(ValueError, match=r"names tests\.workflows\.Fetch.*that ask: tests\.workflows\.Ask\."):
        run_to_end(samples.Asking, inputs={samples.Fetch: {}})


def test_a_job_that_was_started_elsewhere_is_run_on() -> None:
    job = Job.objects.get(pk=order_workflow_execution(samples.Linear))
    assert run_to_end(job).state == JobState.FINISHED


def test_an_endless_loop_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError, match=r"taken 30 step runs.*max_steps="):
        run_to_end(samples.Looping, max_steps=30)
    assert StepRun.objects.filter(state=StepRunState.FINISHED).count() == 31  # the start is one


def test_what_is_paused_is_given_back_as_it_stands() -> None:
    job = Job.objects.get(pk=order_workflow_execution(samples.Linear))
    pause_job(job.pk)
    assert run_to_end(job).state == JobState.PAUSED
    pause_workflow(job.workflow_id)
    assert run_to_end(samples.Linear).state == JobState.PENDING


def test_a_step_whose_class_is_gone_is_an_error_not_an_endless_wait() -> None:
    job = Job.objects.get(pk=order_workflow_execution(samples.Linear))
    StepRun.objects.filter(job=job, state=StepRunState.READY).update(step="tests.workflows.Vanished")
    with pytest.raises(CodeNotLoaded, match="Vanished"):
        run_to_end(job)


def test_input_for_a_job_that_does_not_wait_is_refused() -> None:
    with pytest.raises(WrongState):
        provide(run_to_end(samples.Linear), {"some_data": 1})


def test_an_error_in_a_broken_transaction_is_not_hidden_by_the_clean_up() -> None:
    class Broken(Exception):
        pass

    def answer(job: Job) -> Any:
        transaction.set_rollback(True)
        raise Broken

    with pytest.raises(Broken), transaction.atomic():
        run_to_end(samples.Asking, inputs={samples.Ask: answer})
    assert "django-wfe-heartbeat" not in {thread.name for thread in threading.enumerate()}


def test_work_stops_at_its_limit_and_passes_over_what_is_held_back() -> None:
    jobs = [order_workflow_execution(samples.Linear) for _ in range(3)]
    pause_job(jobs[0])
    assert work(limit=1) == 1
    states = list(Job.objects.order_by("pk").values_list("state", flat=True))
    assert states == [JobState.PAUSED, JobState.FINISHED, JobState.PENDING]
    assert work() == 1


@pytest.mark.django_db(transaction=True)
def test_time_moves_deadlines_silence_and_messages_alike() -> None:
    with RecordingDispatcher() as broker:
        job_id = order_workflow_execution(MuchLater)
        silent = Worker.objects.create(hostname="elsewhere", pid=1)
        assert broker.deliver_all() == 1
        assert [round(message.delay_seconds) for message in broker.messages] == [3600]
        assert (broker.deliver_all(), work()) == (0, 0)
        advance_time(3590)
        assert work() == 0
        advance_time(11)
        assert broker.deliver_all() == 1
        assert StepRun.objects.filter(job_id=job_id, state=StepRunState.FAILED).count() == 2
        assert sweep().dead_workers == 1
    silent.refresh_from_db()
    assert silent.declared_dead_at is not None
    with pytest.raises(ValueError, match="at least 0"):
        advance_time(-1)


def test_time_leaves_what_has_ended_as_it_is() -> None:
    job = run_to_end(samples.Linear)
    before = list(StepRun.objects.values())
    advance_time(3600)
    assert list(StepRun.objects.values()) == before
    assert Job.objects.get(pk=job.pk).finished_at == job.finished_at
