"""What opens next: the state in which the step run of a node opens, that of its Job then, and who is told.

One rule for a start, a commit, an answer and an operator's verb. The columns of a step run that opens are those of
``store.open_run`` on the hot path, and the model's defaults elsewhere.
"""

from __future__ import annotations

from typing import NamedTuple

from django_wfe.definition.graph import Node
from django_wfe.definition.node_problems import LONGEST_WAIT_SECONDS
from django_wfe.engine.delivery.dispatcher import dispatch_on_commit
from django_wfe.engine.delivery.signal_sending import notify_input_required
from django_wfe.models import JobState, StepRunState


class Opening(NamedTuple):
    """The states of a step run that opens and of its Job."""

    run_state: StepRunState
    job_state: JobState


_ASKS = Opening(StepRunState.INPUT_REQUIRED, JobState.INPUT_REQUIRED)
_READY = Opening(StepRunState.READY, JobState.ONGOING)
_CLAIMED = Opening(StepRunState.RUNNING, JobState.ONGOING)
_FIRST = Opening(StepRunState.READY, JobState.PENDING)
_ANSWERED = Opening(StepRunState.READY, JobState.INPUT_RECEIVED)


def choose_opening(node: Node, *, is_claimed: bool = False) -> Opening:
    """Return how a node opens.

    Args:
        is_claimed: whether the worker that opens it would run it at once. Default False.
    """
    if node.asks_input:
        return _ASKS
    return _CLAIMED if is_claimed else _READY


def choose_first_opening(node: Node, *, is_answered: bool, is_claimed: bool) -> Opening:
    """Return how the first node of a Job opens.

    Args:
        is_answered: whether the start brings the input that the node asks for.
        is_claimed: whether the process that starts the Job would run it at once.
    """
    if is_answered:
        return _CLAIMED if is_claimed else _ANSWERED
    opening = choose_opening(node, is_claimed=is_claimed)
    return _FIRST if opening is _READY else opening


def get_deadline(node: Node | None) -> float | None:
    """Return the seconds after its opening by which a node's input is expected, or None if nothing is said of it."""
    within = node.input_within if node is not None else None
    # Declarations of before the bound may name more than a date can hold.
    return None if within is None or within > LONGEST_WAIT_SECONDS else within


def announce(step_run_id: int, run_state: str, *, delay_seconds: float = 0) -> None:
    """Announce an open step run, once it is committed, to the workers or to the receivers of ``input_required``."""
    if run_state == StepRunState.READY:
        dispatch_on_commit([step_run_id], delay_seconds=delay_seconds)
    elif run_state == StepRunState.INPUT_REQUIRED:
        notify_input_required(step_run_id)
