"""The workflow that each project runs: it reads and writes the database, fails once, and asks a person."""

from __future__ import annotations

import datetime
from typing import Any

from pydantic import BaseModel, Field

from django_wfe import steps, workflows


class FindOrder(steps.Step):
    """Looks something up in the project's own tables."""

    def execute(self) -> Any:
        from django.contrib.auth import get_user_model

        print("looking")
        return {"order": 1042, "people": get_user_model().objects.count()}


class NoteOrder(steps.Step):
    """Writes a row of its own with the result, and is tried again after a failure."""

    atomic = True
    timeout = 60
    retry = steps.Retry(max_attempts=2, backoff=0, jitter=0)

    def execute(self, _input: Any) -> Any:
        from django.contrib.auth.models import Group

        Group.objects.create(name=self.idempotency_key)
        if self.attempt == 1:
            raise RuntimeError("after the write")
        return _input


class ChooseWay(steps.Decision):
    """Large orders are for a person to decide."""

    labels = ("large", "small")

    def transition(self, _input: Any) -> int:
        return 0 if _input["order"] > 100 else 1


class AskAmount(steps.Step):
    """How much of it does the customer get back, and when?"""

    class UserInputSchema(BaseModel):
        amount: int = Field(gt=0, le=1000, description="In euros.")
        day: datetime.date
        moment: datetime.datetime
        comment: str = ""

    def execute(self, _input: Any, external_input: Any) -> Any:
        day, moment = external_input["day"].isoformat(), external_input["moment"].isoformat()
        return {**_input, "refund": external_input["amount"], "day": day, "moment": moment}


class PayBack(steps.Step):
    """Ends it, and tells who started it."""

    def execute(self, _input: Any) -> Any:
        self.log.info("Paying back %s", _input)
        kept = {name: _input.get(name) for name in ("day", "moment", "people")}
        return {"paid_back": _input.get("refund"), **kept}


class Refund(workflows.Workflow):
    """Gives a customer money back."""

    DIGRAPH = {
        steps.__start__: [FindOrder],
        FindOrder: [NoteOrder],
        NoteOrder: [ChooseWay],
        ChooseWay: [AskAmount, PayBack],
        AskAmount: [PayBack],
    }
