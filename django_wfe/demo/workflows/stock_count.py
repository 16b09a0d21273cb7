"""A sample workflow that a new demo holds as a whole: its Jobs can be started and answered, and wait to be resumed."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from django_wfe import steps, workflows

EXPECTED = {"Desk lamp": 14, "Office chair": 6, "Shelf": 22}
"""What the books say is in the warehouse."""


class PrintCountingList(steps.Step):
    """Prints what should be in the warehouse."""

    def execute(self) -> dict[str, int]:
        for article, count in EXPECTED.items():
            self.log.info("%s: %s", article, count)
        return EXPECTED


class Counted(BaseModel):
    """What was found of one article."""

    article: str = Field(min_length=1, max_length=100, examples=["Desk lamp"])
    count: int = Field(ge=0, le=100_000)


class EnterCount(steps.Step):
    """Walk through the warehouse, and enter what you have counted."""

    class UserInputSchema(BaseModel):
        counted: list[Counted] = Field(min_length=1)

    def execute(self, _input: dict[str, int], external_input: dict[str, Any]) -> list[dict[str, Any]]:
        return [{**counted, "expected": _input.get(counted["article"], 0)} for counted in external_input["counted"]]


class BookDifferences(steps.Step):
    """Books what was found more or less than expected."""

    def execute(self, _input: list[dict[str, Any]]) -> list[dict[str, Any]]:
        booked = [{**line, "difference": line["count"] - line["expected"]} for line in _input]
        for line in booked:
            self.log.info("%s: %+d", line["article"], line["difference"])
        return booked


class StockCount(workflows.Workflow):
    """Has the stock of the warehouse counted, and books the differences."""

    DIGRAPH = {
        steps.__start__: [PrintCountingList],
        PrintCountingList: [EnterCount],
        EnterCount: [BookDifferences],
    }
