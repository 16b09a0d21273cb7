"""Workflows for the auditors alone. Whoever is none must meet no name of them: "hushed", in labels "muffled".

What people put in and steps give back says "whispered": it must not be met without ``view_job_data``.
"""

from pydantic import BaseModel

from django_wfe import steps, workflows


class HushedFetch(steps.Step):
    """Muffled: gets the data."""

    label = "Muffled fetch"

    def execute(self, _input=None):
        print("whispered into the log")
        return {"rows": "whispered result"}


class HushedAsk(steps.Step):
    """Muffled: asks."""

    label = "Muffled question"

    class UserInputSchema(BaseModel):
        some_data: int
        hushed_field: str = "muffled default"

    def execute(self, _input, external_input):
        return external_input["some_data"]


class HushedFail(steps.Step):
    """Muffled: fails."""

    label = "Muffled failure"

    def execute(self, _input=None):
        raise HushedError("whispered error")


class HushedError(Exception):
    """Muffled."""


class _Hushed(workflows.Workflow):
    label = "Muffled workflow"
    groups = ("auditors",)


class HushedAsking(_Hushed):
    """Muffled: waits for a number."""

    DIGRAPH = {steps.__start__: [HushedFetch], HushedFetch: [HushedAsk]}


class HushedFailing(_Hushed):
    """Muffled: fails."""

    DIGRAPH = {steps.__start__: [HushedFetch], HushedFetch: [HushedFail]}


class HushedLinear(_Hushed):
    """Muffled: ends."""

    DIGRAPH = {steps.__start__: [HushedFetch]}


class HushedPaused(_Hushed):
    """Muffled: is held."""

    DIGRAPH = {steps.__start__: [HushedFetch], HushedFetch: [HushedAsk]}
