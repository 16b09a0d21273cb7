"""The crash kit: it finds what does not survive, and lets what does pass."""

import threading
from typing import Any, ClassVar

import pytest
from django.contrib.auth.models import Group, User
from django.db import transaction
from pytest_django import Settings

from django_wfe import steps, workflows
from django_wfe.engine.delivery.dispatcher import install_dispatcher
from django_wfe.engine.worker import heartbeat, step_execution
from django_wfe.models import Job, JobAttribute, JobState, StepRun, StepRunState, Worker
from django_wfe.retry import Retry
from django_wfe.testing import assert_survives_crashes
from tests import workflows as samples
from tests.declared.attribute_workflows import WORLD, Confirm, Refund
from tests.declared.job_input_workflows import AskAddress, Shipping

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

GIVEN = {samples.Ask: {"some_data": 4}}


class Charge(steps.Step):
    """Writes a row of its own, in the transaction of its result."""

    atomic = True

    def execute(self, _input=None):
        Group.objects.create(name=f"charge {self.idempotency_key}")
        return "charged"


class Charging(workflows.Workflow):
    DIGRAPH = {steps.__start__: [Charge], Charge: [samples.Done]}


class ChargingOnly(workflows.Workflow):
    DIGRAPH = {steps.__start__: [Charge]}


class Careless(steps.Step):
    """Its effect is neither atomic nor idempotent."""

    effects: ClassVar[list[str]] = []

    def execute(self, _input=None):
        self.effects.append(self.idempotency_key)
        return self.effects.count(self.idempotency_key)


class Carelessly(workflows.Workflow):
    DIGRAPH = {steps.__start__: [samples.Fetch], samples.Fetch: [Careless], Careless: [samples.Done]}


class Unsteady(steps.Step):
    """The service that it calls is away twice, whoever asks."""

    retry = Retry(max_attempts=3, backoff=600, jitter=0, on=ConnectionError)
    calls: ClassVar[dict[str, int]] = {}

    def execute(self, _input=None):
        self.calls[self.idempotency_key] = self.calls.get(self.idempotency_key, 0) + 1
        if self.calls[self.idempotency_key] <= 2:
            raise ConnectionError("away")
        return "there"


class Unsteadily(workflows.Workflow):
    DIGRAPH = {steps.__start__: [Unsteady], Unsteady: [samples.Done]}


class Hopeless(steps.Step):
    retry = Retry(max_attempts=2, backoff=60, jitter=0)

    def execute(self, _input=None):
        raise ValueError("never")


class Hopelessly(workflows.Workflow):
    DIGRAPH = {steps.__start__: [samples.Fetch], samples.Fetch: [Hopeless], Hopeless: [samples.Done]}


class RoundAgain(steps.Decision):
    def transition(self, _input):
        return 0 if _input["given"] else 1


class AskingInALoop(workflows.Workflow):
    DIGRAPH = {steps.__start__: [samples.Ask], samples.Ask: [RoundAgain], RoundAgain: [samples.Ask, samples.Done]}


@pytest.mark.parametrize(
    "workflow", [samples.Linear, samples.Asking, samples.Retrying, Hopelessly, samples.Writing, samples.TimingOut]
)
def test_every_kind_of_workflow_survives_a_crash_at_each_point(workflow: Any) -> None:
    inputs = GIVEN if workflow is samples.Asking else None
    # The step of Retrying returns which attempt it was, and a lost one counts.
    equal = (lambda undisturbed, killed: len(undisturbed) == len(killed)) if workflow is samples.Retrying else None
    assert_survives_crashes(workflow, inputs=inputs, equal=equal)
    assert Job.objects.filter(workflow__path__endswith=workflow.__name__).count() > 8
    assert not StepRun.objects.filter(state__in=[StepRunState.RUNNING, StepRunState.READY]).exists()


def test_a_workflow_survives_a_second_crash_in_the_middle_of_recovery() -> None:
    assert_survives_crashes(ChargingOnly, crashes=2)
    assert StepRun.objects.filter(state=StepRunState.LOST, attempt=2).exists()


def test_an_atomic_step_that_is_killed_anywhere_leaves_exactly_one_row() -> None:
    counts = []

    def check(job: Job) -> None:
        counts.append(Group.objects.filter(name__startswith=f"charge {job.uuid}").count())

    assert_survives_crashes(Charging, check=check)
    assert len(counts) > 8
    assert set(counts) == {1}


def test_a_list_of_answers_is_given_once_each_whatever_is_killed() -> None:
    answers = [{"some_data": 1}, {"some_data": 2}, {"some_data": 0}]
    assert_survives_crashes(AskingInALoop, inputs={samples.Ask: answers})
    assert set(Job.objects.values_list("state", flat=True)) == {JobState.FINISHED}


