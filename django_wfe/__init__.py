"""Durable workflows for Django.

The names below load at first use, since models cannot be imported before Django is set up.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from django_wfe.version import __version__

if TYPE_CHECKING:
    from django_wfe.engine.lifecycle import (
        execute_workflow,
        execute_workflow_sync,
        order_workflow_execution,
        provide_external_input,
        provide_input,
        run_workflow,
    )

__all__ = [
    "__version__",
    "execute_workflow",
    "execute_workflow_sync",
    "order_workflow_execution",
    "provide_external_input",
    "provide_input",
    "run_workflow",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("django_wfe.engine.lifecycle"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
