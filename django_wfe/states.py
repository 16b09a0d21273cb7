"""The states of jobs and step runs, and which change of state is legal."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["JobState", "StepRunState"]


class JobState(StrEnum):
    """Where a Job stands. Members compare equal to their plain strings."""

    PENDING = "PENDING"
    """Created; no worker has begun its first step."""
    ONGOING = "ONGOING"
    """A step runs, or is about to."""
    INPUT_REQUIRED = "INPUT_REQUIRED"
    """Waits for external input."""
    INPUT_RECEIVED = "INPUT_RECEIVED"
    """The input was given; the step that asked for it is about to run."""
    WAITING = "WAITING"
    """Waits for a time: the next attempt of a step is due later."""
    PAUSED = "PAUSED"
    """Held by an operator: nothing new starts until it is resumed."""
    FAILED = "FAILED"
    """A step failed and no attempt is left; an operator can repair it."""
    FINISHED = "FINISHED"
    """The last node has run."""
    CANCELED = "CANCELED"
    """Ended by an operator."""


class StepRunState(StrEnum):
    """Where one attempt at one node stands."""

    READY = "READY"
    """May be claimed by a worker once it is due."""
    RUNNING = "RUNNING"
    """Claimed by a worker."""
    INPUT_REQUIRED = "INPUT_REQUIRED"
    """Waits for external input; holds no worker."""
    FINISHED = "FINISHED"
    """Its result is committed and never computed again."""
    SKIPPED = "SKIPPED"
    """An operator gave its result in place of running it."""
    FAILED = "FAILED"
    """Raised an exception or ran out of time."""
    LOST = "LOST"
    """Its worker died in the middle of it."""
    CANCELED = "CANCELED"
    """Ended with its job, by an operator."""


TERMINAL_JOB_STATES = frozenset({JobState.FINISHED, JobState.CANCELED})
"""States that no automatic change leaves."""

ENDED_JOB_STATES = frozenset({JobState.FAILED, JobState.FINISHED, JobState.CANCELED})
"""States in which nothing runs and nothing waits."""

LIVE_JOB_STATES = frozenset(JobState) - ENDED_JOB_STATES

OPEN_JOB_STATES = frozenset(JobState) - TERMINAL_JOB_STATES
"""Live, or failed: what an operator may still have to do something about."""

RUNNABLE_JOB_STATES = frozenset(
    {JobState.PENDING, JobState.ONGOING, JobState.INPUT_RECEIVED, JobState.WAITING, JobState.INPUT_REQUIRED}
)
"""States in which a READY step run of the job may be claimed."""

LIVE_STEP_RUN_STATES = frozenset({StepRunState.READY, StepRunState.RUNNING, StepRunState.INPUT_REQUIRED})

RESULT_STEP_RUN_STATES = frozenset({StepRunState.FINISHED, StepRunState.SKIPPED})
"""States of a step run whose result counts."""
