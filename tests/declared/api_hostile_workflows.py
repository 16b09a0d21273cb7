"""Workflows whose input schemas are a project's mistakes, and one that is wide."""

from typing import Any

from pydantic import BaseModel, Field, create_model, field_validator

from django_wfe import steps, workflows


def fail_to_choose() -> int:
    """Raise what no schema should, quoting what not everybody may see."""
    raise ZeroDivisionError("code secret-4711")


class Row(create_model("_Row", **{f"field_{number}": (int, ...) for number in range(12)})):  # type: ignore[call-overload,misc]
    """A record with many required fields."""


class TakeRows(steps.Step):
    class UserInputSchema(BaseModel):
        rows: list[Row]

    def execute(self, _input: Any = None, external_input: Any = None) -> Any:
        return len(external_input["rows"])


class TakeAnything(steps.Step):
    class UserInputSchema(BaseModel):
        name: str = ""
        number: int | float | None = None
        anything: Any = None

    def execute(self, _input: Any = None, external_input: Any = None) -> Any:
        return external_input["anything"]


class DefaultRaises(steps.Step):
    class UserInputSchema(BaseModel):
        number: int = Field(default_factory=fail_to_choose)

    def execute(self, _input: Any = None, external_input: Any = None) -> Any:
        return external_input["number"]


class ValidatorRaises(steps.Step):
    class UserInputSchema(BaseModel):
        number: int = 0

        @field_validator("number")
        @classmethod
        def divide(cls, number: int) -> int:
            """Raise what is not a ValueError."""
            return fail_to_choose() // number

    def execute(self, _input: Any = None, external_input: Any = None) -> Any:
        return external_input["number"]


class ValidatorExits(steps.Step):
    class UserInputSchema(BaseModel):
        number: int = 0

        @field_validator("number")
        @classmethod
        def leave(cls, number: int) -> int:
            """End the process, if nobody sees to it."""
            raise SystemExit(number)

    def execute(self, _input: Any = None, external_input: Any = None) -> Any:
        return external_input["number"]


class BytesDefault(steps.Step):
    class UserInputSchema(BaseModel):
        data: bytes = b"\xff\xfe"

    def execute(self, _input: Any = None, external_input: Any = None) -> Any:
        return len(external_input["data"])


class RowsFlow(workflows.Workflow):
    DIGRAPH = {steps.__start__: [TakeRows]}


class AnythingFlow(workflows.Workflow):
    DIGRAPH = {steps.__start__: [TakeAnything]}


class DefaultRaisesFlow(workflows.Workflow):
    DIGRAPH = {steps.__start__: [DefaultRaises]}


class ValidatorRaisesFlow(workflows.Workflow):
    DIGRAPH = {steps.__start__: [ValidatorRaises]}


class ValidatorExitsFlow(workflows.Workflow):
    DIGRAPH = {steps.__start__: [ValidatorExits]}


class BytesDefaultFlow(workflows.Workflow):
    DIGRAPH = {steps.__start__: [BytesDefault]}
