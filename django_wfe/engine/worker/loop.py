"""The engine's loop: claim, run, commit, and on to the next step of the same Job while its slice lasts."""

from __future__ import annotations

import logging

from django.db import DatabaseError, InterfaceError, connections, transaction

from django_wfe.conf import DATABASE, settings
from django_wfe.engine.clock import read_clock
from django_wfe.engine.delivery.dispatcher import Message, send
from django_wfe.engine.errors.database_errors import is_connection_error, may_pass
from django_wfe.engine.errors.failures import describe_engine_error
from django_wfe.engine.isolation.sessions import discard_session, restore_sessions, shield_hooks
from django_wfe.engine.output.capture import Capture
from django_wfe.engine.output.step_logs import capture_output
from django_wfe.engine.project_code.classes import hold_definition
from django_wfe.engine.runs.committing import settle, settle_surely
from django_wfe.engine.runs.outcomes import Canceled, Failed, Finished, Lost, Outcome, Parked
from django_wfe.engine.store.claims import Claim, claim_step_run
from django_wfe.engine.worker.heartbeat import WorkerProcess, get_worker
from django_wfe.engine.worker.step_execution import (
    clean_up,
    describe_error,
    describe_unavailable,
    find_step_class,
    perform,
)
from django_wfe.exceptions import Interrupt, LargeValueUnavailable
from django_wfe.models import StepRun, StepRunState
from django_wfe.models.workflows import load_graph
from django_wfe.steps import Step
from django_wfe.values.sentences import write_english

SUSPECT_SECONDS = 1.0
"""How long a suspect waits for a worker that runs no other one."""

logger = logging.getLogger("django_wfe.engine")


def run_step_run(step_run_id: int) -> None:
    """Run one step run, and those that follow it in its Job, until the slice ends. What the broker's messages call.

    Returns quietly where the step run is not to be had: a message may come twice, late, or after the Job was paused.
    """
    worker = get_worker()
    if worker.stopping.is_set():
        return
    claim = _claim(step_run_id, worker, suspects=False)
    if claim is not None:
        run_slice(claim, worker, until=read_clock() + settings.slice_seconds)
    elif StepRun.objects.filter(pk=step_run_id, state=StepRunState.READY, lost_before__gt=0).exists():
        _run_suspect(step_run_id, worker)


def run_slice(claim: Claim, worker: WorkerProcess, *, until: float | None) -> None:
    """Run a claimed step run and its followers in a loop, not by recursion: the longest Job takes no more memory.

    Args:
        until: the time (``read_clock()``) at which the next step run is left to others. None: never.
    """
    # Has this process reload its definitions where the Job's is newer; an older Job goes on with today's code.
    hold_definition(claim.workflow_path, load_graph(claim.definition_id).fingerprint)
    following: Claim | None = claim
    while following is not None:
        following = _run_one(following, worker, until)


def _run_one(claim: Claim, worker: WorkerProcess, until: float | None) -> Claim | None:
    with capture_output(claim.step_run_id, claim.logfile, claim.epoch) as capture:
        try:
            return _run_and_commit(claim, worker, capture, until)
        except (KeyboardInterrupt, GeneratorExit, Interrupt) as interrupt:
            # A person at a shell, a daemon that ends, a step that ran this job: this step did not fail, it was cut off.
            settle_surely(claim, Lost(reason=f"interrupted by {type(interrupt).__name__}"), capture, keep=False)
            raise
        except Exception as error:
            if is_connection_error(error) or connections[DATABASE].needs_rollback:
                raise
            # Whatever went wrong in the engine, the run must not stay RUNNING and count as lost with its worker.
            failure = describe_engine_error(error, claim.step)
            logger.error("Job %s: %s: %s\n%s", claim.job_id, claim.step, failure.message, failure.traceback)
            return _commit(claim, Failed(failure=failure), capture, worker, until)


def _run_and_commit(claim: Claim, worker: WorkerProcess, capture: Capture, until: float | None) -> Claim | None:
    found = find_step_class(claim)
    if not isinstance(found, type):
        if isinstance(found, Parked):
            worker.note_lack(claim.step, write_english(found.reason))
        return _commit(claim, found, capture, worker, until)
    worker.note_found(claim.step)
    try:
        claim.load_large()
    except LargeValueUnavailable as error:
        return _commit(claim, describe_unavailable(claim, error), capture, worker, until)
    if found.atomic:
        return _run_atomic(claim, found, worker, capture, until)
    return _commit(claim, perform(claim, found, worker, capture), capture, worker, until)


