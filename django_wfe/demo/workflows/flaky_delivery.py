"""A sample workflow: a carrier that fails in the ways carriers do, for an operator to repair.

Whether and how it fails is chosen at the start, so that each failure can be seen at will. Its Jobs are about orders:
the page of an order in the admin shows them.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, Field

from django_wfe import steps, workflows
from django_wfe.demo.shop.models import Order

BACK_AT_ATTEMPT = 3
"""When a carrier that is back answers: after two attempts by itself, at an operator's first retry."""

DOWN_UNTIL_ATTEMPT = 4
"""When a carrier that was down answers again: after two attempts by itself and one retry by an operator."""

ADDRESS_WITHIN = 600
"""Seconds in which the address of a packed parcel is expected: soon overdue, for the inbox to show it."""


class Carrier(StrEnum):
    """How the carrier behaves."""

    WORKS = "works"
    RECOVERS = "fails once, then works"
    STRICT = "refuses an address without a postcode"
    BACK = "is down until an operator retries"
    DOWN = "is down until an operator has retried twice"


class PackParcel(steps.Step):
    """Packs what was ordered."""

    def execute(self, _input: dict[str, Any]) -> dict[str, Any]:
        self.log.info("Packed a parcel of %s kg for order %s", _input["weight"], _input["order"])
        return _input


class Address(BaseModel):
    """Where a parcel goes."""

    name: str = Field(min_length=1, max_length=100)
    street: str = Field(min_length=1, max_length=100)
    postcode: str = Field(default="", max_length=10, description="Leave it empty for a strict carrier to refuse it.")
    town: str = Field(min_length=1, max_length=100)


class CallCarrier(steps.Step):
    """Say where the parcel goes; with that the carrier is asked for a label.

    A carrier that does not answer is asked once more by itself. After that an operator retries, and where the carrier
    refuses the address, with another one.
    """

    UserInputSchema = Address
    input_within = ADDRESS_WITHIN
    retry = steps.Retry(max_attempts=2, backoff=1, on=ConnectionError)
    timeout = 30

    def execute(self, _input: dict[str, Any], external_input: dict[str, Any]) -> dict[str, Any]:
        self.log.info("Attempt %s to get a label for %s", self.attempt, external_input["town"])
        label = request_label(
            self.external_input_model, Carrier(_input["carrier"]), key=self.idempotency_key, attempt=self.attempt
        )
        self.log.info("Label %s", label)
        self.set_attribute("label", label)
        return {"address": external_input, "label": label}


class ConfirmDelivery(steps.Step):
    """Say when and how the parcel arrived."""

    class UserInputSchema(BaseModel):
        delivered_on: date
        handed_to: Literal["the recipient", "a neighbour", "the parcel shop"] = "the recipient"
        damaged: bool = Field(default=False, description="The box was open, wet or dented.")

    def execute(self, _input: dict[str, Any], external_input: dict[str, Any]) -> dict[str, Any]:
        if external_input["damaged"]:
            self.log.warning("Parcel %s arrived damaged", _input["label"])
        return {**_input, **external_input}


class NotifyCustomer(steps.Step):
    """Writes to the customer that the parcel has arrived."""

    def execute(self, _input: dict[str, Any]) -> dict[str, Any]:
        lines = [
            f"Dear {_input['address']['name']},",
            f"parcel {_input['label']} was given to {_input['handed_to']} on {_input['delivered_on']}.",
        ]
        if _input["damaged"]:
            lines.append("We are sorry that it was damaged; a new one is on its way.")
        message = " ".join(lines)
        self.log.info(message)
        return {"message": message}


class FlakyDelivery(workflows.Workflow):
    """Sends a parcel with a carrier that fails in the ways carriers do, for an operator to repair."""

    class InputSchema(BaseModel):
        order: str = Field(max_length=20, description="The number of the order.", examples=["1001"])
        weight: float = Field(gt=0, le=30, description="In kilograms.", examples=[1.5])
        carrier: Carrier = Carrier.WORKS

    subject = "demo_shop.Order"

    @staticmethod
    def find_subject(job_input: InputSchema) -> Order | None:
        return Order.objects.filter(number=job_input.order).first()

    @staticmethod
    def attributes(job_input: InputSchema) -> dict[str, Any]:
        customer = Order.objects.filter(number=job_input.order).values_list("customer", flat=True).first()
        return {"order": job_input.order, "customer": customer}

    @staticmethod
    def suggest_input(subject: Order) -> dict[str, Any]:
        return {"order": subject.number, "weight": subject.weight}

    DIGRAPH = {
        steps.__start__: [PackParcel],
        PackParcel: [CallCarrier],
        CallCarrier: [ConfirmDelivery],
        ConfirmDelivery: [NotifyCustomer],
    }


def request_label(address: Address, carrier: Carrier, *, key: str, attempt: int) -> str:
    """Stand in for the carrier's own interface: give the number of a label, or fail as ``carrier`` says.

    Raises:
        ConnectionError: if the carrier does not answer in this attempt.
        ValueError: if it does not take the address.
    """
    works_from_attempt = {Carrier.RECOVERS: 2, Carrier.BACK: BACK_AT_ATTEMPT, Carrier.DOWN: DOWN_UNTIL_ATTEMPT}.get(
        carrier, 1
    )
    if attempt < works_from_attempt:
        raise ConnectionError("The carrier does not answer. Try again later.")
    if carrier is Carrier.STRICT and not address.postcode.strip():
        raise ValueError(f"The carrier refuses {address.town!r} without a postcode. Add it to the address and retry.")
    return f"LBL-{key[:8].upper()}"
