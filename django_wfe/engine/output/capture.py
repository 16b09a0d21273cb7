"""What a step run puts out, on its way from the code that wrote it to the database, piece by piece.

Three parties meet here: whoever writes (the step, its threads, the processes that it forked), the heartbeat, which
flushes what a long step has put out so far, and the commit, which takes the rest along. The lock is held while texts
change hands and at no other time: never during a query, a write to a file or a call of ``logging``. So a step prints on
while a statement of the heartbeat hangs.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from contextvars import ContextVar, Token
from typing import NamedTuple

from django_wfe.conf import settings
from django_wfe.definition.texts import make_storable
from django_wfe.engine.errors.tracebacks import format_traceback, get_location
from django_wfe.engine.output.spool import Spool

PIECES_PER_EPOCH = 1_000
LAST_EPOCH = 2_000_000
"""A run that was given back, to be claimed anew, numbers its pieces from there on: those of before may be kept."""

LONGEST_LINE = 10_000
"""How many characters of a line a child keeps back until it ends."""

logger = logging.getLogger("django_wfe.engine")

current: ContextVar[Capture | None] = ContextVar("django_wfe_capture", default=None)
"""The capture of the step run whose code runs in this context."""

_is_unheard: ContextVar[bool] = ContextVar("django_wfe_unheard", default=False)


class Piece(NamedTuple):
    """A part of a log; ``sequence`` is its place. It keeps it however often it has to be written."""

    sequence: int
    text: str


class Capture:
    """The output of one step run, until it is written to the database.

    A commit calls ``drain``, and ``restore`` where nothing came of it. Until then, flushes take nothing: so the pieces
    that are on their way are in order, and each is with one party alone.

    Attributes:
        logfile: the path of a file that gets the text as well, or "".
        is_closing: a commit has drained it: the step's own code is over, but for what waits for the commit.
        has_ended: the commit is over too.

    Args:
        epoch: how many times the step run has been claimed, this time included.
    """

    # Set where they differ from these: most step runs put nothing out.
    has_ended = False
    is_closing = False
    _drained: Piece | None = None
    _is_filing = False
    _is_forked = False
    _line = ""
    _spool: Spool | None = None

    def __init__(self, step_run_id: int, logfile: str = "", epoch: int = 1) -> None:
        self.step_run_id = step_run_id
        # Reentrant, since a signal handler or a finalizer may print in the midst of a print.
        self.lock = threading.RLock()
        self._parts: list[str] = []
        self._unwritten: list[Piece] = []
        self._limit = self._room = settings.max_log_bytes
        self._sequence = 0 if epoch == 1 else min(epoch - 1, LAST_EPOCH) * PIECES_PER_EPOCH
        self.logfile = logfile
        self._unfiled: list[str] = []

    def write(self, text: str) -> bool:
        """Take a piece of output; beyond ``WFE_MAX_LOG_BYTES`` it is dropped, and the log says so.

        Returns:
            False if the step run is over: the text is then for the process's own output.
        """
        text = make_storable(text)
        with self.lock:
            if self._is_forked:
                return self._leave(text)
            if self.has_ended:
                return False
            if self._spool is not None:
                self._read_spool()
            self._add(text)
        return True

    def drain(self) -> str:
        """Take what is not written yet, for a commit, and append it to the log file where there is one."""
        with self.lock:
            self.is_closing = True
            if self._spool is not None:
                self._read_spool()
            if not self._parts:
                return ""
            self._drained = self._number()
            text = self._drained.text
        if self._unfiled:
            self._write_to_file()
        return text

    def take_sequence(self) -> int:
        """Return the number of the piece that the latest drain took."""
        with self.lock:
            return self._drained.sequence if self._drained is not None else self._sequence

    def confirm(self) -> None:
        """Forget what the latest drain took: it is committed, and nothing later brings it back."""
        with self.lock:
            self._drained = None

    def restore(self) -> None:
        """Put back what the latest drain took: its commit did not happen. Nothing to do where that was confirmed."""
        with self.lock:
            self.is_closing = False
            if self._drained is not None:
                # No flush has taken a number meanwhile.
                self._sequence, text = self._drained
                self._drained = None
                self._parts.insert(0, text)

    def take_pieces(self) -> list[Piece]:
        """Take what a flush is to write: pieces that an earlier one failed to write, and what has come since."""
        with self.lock:
            if self._drained is not None:
                return []
            pieces = self._take_pieces()
        if self._unfiled:
            self._write_to_file()
        return pieces

    def return_pieces(self, pieces: list[Piece]) -> bool:
        """Put back what a flush failed to write, for the next; return False if there will be none."""
        with self.lock:
            if self.has_ended:
                return False
            self._unwritten = pieces + self._unwritten
            return True

    def end(self) -> list[Piece]:
        """End the capture after the commit; return what has come since, such as from the receivers of signals."""
        with self.lock:
            self.has_ended = True
            self._drained = None
            if self._spool is not None and not self._is_forked:
                self._spool.end()
                self._read_spool()
                self._spool.close()
                self._spool = None
            if not self._parts and not self._unwritten:
                return []
            pieces = self._take_pieces()
        if self._unfiled:
            self._write_to_file()
        return pieces

    def reopen(self) -> None:
        """Take output again: what waited for the commit of a transaction around the step run has its turn."""
        with self.lock:
            self.has_ended = False

    def prepare_fork(self) -> None:
        """Before this process forks: have a place where the child's output can be left."""
        with self.lock:
            if self._spool is None:
                self._spool = Spool()

    def become_forked(self) -> None:
        """In the child, after a fork: what it puts out goes to the process that runs the step."""
        # The lock may have been held by a thread that is not in this process.
        self.lock = threading.RLock()
        self._parts = []
        self._unfiled = []
        self._line = ""
        self._is_forked = True

    def flush(self) -> None:
        """In a child: leave the line that has no end yet."""
        with self.lock:
            if self._line and self._spool is not None:
                line, self._line = self._line, ""
                self._spool.write(line, limit=self._limit)

    def leave_forked_process(self) -> None:
        """End the process if it is one that the step has forked, and that comes back from the step's code.

        The engine belongs to the process that forked it: here it would settle the same run, over the same connection.
        """
        if not self._is_forked:
            return
        error = sys.exc_info()[1]
        code = 0 if error is None else 1
        if isinstance(error, SystemExit) and (error.code is None or isinstance(error.code, int)):
            code = error.code or 0
        elif error is not None:
            self.write(format_traceback(error, get_location(error)))
        self.flush()
        os._exit(code & 0xFF)

    def _leave(self, text: str) -> bool:
        """In a child: leave whole lines, so that those of processes that print at once are not mixed."""
        if self._spool is None:
            return False
        lines, end, rest = (self._line + text).rpartition("\n")
        if len(rest) > LONGEST_LINE:
            lines, end, rest = lines + end + rest, "", ""
        self._line = rest
        return self._spool.write(lines + end, limit=self._limit)

    def _add(self, text: str) -> None:
        if self._room <= 0:
            return
        size = len(text.encode())
        if size > self._room:
            kept = text.encode()[: self._room].decode(errors="ignore")
            text = f"{kept}\n[log cut here: it is longer than WFE_MAX_LOG_BYTES = {self._limit:,}]\n"
        self._room -= size
        self._parts.append(text)
        if self.logfile:
            self._unfiled.append(text)

    def _number(self) -> Piece:
        piece = Piece(self._sequence, "".join(self._parts))
        self._parts.clear()
        self._sequence += 1
        return piece

    def _take_pieces(self) -> list[Piece]:
        if self._spool is not None:
            self._read_spool()
        pieces, self._unwritten = self._unwritten, []
        if self._parts:
            pieces.append(self._number())
        return pieces

    def _read_spool(self) -> None:
        """Take over what forked processes have left, before anything that comes later."""
        if self._spool is not None and not self._is_forked:
            # It is in memory, so the lock is not held for long.
            text = self._spool.read()
            if text:
                self._add(make_storable(text))

    def _write_to_file(self) -> None:
        """Append to the log file what is not in it. One thread does it at a time, and no other waits for it."""
        while True:
            with self.lock:
                if self._is_filing or not self._unfiled:
                    return
                self._is_filing = True
                text = "".join(self._unfiled)
                self._unfiled.clear()
            try:
                _append_to_file(self.logfile, text)
            finally:
                with self.lock:
                    self._is_filing = False


