"""Gives back what dead workers held, and sends again what a broker lost. Safe in several processes at once."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import connections

from django_wfe.conf import DATABASE, settings
from django_wfe.engine.delivery.dispatcher import Message, send
from django_wfe.engine.recovery.deadlines import FILL_SECONDS, fill_deadlines
from django_wfe.engine.recovery.liveness import IN_SERVICE, IS_SILENT
from django_wfe.engine.runs.committing import settle_lost
from django_wfe.engine.store.claims import RUNNABLE, Claim
from django_wfe.engine.store.transactions import atomic
from django_wfe.values.sentences import gettext as _

BATCH = 500
"""How many step runs one transaction of a sweep takes on."""

LONGEST_REDISPATCH_FACTOR = 16
"""With each message sent again for a step run, the next waits twice as long, up to this many times the first wait."""

logger = logging.getLogger("django_wfe.recovery")

# A heartbeat goes through this process as a number: a local time would be another one in the hour that is doubled.
_BEAT = "(EXTRACT(EPOCH FROM worker.last_seen) * 1000000)::bigint"

_LIST_LIVE = f"""
SELECT id, {_BEAT}, {IS_SILENT} FROM django_wfe_worker AS worker WHERE {IN_SERVICE}
"""  # noqa: S608  (of constants)

# Compared with the last_seen that was looked at: a worker that has just beaten is not declared dead.
_DECLARE_DEAD = f"""
UPDATE django_wfe_worker AS worker SET declared_dead_at = statement_timestamp()
WHERE id = %s AND {_BEAT} = %s AND {IN_SERVICE}
RETURNING id, hostname, pid
"""  # noqa: S608  (of constants)

_LOCK_LOST = f"""
SELECT run.id, run.job_id, run.number, run.attempt, run.epoch, run.step, run.worker_id, run.lost_before
FROM django_wfe_steprun AS run
WHERE run.state = 'RUNNING' AND NOT EXISTS (
    SELECT FROM django_wfe_worker AS worker
    WHERE worker.id = run.worker_id AND {IN_SERVICE}
)
ORDER BY run.id LIMIT %s FOR UPDATE SKIP LOCKED
"""  # noqa: S608  (of constants)

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
        AND run.due_at <= GREATEST(statement_timestamp(), run.created_at)
        AND (
            GREATEST(run.due_at, run.dispatched_at) < statement_timestamp()
                - %(after)s * LEAST(POWER(2, run.dispatches), %(factor)s) * INTERVAL '1 second'
            -- Sent in the future: the database's clock was set back.
            OR run.dispatched_at > statement_timestamp() + INTERVAL '1 second'
        )
    ORDER BY run.due_at, run.id LIMIT %(batch)s FOR UPDATE OF run SKIP LOCKED
)
UPDATE django_wfe_steprun AS run
SET dispatched_at = statement_timestamp(), dispatches = LEAST(run.dispatches + 1, 1000)
FROM overdue WHERE run.id = overdue.id
RETURNING run.id
"""


_FORGET_WORKERS = """
DELETE FROM django_wfe_worker AS worker
WHERE GREATEST(stopped_at, declared_dead_at) < statement_timestamp() - %s * INTERVAL '1 day'
    AND NOT EXISTS (SELECT FROM django_wfe_steprun AS run WHERE run.state = 'RUNNING' AND run.worker_id = worker.id)
RETURNING worker.id
"""

WORKER_DAYS = 30
"""How long a worker that has ended stays in the list."""


