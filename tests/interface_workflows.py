"""Workflows that prove the public interface, step by step."""

import datetime
import enum
import logging
import sys
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, Json, RootModel, SecretStr, computed_field, field_validator

from django_wfe import steps, workflows
from django_wfe.retry import Retry

GIVEN: list[Any] = []
"""What steps were given, to be looked at by tests; a test clears it first."""


class Size(enum.Enum):
    SMALL = "s"
    LARGE = "l"


class Line(BaseModel):
    article: str
    price: Decimal


class Order(BaseModel):
    day: datetime.date
    when: datetime.datetime | None = None
    size: Size = Size.SMALL
    lines: list[Line] = []
    urgency: Literal["low", "high"] = "low"
    tags: set[str] = {"new", "order", "unpaid", "open", "checked"}


class Keep(steps.Step):
    """Keeps what it is given for the test."""

    def execute(self, _input=None, external_input=None):
        GIVEN.append((external_input, self.external_input_model))
        return "kept"


class AskOrder(Keep):
    UserInputSchema = Order


class Ordering(workflows.Workflow):
    DIGRAPH = {steps.__start__: [AskOrder]}


class AskNothing(Keep):
    class UserInputSchema(BaseModel):
        pass


class AskNothingAtAll(Keep):
    class UserInputSchema:
        pass


class NothingAsked(workflows.Workflow):
    DIGRAPH = {steps.__start__: [AskNothing], AskNothing: [AskNothingAtAll]}


class AskStrict(Keep):
    class UserInputSchema(BaseModel):
        model_config = ConfigDict(strict=True)
        day: datetime.date
        number: int
        size: Size
        price: Decimal
        pair: tuple[int, str]


class AskAliased(Keep):
    class UserInputSchema(BaseModel):
        some_data: int = Field(alias="someData")


class AskSecret(Keep):
    class UserInputSchema(BaseModel):
        user: str
        password: SecretStr


class AskList(Keep):
    class UserInputSchema(RootModel[list[int]]):
        pass


class AskForbidding(Keep):
    class UserInputSchema(BaseModel):
        model_config = ConfigDict(extra="forbid")
        amount: int


class AskAllowing(Keep):
    class UserInputSchema(BaseModel):
        model_config = ConfigDict(extra="allow")
        amount: int


class AskIgnoring(Keep):
    class UserInputSchema(BaseModel):
        amount: int


class AskJson(Keep):
    class UserInputSchema(BaseModel):
        payload: Json[dict[str, int]]

        @computed_field
        def total(self) -> int:
            return sum(self.payload.values())


class StrictlyAsked(workflows.Workflow):
    DIGRAPH = {steps.__start__: [AskStrict]}


class AliasAsked(workflows.Workflow):
    DIGRAPH = {steps.__start__: [AskAliased]}


class SecretAsked(workflows.Workflow):
    DIGRAPH = {steps.__start__: [AskSecret]}


class ListAsked(workflows.Workflow):
    DIGRAPH = {steps.__start__: [AskList]}


class ForbiddingAsked(workflows.Workflow):
    DIGRAPH = {steps.__start__: [AskForbidding]}


class AllowingAsked(workflows.Workflow):
    DIGRAPH = {steps.__start__: [AskAllowing]}


class IgnoringAsked(workflows.Workflow):
    DIGRAPH = {steps.__start__: [AskIgnoring]}


class JsonAsked(workflows.Workflow):
    DIGRAPH = {steps.__start__: [AskJson]}


class AskWithDefaults(Keep):
    class UserInputSchema(BaseModel):
        tags: frozenset[str] = frozenset({"alpha", "beta", "gamma", "delta", "epsilon", "zeta"})
        numbers: set[int] = {5, 3, 1}


class SetDefaults(workflows.Workflow):
    DIGRAPH = {steps.__start__: [AskWithDefaults]}


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
    """Takes no context."""

    def __init__(self):
        super().__init__()

    def execute(self, _input=None):
        return "never"


class WronglyMade(workflows.Workflow):
    DIGRAPH = {steps.__start__: [WrongInit]}


class AskMoody(steps.Step):
    """Its schema's own code raises, once the input has been taken."""

    class UserInputSchema(BaseModel):
        amount: int

        @field_validator("amount")
        @classmethod
        def look(cls, value: int) -> int:
            if MOODS:
                raise MOODS[0]
            return value

    def execute(self, _input=None, external_input=None):
        return external_input["amount"]


MOODS: list[BaseException] = []


class Moody(workflows.Workflow):
    DIGRAPH = {steps.__start__: [AskMoody]}


class Increase(steps.Step):
    def execute(self, _input):
        return (_input or 0) + 1


class Forever(steps.Decision):
    def transition(self):
        return 0


class Endless(workflows.Workflow):
    DIGRAPH = {steps.__start__: [Increase], Increase: [Forever], Forever: [Increase]}
