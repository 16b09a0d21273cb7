"""Workflows that ask for input of every kind, and keep what their steps were given."""

import datetime
import enum
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, Json, RootModel, SecretStr, computed_field, field_validator

from django_wfe import steps, workflows

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
