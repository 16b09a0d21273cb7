"""The mixed Workflows of a storm. Each step records that it is executed, works for a moment, and counts on."""

from __future__ import annotations

import random
import time
from typing import Any

from pydantic import BaseModel

from django_wfe import steps, workflows
from django_wfe.retry import Retry
from tests.chaos.storm.records import AtomicRow, record_execution


class Recorded(steps.Step):
    """Records its execution and gives the count of the steps so far, after ``work``."""

    def execute(self, _input: Any = None, external_input: Any = None) -> Any:
        record_execution(self.idempotency_key, self.attempt)
        self.work(external_input)
        return (_input or 0) + 1

    def work(self, external_input: Any) -> None:
        pause(0.05, 0.25)


class RecordedDecision(steps.Decision):
    """Records its execution and passes its input on."""

    def execute(self, _input: Any = None) -> Any:
        record_execution(self.idempotency_key, self.attempt)
        return _input


def pause(least: float, most: float) -> None:
    time.sleep(random.uniform(least, most))


class First(Recorded): ...


class Second(Recorded): ...


class Third(Recorded): ...


class Fourth(Recorded): ...


class Fifth(Recorded): ...


class Sixth(Recorded): ...


class Seventh(Recorded): ...


class Eighth(Recorded): ...


class Ninth(Recorded): ...


class Tenth(Recorded): ...


class Last(Recorded): ...


class Short(workflows.Workflow):
    """Three steps in a row."""

    DIGRAPH = {steps.__start__: [First], First: [Second], Second: [Third]}


class Long(workflows.Workflow):
    """Ten steps in a row."""

    DIGRAPH = {
        steps.__start__: [First],
        First: [Second],
        Second: [Third],
        Third: [Fourth],
        Fourth: [Fifth],
        Fifth: [Sixth],
        Sixth: [Seventh],
        Seventh: [Eighth],
        Eighth: [Ninth],
        Ninth: [Tenth],
    }


class Fork(RecordedDecision):
    """Goes by chance, so that an execution that was not committed may have gone another way."""

    labels = ("left", "right")

    def transition(self, _input: Any) -> int:
        return random.randrange(2)


class Left(Recorded): ...


class Right(Recorded): ...


class Branching(workflows.Workflow):
    """One of two ways."""

    DIGRAPH = {steps.__start__: [First], First: [Fork], Fork: [Left, Right], Left: [Last], Right: [Last]}


class Round(Recorded): ...


class Again(RecordedDecision):
    """Goes round until five are counted."""

    def transition(self, _input: Any) -> int:
        return 0 if _input < 5 else 1


class Looping(workflows.Workflow):
    """Goes round five times."""

    DIGRAPH = {steps.__start__: [Round], Round: [Again], Again: [Round, Last]}


class Ask(Recorded):
    """Waits for a number."""

    class UserInputSchema(BaseModel):
        number: int

    def work(self, external_input: Any) -> None:
        if external_input["number"] != 42:
            raise ValueError(f"42 was given, and {external_input['number']} arrived")


class Asking(workflows.Workflow):
    """Waits for input in its middle."""

    DIGRAPH = {steps.__start__: [First], First: [Ask], Ask: [Last]}


class Flaky(Recorded):
    """Fails on its first attempt."""

    # Lost attempts count among these.
    retry = Retry(max_attempts=60, backoff=0.2, factor=1)

    def work(self, external_input: Any) -> None:
        if self.attempt == 1:
            raise ConnectionError("not at the first attempt")


class Retrying(workflows.Workflow):
    """Fails once and mends itself."""

    DIGRAPH = {steps.__start__: [First], First: [Flaky], Flaky: [Last]}


class Write(Recorded):
    """Writes one row in the transaction of its result, and dawdles before and after."""

    atomic = True

    def work(self, external_input: Any) -> None:
        pause(0, 0.2)
        AtomicRow.objects.create(key=self.idempotency_key, attempt=self.attempt)
        pause(0, 0.3)


class WriteMore(Write): ...


class Writing(workflows.Workflow):
    """Two atomic steps."""

    DIGRAPH = {steps.__start__: [Write], Write: [WriteMore], WriteMore: [Last]}


class Nap(Recorded):
    """Takes one to three seconds."""

    def work(self, external_input: Any) -> None:
        pause(1, 3)


class Napping(workflows.Workflow):
    """A slow step between two quick ones."""

    DIGRAPH = {steps.__start__: [First], First: [Nap], Nap: [Last]}


MIX: dict[type[workflows.Workflow], int] = {
    Short: 3,
    Long: 10,
    Branching: 3,
    Looping: 6,
    Asking: 3,
    Retrying: 3,
    Writing: 3,
    Napping: 3,
}
"""The Workflows of the mix, each with the result of its last step."""

ATOMIC_STEPS = (Write, WriteMore)
