"""A sample workflow: a purchase is asked for, approved by whom its amount demands, and ordered."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from django_wfe import steps, workflows

AUTOMATIC_UP_TO = Decimal("250.00")
"""Purchases up to this amount, itself included, need no approval."""

TEAM_LEAD_UP_TO = Decimal("5000.00")
"""Purchases up to this amount, itself included, are for the team lead to approve; larger ones for the director."""

ANSWER_WITHIN = timedelta(days=2)
"""In which an approver is expected to answer; the inbox marks what is overdue."""


class CostCentre(StrEnum):
    """Who pays."""

    WORKSHOP = "workshop"
    OFFICE = "office"
    TRAINING = "training"


class Item(BaseModel):
    """One line of a purchase."""

    description: str = Field(min_length=1, max_length=200, examples=["Desk lamp"])
    quantity: int = Field(ge=1, le=10_000)
    unit_price: Decimal = Field(gt=0, max_digits=10, decimal_places=2, description="In euros.", examples=["49.90"])


class Purchase(BaseModel):
    """What is asked for."""

    requester: str = Field(min_length=1, max_length=100, description="Your name.")
    cost_centre: CostCentre
    items: list[Item] = Field(min_length=1)
    needed_by: date
    note: str | None = Field(
        default=None, description="What the approver should know.", json_schema_extra={"format": "textarea"}
    )


class RequestPurchase(steps.Step):
    """Say what you need, how much of it, and by when."""

    UserInputSchema = Purchase

    def execute(self, external_input: dict[str, Any]) -> dict[str, Any]:
        self.log.info("%s asks for %s items", external_input["requester"], len(external_input["items"]))
        return external_input


class Total(steps.Step):
    """Adds up the items."""

    label = "Add up"

    def execute(self, _input: dict[str, Any]) -> dict[str, Any]:
        purchase = Purchase.model_validate(_input)
        total = Decimal(0)
        for item in purchase.items:
            amount = item.quantity * item.unit_price
            self.log.info("%s x %s at %s = %s", item.quantity, item.description, item.unit_price, amount)
            total += amount
        self.log.info("Total: %s", total)
        return {**_input, "total": total}


class RouteByAmount(steps.Decision):
    """Finds out who has to approve: up to 250.00 nobody, up to 5000.00 the team lead, above that the director."""

    labels = ("small", "medium", "large")

    def transition(self, _input: dict[str, Any]) -> int:
        # Results are kept as JSON, where a Decimal is text.
        total = Decimal(_input["total"])
        if total <= AUTOMATIC_UP_TO:
            return 0
        if total <= TEAM_LEAD_UP_TO:
            return 1
        return 2


class ApproveAutomatically(steps.Step):
    """Approves a small purchase without asking anybody."""

    def execute(self, _input: dict[str, Any]) -> dict[str, Any]:
        return {**_input, "answer": "approve", "answered_by": "the rule for small purchases", "comment": ""}


class Answer(BaseModel):
    """Your answer; the requester reads the comment."""

    answer: Literal["approve", "reject", "ask for changes"]
    comment: str = Field(
        default="",
        max_length=1000,
        description="Required unless you approve.",
        validate_default=True,
        json_schema_extra={"format": "textarea"},
    )

    @field_validator("comment")
    @classmethod
    def check_that_refusal_is_explained(cls, comment: str, info: ValidationInfo) -> str:
        if info.data.get("answer") in ("reject", "ask for changes") and not comment.strip():
            raise ValueError("Say why, or what to change: the requester reads it.")
        return comment


class AskTeamLead(steps.Step):
    """Approve this purchase as team lead, reject it, or ask for changes.

    What was asked for and its total are what the step before gave.
    """

    approver = "the team lead"
    UserInputSchema = Answer
    input_within = ANSWER_WITHIN

    def execute(self, _input: dict[str, Any], external_input: dict[str, Any]) -> dict[str, Any]:
        self.log.info("%s says: %s. %s", self.approver, external_input["answer"], external_input["comment"])
        return {**_input, **external_input, "answered_by": self.approver}


class AskDirector(AskTeamLead):
    """Approve this large purchase as director, reject it, or ask for changes.

    What was asked for and its total are what the step before gave.
    """

    approver = "the director"


class RouteByAnswer(steps.Decision):
    """Goes where the approver's answer leads."""

    labels = ("approved", "changes wanted", "rejected")

    def transition(self, _input: dict[str, Any]) -> int:
        return ("approve", "ask for changes", "reject").index(_input["answer"])


class Revise(steps.Step):
    """Change your purchase as the approver asks: give all its items anew.

    The items as they were and the approver's comment are what the step before gave.
    """

    label = "Revise the purchase"

    class UserInputSchema(BaseModel):
        items: list[Item] = Field(min_length=1)
        note: str | None = Field(
            default=None, description="What you changed.", json_schema_extra={"format": "textarea"}
        )

    def execute(self, _input: dict[str, Any], external_input: dict[str, Any]) -> dict[str, Any]:
        self.log.info("%s wanted: %s", _input["answered_by"], _input["comment"])
        for item in _input["items"]:
            self.log.info("Before: %s x %s at %s", item["quantity"], item["description"], item["unit_price"])
        for item in external_input["items"]:
            self.log.info("Now: %s x %s at %s", item["quantity"], item["description"], item["unit_price"])
        return {**_input, **external_input, "revisions": _input.get("revisions", 0) + 1}


class PlaceOrder(steps.Step):
    """Orders what was approved."""

    def execute(self, _input: dict[str, Any]) -> dict[str, Any]:
        # The key is the same in every attempt: a second one, after a crash, would find the order already placed.
        digest = hashlib.sha256(self.idempotency_key.encode()).hexdigest()
        order_number = f"PO-{digest[:10].upper()}"
        self.log.info("Order %s over %s for %s", order_number, _input["total"], _input["requester"])
        return {"outcome": "ordered", "order_number": order_number, "total": _input["total"]}


class CloseRejected(steps.Step):
    """Tells the requester that the purchase was rejected."""

    def execute(self, _input: dict[str, Any]) -> dict[str, Any]:
        self.log.info("%s: rejected by %s: %s", _input["requester"], _input["answered_by"], _input["comment"])
        return {"outcome": "rejected", "comment": _input["comment"], "total": _input["total"]}


class PurchaseApproval(workflows.Workflow):
    """Has a purchase approved by whom its amount demands, and orders it."""

    DIGRAPH = {
        steps.__start__: [RequestPurchase],
        RequestPurchase: [Total],
        Total: [RouteByAmount],
        RouteByAmount: [ApproveAutomatically, AskTeamLead, AskDirector],
        ApproveAutomatically: [PlaceOrder],
        AskTeamLead: [RouteByAnswer],
        AskDirector: [RouteByAnswer],
        RouteByAnswer: [PlaceOrder, Revise, CloseRejected],
        Revise: [Total],
    }
