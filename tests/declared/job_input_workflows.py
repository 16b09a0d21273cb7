"""Workflows that start with data."""

import enum
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

from pydantic import AwareDatetime, BaseModel, Field, SecretStr, field_validator

from django_wfe import steps, workflows

SEEN: list[Any] = []
"""What the steps saw, in order."""

WORLD: dict[str, bool] = {"is open": True}


class CheckRefund(steps.Decision):
    """Sees the input, and hands its own on."""

    labels: ClassVar[tuple[str, ...]] = ("pay",)

    def transition(self, _input: Any = None) -> int:
        SEEN.append((_input, self.job_input))
        return 0


class PayRefund(steps.Step):
    def execute(self, _input: Any = None) -> Any:
        SEEN.append((_input, self.job_input))
        return "paid"


class Line(BaseModel):
    article: str
    amount: Decimal = Decimal("1.00")


class Refund(workflows.Workflow):
    class InputSchema(BaseModel):
        order: int
        on: date | None = None
        lines: list[Line] = []
        note: str = Field("", alias="Note")
        token: SecretStr | None = None

        @field_validator("order")
        @classmethod
        def look_at_the_world(cls, order: int) -> int:
            if not WORLD["is open"]:
                raise ValueError("the shop is closed")
            return order

    DIGRAPH = {steps.__start__: [CheckRefund], CheckRefund: [PayRefund]}


class Optional(workflows.Workflow):
    """Starts without a word said."""

    class InputSchema(BaseModel):
        copies: int = 2

    DIGRAPH = {steps.__start__: [PayRefund]}


class Plain(workflows.Workflow):
    DIGRAPH = {steps.__start__: [PayRefund]}


class AskAddress(steps.Step):
    class UserInputSchema(BaseModel):
        address: str

    def execute(self, _input: Any = None, external_input: Any = None) -> Any:
        SEEN.append((_input, external_input, self.job_input))
        return external_input["address"]


class Shipping(workflows.Workflow):
    """Starts with data, and its first step asks for more."""

    class InputSchema(BaseModel):
        order: int

    DIGRAPH = {steps.__start__: [AskAddress]}


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Place(BaseModel):
    city: str
    floor: int | None = None


class Moving(workflows.Workflow):
    """Starts with a value of each kind."""

    class InputSchema(BaseModel):
        count: int
        price: Decimal
        on: date
        at: AwareDatetime
        colour: Colour
        place: Place
        lines: list[Line]
        maybe: int | None = None
        pin: SecretStr
        title: str = Field(alias="Title")

    DIGRAPH = {steps.__start__: [PayRefund]}
