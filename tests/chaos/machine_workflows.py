"""The workflows that the state machine drives, one of each kind."""

import uuid

from pydantic import BaseModel

from django_wfe import steps, workflows
from django_wfe.retry import Retry


class Pass(steps.Step):
    def execute(self, _input=None):
        return (_input or 0) + 1


class PassOn(Pass):
    """Another one."""


class End(Pass):
    """The last one."""


class Straight(workflows.Workflow):
    DIGRAPH = {steps.__start__: [Pass], Pass: [PassOn], PassOn: [End]}


class Question(steps.Step):
    class UserInputSchema(BaseModel):
        number: int

    def execute(self, _input=None, external_input=None):
        return external_input["number"]


class Odd(steps.Decision):
    def transition(self, _input=None):
        return int(_input) % 2


class Asks(workflows.Workflow):
    """Asks again until the number is odd."""

    DIGRAPH = {steps.__start__: [Question], Question: [Odd], Odd: [Question, End]}


class Circle(steps.Decision):
    def transition(self, _input=None):
        return 0 if isinstance(_input, int) and _input < 4 else 1


class Loops(workflows.Workflow):
    DIGRAPH = {steps.__start__: [Pass], Pass: [Circle], Circle: [Pass, End]}


class Breaks(steps.Step):
    """Fails until an operator has tried it again."""

    def execute(self, _input=None):
        if not self.job.events.filter(kind="retried").exists():
            raise ValueError("broken")
        return 1


class Fails(workflows.Workflow):
    DIGRAPH = {steps.__start__: [Pass], Pass: [Breaks], Breaks: [End]}


class Shaky(steps.Step):
    retry = Retry(max_attempts=2, backoff=30, jitter=0)

    def execute(self, _input=None):
        if not self.job.step_runs.filter(step__endswith=".Shaky", state="FAILED").exists():
            raise ConnectionError("not yet")
        return 1


class Retries(workflows.Workflow):
    DIGRAPH = {steps.__start__: [Shaky], Shaky: [End]}


class WriteRow(steps.Step):
    atomic = True

    def execute(self, _input=None):
        from django.contrib.auth.models import Group

        # Unique each time, so that a frozen attempt's transaction does not hold up the next one's insert.
        Group.objects.create(name=f"{self.idempotency_key}#{uuid.uuid4()}")
        return 1


class Writes(workflows.Workflow):
    DIGRAPH = {steps.__start__: [Pass], Pass: [WriteRow], WriteRow: [End]}


ALL = (Straight, Asks, Loops, Fails, Retries, Writes)
