"""Signals, sent after the change that they tell of is committed.

Each is sent with ``sender=Job`` and the keyword ``job``; the step's ones with ``step_run`` too. A receiver that raises
is logged and harms no job. Receivers run in the process that made the change: a worker, a web process or the watchdog.
"""

from __future__ import annotations

from django.dispatch import Signal

job_started = Signal()
"""A Job was created."""
input_required = Signal()
"""A step run began to wait for external input: ``job``, ``step_run``."""
step_finished = Signal()
"""A step run's result was committed: ``job``, ``step_run``."""
job_failed = Signal()
"""A Job failed: no attempt is left."""
job_finished = Signal()
"""The last node of a Job has run."""
job_canceled = Signal()
"""An operator canceled a Job."""
