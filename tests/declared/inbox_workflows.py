"""Workflows whose jobs wait for people: the inbox and the start from a file are tested with them."""

import datetime
from datetime import timedelta
from decimal import Decimal
from typing import Literal

from pydantic import AwareDatetime, BaseModel, Field, SecretStr

from django_wfe import steps, workflows
from tests.workflows import Ask, Done


class Address(BaseModel):
    city: str
    postcode: str = ""


class Line(BaseModel):
    article: str
    price: Decimal = Field(gt=0)


class AskOrder(steps.Step):
    """What is to be delivered, and where to?"""

    label = "Take the order"
    input_within = timedelta(hours=4)

    class UserInputSchema(BaseModel):
        customer: str = Field(max_length=20, description="As on the invoice.")
        express: bool = False
        weight: float | None = None
        day: datetime.date | None = None
        address: Address
        lines: list[Line] = []
        secret_code: SecretStr | None = None
        letter: str = Field("", json_schema_extra={"format": "file"})

    def execute(self, _input=None, external_input=None):
        return {"customer": external_input["customer"]}


class Ordering(workflows.Workflow):
    """Asks for an order at once."""

    DIGRAPH = {steps.__start__: [AskOrder], AskOrder: [Done]}


class AskAtOnce(Ask):
    """Asks for a number at once."""

    label = "Give a number"


class Numbering(workflows.Workflow):
    """Asks for a number at once."""

    DIGRAPH = {steps.__start__: [AskAtOnce], AskAtOnce: [Done]}


class Guarded(workflows.Workflow):
    """For the auditors only."""

    groups = ("auditors",)
    DIGRAPH = {steps.__start__: [AskAtOnce], AskAtOnce: [Done]}


class AskMoments(steps.Step):
    """Asks when."""

    class UserInputSchema(BaseModel):
        at: datetime.datetime
        aware: AwareDatetime

    def execute(self, _input=None, external_input=None):
        return external_input


class Dating(workflows.Workflow):
    """Asks for moments at once."""

    DIGRAPH = {steps.__start__: [AskMoments]}


class Approve(steps.Step):
    """May it be bought?"""

    input_within = timedelta(days=2)

    class UserInputSchema(BaseModel):
        answer: Literal["approve", "reject"]
        comment: str = ""

    def execute(self, _input=None, external_input=None):
        return external_input


class ApproveAgain(Approve):
    """May it be paid?"""


class Approving(workflows.Workflow):
    """Asks twice for an approval."""

    DIGRAPH = {steps.__start__: [Approve], Approve: [ApproveAgain], ApproveAgain: [Done]}
