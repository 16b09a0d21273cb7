"""The log of a step run: taken while it runs, written to the database piece by piece, and read there."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import DatabaseError, InterfaceError, connections
from django.db.models import F, Func, IntegerField, Q, Sum

from django_wfe.conf import DATABASE
from django_wfe.engine.output.capture import Capture, Hearing, Piece, current
from django_wfe.engine.output.routers import begin_routing, end_routing
from django_wfe.models import Job, JobLog, StepRun

# A piece that may have been written, although its statement failed, is not written twice: its number tells.
_WRITE = """
INSERT INTO django_wfe_joblog (step_run_id, sequence, text, created_at)
SELECT run.id, piece.sequence, piece.text, statement_timestamp()
FROM django_wfe_steprun AS run, unnest(%s::integer[], %s::text[]) AS piece (sequence, text)
WHERE run.id = %s
ON CONFLICT (step_run_id, sequence) DO NOTHING
"""

logger = logging.getLogger("django_wfe.engine")

RUNS_OF_A_PART = 10_000


@dataclass(frozen=True, slots=True)
class LogPart:
    """A part of a Job's log, and the number and attempt of the step run after which the next begins, if one does."""

    text: str
    rest_after: tuple[int, int] | None


_left_over: deque[tuple[int, list[Piece]]] = deque(maxlen=100)
"""What could not be written when its step run was over already: whoever writes next takes it along."""


class capture_output(Hearing):
    """A context that collects what the code inside prints and logs, in this thread and in the asyncio tasks it starts.

    What has come since the commit, from the receivers of signals for instance, is written at the end of the block.
    Arguments as of ``Capture``.
    """

    __slots__ = ("_own",)

    def __init__(self, step_run_id: int, logfile: str = "", epoch: int = 1) -> None:
        self._own = self._capture = Capture(step_run_id, logfile, epoch)

    def __enter__(self) -> Capture:  # type: ignore[override]
        begin_routing()
        Hearing.__enter__(self)
        return self._own

    def __exit__(self, *exception: object) -> None:
        Hearing.__exit__(self)
        end_routing()
        pieces = self._own.end()
        # Where the run was cut off, what has come meanwhile goes with it, or was committed with it.
        if exception[0] is None and (pieces or _left_over):
            _write_rest(self._own, pieces)


@contextmanager
def resume_capture(capture: Capture | None) -> Iterator[None]:
    """Add the output of the code inside to the log of a step run whose commit is done. None: change nothing."""
    if capture is None:
        yield
    elif not capture.has_ended:
        with Hearing(capture):
            yield
    else:
        # The step run was part of a transaction that is committed only now.
        capture.reopen()
        begin_routing()
        try:
            with Hearing(capture):
                yield
        finally:
            end_routing()
            _write_rest(capture, capture.end())


def get_capture() -> Capture | None:
    """Return the capture of the step run that this context belongs to, or None."""
    return current.get()


def flush_capture(capture: Capture) -> None:
    """Write what a running step has put out so far, so that the console can follow it.

    Raises:
        DatabaseError, InterfaceError: if that failed. Nothing is lost by it: the next flush writes it.
    """
    _write(capture, capture.take_pieces())


def _write_rest(capture: Capture, pieces: list[Piece]) -> None:
    # What belongs to a transaction that will be rolled back goes with it.
    if not connections[DATABASE].needs_rollback:
        try:
            with Hearing(None):
                _write(capture, pieces)
        except (DatabaseError, InterfaceError) as error:
            logger.warning("The end of the log of step run %s is not written yet: %s", capture.step_run_id, error)


def _write(capture: Capture, pieces: list[Piece]) -> None:
    try:
        if _left_over and not connections[DATABASE].in_atomic_block:
            _write_left_over()
        if pieces:
            _insert(capture.step_run_id, pieces)
    except BaseException:
        if pieces and not capture.return_pieces(pieces):
            _left_over.append((capture.step_run_id, pieces))
        raise


def _write_left_over() -> None:
    while _left_over:
        try:
            step_run_id, pieces = _left_over.popleft()
        except IndexError:
            return
        try:
            _insert(step_run_id, pieces)
        except BaseException:
            _left_over.appendleft((step_run_id, pieces))
            raise


def _insert(step_run_id: int, pieces: list[Piece]) -> None:
    with connections[DATABASE].cursor() as cursor:
        cursor.execute(_WRITE, [[piece.sequence for piece in pieces], [piece.text for piece in pieces], step_run_id])


def read_step_run_log(step_run: StepRun) -> str:
    """Return all that a step run has put out so far."""
    return "".join(JobLog.objects.filter(step_run=step_run).order_by("sequence").values_list("text", flat=True))


def read_log_part(job: Job, *, most_bytes: int, after: tuple[int, int] = (-1, 0)) -> LogPart:
    """Return the log of a job from the step run after a place on: as many whole step runs as fit, one at least."""
    number, attempt = after
    pieces = JobLog.objects.filter(step_run__job=job).filter(
        Q(step_run__number__gt=number) | Q(step_run__number=number, step_run__attempt__gt=attempt)
    )
    place = (F("step_run__number"), F("step_run__attempt"))
    size = Sum(Func(F("text"), function="octet_length", output_field=IntegerField()))
    runs = list(pieces.order_by(*place).values_list(*place, "step_run").annotate(size=size)[: RUNS_OF_A_PART + 1])
    taken: list[int] = []
    for _number, _attempt, run, run_bytes in runs[:RUNS_OF_A_PART]:
        most_bytes -= run_bytes
        if most_bytes < 0 and taken:
            break
        taken.append(run)
    texts = pieces.filter(step_run__in=taken).order_by(*place, "sequence").values_list("text", flat=True)
    rest_after = runs[len(taken) - 1][:2] if len(taken) < len(runs) else None
    return LogPart("".join(texts), rest_after)
