"""Brings what is printed, written to stderr and logged to the capture of the context that it is done in.

``sys.stdout`` and ``sys.stderr`` are replaced by routers while a step run is at work, and are again what they were
once none is. Nothing is swapped while any thread is at work, so that no thread can break it for another.

``logging`` is listened to where each logger hands its records to the handlers. No handler is needed for it: so
``basicConfig()`` finds the root logger as it was, Python's handler of last resort speaks where the project has none,
``dictConfig()`` in the middle of a step takes nothing away, and loggers that do not propagate are heard like others.
"""

from __future__ import annotations

import codecs
import io
import logging
import os
import sys
import threading
from collections.abc import Iterable
from typing import Any, TextIO

from django_wfe.engine.errors.tracebacks import format_traceback, get_location, say_briefly
from django_wfe.engine.output.capture import Capture, Hearing, find_listener

STEP_LOGGER = "django_wfe.step"
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

ENGINE_LOGGERS = ("django_wfe.engine", "django_wfe.delivery")
"""What the engine says about a step run while it is at it. That is for the worker's log, not for the step's own."""

DATABASE_LOGGER = "django.db.backends"
"""Tells of the statements too by which the engine ends a step run."""

_formatter = logging.Formatter(FORMAT)
_hand_over = logging.Logger.callHandlers
_lock = threading.Lock()
_users = 0
_before: tuple[Any, Any] = (None, None)


def begin_routing() -> None:
    """Have the routers in place from now on, until ``end_routing`` was called as often.

    Called at each step run, since test runners and daemons replace the streams.
    """
    global _users, _before
    with _lock:
        if _users == 0:
            out, errors = sys.stdout, sys.stderr
            _before = (
                out._stream if type(out) is Router else out,
                errors._stream if type(errors) is Router else errors,
            )
        _users += 1
        if type(sys.stdout) is not Router:
            if _routers[0]._stream is not sys.stdout:
                _routers[0] = Router(sys.stdout)
            sys.stdout = _routers[0]
        if type(sys.stderr) is not Router:
            if _routers[1]._stream is not sys.stderr:
                _routers[1] = Router(sys.stderr)
            sys.stderr = _routers[1]
    if logging.Logger.callHandlers is _hand_over:
        _listen_to_logging()


def end_routing() -> None:
    """Restore the streams if no other step run needs the routers."""
    global _users, _before
    with _lock:
        _users -= 1
        if _users == 0:
            # Also where a step has put something else there, and left it: nobody else was at work.
            sys.stdout, sys.stderr = _before
            _before = (None, None)


class Router:
    """A text stream that writes into the capture of the context, else into the stream it stands for."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write ``text`` where this context's output goes."""
        capture = find_listener()
        if capture is not None:
            if not isinstance(text, str):
                raise TypeError(f"write() argument must be str, not {type(text).__name__}")
            if capture.write(text):
                return len(text)
        # A daemon may have no streams at all.
        return len(text) if self._stream is None else self._stream.write(text)

    def write_bytes(self, data: Any) -> None:
        """Write bytes into the stream that it stands for."""
        if self._stream is not None:
            self._stream.buffer.write(data)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of the lines."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush the stream it stands for, where there is one, and the line of this process."""
        capture = find_listener()
        if capture is not None:
            capture.flush()
        if self._stream is not None:
            self._stream.flush()

    @property
    def buffer(self) -> RouterBuffer:
        """A stream of bytes to the same places, for whoever wraps one with another encoding."""
        return RouterBuffer(self)

    def detach(self) -> RouterBuffer:
        """Return ``buffer``. The stream stays whole: it is not the step's to take apart."""
        return self.buffer

    def close(self) -> None:
        """Do nothing in a step run: other ones write there too."""
        if find_listener() is None and self._stream is not None:
            self._stream.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class RouterBuffer(io.BufferedIOBase):
    """Bytes for a router. To close it, as a wrapper does that is forgotten, closes nothing else."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any) -> int:
        """Write UTF-8 where this context's output goes."""
        size = memoryview(data).nbytes
        if find_listener() is not None:
            self._router.write(self._decoder.decode(bytes(data)))
        else:
            self._router.write_bytes(data)
        return size

    def flush(self) -> None:
        """Flush the stream that the router stands for."""
        if not self.closed:
            self._router.flush()


def _listen_to_logging() -> None:
    """Take part in handing records over. Once and for all: what others put around it later must go on working."""
    with _lock:
        if logging.Logger.callHandlers is _hand_over:
            logging.Logger.callHandlers = _call_handlers  # type: ignore[assignment, method-assign]
        step_logger = logging.getLogger(STEP_LOGGER)
        if step_logger.level == logging.NOTSET:
            step_logger.setLevel(logging.INFO)


def _call_handlers(logger: logging.Logger, record: logging.LogRecord) -> None:
    """Hand a record to the project's handlers, and to the step run that made it."""
    capture = find_listener()
    if capture is None:
        _hand_over(logger, record)
        return
    try:
        # A handler that writes to a router would bring the record a second time.
        with Hearing(None):
            _hand_over(logger, record)
    finally:
        _keep(capture, record)


def _keep(capture: Capture, record: logging.LogRecord) -> None:
    if record.name.startswith(ENGINE_LOGGERS) or (capture.is_closing and record.name.startswith(DATABASE_LOGGER)):
        return
    try:
        text = _formatter.format(record)
    except Exception as error:
        # Not as logging does it: to print what went wrong may raise too, for the same reason.
        text = f"{record.levelname} {record.name}: (a record that cannot be formatted: {say_briefly(error)})"
        exception = record.exc_info[1] if record.exc_info else None
        if exception is not None:
            text += "\n" + format_traceback(exception, get_location(exception)).rstrip()
    capture.write(f"{text}\n")


_routers = [Router(None), Router(None)]
"""The latest, to be used again."""


def _renew_lock() -> None:
    global _lock
    _lock = threading.Lock()


# In a forked process the lock may be held by a thread that is not there.
os.register_at_fork(after_in_child=_renew_lock)
