"""Workflows that the tests of the REST API run: one that asks, one that fails, one that chooses."""

from datetime import date
from typing import Any

from pydantic import BaseModel, Field

from django_wfe import steps, workflows


class Fetch(steps.Step):
    """Fetches the rows."""

    def execute(self) -> Any:
        print("two rows fetched, <b>bold</b> & żółć")
        return {"rows": 2}


class Ask(steps.Step):
    """Asks a clerk."""

    label = "Ask the clerk"

    class UserInputSchema(BaseModel):
        class Item(BaseModel):
            name: str
            price: float = Field(gt=0)

        some_data: int
        day: date | None = None
        items: list[Item] = []

    def execute(self, _input: Any = None, external_input: Any = None) -> Any:
        return {"given": external_input["some_data"], "rows": _input["rows"]}


class Report(steps.Step):
    def execute(self, _input: Any = None) -> Any:
        return {"report": _input}


class Breaks(steps.Step):
    def execute(self, _input: Any = None) -> Any:
        if isinstance(_input, dict) and _input.get("repaired"):
            return "mended"
        raise ValueError("the pump is broken, code secret-4711")


class AskAndBreak(Ask):
    """Asks, and breaks at 13."""

    def execute(self, _input: Any = None, external_input: Any = None) -> Any:
        if external_input["some_data"] == 13:
            raise ValueError("no luck")
        return external_input["some_data"]


class Choose(steps.Decision):
    labels = ("left", "right")

    def transition(self, _input: Any = None) -> int:
        raise RuntimeError("cannot choose")


class Left(Report):
    pass


class Right(Report):
    pass


class PlainFlow(workflows.Workflow):
    """Fetches and reports."""

    DIGRAPH = {steps.__start__: [Fetch], Fetch: [Report]}


class AskingFlow(workflows.Workflow):
    """Waits for a clerk."""

    label = "Asking"
    DIGRAPH = {steps.__start__: [Fetch], Fetch: [Ask], Ask: [Report]}


class BreakingFlow(workflows.Workflow):
    DIGRAPH = {steps.__start__: [Fetch], Fetch: [Breaks], Breaks: [Report]}


class AskingAndBreakingFlow(workflows.Workflow):
    DIGRAPH = {steps.__start__: [AskAndBreak]}


class ChoosingFlow(workflows.Workflow):
    DIGRAPH = {steps.__start__: [Fetch], Fetch: [Choose], Choose: [Left, Right]}
