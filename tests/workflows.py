"""The workflows that the tests run."""

import datetime
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from django_wfe import steps, workflows
from django_wfe.retry import Retry

EXECUTED: list[tuple[str, Any]] = []
"""What in-process runs did, by class name and idempotency key; a test clears it first."""


def note(step: steps.Step) -> None:
    EXECUTED.append((type(step).__name__, step.idempotency_key))


class Fetch(steps.Step):
    """Gets the data."""

    def execute(self, _input=None, *args, **kwargs):
        note(self)
        print("fetched")
        return {"rows": 3}


class Double(steps.Step):
    """Doubles it."""

    def execute(self, _input):
        note(self)
        self.log.info("doubling %s", _input)
        return {"rows": _input["rows"] * 2}


class Store(steps.Step):
    """Stores it."""

    def execute(self, _input=None):
        note(self)
        print("stored", file=sys.stderr)
        return {"stored": _input["rows"]}


class Linear(workflows.Workflow):
    """Three steps, one after another."""

    DIGRAPH = {steps.__start__: [Fetch], Fetch: [Double], Double: [Store]}


class Ask(steps.Step):
    """Asks a person for a number."""

    class UserInputSchema(BaseModel):
        some_data: int
        day: datetime.date | None = None

    def execute(self, _input=None, external_input=None, *args, **kwargs):
        note(self)
        logging.getLogger("anybody").warning("asked")
        return {"given": external_input["some_data"], "type": type(external_input["day"]).__name__}


class Route(steps.Decision):
    """Even to the left, odd to the right."""

    labels = ("even", "odd")

    def transition(self, _input=None, *args, **kwargs):
        return _input["given"] % 2


class Left(steps.Step):
    def execute(self, _input=None):
        return f"left {_input['given']}"


class Right(steps.Step):
    def execute(self, _input=None):
        return f"right {_input['given']}"


class Done(steps.Step):
    def execute(self, _input):
        return _input


class Asking(workflows.Workflow):
    """Waits for a number, and routes by it."""

    DIGRAPH = {
        steps.__start__: [Fetch],
        Fetch: [Ask],
        Ask: [Route],
        Route: [Left, Right],
        Left: [Done],
        Right: [Done],
    }


class Fail(steps.Step):
    """Fails on its first attempts, as many as FAILURES says."""

    FAILURES = 1

    def execute(self, _input=None):
        note(self)
        password = "kept to itself"
        if self.attempt <= self.FAILURES and password:
            raise ValueError(f"attempt {self.attempt} fails")
        return "repaired"


class Failing(workflows.Workflow):
    """Fails once; an operator's retry mends it."""

    DIGRAPH = {steps.__start__: [Fetch], Fetch: [Fail], Fail: [Done]}


class Flaky(steps.Step):
    retry = Retry(max_attempts=3, backoff=0, jitter=0, on=ConnectionError)

    def execute(self, _input=None):
        note(self)
        if self.attempt < 3:
            raise ConnectionError("not yet")
        return self.attempt


class Retrying(workflows.Workflow):
    """Fails twice and mends itself."""

    DIGRAPH = {steps.__start__: [Flaky]}


class Count(steps.Step):
    def execute(self, _input=None):
        return (_input or 0) + 1


class Again(steps.Decision):
    LIMIT = 500

    def transition(self, _input):
        return 0 if _input < self.LIMIT else 1


class Looping(workflows.Workflow):
    """Goes round 500 times."""

    DIGRAPH = {steps.__start__: [Count], Count: [Again], Again: [Count, Done]}


RELEASE = threading.Event()
REACHED = threading.Event()


class Block(steps.Step):
    """Waits until a test lets it go on."""

    timeout = 30

    def execute(self, _input=None):
        note(self)
        REACHED.set()
        while not RELEASE.wait(0.01):
            pass
        return "released"


class Blocking(workflows.Workflow):
    DIGRAPH = {steps.__start__: [Block], Block: [Done]}


class Slow(steps.Step):
    timeout = 0.1

    def execute(self, _input=None):
        note(self)
        try:
            while True:
                threading.Event().wait(0.01)
        except Exception:
            return "swallowed"


class TimingOut(workflows.Workflow):
    DIGRAPH = {steps.__start__: [Slow]}


class Door:
    """A context manager that never gets through with its end, and may hold anything."""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        while True:
            time.sleep(0.01)


class StayInDoor(steps.Step):
    timeout = 0.1

    def execute(self, _input=None):
        with Door():
            note(self)


class Stuck(workflows.Workflow):
    DIGRAPH = {steps.__start__: [StayInDoor]}


class WriteAtomically(steps.Step):
    """Writes a row of its own, and fails after it on the first attempt."""

    atomic = True
    retry = Retry(max_attempts=2, backoff=0, jitter=0)

    def execute(self, _input=None):
        from django.contrib.auth.models import Group

        print(f"attempt {self.attempt}")
        Group.objects.create(name=self.idempotency_key)
        if self.attempt == 1:
            raise RuntimeError("after the write")
        return "written"


class Writing(workflows.Workflow):
    DIGRAPH = {steps.__start__: [WriteAtomically], WriteAtomically: [Done]}


class TellFirst(steps.Step):
    """Says who it is in each way that a log can be written."""

    def execute(self, _input=None):
        print(f"printed {self.idempotency_key}")
        sys.stderr.write(f"wrote {self.idempotency_key}\n")
        logging.getLogger("shop.orders").warning("logged %s", self.idempotency_key)
        return [*(_input or []), self.idempotency_key]


class TellSecond(TellFirst):
    """Says it again."""


class TellThird(TellFirst):
    """And again."""


class Telling(workflows.Workflow):
    DIGRAPH = {steps.__start__: [TellFirst], TellFirst: [TellSecond], TellSecond: [TellThird]}


class Gate(steps.Step):
    """Says that it has begun and waits until a test in another process opens its gate."""

    timeout = 60

    def execute(self, _input=None):
        folder = Path(os.environ["WFE_TEST_GATE"])
        print("at the gate")
        (folder / f"{self.job.pk}.reached").write_text(str(os.getpid()))
        while not (folder / f"{self.job.pk}.open").exists():
            threading.Event().wait(0.02)
        print("through the gate")
        return self.attempt

    def on_cancel(self):
        (Path(os.environ["WFE_TEST_GATE"]) / f"{self.job.pk}.cleaned").touch()


class Gated(workflows.Workflow):
    DIGRAPH = {steps.__start__: [Gate], Gate: [Done]}


class Poison(steps.Step):
    """Kills the worker that runs it."""

    def execute(self, _input=None):
        os.kill(os.getpid(), signal.SIGKILL)


class Poisoned(workflows.Workflow):
    DIGRAPH = {steps.__start__: [Poison]}
