"""Waiting for a state with a deadline, instead of sleeping for a guessed time."""

import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def wait_until(
    predicate: Callable[[], Result],
    *,
    timeout: float = 10.0,
    interval: float = 0.02,
    message: str | Callable[[], str] = "the awaited state was not reached",
) -> Result:
    """Call ``predicate`` until it returns something true, and return that.

    ``timeout`` and ``interval`` are in seconds. Raises ``AssertionError`` with ``message`` (a text, or a callable that
    makes it when it is needed) once ``timeout`` has passed.
    """
    deadline = time.monotonic() + timeout
    while True:
        result = predicate()
        if result:
            return result
        if time.monotonic() >= deadline:
            reason = message() if callable(message) else message
            raise AssertionError(f"{reason} (waited {timeout:g} s)")
        time.sleep(interval)