_TAKE_BACK = """
UPDATE django_wfe_steprun SET dispatches = GREATEST(dispatches - 1, 0) WHERE id = ANY(%s) AND state = 'READY'
RETURNING id
"""


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What a sweep did, in numbers of workers and step runs."""

    dead_workers: int = 0
    lost: int = 0
    redispatched: int = 0

    def __bool__(self) -> bool:
        return bool(self.dead_workers or self.lost or self.redispatched)


class Observer:
    """What one process has seen of the workers' heartbeats, by a clock of its own.

    The database's clock may be set forward, and the database may have been away, so that no worker could beat: then all
    of them look silent, and none is dead. So one is declared dead only when this process, too, has seen the same
    heartbeat for a while; what it saw before a gap in its own sweeps does not count.
    """

    def __init__(self) -> None:
        self._seen: dict[uuid.UUID, tuple[int, float]] = {}
        self._last_look = float("-inf")
        self._last_fill = float("-inf")

    def is_time_to_fill(self) -> bool:
        """Return, once in ``FILL_SECONDS``, whether missing due times are to be looked for."""
        now = time.monotonic()
        if now - self._last_fill < FILL_SECONDS:
            return False
        self._last_fill = now
        return True

    def find_silent(self) -> list[tuple[uuid.UUID, int]]:
        """List the workers that are to be declared dead, each with the heartbeat that was its last, in microseconds."""
        rows = _fetch_all(_LIST_LIVE, [settings.worker_timeout])
        now = time.monotonic()
        if now - self._last_look > max(settings.worker_timeout / 2, settings.recovery_interval * 3):
            self._seen.clear()
        self._last_look = now
        self._seen = {
            worker_id: (last_seen, self._seen[worker_id][1])
            if self._seen.get(worker_id, (None,))[0] == last_seen
            else (last_seen, now)
            for worker_id, last_seen, _ in rows
        }
        silent = []
        for worker_id, last_seen, is_overdue in rows:
            unchanged = now - self._seen[worker_id][1]
            if unchanged >= settings.worker_timeout or (is_overdue and unchanged >= settings.worker_timeout / 2):
                silent.append((worker_id, last_seen))
        return silent


def sweep(observer: Observer | None = None) -> SweepReport:
    """Declare silent workers dead, open another attempt for what they held, and send overdue messages again.

    Args:
        observer: what a process that sweeps often has seen so far. Default None, for a single sweep: a worker is silent
            where the database's clock says that it was not heard of for ``WFE_WORKER_TIMEOUT``.
    """
    if observer is not None:
        silent = observer.find_silent()
    else:
        rows = _fetch_all(_LIST_LIVE, [settings.worker_timeout])
        silent = [(worker_id, last_seen) for worker_id, last_seen, is_overdue in rows if is_overdue]
    dead = [row for worker in silent for row in _fetch_all(_DECLARE_DEAD, list(worker))]
    for worker_id, hostname, pid in dead:
        logger.warning("Worker %s (%s, process %s) is silent: declared dead.", worker_id, hostname, pid)
    _fetch_all(_FORGET_WORKERS, [WORKER_DAYS])
    lost = _repeat(give_back_lost)
    redispatched = _repeat(redispatch_overdue)
    if observer is None or observer.is_time_to_fill():
        _repeat(fill_deadlines)
    report = SweepReport(dead_workers=len(dead), lost=lost, redispatched=redispatched)
    if lost or redispatched:
        logger.info("Recovery: %d step runs lost, %d messages sent again.", lost, redispatched)
    return report


def _repeat(work: Callable[[], int]) -> int:
    """Work batch by batch until one is not full, or half of the time to the next sweep is over."""
    deadline = time.monotonic() + settings.recovery_interval / 2
    total = count = work()
    while count >= BATCH and time.monotonic() < deadline:
        count = work()
        total += count
    return total


def give_back_lost() -> int:
    """Mark what no live worker holds as LOST and open the next attempts; return their number."""
    count = 0
    with atomic():
        for row in _fetch_all(_LOCK_LOST, [BATCH]):
            claim = _build_claim(row)
            if settle_lost(claim, _("its worker %(worker)s died") % {"worker": claim.worker_id}).accepted:
                count += 1
    return count


def find_held(worker_id: Any) -> list[Claim]:
    """List what the database says that a worker is running."""
    return [_build_claim(row) for row in _fetch_all(_FIND_HELD, [worker_id])]


def redispatch_overdue() -> int:
    """Send messages again for what has been ready for too long without a claim; return their number."""
    parameters = {
        "runnable": RUNNABLE,
        "after": settings.redispatch_after,
        "factor": LONGEST_REDISPATCH_FACTOR,
        "batch": BATCH,
    }
    overdue = _fetch_all(_TAKE_OVERDUE, parameters)
    ids = sorted(step_run_id for (step_run_id,) in overdue)
    for sent, step_run_id in enumerate(ids):
        if not send(Message("step", step_run_id)):
            # The broker is away: leave it alone for this sweep, and let the wait not grow by what it never got.
            _fetch_all(_TAKE_BACK, [ids[sent:]])
            return sent
    return len(ids)


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