def _run_atomic(
    claim: Claim, step_class: type[Step], worker: WorkerProcess, capture: Capture, until: float | None
) -> Claim | None:
    """Run the step in the transaction that commits its result: its own writes and the result stand or fall together."""
    outcome: Outcome | None = None
    try:
        with transaction.atomic(using=DATABASE):
            hooks = len(connections[DATABASE].run_on_commit)
            outcome = perform(claim, step_class, worker, capture)
            shield_hooks(connections[DATABASE], hooks)
            if not isinstance(outcome, Finished):
                raise _RollBack(outcome)
            settled = settle(claim, outcome, capture, keep=_may_keep(worker, until))
            if not settled.accepted:
                raise _RollBack(None)
    except _RollBack as rolled_back:
        _restore_sessions()
        capture.restore()
        if rolled_back.outcome is None:
            _report_refused(claim)
            return None
        return _commit(claim, rolled_back.outcome, capture, worker, until)
    except Exception as error:
        _restore_sessions()
        if is_connection_error(error):
            # Whether the commit arrived is asked of the database. If not, the step's writes are gone: run it again.
            discard_session(connections[DATABASE])
            lost = Lost(reason="the connection to the database broke while the step was committed")
            return _commit(claim, lost, capture, worker, until, attempted=outcome)
        capture.restore()
        # A constraint that is checked at commit, say, or a conflict with another transaction: the step's writes do not
        # stand, so the step has failed, and its retry policy says whether it is tried again.
        return _commit(claim, describe_error(claim, step_class, error), capture, worker, until)
    _restore_sessions()
    return settled.next_claim


def _restore_sessions() -> None:
    """After a transaction of the engine's: replace the sessions that the step has changed or may have broken in it."""
    if not connections[DATABASE].in_atomic_block:
        restore_sessions()


def _commit(
    claim: Claim,
    outcome: Outcome,
    capture: Capture,
    worker: WorkerProcess,
    until: float | None,
    *,
    attempted: Outcome | None = None,
) -> Claim | None:
    if isinstance(outcome, Canceled) and outcome.step is not None:
        clean_up(claim, outcome.step)
    settled = settle_surely(claim, outcome, capture, keep=_may_keep(worker, until), attempted=attempted)
    if not settled.accepted:
        _report_refused(claim)
        return None
    if isinstance(outcome, Failed):
        logger.warning("Job %s: %s failed: %s", claim.job_id, claim.step, outcome.failure)
    return settled.next_claim


def _may_keep(worker: WorkerProcess, until: float | None) -> bool:
    return not worker.stopping.is_set() and (until is None or read_clock() < until)


def _report_refused(claim: Claim) -> None:
    logger.warning(
        "Job %s: the result of %s (step run %s) was dropped: the run was given to another worker, or ended, meanwhile.",
        claim.job_id,
        claim.step,
        claim.step_run_id,
    )


def _run_suspect(step_run_id: int, worker: WorkerProcess) -> None:
    """Run a step run that was lost before, unless this process is running such a one: then send its message again."""
    with worker.offer_suspect_slot() as is_free:
        if not is_free:
            send(Message("step", step_run_id, SUSPECT_SECONDS))
            return
        claim = _claim(step_run_id, worker, suspects=True)
        if claim is not None:
            run_slice(claim, worker, until=read_clock() + settings.slice_seconds)


def _claim(step_run_id: int, worker: WorkerProcess, *, suspects: bool) -> Claim | None:
    try:
        worker.enlist()
        return claim_step_run(step_run_id, worker.id, suspects=suspects)
    except (DatabaseError, InterfaceError) as error:
        connection = connections[DATABASE]
        if connection.in_atomic_block or not may_pass(error):
            raise
        # A connection that was kept open may have died of a restart of the database: once more with a new one.
        if is_connection_error(error):
            connection.close()
        return claim_step_run(step_run_id, worker.id, suspects=suspects)


class _RollBack(Exception):
    def __init__(self, outcome: Outcome | None) -> None:
        super().__init__()
        self.outcome = outcome
