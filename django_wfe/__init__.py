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
    from django_wfe.programs import (
        acancel_job,
        aget_job,
        apause_job,
        aprovide,
        arerun_job,
        aresume_job,
        aretry_job,
        arun,
        askip_step,
        astart,
        astart_many,
        await_for,
        cancel_job,
        get_job,
        pause_job,
        provide,
        rerun_job,
        resume_job,
        retry_job,
        run,
        skip_step,
        start,
        start_many,
        wait_for,
    )

__all__ = [
    "__version__",
    "acancel_job",
    "aget_job",
    "apause_job",
    "aprovide",
    "arerun_job",
    "aresume_job",
    "aretry_job",
    "arun",
    "askip_step",
    "astart",
    "astart_many",
    "await_for",
    "cancel_job",
    "execute_workflow",
    "execute_workflow_sync",
    "get_job",
    "order_workflow_execution",
    "pause_job",
    "provide",
    "provide_external_input",
    "provide_input",
    "rerun_job",
    "resume_job",
    "retry_job",
    "run",
    "run_workflow",
    "skip_step",
    "start",
    "start_many",
    "wait_for",
]

_IN_LIFECYCLE = frozenset({"execute_workflow", "execute_workflow_sync", "provide_input"})
"""The names that older code imports."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "django_wfe.engine.lifecycle" if name in _IN_LIFECYCLE else "django_wfe.programs"
    return getattr(import_module(home), name)