def test_a_job_that_starts_with_data_has_them_wherever_it_is_killed() -> None:
    answers = {AskAddress: {"address": "1 Main Street"}}
    assert_survives_crashes(Shipping, job_input={"order": 5}, inputs=answers, check=look_at_input)


def look_at_input(job: Job) -> None:
    assert job.storage["data"][0]["result"] == {"order": 5}


def test_a_job_that_asks_for_more_is_compared_where_it_waits() -> None:
    assert_survives_crashes(samples.Asking)
    assert set(Job.objects.values_list("state", flat=True)) == {JobState.INPUT_REQUIRED}


def test_an_attempt_that_lost_its_worker_does_not_use_up_the_retries() -> None:
    assert_survives_crashes(Unsteadily, equal=lambda undisturbed, killed: len(undisturbed) == len(killed))


def test_an_effect_that_happens_twice_is_found_and_the_point_is_named() -> None:
    with pytest.raises(AssertionError) as caught:
        assert_survives_crashes(Carelessly)
    message = str(caught.value)
    assert message.startswith("Carelessly, killed after execute (time 2) at tests.integration.")
    assert "its storage differs" in message


def test_a_failing_check_names_the_point_after_which_it_failed() -> None:
    seen: list[int] = []

    def check(job: Job) -> None:
        seen.append(job.pk)
        assert len(seen) < 3, "one row too many"

    with pytest.raises(AssertionError, match=r"^Linear, killed (before|after) \w+ \(time 1\): one row too many"):
        assert_survives_crashes(samples.Linear, check=check)


def test_equal_compares_results_that_differ_from_job_to_job() -> None:
    with pytest.raises(AssertionError, match="give equal="):
        assert_survives_crashes(samples.Telling)
    assert_survives_crashes(samples.Telling, equal=lambda undisturbed, killed: len(undisturbed) == len(killed))


def test_an_engine_that_runs_a_committed_step_again_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step class that forgets its commit stands for such an engine: it opens its number once more after a death."""
    find = step_execution.find_step_class

    def forget_commit(claim: Any) -> Any:
        if claim.lost_before:
            run = StepRun.objects.get(pk=claim.step_run_id)
            StepRun.objects.create(
                job_id=run.job_id, number=run.number - 1, attempt=9, step=run.step, state=StepRunState.FINISHED
            )
        return find(claim)

    monkeypatch.setattr("django_wfe.engine.worker.loop.find_step_class", forget_commit)
    with pytest.raises(AssertionError, match="run again after its commit"):
        assert_survives_crashes(samples.Linear, equal=lambda undisturbed, killed: True)


def test_it_refuses_to_run_inside_a_transaction() -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="transaction=True"):
        assert_survives_crashes(samples.Linear)
    assert not Job.objects.exists()


def test_it_refuses_more_crashes_than_a_step_may_have(settings: Settings) -> None:
    with pytest.raises(ValueError, match="from 1 to 2"):
        assert_survives_crashes(samples.Linear, crashes=3)
    settings.WFE_MAX_LOST_RUNS = 1
    with pytest.raises(ValueError, match="WFE_MAX_LOST_RUNS = 1"):
        assert_survives_crashes(samples.Linear)


def test_it_leaves_no_thread_no_dispatcher_and_no_living_worker() -> None:
    heartbeat.stop_worker()  # of a test before
    before = install_dispatcher(None)
    install_dispatcher(before)
    threads = set(threading.enumerate())
    assert_survives_crashes(samples.Linear)
    assert set(threading.enumerate()) <= threads
    assert install_dispatcher(before) is before
    assert heartbeat.install_worker(None) is None
    assert not Worker.objects.filter(declared_dead_at=None, stopped_at=None).exists()


@pytest.mark.parametrize("crashes", [1, 2])
def test_a_start_with_input_and_attributes_is_whole_or_not_at_all(crashes: int) -> None:
    WORLD.clear()
    user = User.objects.create_user("ada")
    WORLD["set"] = {"customer": "Miller", "amount": None}
    given = {"user": user.pk, "customer": "ACME"}

    def check(job: Job) -> None:
        assert job.attributes == {"customer": "Miller", "on": "2026-01-31", "express": "false"}
        assert job.subject == ("auth.user", str(user.pk))
        assert set(JobAttribute.objects.values_list("job_id", flat=True)) == set(
            Job.objects.values_list("pk", flat=True)
        )

    inputs = {Confirm: {"is_right": True}}
    assert_survives_crashes(Refund, job_input=given, inputs=inputs, check=check, crashes=crashes)
    WORLD.clear()


def test_a_kit_that_finds_other_attributes_says_so() -> None:
    count = iter(range(1_000))
    WORLD.clear()
    WORLD["attributes"] = lambda job_input: {"turn": next(count)}
    with pytest.raises(AssertionError, match="it is found by"):
        assert_survives_crashes(Refund, job_input={}, inputs={Confirm: {}})
    WORLD.clear()
