"""Commits what came of a step run: one statement, guarded by a compare-and-set on the claim."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, InterfaceError, connections

from django_wfe.conf import DATABASE, settings
from django_wfe.engine.clock import read_clock
from django_wfe.engine.delivery import signal_sending
from django_wfe.engine.errors.database_errors import is_connection_error, may_pass
from django_wfe.engine.errors.failures import Failure, describe_reason
from django_wfe.engine.large_values.keeping import fetch_row_and_hold, refers_to_file
from django_wfe.engine.output.capture import Capture
from django_wfe.engine.runs.opening import announce, choose_opening, get_deadline
from django_wfe.engine.runs.outcomes import Canceled, Failed, Finished, InputRefused, Lost, Outcome, Parked
from django_wfe.engine.store import statements
from django_wfe.engine.store.claims import Claim
from django_wfe.engine.store.giving_back import GIVE_BACK
from django_wfe.engine.store.prepared import Statement, fetch_row
from django_wfe.models import JobEvent, JobState, StepRunState
from django_wfe.models.workflows import load_graph
from django_wfe.values.encoding import dump
from django_wfe.values.sentences import gettext as _
from django_wfe.values.sentences import keep, write_english

PARK_SECONDS = 10
"""How long a step run whose code is missing waits for another worker, or for the code."""

logger = logging.getLogger("django_wfe.engine")


@dataclass(frozen=True, slots=True)
class Settled:
    """What a commit did. ``accepted`` is False if the claim was no longer held: then nothing was changed."""

    accepted: bool
    next_claim: Claim | None = None


REFUSED = Settled(accepted=False)


def settle(claim: Claim, outcome: Outcome, capture: Capture | None, *, keep: bool) -> Settled:
    """Commit an outcome.

    Args:
        keep: claim the next step run for this worker, where there is one that can run; else it is dispatched.
    """
    if isinstance(outcome, Finished):  # the hot path
        settled = _settle_finished(claim, outcome, capture, keep=keep)
    else:
        settled = _settle_other(claim, outcome, capture)
    if capture is not None and not settled.accepted:
        # The log is kept all the same.
        capture.restore()
    return settled


def _settle_other(claim: Claim, outcome: Outcome, capture: Capture | None) -> Settled:
    match outcome:
        case Failed(failure=failure, wait_seconds=None):
            return fail_job(claim, failure, capture, state=StepRunState.FAILED)
        case Failed(failure=failure, wait_seconds=float(wait_seconds)):
            return _settle_retry(claim, failure, wait_seconds, capture)
        case Lost(reason=reason):
            return settle_lost(claim, reason, capture)
        case Canceled():
            row = fetch_row(statements.CANCEL_RUN, _end_parameters(claim, StepRunState.CANCELED, capture))
            return REFUSED if row is None else Settled(accepted=True)
        case Parked(reason=reason):
            return _give_back(claim, StepRunState.READY, JobState.WAITING, reason, JobEvent.Kind.PARKED, {})
        case InputRefused(reason=reason, external_data=data):
            event = {"external_data": data}
            kind = JobEvent.Kind.INPUT_REFUSED
            return _give_back(claim, StepRunState.INPUT_REQUIRED, JobState.INPUT_REQUIRED, reason, kind, event)
    raise TypeError(f"{outcome!r} is not an outcome of a step run.")


def settle_surely(
    claim: Claim, outcome: Outcome, capture: Capture | None, *, keep: bool, attempted: Outcome | None = None
) -> Settled:
    """Commit an outcome even if that is refused for now: reconnect, ask whether the commit arrived, try again.

    Args:
        attempted: another outcome, whose commit broke just now: where it arrived all the same, it stands.

    Raises:
        DatabaseError, InterfaceError: if the database stays away for ``WFE_WORKER_TIMEOUT`` seconds. The run is
            then LOST, and recovery's to give back.
    """
    deadline: float | None = None
    pause = 0.05
    while True:
        try:
            if attempted is not None:
                settled = _find_settled(claim, attempted)
                if settled is not None:
                    return settled
                if capture is not None:
                    capture.restore()
            return settle(claim, outcome, capture, keep=keep)
        except (DatabaseError, InterfaceError) as error:
            connection, now = connections[DATABASE], read_clock()
            deadline = deadline or now + settings.worker_timeout
            if connection.in_atomic_block or not may_pass(error) or now > deadline:
                raise
            logger.warning("The outcome of step run %s was not committed (%s); again.", claim.step_run_id, error)
            if is_connection_error(error):
                connection.close()
            attempted = attempted or outcome
            time.sleep(pause)
            pause = min(pause * 2, 1.0)


def settle_lost(claim: Claim, reason: str, capture: Capture | None = None) -> Settled:
    """Mark a run LOST and open another attempt, or fail the Job where ``WFE_MAX_LOST_RUNS`` are lost at this node."""
    lost = claim.lost_before + 1
    if lost >= settings.max_lost_runs:
        message = _(
            "It lost its worker %(lost)s times (the last: %(reason)s). The step itself may be what kills the worker: "
            "look at its log and at the worker's, then retry it."
        ) % {"lost": lost, "reason": reason}
        failure = describe_reason(message, claim.step, "LostTooOften")
        return fail_job(claim, failure, capture, state=StepRunState.LOST)
    failure = describe_reason(reason, claim.step, "Lost")
    parameters = {
        **_end_parameters(claim, StepRunState.LOST, capture, failure),
        "next_job_state": JobState.ONGOING.value,
        "job_error": "",
        "wait_seconds": 0,
        "event_kind": JobEvent.Kind.STEP_LOST.value,
        "event_data": json.dumps({"step": claim.step, "attempt": claim.attempt, **describe_detail(reason)}),
    }
    return _open_next_attempt(parameters)


def describe_detail(reason: str) -> dict[str, Any]:
    """Return what a history entry keeps of a reason: in English, and as what is said again to each reader."""
    kept = keep(reason)
    return {"detail": write_english(reason), **({"sentence": kept} if kept else {})}


def fail_job(claim: Claim, failure: Failure, capture: Capture | None, *, state: StepRunState) -> Settled:
    """End the run in ``state`` and the Job as FAILED."""
    parameters = {
        **_end_parameters(claim, state, capture, failure),
        "job_error": f"{claim.step}: {failure}",
        "event_data": json.dumps({"step": claim.step, "attempt": claim.attempt, "error": str(failure)}),
    }
    row = fetch_row(statements.FAIL_JOB, parameters)
    if row is None:
        return REFUSED
    if row[1] is not None:
        signal_sending.notify_job_failed(claim.job_id)
    return Settled(accepted=True)


def _settle_finished(claim: Claim, outcome: Finished, capture: Capture | None, *, keep: bool) -> Settled:
    log = capture.drain() if capture is not None else ""
    parameters: dict[str, Any] = {
        "id": claim.step_run_id,
        "worker_id": claim.worker_id.hex,  # as text: psycopg2 takes longer over a UUID
        "epoch": claim.epoch,
        "result": None if outcome.encoded == "null" else outcome.encoded,
        "transition": outcome.transition,
    }
    if log and capture is not None:
        parameters |= {"log": log, "log_sequence": capture.take_sequence()}
    node = outcome.next_node
    if node is None:
        row = _finish(statements.FINISH_JOB_WITH_LOG if log else statements.FINISH_JOB, parameters, outcome, claim)
        if row is None:
            return REFUSED
        signal_sending.notify_step_finished(claim.step_run_id)
        if row[1] is not None:
            signal_sending.notify_job_finished(claim.job_id)
        return Settled(accepted=True)
    run_state, job_state = choose_opening(node, is_claimed=keep)
    number = claim.number + 1
    parameters |= {
        "next_step": node.path,
        "next_number": number,
        "next_run_state": run_state.value,
        "next_job_state": job_state.value,
    }
    if node.input_within is None:
        statement = statements.FINISH_AND_ADVANCE_WITH_LOG if log else statements.FINISH_AND_ADVANCE
    else:
        parameters["input_within"] = get_deadline(node)
        statement = statements.FINISH_AND_ASK_WITH_LOG if log else statements.FINISH_AND_ASK
    row = _finish(statement, parameters, outcome, claim)
    if row is None:
        return REFUSED
    next_id, next_state = row[1:]
    signal_sending.notify_step_finished(claim.step_run_id)
    if next_state == StepRunState.RUNNING:
        following = claim.follow(step_run_id=next_id, number=number, step=node.path, value=outcome.value)
        return Settled(accepted=True, next_claim=following)
    if next_state is not None:
        announce(next_id, next_state)
    return Settled(accepted=True)


def _finish(
    statement: Statement, parameters: dict[str, Any], outcome: Finished, claim: Claim
) -> tuple[Any, ...] | None:
    if outcome.attributes is not None:
        parameters["attributes"] = dump(outcome.attributes)
        statement = statements.SETTING_ATTRIBUTES[statement]
    if refers_to_file(outcome.encoded):
        return fetch_row_and_hold(statement, parameters, outcome.encoded, job_id=claim.job_id)
    return fetch_row(statement, parameters)


def _settle_retry(claim: Claim, failure: Failure, wait_seconds: float, capture: Capture | None) -> Settled:
    event = {
        "step": claim.step,
        "attempt": claim.attempt,
        "error": str(failure),
        "wait_seconds": round(wait_seconds, 3),
    }
    parameters = {
        **_end_parameters(claim, StepRunState.FAILED, capture, failure),
        "next_job_state": JobState.WAITING.value,
        "job_error": f"{claim.step}: {failure}",
        "wait_seconds": wait_seconds,
        "event_kind": JobEvent.Kind.RETRY_SCHEDULED.value,
        "event_data": json.dumps(event),
    }
    return _open_next_attempt(parameters)


def _open_next_attempt(parameters: dict[str, Any]) -> Settled:
    row = fetch_row(statements.RETRY, parameters)
    if row is None:
        return REFUSED
    if row[1] is not None:
        announce(row[1], row[2], delay_seconds=parameters["wait_seconds"])
    return Settled(accepted=True)


def _give_back(
    claim: Claim, state: StepRunState, job_state: JobState, reason: str, kind: JobEvent.Kind, event: dict[str, Any]
) -> Settled:
    wait_seconds = PARK_SECONDS if state is StepRunState.READY else 0
    asks = state is StepRunState.INPUT_REQUIRED
    node = load_graph(claim.definition_id).get_node(claim.step) if asks else None
    parameters = {
        "id": claim.step_run_id,
        "worker_id": claim.worker_id,
        "epoch": claim.epoch,
        "state": state.value,
        "wait_seconds": wait_seconds,
        "input_within": get_deadline(node),
        "next_job_state": job_state.value,
        "job_error": write_english(reason),
        "event_kind": kind.value,
        "event_data": json.dumps({"step": claim.step, **describe_detail(reason), **event}),
    }
    row = fetch_row(GIVE_BACK, parameters)
    if row is None:
        return REFUSED
    announce(claim.step_run_id, state, delay_seconds=wait_seconds)
    return Settled(accepted=True)


def _find_settled(claim: Claim, outcome: Outcome) -> Settled | None:
    """After a broken commit: give what it did, or None if it did not arrive and the claim is still held."""
    row = fetch_row(
        statements.FIND_ENDED, {"id": claim.step_run_id, "worker_id": claim.worker_id, "epoch": claim.epoch}
    )
    if row is None:
        return REFUSED
    state, next_id, next_state, next_worker = row
    if state == StepRunState.RUNNING:
        return None
    if state == StepRunState.FINISHED and isinstance(outcome, Finished) and outcome.next_node is not None:
        if next_state == StepRunState.RUNNING and next_worker == claim.worker_id:
            node = outcome.next_node
            following = claim.follow(step_run_id=next_id, number=claim.number + 1, step=node.path, value=outcome.value)
            return Settled(accepted=True, next_claim=following)
        if next_state == StepRunState.READY:
            announce(next_id, next_state)
    return Settled(accepted=True)


def _end_parameters(
    claim: Claim, state: StepRunState, capture: Capture | None, failure: Failure | None = None
) -> dict[str, Any]:
    log = capture.drain() if capture is not None else ""
    return {
        "id": claim.step_run_id,
        "worker_id": claim.worker_id,
        "epoch": claim.epoch,
        "state": state.value,
        "result": None,
        "transition": None,
        "error_type": failure.error_type if failure else "",
        "error": failure.message if failure else "",
        "traceback": failure.traceback if failure else "",
        "fingerprint": failure.fingerprint if failure else "",
        "log": log,
        "log_sequence": capture.take_sequence() if capture is not None and log else 0,
    }
