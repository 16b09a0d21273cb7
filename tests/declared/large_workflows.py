"""Workflows whose inputs, answers and results are too large for a row."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, SecretStr

from django_wfe import steps, workflows

SEEN: list[Any] = []
"""What each step got, in order: the ``_input``, the external input, the job input."""


def write_lines(count: int, word: str = "line") -> list[str]:
    """Return a list whose JSON takes about 20 bytes an item."""
    return [f"{word} {number:08} äß€" for number in range(count)]


class Import(steps.Step):
    """Reads the lines that the job started with."""

    def execute(self, _input: Any = None) -> dict[str, Any]:
        SEEN.append((_input, None, self.job_input.lines))
        return {"lines": self.job_input.lines, "read": len(self.job_input.lines)}


class Enrich(steps.Step):
    """Takes more lines from a person."""

    class UserInputSchema(BaseModel):
        lines: list[str]

    def execute(self, _input: Any, external_input: Any) -> dict[str, Any]:
        SEEN.append((_input, external_input, self.job_input.lines))
        return {"lines": [*_input["lines"], *external_input["lines"]], "small": False}


class Report(steps.Step):
    """Counts them."""

    def execute(self, _input: Any) -> int:
        SEEN.append((_input, None, None))
        return len(_input["lines"])


class Importing(workflows.Workflow):
    """Imports lines."""

    class InputSchema(BaseModel):
        lines: list[str]

    DIGRAPH = {steps.__start__: [Import], Import: [Enrich], Enrich: [Report]}


class Produce(steps.Step):
    """Returns lines, in the transaction of its own writes."""

    atomic = True

    def execute(self) -> list[str]:
        return write_lines(200)


class Producing(workflows.Workflow):
    """Produces lines, and counts them."""

    class InputSchema(BaseModel):
        lines: list[str] = []

    DIGRAPH = {steps.__start__: [Produce], Produce: [Import]}

    @staticmethod
    def attributes(job_input: Any) -> dict[str, Any]:
        return {"first": job_input.lines[0] if job_input.lines else "none", "count": len(job_input.lines)}


class Mark(steps.Step):
    """Returns what looks like a reference."""

    def execute(self) -> dict[str, Any]:
        return {"$wfe:large": {"id": "0" * 32, "sha256": "0" * 64, "bytes": 1, "characters": 1, "is_sealed": False}}


class Marking(workflows.Workflow):
    """Tries to have another's file read."""

    DIGRAPH = {steps.__start__: [Mark]}


class MarkUnderValue(steps.Step):
    """Returns what looks like an edited input that is in a file."""

    def execute(self) -> dict[str, Any]:
        return {"value": Mark.execute(self)}  # type: ignore[arg-type]


class MarkingUnderValue(workflows.Workflow):
    """Tries it under the name of an edited input."""

    DIGRAPH = {steps.__start__: [MarkUnderValue]}


class Store(steps.Step):
    """Stores a key."""

    class UserInputSchema(BaseModel):
        key: SecretStr
        lines: list[str]

    def execute(self, external_input: Any) -> str:
        return str(external_input["key"].get_secret_value())[:3]


class Storing(workflows.Workflow):
    """Starts with a secret among much else, and asks for another."""

    class InputSchema(BaseModel):
        token: SecretStr
        lines: list[str]

    DIGRAPH = {steps.__start__: [Store]}


class Note(steps.Step):
    """Notes how many lines there are."""

    def execute(self, _input: Any) -> int:
        return len(_input["lines"])


class Noting(workflows.Workflow):
    """Has one step."""

    class InputSchema(BaseModel):
        lines: list[str]

    DIGRAPH = {steps.__start__: [Note]}


class Paste(steps.Step):
    """Takes a text."""

    class UserInputSchema(BaseModel):
        text: str

    def execute(self, external_input: Any) -> int:
        return len(external_input["text"])


class Pasting(workflows.Workflow):
    """Takes two texts."""

    class InputSchema(BaseModel):
        text: str

    DIGRAPH = {steps.__start__: [Paste]}
