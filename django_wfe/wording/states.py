"""How each state looks, everywhere: words (those of the models), a shape and a CSS class. Never colour alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from django_wfe.models.jobs import JOB_STATE_CHOICES, STEP_RUN_STATE_CHOICES
from django_wfe.states import JobState, StepRunState

Words = str | Promise


@dataclass(frozen=True, slots=True)
class Look:
    """The look of one state.

    ``name`` is the suffix of the CSS class ``wfe-state--<name>``; ``icon`` is the ``d`` of an SVG path to be stroked
    (not filled) in a square of 16 by 16.
    """

    name: str
    words: Words
    icon: str

    @property
    def css_class(self) -> str:
        """The CSS class that carries the colours."""
        return f"wfe-state--{self.name}"


_WORDS, _JOB_WORDS = dict(STEP_RUN_STATE_CHOICES), dict(JOB_STATE_CHOICES)

DONE = Look("done", _WORDS[StepRunState.FINISHED], "M3.5 8.5 6.5 11.5 12.5 4.5")
RUNNING = Look("running", _WORDS[StepRunState.RUNNING], "M5.5 3.5 12 8 5.5 12.5Z")
QUEUED = Look(
    "queued", _WORDS[StepRunState.READY], "M4.5 3h7M4.5 13h7M5 3.2c0 3.2 6 6.4 6 9.6M11 3.2c0 3.2-6 6.4-6 9.6"
)
WAITING = Look(
    "waiting",
    _WORDS[StepRunState.INPUT_REQUIRED],
    "M8 7.5A2.25 2.25 0 1 0 8 3a2.25 2.25 0 0 0 0 4.5M3.8 13c.3-2.4 2-3.5 4.2-3.5s3.9 1.1 4.2 3.5",
)
RETRYING = Look("retrying", _JOB_WORDS[JobState.WAITING], "M12.5 8a4.5 4.5 0 1 1-1.4-3.2M12.7 2.5v3h-3")
PAUSED = Look("paused", _JOB_WORDS[JobState.PAUSED], "M5.75 3.5v9M10.25 3.5v9")
FAILED = Look("failed", _WORDS[StepRunState.FAILED], "M4 4 12 12M12 4 4 12")
LOST = Look("lost", _WORDS[StepRunState.LOST], "M9.5 2.5 5 8.5h6L6.5 13.5")
SKIPPED = Look("skipped", _WORDS[StepRunState.SKIPPED], "M3.5 4 7.5 8 3.5 12M8.5 4 12.5 8 8.5 12")
CANCELED = Look("canceled", _WORDS[StepRunState.CANCELED], "M3.5 8h9")
UNREACHED = Look("unreached", _("not reached"), "")

LOOKS = (DONE, RUNNING, QUEUED, WAITING, RETRYING, PAUSED, FAILED, LOST, SKIPPED, CANCELED, UNREACHED)
"""Every look, in the order of a legend."""

INPUT_ICON = "M3.2 12.8 4 9.8 10.8 3 13 5.2 6.2 12ZM9.3 4.5 11.5 6.7"
"""The mark of a node that asks for input, a pencil, as a path like ``Look.icon``."""

_STEP_RUN_LOOKS = {
    StepRunState.READY: QUEUED,
    StepRunState.RUNNING: RUNNING,
    StepRunState.INPUT_REQUIRED: WAITING,
    StepRunState.FINISHED: DONE,
    StepRunState.SKIPPED: SKIPPED,
    StepRunState.FAILED: FAILED,
    StepRunState.LOST: LOST,
    StepRunState.CANCELED: CANCELED,
}

_LOOKS_OF_JOBS = {
    JobState.PENDING: QUEUED,
    JobState.ONGOING: RUNNING,
    JobState.INPUT_REQUIRED: WAITING,
    JobState.INPUT_RECEIVED: QUEUED,
    JobState.WAITING: RETRYING,
    JobState.PAUSED: PAUSED,
    JobState.FAILED: FAILED,
    JobState.FINISHED: DONE,
    JobState.CANCELED: CANCELED,
}
_JOB_LOOKS = {state: replace(look, words=_JOB_WORDS[state]) for state, look in _LOOKS_OF_JOBS.items()}


def get_step_run_look(state: str, *, attempt: int = 1, job_state: str = "") -> Look:
    """Return the look of a step run: of its ``state``, but one that waits may be held by its Job or be a retry."""
    if state in (StepRunState.READY, StepRunState.INPUT_REQUIRED) and job_state == JobState.PAUSED:
        return PAUSED
    if state == StepRunState.READY and attempt > 1:
        return RETRYING
    return _STEP_RUN_LOOKS[StepRunState(state)]


def get_job_look(state: str) -> Look:
    """Return the look of a Job's ``state``."""
    return _JOB_LOOKS[JobState(state)]
