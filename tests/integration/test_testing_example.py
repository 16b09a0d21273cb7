"""The example of docs/testing.md: what the page shows is what runs here."""

# ruff: noqa: PT009  (what Django's users write in a TestCase)

from types import SimpleNamespace

import pytest
from django.contrib.auth.models import Group
from django.test import TestCase
from pydantic import BaseModel

from django_wfe import steps, workflows
from django_wfe.models import JobState
from django_wfe.retry import Retry
from django_wfe.testing import provide, run_to_end

pytestmark = pytest.mark.integration


class FakeBank:
    def charge(self, amount, *, key):
        return f"receipt for {amount}"


bank = FakeBank()
# Any model would do for the example; this one is there without a migration of its own.
Entry = SimpleNamespace(objects=Group.objects)


class Approve(steps.Step):
    """Asks a person whether the order is to be paid."""

    class UserInputSchema(BaseModel):
        amount: int

    def execute(self, _input=None, external_input=None):
        return external_input["amount"]


class Charge(steps.Step):
    """Charges the customer, once: the bank knows the key."""

    retry = Retry(max_attempts=5, backoff=60, on=ConnectionError)

    def execute(self, _input):
        return bank.charge(_input, key=self.idempotency_key)


class Book(steps.Step):
    """Writes the entry in the transaction that commits the step."""

    atomic = True

    def execute(self, _input):
        Entry.objects.create(name=f"{self.job.pk}: {_input}")
        return _input


class Payment(workflows.Workflow):
    """Approve, charge, book."""

    DIGRAPH = {steps.__start__: [Approve], Approve: [Charge], Charge: [Book]}


class PaymentTest(TestCase):
    def test_an_approved_payment_is_booked(self):
        job = run_to_end(Payment)
        self.assertEqual(job.state, JobState.INPUT_REQUIRED)

        job = provide(job, {"amount": 12})
        self.assertEqual(job.state, JobState.FINISHED)
        self.assertEqual(job.storage["data"][-1]["result"], "receipt for 12")


def test_a_bank_that_is_away_is_asked_again_later(wfe, monkeypatch):
    answers = iter([ConnectionError("away"), ConnectionError("away"), "receipt"])

    def charge(amount, *, key):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(bank, "charge", charge)
    job = wfe.run_to_end(Payment, inputs={Approve: {"amount": 12}})  # takes no time
    assert job.state == JobState.FINISHED
    assert job.step_runs.filter(step__endswith=".Charge").count() == 3


@pytest.mark.django_db(transaction=True)
def test_a_payment_survives_a_crash_anywhere(wfe):
    def booked_once(job):
        assert Entry.objects.filter(name__startswith=f"{job.pk}: ").count() == 1

    wfe.assert_survives_crashes(Payment, inputs={Approve: {"amount": 12}}, check=booked_once)


@pytest.mark.django_db(transaction=True)
def test_a_message_that_is_lost_is_sent_again(wfe, wfe_dispatcher):
    from django_wfe import order_workflow_execution, provide_external_input
    from django_wfe.lifecycle import sweep

    job_id = order_workflow_execution(Payment)
    provide_external_input(job_id, {"amount": 12})
    wfe_dispatcher.drop_all()

    wfe.advance_time(60)
    sweep()
    assert wfe_dispatcher.deliver_all() == 1
