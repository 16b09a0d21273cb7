"""The context variables that a project's code gets: those of its thread, to change as it likes."""

from __future__ import annotations

import contextvars
import decimal
from typing import Any


def _find_decimal_variable() -> contextvars.ContextVar[Any]:
    """Return the variable in which Python keeps the decimal context, which has no public name."""
    context = contextvars.Context()
    context.run(decimal.getcontext)
    (variable,) = context
    return variable


_DECIMAL = _find_decimal_variable()


def enter_context() -> contextvars.Context:
    """Return a copy of this thread's context, to run code in that may change it.

    It begins with a decimal context of its own: that is changed in place, so a copy would share it.
    """
    context = contextvars.copy_context()
    if _DECIMAL in context:
        context.run(_copy_decimal)
    return context


def _copy_decimal() -> None:
    decimal.setcontext(decimal.getcontext().copy())
