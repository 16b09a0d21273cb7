"""Workflows whose Jobs are found by attributes, and are about a row of the project: users stand for its rows here."""

import datetime
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from pydantic import BaseModel, SecretStr

from django_wfe import steps, workflows

WORLD: dict[str, Any] = {}
"""What a test has the workflows do: ``attributes`` or ``subject`` as a function, ``set`` for the step."""


class Book(steps.Step):
    """Sets what the test asks for."""

    def execute(self, _input=None):
        for name, value in WORLD.get("set", {}).items():
            self.set_attribute(name, value)
        if WORLD.get("fails"):
            raise ArithmeticError("no money")
        return "booked"


class Confirm(steps.Step):
    """Asks whether it was right."""

    class UserInputSchema(BaseModel):
        is_right: bool = True

    def execute(self, _input=None, external_input=None):
        return external_input


class Refund(workflows.Workflow):
    """About a user, found by customer, amount and day."""

    class InputSchema(BaseModel):
        user: int | None = None
        customer: str = "ACME"
        amount: Decimal = Decimal("1.50")
        on: datetime.date = datetime.date(2026, 1, 31)
        token: SecretStr | None = None

    subject = "auth.User"

    @staticmethod
    def find_subject(job_input):
        return WORLD["subject"](job_input) if "subject" in WORLD else job_input.user

    @staticmethod
    def attributes(job_input):
        if "attributes" in WORLD:
            return WORLD["attributes"](job_input)
        return {"customer": job_input.customer, "amount": job_input.amount, "on": job_input.on, "express": False}

    @staticmethod
    def suggest_input(user: User):
        return {"user": user.pk, "customer": user.get_username()}

    DIGRAPH = {steps.__start__: [Book], Book: [Confirm]}


class Audit(workflows.Workflow):
    """About nothing, started without input, and found by a fixed attribute, by a classmethod."""

    @classmethod
    def attributes(cls, job_input):
        return {"kind": cls.__name__, "input": job_input}

    DIGRAPH = {steps.__start__: [Book]}


class Bare(workflows.Workflow):
    """Says nothing of itself."""

    DIGRAPH = {steps.__start__: [Book]}
