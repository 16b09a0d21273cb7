"""The workflows that are measured. Their steps do nothing, so that what is measured is the engine."""

from __future__ import annotations

import time
from typing import Any

from pydantic import BaseModel

import django_wfe
from django_wfe import steps, workflows

LOOP_STEPS = 1000
STARTED_AT: list[float] = []
"""When each step of ``Loop`` began, in this process, by ``time.perf_counter()``."""


class Noop(steps.Step):
    """Does nothing."""

    def execute(self) -> None:
        return None


def build_chain(length: int) -> type[workflows.Workflow]:
    """Declare a workflow of ``length`` steps, one after another, and their classes in this module."""
    chain = []
    for number in range(1, length + 1):
        name = f"Noop{number}of{length}"
        chain.append(type(name, (Noop,), {"__module__": __name__, "__qualname__": name}))
    globals().update({step.__name__: step for step in chain})
    graph = dict(zip([steps.__start__, *chain[:-1]], ([step] for step in chain), strict=True))
    return type(f"Chain{length}", (workflows.Workflow,), {"__module__": __name__, "DIGRAPH": graph})


Chain1 = build_chain(1)
Chain3 = build_chain(3)
Chain10 = build_chain(10)
Chain50 = build_chain(50)


class Delivery(Chain3):
    """A chain that starts with data, and is found by two attributes."""

    class InputSchema(BaseModel):
        """What a job is about."""

        order: int
        customer: str

    @staticmethod
    def attributes(job_input: Any) -> dict[str, Any]:
        """Return what a job is found by."""
        return {"order": job_input.order, "customer": job_input.customer}


class Count(steps.Decision):
    """Counts to ``LOOP_STEPS``, one step run a number."""

    def execute(self, _input: int | None = None) -> int:
        STARTED_AT.append(time.perf_counter())
        return (_input or 0) + 1

    def transition(self, *, result: int) -> int:
        return int(result >= LOOP_STEPS - 1)


class End(steps.Step):
    """The last of the ``LOOP_STEPS``."""

    def execute(self) -> None:
        STARTED_AT.append(time.perf_counter())


class Loop(workflows.Workflow):
    """A thousand steps of one job."""

    DIGRAPH = {steps.__start__: [Count], Count: [Count, End]}


class Tell(steps.Step):
    """Gives the time at which it was started, by the clock that all processes of this machine share."""

    def execute(self) -> float:
        return time.time()


class AskAndTell(steps.Step):
    """Waits for input, and then gives the time at which it was started."""

    class UserInputSchema(BaseModel):
        """Anything that is quick to validate."""

        number: int

    def execute(self) -> float:
        return time.time()


class Latency(workflows.Workflow):
    """Starts, waits for input, goes on."""

    DIGRAPH = {steps.__start__: [Tell], Tell: [AskAndTell]}


class TellFile(steps.Step):
    """Gives the file of the django-wfe that runs it."""

    def execute(self) -> str:
        return str(django_wfe.__file__)


class Locate(workflows.Workflow):
    """Tells which code the workers run."""

    DIGRAPH = {steps.__start__: [TellFile]}


CHAINS: dict[int, Any] = {1: Chain1, 3: Chain3, 10: Chain10, 50: Chain50, LOOP_STEPS: Loop}
"""The workflow of each number of steps."""
