"""What can come of running a step run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django_wfe.definition.graph import Node
from django_wfe.engine.errors.failures import Failure
from django_wfe.steps import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """It ran.

    ``encoded`` is the result as JSON text; ``value`` what the next step gets, read back from it; ``attributes`` are
    those that it has set, None for one that it took away.
    """

    encoded: str
    value: Any
    transition: int | None
    next_node: Node | None
    attributes: dict[str, str | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """It failed. ``wait_seconds`` is given where another attempt follows by itself."""

    failure: Failure
    wait_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """It was cut off, and may be run again: its worker died or was killed in the middle of it."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Canceled:
    """Its Job was canceled while it ran. ``step`` is what is to clean up after itself."""

    step: Step | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """It did not run: this worker lacks the code of its node."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRefused:
    """It did not run: the input that was stored for it does not validate against today's schema."""

    reason: str
    external_data: Any


Outcome = Finished | Failed | Lost | Canceled | Parked | InputRefused
