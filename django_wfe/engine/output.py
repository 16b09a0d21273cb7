"""What a step run prints, writes to stderr or logs becomes its log, with many threads in one process.

``sys.stdout`` and ``sys.stderr`` are replaced once in a process, by routers that stay: each write goes to the capture
of the context it was made in, or, where there is none, to the stream that was there before. Nothing is swapped when a
step begins or ends, so no thread can break it for another.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO

from django.db import connections

from django_wfe.conf import DATABASE, settings
from django_wfe.engine.failures import clean
from django_wfe.models import Job, JobLog, StepRun

STEP_LOGGER = "django_wfe.step"
LOOK_SECONDS = 1.0
"""How often loggers that were changed are looked for; those that were added are seen at once."""

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

_current: ContextVar[Capture | None] = ContextVar("django_wfe_capture", default=None)
_install_lock = threading.Lock()
_looked = (0, 0.0)


class Capture:
    """The output of one step run, until it is written to the database in pieces.

    ``drain`` takes what has come since; ``restore`` puts it back where writing it failed.
    """

    def __init__(self, step_run_id: int, logfile: str = "") -> None:
        self.step_run_id = step_run_id
        self.lock = threading.RLock()
        self._parts: list[str] = []
        self._unfiled: list[str] = []
        self._drained = ""
        self._room = settings.max_log_bytes
        self._sequence = 0
        self._logfile = logfile

    def write(self, text: str) -> None:
        """Take a piece of output; beyond ``WFE_MAX_LOG_BYTES`` it is dropped, and the log says so."""
        text = clean(text)
        with self.lock:
            if self._room <= 0:
                return
            size = len(text.encode())
            if size > self._room:
                kept = text.encode()[: self._room].decode(errors="ignore")
                text = f"{kept}\n[log cut here: it is longer than WFE_MAX_LOG_BYTES = {settings.max_log_bytes:,}]\n"
            self._room -= size
            self._parts.append(text)
            if self._logfile:
                self._unfiled.append(text)

    def drain(self) -> str:
        """Take what was written since the last drain, and append it to the log file where there is one."""
        with self.lock:
            self._drained = "".join(self._parts)
            self._parts.clear()
            if self._unfiled:
                _append_to_file(self._logfile, "".join(self._unfiled))
                self._unfiled.clear()
            return self._drained

    def confirm(self) -> None:
        """Forget what the last drain took: it is committed, and nothing later brings it back."""
        with self.lock:
            self._drained = ""

    def restore(self) -> None:
        """Put back what the last drain took, unless that was confirmed."""
        with self.lock:
            if self._drained:
                self._parts.insert(0, self._drained)
                self._drained = ""

    def take_sequence(self) -> int:
        """Give the number of the next piece."""
        with self.lock:
            self._sequence += 1
            return self._sequence - 1


@contextmanager
def capture_output(step_run_id: int, logfile: str = "") -> Iterator[Capture]:
    """Collect what the code inside prints and logs, in this thread and in the asyncio tasks it starts."""
    install_routers()
    capture = Capture(step_run_id, logfile)
    token = _current.set(capture)
    try:
        yield capture
    finally:
        _current.reset(token)


def flush_capture(capture: Capture) -> None:
    """Write what a running step has put out so far, so that the console can follow it."""
    with capture.lock:
        text = capture.drain()
        if not text:
            return
        try:
            with connections[DATABASE].cursor() as cursor:
                cursor.execute(
                    "INSERT INTO django_wfe_joblog (step_run_id, sequence, text, created_at)"
                    " VALUES (%s, %s, %s, statement_timestamp())",
                    [capture.step_run_id, capture.take_sequence(), text],
                )
        except Exception:
            capture.restore()
            raise
        capture.confirm()


def install_routers() -> None:
    """Put the routers in place of ``sys.stdout`` and ``sys.stderr`` where they are not, and the log handler too.

    Called at each step run, since test runners and daemons replace the streams; it changes nothing when all is there.
    """
    global _looked
    count, now = len(logging.root.manager.loggerDict), time.monotonic()
    if count != _looked[0] or now >= _looked[1] + LOOK_SECONDS:
        _looked = (count, now)
        _add_to_closed_loggers()
    if type(sys.stdout) is Router and type(sys.stderr) is Router and _handler in logging.root.handlers:
        return
    with _install_lock:
        if type(sys.stdout) is not Router:
            sys.stdout = Router(sys.stdout)
        if type(sys.stderr) is not Router:
            sys.stderr = Router(sys.stderr)
        if _handler not in logging.root.handlers:
            logging.root.addHandler(_handler)
        step_logger = logging.getLogger(STEP_LOGGER)
        if step_logger.level == logging.NOTSET:
            step_logger.setLevel(logging.INFO)


def _add_to_closed_loggers() -> None:
    """Have the handler at each logger that keeps its records from the root, as many projects configure theirs."""
    for logger in list(logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger) and not logger.propagate and _handler not in logger.handlers:
            logger.addHandler(_handler)


class Router:
    """A text stream that writes into the capture of the context, else into the stream it stands for."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write ``text`` where this context's output goes."""
        capture = _current.get()
        # A StreamHandler that was given this stream would bring a record a second time: the handler below has it.
        if capture is None or sys._getframe(1).f_globals.get("__name__") == "logging":
            return self._stream.write(text)
        capture.write(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of the lines."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class CaptureHandler(logging.Handler):
    """Brings the records of all loggers into the capture of the context they were made in."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, if a step run made it."""
        capture = _current.get()
        if capture is not None:
            try:
                capture.write(self.format(record) + "\n")
            except Exception:
                # The way logging treats a record that cannot be formatted: said on stderr, never raised.
                self.handleError(record)


_handler = CaptureHandler()
_handler.setFormatter(logging.Formatter(FORMAT))


def read_step_run_log(step_run: StepRun) -> str:
    """Give all that a step run has put out so far."""
    return "".join(JobLog.objects.filter(step_run=step_run).order_by("sequence").values_list("text", flat=True))


def read_log(job: Job) -> str:
    """Give all that the step runs of a job have put out, in order."""
    pieces = JobLog.objects.filter(step_run__job=job).order_by("step_run__number", "step_run__attempt", "sequence")
    return "".join(pieces.values_list("text", flat=True))


def _append_to_file(path: str, text: str) -> None:
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        # The database holds the log; a full disk must not fail a step.
        logging.getLogger("django_wfe.engine").warning("The log file %s cannot be written: %s", path, error)