def find_listener() -> Capture | None:
    """Return the capture that is to get what is put out in this context, or None."""
    capture = current.get()
    return None if capture is None or _is_unheard.get() else capture


class Hearing:
    """A context in which what is put out goes to a capture; with None, to the process's own output.

    The latter is for what is not the step's own doing: the engine's statements, and handlers of ``logging``.
    """

    __slots__ = ("_capture", "_token", "_unheard_token")

    def __init__(self, capture: Capture | None) -> None:
        self._capture = capture

    def __enter__(self) -> None:
        capture = self._capture
        self._token: Token[Capture | None] | None = None if capture is None else current.set(capture)
        self._unheard_token: Token[bool] | None = None
        if _is_unheard.get() is not (capture is None):
            self._unheard_token = _is_unheard.set(capture is None)

    def __exit__(self, *exception: object) -> None:
        if self._unheard_token is not None:
            _is_unheard.reset(self._unheard_token)
        if self._token is not None:
            current.reset(self._token)


def _append_to_file(path: str, text: str) -> None:
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        # The database holds the log; a full disk must not fail a step.
        logger.warning("The log file %s cannot be written: %s", path, error)


def _before_fork() -> None:
    capture = find_listener()
    if capture is not None:
        capture.prepare_fork()


def _after_fork_in_child() -> None:
    capture = current.get()
    if capture is not None:
        capture.become_forked()


os.register_at_fork(before=_before_fork, after_in_child=_after_fork_in_child)
