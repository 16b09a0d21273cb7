"""Workflows that prove the public interface, step by step."""

import datetime
import logging
import sys
from typing import Any

from django.utils.translation import gettext_lazy
from pydantic import BaseModel

from django_wfe import steps, workflows
from django_wfe.retry import Retry
from tests.declared.input_workflows import GIVEN, Keep


class Give(steps.Step):
    """Returns what the test has put in its place."""

    RESULT: Any = None

    def execute(self, _input=None):
        return type(self).RESULT


class Take(steps.Step):
    def execute(self, _input=None):
        GIVEN.append(_input)
        return _input


class Passing(workflows.Workflow):
    """What one step returns, the next one gets."""

    DIGRAPH = {steps.__start__: [Give], Give: [Take]}


class Raise(steps.Step):
    """Raises what the test has put in its place."""

    ERROR: BaseException | None = None

    def execute(self, _input=None):
        password = "kept to itself"
        if self.ERROR is not None and password:
            raise self.ERROR
        return "mended"


class Raising(workflows.Workflow):
    DIGRAPH = {steps.__start__: [Raise], Raise: [Take]}


class Pick(steps.Decision):
    """Takes the edge that the test has put in its place."""

    EDGE: Any = 0
    labels = ("left", "right")

    def transition(self, _input=None, result=None, external_input=None):
        GIVEN.append((_input, result, external_input))
        return type(self).EDGE


class GoLeft(Take):
    pass


class GoRight(Take):
    pass


class Choosing(workflows.Workflow):
    DIGRAPH = {steps.__start__: [Give], Give: [Pick], Pick: [GoLeft, GoRight]}


class AskAndPick(steps.Decision):
    """A Decision that asks, works and chooses."""

    class UserInputSchema(BaseModel):
        right: bool

    def execute(self, _input=None, external_input=None):
        return {"asked": external_input["right"]}

    def transition(self, result, external_input):
        return int(external_input["right"]) if result["asked"] == external_input["right"] else -1


class AskingDecision(workflows.Workflow):
    DIGRAPH = {steps.__start__: [Give], Give: [AskAndPick], AskAndPick: [GoLeft, GoRight]}


class StepThatChooses(steps.Step):
    def execute(self, _input=None):
        return 1

    def transition(self, result=None):
        return result


class ChoosingStep(workflows.Workflow):
    DIGRAPH = {steps.__start__: [StepThatChooses], StepThatChooses: [GoLeft, GoRight]}


class LookAround(steps.Step):
    """Tells all that a step can know."""

    label = "Look around"

    def execute(self, _input=None, logfile=None):
        self.log.info("looking around")
        return {
            "job": self.job.pk,
            "name": str(self.job),
            "storage": self.job.storage["data"],
            "key": self.idempotency_key,
            "attempt": self.attempt,
            "logfile": logfile,
            "model": self.external_input_model,
            "logger": self.log.name,
        }


class Looking(workflows.Workflow):
    """Looks around."""

    DIGRAPH = {steps.__start__: [Give], Give: [LookAround]}


class FailTwice(steps.Step):
    retry = Retry(max_attempts=3, backoff=0, jitter=0)

    def execute(self, _input=None):
        print(f"attempt {self.attempt}")
        GIVEN.append((self.attempt, self.idempotency_key))
        if self.attempt < 3:
            raise ConnectionError("not yet")
        return self.idempotency_key


class FailingTwice(workflows.Workflow):
    DIGRAPH = {steps.__start__: [FailTwice], FailTwice: [LookAround]}


class FailLater(steps.Step):
    retry = Retry(max_attempts=2, backoff=3600, max_backoff=3600, jitter=0)

    def execute(self, _input=None):
        if self.attempt == 1:
            raise ConnectionError("not yet")
        return self.attempt


class FailingLater(workflows.Workflow):
    DIGRAPH = {steps.__start__: [FailLater]}


class GiveUp(steps.Step):
    retry = Retry(max_attempts=5, backoff=0, on=OSError, give_up_on=FileNotFoundError)

    def execute(self, _input=None):
        raise FileNotFoundError("it will not come")


class GivingUp(workflows.Workflow):
    DIGRAPH = {steps.__start__: [GiveUp]}


class Hang(steps.Step):
    timeout = datetime.timedelta(milliseconds=100)

    def execute(self, _input=None):
        deadline = datetime.datetime.now() + datetime.timedelta(seconds=10)
        while datetime.datetime.now() < deadline:
            pass
        return "never"


class Translated(Pick):
    """Its texts are to be translated, by pages; not in what is kept."""

    label = gettext_lazy("Yes")
    labels = (gettext_lazy("No"), "on")


class Translating(workflows.Workflow):
    label = gettext_lazy("Yes")
    DIGRAPH = {steps.__start__: [Translated], Translated: [GoLeft, GoRight]}


class Shelf:
    """Nodes may be declared inside of a class."""

    class Inner(Keep):
        pass

    class Flow(workflows.Workflow):
        pass


Shelf.Flow.DIGRAPH = {steps.__start__: [Shelf.Inner]}


class Hanging(workflows.Workflow):
    DIGRAPH = {steps.__start__: [Hang]}


class Speak(steps.Step):
    """Says who it is, many times and in each way that a log can be written."""

    def execute(self, _input=None):
        key = self.idempotency_key
        for number in range(20):
            print(f"printed {number} {key}")
            sys.stderr.write(f"wrote {number} {key}\n")
            logging.getLogger("shop").warning("logged %s %s", number, key)
            self.log.info("said %s %s", number, key)
        return key


class SpeakAgain(Speak):
    pass


class Speaking(workflows.Workflow):
    DIGRAPH = {steps.__start__: [Speak], Speak: [SpeakAgain]}


class SayOddThings(steps.Step):
    def execute(self, _input=None):
        print("a NUL \0 and a surrogate \ud800.")
        return "said"


class SayingOddThings(workflows.Workflow):
    DIGRAPH = {steps.__start__: [SayOddThings]}


class WrongInit(steps.Step):
    """Can be made by its signature, and cannot all the same."""

    def __init__(self, context=None):
        super().__init__(context)
        raise LookupError("__init__ finds nothing")

    def execute(self, _input=None):
        return "never"


class WronglyMade(workflows.Workflow):
    DIGRAPH = {steps.__start__: [WrongInit]}


class Increase(steps.Step):
    def execute(self, _input):
        return (_input or 0) + 1


class Forever(steps.Decision):
    def transition(self):
        return 0


class Endless(workflows.Workflow):
    DIGRAPH = {steps.__start__: [Increase], Increase: [Forever], Forever: [Increase]}
