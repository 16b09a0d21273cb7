"""Gives back what dead workers held, and sends again what a broker lost. Safe in several processes at once."""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass
from typing import Any

from django.db import connections, transaction

from django_wfe.conf import DATABASE, settings
from django_wfe.engine.claims import RUNNABLE, Claim
from django_wfe.engine.dispatcher import get_dispatcher
from django_wfe.engine.settling import settle_lost

BATCH = 500
"""How many step runs one sweep gives back, and how many messages it sends again, at the most."""

LONGEST_REDISPATCH_FACTOR = 16
"""With each message sent again for a step run, the next waits twice as long, up to this many times the first wait."""

logger = logging.getLogger("django_wfe.recovery")

_DECLARE_DEAD = """
UPDATE django_wfe_worker SET declared_dead_at = statement_timestamp()
WHERE declared_dead_at IS NULL AND stopped_at IS NULL
    AND last_seen < statement_timestamp() - %s * INTERVAL '1 second'
RETURNING id, hostname, pid
"""

_LOCK_LOST = """
SELECT run.id, run.job_id, run.number, run.attempt, run.epoch, run.step, run.worker_id, run.lost_before
FROM django_wfe_steprun AS run
WHERE run.state = 'RUNNING' AND NOT EXISTS (
    SELECT FROM django_wfe_worker AS worker
    WHERE worker.id = run.worker_id AND worker.declared_dead_at IS NULL AND worker.stopped_at IS NULL
)
ORDER BY run.id LIMIT %s FOR UPDATE SKIP LOCKED
"""

_FIND_HELD = """
SELECT run.id, run.job_id, run.number, run.attempt, run.epoch, run.step, run.worker_id, run.lost_before
FROM django_wfe_steprun AS run WHERE run.state = 'RUNNING' AND run.worker_id = %s
"""

_TAKE_OVERDUE = """
WITH overdue AS (
    SELECT run.id FROM django_wfe_steprun AS run
    JOIN django_wfe_job AS job ON job.id = run.job_id
    JOIN django_wfe_workflow AS workflow ON workflow.id = job.workflow_id
    WHERE run.state = 'READY' AND job.state = ANY(%(runnable)s) AND NOT workflow.paused
        AND run.due_at <= statement_timestamp()
        AND GREATEST(run.due_at, run.dispatched_at) < statement_timestamp()
            - %(after)s * LEAST(POWER(2, run.dispatches), %(factor)s) * INTERVAL '1 second'
    ORDER BY run.due_at, run.id LIMIT %(batch)s FOR UPDATE OF run SKIP LOCKED
)
UPDATE django_wfe_steprun AS run
SET dispatched_at = statement_timestamp(), dispatches = LEAST(run.dispatches + 1, 1000)
FROM overdue WHERE run.id = overdue.id
RETURNING run.id
"""


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What a sweep did, in numbers of workers and step runs."""

    dead_workers: int = 0
    lost: int = 0
    redispatched: int = 0

    def __bool__(self) -> bool:
        return bool(self.dead_workers or self.lost or self.redispatched)


def sweep() -> SweepReport:
    """Declare silent workers dead, open another attempt for what they held, and send overdue messages again."""
    with connections[DATABASE].cursor() as cursor:
        cursor.execute(_DECLARE_DEAD, [settings.worker_timeout])
        dead = cursor.fetchall()
    for worker_id, hostname, pid in dead:
        logger.warning("Worker %s (%s, process %s) is silent: declared dead.", worker_id, hostname, pid)
    lost = give_back_lost()
    redispatched = redispatch_overdue()
    report = SweepReport(dead_workers=len(dead), lost=lost, redispatched=redispatched)
    if lost or redispatched:
        logger.info("Recovery: %d step runs lost, %d messages sent again.", lost, redispatched)
    return report


def give_back_lost() -> int:
    """Mark what no live worker holds as LOST and open the next attempts; give their number."""
    count = 0
    with transaction.atomic(using=DATABASE):
        for row in _fetch_all(_LOCK_LOST, [BATCH]):
            claim = _build_claim(row)
            if settle_lost(claim, f"its worker {claim.worker_id} died").accepted:
                count += 1
    return count


def find_held(worker_id: Any) -> list[Claim]:
    """List what the database says that a worker is running."""
    return [_build_claim(row) for row in _fetch_all(_FIND_HELD, [worker_id])]


def redispatch_overdue() -> int:
    """Send messages again for what has been ready for too long without a claim; give their number."""
    parameters = {
        "runnable": RUNNABLE,
        "after": settings.redispatch_after,
        "factor": LONGEST_REDISPATCH_FACTOR,
        "batch": BATCH,
    }
    dispatcher = get_dispatcher()
    overdue = _fetch_all(_TAKE_OVERDUE, parameters)
    for (step_run_id,) in sorted(overdue):
        dispatcher.dispatch(step_run_id)
    return len(overdue)


def _build_claim(row: tuple[Any, ...]) -> Claim:
    step_run_id, job_id, number, attempt, epoch, step, worker_id, lost_before = row
    return Claim(
        step_run_id=step_run_id,
        job_id=job_id,
        job_uuid=uuid.UUID(int=0),
        workflow_name="",
        workflow_path="",
        definition_id=0,
        number=number,
        attempt=attempt,
        epoch=epoch,
        step=step,
        value=None,
        external_data=None,
        worker_id=worker_id,
        lost_before=lost_before,
    )


def _fetch_all(statement: str, parameters: Any) -> list[tuple[Any, ...]]:
    with connections[DATABASE].cursor() as cursor:
        cursor.execute(statement, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
