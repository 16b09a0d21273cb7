"""This process as a worker: one row that says it is alive, and a thread that watches its running steps.

The thread beats, has steps interrupted whose Job was canceled, and writes the logs of steps while they run.
A process that only runs Jobs in-process (``run_workflow``) beats while it does so; a resident worker always.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from django.db import DatabaseError, InterfaceError, connections

from django_wfe.conf import DATABASE, settings
from django_wfe.engine.clock import read_clock
from django_wfe.engine.isolation.green_threads import refuse_green_threads
from django_wfe.engine.isolation.interrupts import ActiveRun, Interrupter
from django_wfe.engine.output.capture import Capture
from django_wfe.engine.output.step_logs import flush_capture
from django_wfe.engine.project_code.code_versions import CodeNote
from django_wfe.engine.recovery.sweeping import find_held
from django_wfe.engine.runs.committing import settle_lost
from django_wfe.engine.store.claims import Claim
from django_wfe.engine.store.transactions import atomic
from django_wfe.exceptions import StepCanceled

TICK_SECONDS = 1.0
"""How often running steps are looked at: about the most that a cancel comes late."""

logger = logging.getLogger("django_wfe.engine")

_ENLIST = """
INSERT INTO django_wfe_worker (id, hostname, pid, threads, started_at, last_seen, lacks)
VALUES (%s, %s, %s, %s, statement_timestamp(), statement_timestamp(), '{}')
ON CONFLICT (id) DO UPDATE SET last_seen = statement_timestamp()
WHERE django_wfe_worker.declared_dead_at IS NULL
RETURNING id
"""

_FIND_ENDED_ELSEWHERE = """
SELECT run.id, run.state, job.state FROM django_wfe_steprun AS run JOIN django_wfe_job AS job ON job.id = run.job_id
WHERE run.id = ANY(%s) AND (run.state <> 'RUNNING' OR run.worker_id <> %s OR job.state = 'CANCELED')
"""


class _Watched:
    """The block in which a run is watched over; a class, since each step passes here."""

    __slots__ = ("_run", "_worker")

    def __init__(self, worker: WorkerProcess, run: ActiveRun) -> None:
        self._worker = worker
        self._run = run

    def __enter__(self) -> ActiveRun:
        self._worker.begin_run(self._run)
        return self._run

    def __exit__(self, *exception: object) -> None:
        self._worker.end_run(self._run)


class WorkerProcess:
    """This process's life as a worker.

    Attributes:
        id: the id of its row; a new one after it was declared dead.
        stopping: set when the process is told to stop; slices end then.
    """

    def __init__(self) -> None:
        refuse_green_threads()
        self.id = uuid.uuid4()
        self.pid = os.getpid()
        self.threads = 1
        self.resident = False
        self.stopping = threading.Event()
        self._suspect_slot = threading.Lock()
        self._active: dict[int, ActiveRun] = {}
        self._interrupter = Interrupter()
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None
        self._last_beat = float("-inf")
        self._beat_is_durable = False
        self._ended = False
        self._idle: set[int] = set()
        self._lacks: set[str] = set()
        self._code_note = CodeNote()

    def enlist(self) -> None:
        """Write or refresh the row, in the caller's connection. To be called before a claim is made.

        Costs nothing if that was done lately, and not in a transaction that may have been rolled back.
        """
        if not self._beat_is_durable or read_clock() - self._last_beat >= settings.worker_timeout / 4:
            self._beat()

    def start(self, *, threads: int) -> None:
        """Become a resident worker, which is seen as alive also while it is idle."""
        self.threads = threads
        self._beat()
        self.resident = True
        self._ensure_thread()

    def stop(self) -> None:
        """End the thread, and say that this worker has stopped."""
        self.end_thread()
        with connections[DATABASE].cursor() as cursor:
            cursor.execute(
                "UPDATE django_wfe_worker SET stopped_at = statement_timestamp()"
                " WHERE id = %s AND NOT EXISTS (SELECT FROM django_wfe_steprun"
                "                               WHERE worker_id = %s AND state = 'RUNNING')",
                [self.id, self.id],
            )

    def end_thread(self) -> None:
        """End the thread, and say nothing: what is left of a worker that a test has killed."""
        self.stopping.set()
        with self._wake:
            self._ended = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join()
        self._interrupter.stop()

    def retire(self, reason: str) -> None:
        """Have this process end, and its supervisor start another: something in it may be broken for good.

        Each thread finishes its current step, as on SIGTERM. Where the process is not a resident worker, it is said
        only.
        """
        if self.stopping.is_set():
            return
        if not self.resident:
            logger.error("Something in this process may hang from now on: %s. Start it anew.", reason)
            return
        self.stopping.set()
        logger.error("Worker %s ends, and has to be started anew: %s.", self.id, reason)
        os.kill(self.pid, signal.SIGTERM)

    def watch(self, claim: Claim, capture: Capture, timeout: float | None) -> AbstractContextManager[ActiveRun]:
        """Watch over a step run while the block runs. ``timeout`` is in seconds."""
        return _Watched(self, ActiveRun(claim, capture, None if timeout is None else read_clock() + timeout))

    def begin_run(self, run: ActiveRun) -> None:
        """Look after a run from now on."""
        with self._lock:
            self._active[run.claim.step_run_id] = run
        if self._thread is None:
            self._ensure_thread()
        if run.deadline is not None:
            self._interrupter.add(run)

    def end_run(self, run: ActiveRun) -> None:
        """Forget a run."""
        with self._lock:
            self._active.pop(run.claim.step_run_id, None)
        if run.deadline is not None or run.asked is not None:
            self._interrupter.remove(run)

    @contextmanager
    def offer_suspect_slot(self) -> Iterator[bool]:
        """Hold the right to run a suspect in this process during the block, if it is free; give whether it was.

        A suspect is a step run whose attempt before was lost with its worker. Two of them never run in one process: so
        a step that kills its worker each time takes down no other that was with it when that happened first.
        """
        is_free = self._suspect_slot.acquire(blocking=False)
        try:
            yield is_free
        finally:
            if is_free:
                self._suspect_slot.release()

    def note_found(self, path: str) -> None:
        """Keep in the row that this worker has the code of a node, which it may have lacked before."""
        if path in self._lacks:
            self._lacks.discard(path)
            with connections[DATABASE].cursor() as cursor:
                cursor.execute("UPDATE django_wfe_worker SET lacks = lacks - %s::text WHERE id = %s", [path, self.id])

    def note_lack(self, path: str, reason: str) -> None:
        """Keep in the row that this worker was asked for a node whose code it lacks."""
        self._lacks.add(path)
        with connections[DATABASE].cursor() as cursor:
            cursor.execute(
                "UPDATE django_wfe_worker SET lacks = lacks || jsonb_build_object(%s::text, %s::text) WHERE id = %s",
                [path, reason[:1000], self.id],
            )

    def _ensure_thread(self) -> None:
        if self._thread is None:
            with self._lock:
                if self._thread is None and not self._ended:
                    self._thread = threading.Thread(target=self._run, name="django-wfe-heartbeat", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        while True:
            with self._wake:
                if not self._has_ended():
                    self._wake.wait(self._choose_wait())
                if self._has_ended():
                    break
                active = list(self._active.values())
            try:
                self._tick(active)
            except (DatabaseError, InterfaceError) as error:
                logger.warning("The heartbeat of worker %s could not reach the database: %s", self.id, error)
                connections[DATABASE].close()
            except Exception:
                # This thread is what keeps the process from being declared dead: it goes on whatever happens.
                logger.exception("The heartbeat of worker %s failed; it goes on.", self.id)
        connections[DATABASE].close()

    def _has_ended(self) -> bool:
        return self._ended

    def _choose_wait(self) -> float | None:
        if not self._active and not self.resident:
            return TICK_SECONDS * 5
        return min(TICK_SECONDS, settings.worker_timeout / 4)

    def _tick(self, active: list[ActiveRun]) -> None:
        now = read_clock()
        interval = settings.worker_timeout / 4
        # A step run in-process that is over soon is no business of this thread.
        long = [run for run in active if now - run.began > (TICK_SECONDS if self.resident else interval)]
        # A row that the step's own transaction has not committed is invisible to recovery, and locked for this thread.
        if now - self._last_beat >= interval and (self.resident or (long and self._beat_is_durable)):
            self._beat()
            if self.resident:
                self._give_back_forgotten()
        if long:
            for run in long if self.resident else ():
                flush_capture(run.capture)
            self._interrupt_ended(long)
        if self.resident:
            self._code_note.tell(self.id)
        else:
            connections[DATABASE].close()

    def _beat(self) -> None:
        host = socket.gethostname()[:255]
        is_durable = not connections[DATABASE].in_atomic_block
        # Several threads may write the row at once: under a stricter isolation one of them would be refused.
        with atomic(), connections[DATABASE].cursor() as cursor:
            cursor.execute(_ENLIST, [self.id, host, self.pid, self.threads])
            if cursor.fetchone() is None:
                # Declared dead: its runs are given to others, and it begins anew. The old id's commits are refused.
                dead, self.id = self.id, uuid.uuid4()
                logger.warning("Worker %s was declared dead; it goes on as %s.", dead, self.id)
                cursor.execute(_ENLIST, [self.id, host, self.pid, self.threads])
        self._beat_is_durable = is_durable
        self._last_beat = read_clock()

    def _give_back_forgotten(self) -> None:
        """Give back what the database says this worker runs, and no thread of it does, at two beats in a row.

        A commit that was given up because the database stayed away leaves such a run.
        """
        with self._lock:
            active = set(self._active)
        idle = {claim.step_run_id: claim for claim in find_held(self.id) if claim.step_run_id not in active}
        for step_run_id in self._idle & set(idle):
            settle_lost(idle[step_run_id], "its worker lost the connection to the database and gave up its commit")
        self._idle = set(idle)

    def _interrupt_ended(self, active: list[ActiveRun]) -> None:
        by_worker: dict[uuid.UUID, list[ActiveRun]] = {}
        for run in active:
            by_worker.setdefault(run.claim.worker_id, []).append(run)
        for worker_id, runs in by_worker.items():
            with connections[DATABASE].cursor() as cursor:
                cursor.execute(_FIND_ENDED_ELSEWHERE, [[run.claim.step_run_id for run in runs], worker_id])
                ended = {row[0] for row in cursor.fetchall()}
            for run in runs:
                if run.claim.step_run_id in ended:
                    self._cancel(run)

    def _cancel(self, run: ActiveRun) -> None:
        with self._lock:
            # One that has ended meanwhile would stay with the interrupter for ever.
            if self._active.get(run.claim.step_run_id) is run and run.ask(StepCanceled):
                self._interrupter.add(run)


_worker: WorkerProcess | None = None
_worker_lock = threading.Lock()


def get_worker() -> WorkerProcess:
    """Return this process's worker. A child made by fork gets one of its own."""
    global _worker
    if _worker is None or _worker.pid != os.getpid():
        with _worker_lock:
            if _worker is None or _worker.pid != os.getpid():
                _worker = WorkerProcess()
    return _worker


def install_worker(worker: WorkerProcess | None) -> WorkerProcess | None:
    """Make ``worker`` this process's; return the one before, whose thread goes on. None: a new one when needed."""
    global _worker
    before, _worker = _worker, worker
    return before


def stop_worker() -> None:
    """End this process's worker, if it has one; the next call of ``get_worker`` gives a new one."""
    global _worker
    if _worker is not None and _worker.pid == os.getpid():
        _worker.stop()
    _worker = None
