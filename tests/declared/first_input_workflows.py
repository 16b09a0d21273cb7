"""Workflows that ask at once: for the tests of a start that brings the first answer along."""

from typing import Any

from pydantic import BaseModel, Field, SecretStr

from django_wfe import steps, workflows

GIVEN: list[tuple[str, Any]] = []
"""What each step was given, by the step's name; a test clears it first."""


class TakeOrder(steps.Step):
    """What is ordered?"""

    class UserInputSchema(BaseModel):
        some_data: int = Field(gt=0)
        code: SecretStr | None = None

    def execute(self, _input=None, external_input=None):
        GIVEN.append((type(self).__name__, external_input))
        return external_input["some_data"]


class Approve(steps.Step):
    """Is it to be sent?"""

    class UserInputSchema(BaseModel):
        some_data: int = 0

    def execute(self, _input=None, external_input=None):
        GIVEN.append((type(self).__name__, external_input))
        return external_input["some_data"]


class Ordered(workflows.Workflow):
    """Asks twice, so that an answer to the first question fits the second."""

    DIGRAPH = {steps.__start__: [TakeOrder], TakeOrder: [Approve]}


class Closed(workflows.Workflow):
    """For the members of one group."""

    groups = ("auditors",)
    DIGRAPH = {steps.__start__: [TakeOrder]}
