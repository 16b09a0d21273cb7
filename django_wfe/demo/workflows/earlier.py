"""The purchase approval as it was declared before: large purchases went to the board, and a change meant to ask anew.

A new demo records it before today's, as discovery would have when it was released: so the console has two definitions
to compare. It is not a sample to run, and no Job has it.
"""

from __future__ import annotations

from dataclasses import replace

from django_wfe import steps, workflows
from django_wfe.demo.workflows.purchase_approval import (
    ApproveAutomatically,
    AskTeamLead,
    CloseRejected,
    PlaceOrder,
    PurchaseApproval,
    RequestPurchase,
    RouteByAmount,
    RouteByAnswer,
    Total,
)
from django_wfe.engine.project_code.recording import describe_workflow, record_workflow
from django_wfe.models import Workflow


class AskBoard(AskTeamLead):
    """Approve this large purchase as the board, or reject it."""

    label = "Ask the board"
    approver = "the board"


class EarlierPurchaseApproval(workflows.Workflow):
    """Has a purchase approved by whom its amount demands, and orders it."""

    DIGRAPH = {
        steps.__start__: [RequestPurchase],
        RequestPurchase: [Total],
        Total: [RouteByAmount],
        RouteByAmount: [ApproveAutomatically, AskTeamLead, AskBoard],
        ApproveAutomatically: [PlaceOrder],
        AskTeamLead: [RouteByAnswer],
        AskBoard: [RouteByAnswer],
        RouteByAnswer: [PlaceOrder, RequestPurchase, CloseRejected],
    }


def record_definitions() -> None:
    """Record the earlier definition and then today's, which is the current one; nothing if there is any."""
    today = describe_workflow(PurchaseApproval)
    if not Workflow.objects.filter(path=today.path).exists():
        earlier = describe_workflow(EarlierPurchaseApproval)
        record_workflow(replace(today, graph=earlier.graph, problems=earlier.problems, code_hash=earlier.code_hash))
        record_workflow(today)
