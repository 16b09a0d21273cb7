"""Signals, sent after the change that they tell of is committed.

Each is sent with ``sender=Job`` and the keyword ``job``; the step's ones with ``step_run`` too. A receiver that raises
is logged and harms no job. Receivers run in the process that made the change: a worker, a web process or the watchdog.
"""

from __future__ import annotations

from typing import Any

from django.dispatch import Signal

__all__ = [
    "input_required",
    "job_canceled",
    "job_failed",
    "job_finished",
    "job_started",
    "step_finished",
]


class JobSignal(Signal):
    """A signal of the engine, which tells by itself what receivers raise."""

    def _log_robust_failure(self, receiver: Any, error: Exception) -> None:
        """Log nothing, as Django would: not every exception can be logged, and then the next receiver is lost."""


job_started = JobSignal()
"""A Job was created."""
input_required = JobSignal()
"""A step run began to wait for external input: ``job``, ``step_run``."""
step_finished = JobSignal()
"""A step run's result was committed: ``job``, ``step_run``."""
job_failed = JobSignal()
"""A Job failed: no attempt is left."""
job_finished = JobSignal()
"""The last node of a Job has run."""
job_canceled = JobSignal()
"""An operator canceled a Job."""
