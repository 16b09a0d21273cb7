"""Raises an exception in the thread of a running step: once, soon, and where it does no harm.

CPython can raise an exception in another thread. It arrives wherever that thread is: inside the database driver, with a
query half sent; inside ``logging``, with a handler's lock held. So the thread that asks for an interrupt looks first at
the stack of the step's thread (``engine.stacks``), and waits while that is at a bad place. A step that is at such
places for ever is met elsewhere: ``engine.sessions`` raises the interrupt before its next statement, and the server is
asked to cancel a statement that takes long. After a while it is raised wherever the step is; what that may have broken
is mended or, where it cannot be, costs the process (``ActiveRun.find_damage``).

While the thread of a step waits for a coroutine of it, that is interrupted in its place (``engine.coroutines``).
"""

from __future__ import annotations

import ctypes
import logging
import sys
import threading
from dataclasses import dataclass, field
from types import FrameType
from typing import Protocol

from django.db.backends.base.base import BaseDatabaseWrapper

from django_wfe.engine.clock import read_clock
from django_wfe.engine.errors.database_errors import cancel_statement
from django_wfe.engine.isolation.stacks import Place, judge_place, list_frames, list_traceback
from django_wfe.engine.output.capture import Capture
from django_wfe.engine.store.claims import Claim
from django_wfe.exceptions import Interrupt, StepTimeout

LOOK_SECONDS = 0.002
"""How long to wait between two looks at a step that is at a bad place."""

PATIENCE_SECONDS = 1.0
"""How long an interrupt waits for a good place, where what it breaks at a bad one can be mended."""

LONG_PATIENCE_SECONDS = 10.0
"""How long it waits while the step may hold locks: to raise it there costs the process."""

CANCEL_SECONDS = 0.2
"""How long a statement may go on after the interrupt was asked for, before the server is told to cancel it."""

logger = logging.getLogger("django_wfe.engine")

_PATIENCE = {
    Place.GOOD: 0.0,
    Place.DATABASE: PATIENCE_SECONDS,
    Place.ENGINE: PATIENCE_SECONDS,
    Place.LOGGING: PATIENCE_SECONDS,
    Place.HELD: LONG_PATIENCE_SECONDS,
    Place.IMPORTING: float("inf"),
    Place.OUTSIDE: float("inf"),
}

LASTING = (Place.HELD, Place.IMPORTING)
"""What is broken there stays broken in this process."""

_set_exception = ctypes.pythonapi.PyThreadState_SetAsyncExc


class StandIn(Protocol):
    """What runs code of a step for the step's thread, which waits for it meanwhile."""

    def press(self, run: ActiveRun) -> bool:
        """Do what ``ActiveRun.press`` does, for any run of the thread that waits."""

    def takes_at_statement(self, run: ActiveRun) -> bool:
        """Return whether what the step's thread does for it just now is to be interrupted before a statement."""


stand_ins: dict[int, StandIn] = {}
"""By the id of the thread that waits."""


@dataclass(slots=True, eq=False)
class ActiveRun:
    """A step run that is running in this process, and the interrupt that is asked for it.

    Attributes:
        boundary: the frame that calls the step's code; set while that may be interrupted.
        asked: the interrupt that is to be raised, once one is asked for.
        raised: that interrupt, once it was raised in the step's code.
        statement: the connection on which the step's thread waits for a statement.
        look_seconds: how long to wait between two calls of ``press``.
        left_running: code of the step goes on in another thread, though the step's thread has left it.
    """

    claim: Claim
    capture: Capture
    deadline: float | None
    thread_id: int = field(default_factory=threading.get_ident)
    began: float = field(default_factory=read_clock)
    lock: threading.Lock = field(default_factory=threading.Lock)
    boundary: FrameType | None = None
    asked: type[Interrupt] | None = None
    asked_at: float = 0.0
    raised: Interrupt | None = None
    statement: BaseDatabaseWrapper | None = None
    canceled_statement: bool = False
    look_seconds: float = LOOK_SECONDS
    left_running: bool = False
    _hits: tuple[Interrupt, ...] = ()
    _is_set: bool = False
    _bottom: FrameType | None = None

    def ask(self, interrupt: type[Interrupt]) -> bool:
        """Ask for an interrupt, unless one was asked for. Return whether this one is new."""
        with self.lock:
            if self.asked is not None:
                return False
            self.asked = _make_class(interrupt, self)
            self.asked_at = read_clock()
            return True

    def begin(self, boundary: FrameType) -> None:
        """Let the code that ``boundary`` calls be interrupted. To be called in the step's thread, as ``end``."""
        with self.lock:
            self.boundary = self._bottom = boundary

    def end(self) -> None:
        """Let nothing be interrupted from here on. May raise the interrupt, if it comes at this very moment."""
        if self.boundary is None:
            return
        with self.lock:
            self.boundary = None
            is_set, self._is_set = self._is_set, False
            if self.asked is None:
                # The frame holds this run: a circle would keep all that the step had until the garbage collector comes.
                self._bottom = None
        if is_set:
            # By its own thread, so that it cannot arrive any later.
            take_back(self.thread_id)
        if self.canceled_statement and self.raised is None:
            # The cancel may still be on its way to the server, and would hit a statement of the engine.
            self.raise_asked()

    def raise_at_statement(self) -> None:
        """Raise what is asked for, in the step's thread, which is about to send a statement or got one canceled."""
        stand_in = stand_ins.get(self.thread_id)
        if stand_in is not None and not stand_in.takes_at_statement(self):
            return
        with self.lock:
            if self.raised is not None or self.boundary is None:
                return
            if self._is_set:
                take_back(self.thread_id)
                self._is_set = False
        self.raise_asked()

    def raise_asked(self) -> None:
        """Raise what is asked for, in this thread."""
        assert self.asked is not None  # noqa: S101  (for mypy: callers looked)
        raise self.asked

    def press(self) -> bool:
        """Raise what is asked for, if the step's thread is at a good place now. Return whether nothing is left to do.

        To be called by another thread, again and again until it returns True.
        """
        stand_in = stand_ins.get(self.thread_id)
        if stand_in is not None:
            return stand_in.press(self)
        with self.lock:
            if self.asked is None or self.raised is not None or self._is_set:
                return True
            if self.boundary is None or self.thread_id in stand_ins:
                return False
            waited = read_clock() - self.asked_at
            if self.cancel_long_statement(waited):
                return False
            self._is_set = raise_in(self.thread_id, self.boundary, self.asked, waited)
            return self._is_set

    def note_raised(self, interrupt: Interrupt) -> None:
        """Keep an interrupt of this run that is being raised."""
        self.raised = interrupt
        self._hits = (*self._hits, interrupt)

    def find_damage(self) -> tuple[Place, str]:
        """Return where an interrupt has hit the step's code, and the name of that place: it may be broken now."""
        bottom, self._bottom = self._bottom, None
        place, name = Place.GOOD, ""
        if self.left_running:
            return Place.HELD, "a coroutine, which goes on"
        for hit in self._hits:
            spots = list_traceback(hit.__traceback__, bottom) if bottom is not None else None
            if spots is None:
                # Raised in another thread, or caught by the step: its traceback begins in the step's code.
                spots = list_traceback(hit.__traceback__, None)
            if spots and place not in LASTING:
                code, _, module = spots[0]
                place, name = judge_place(spots, has_arrived=True), f"{module}.{code.co_qualname}"
        return place, name

    def cancel_long_statement(self, waited: float) -> bool:
        """Have the server cancel a statement that still runs so many seconds after the interrupt was asked for.

        Return whether it was told to just now.
        """
        if self.statement is None or self.canceled_statement or waited < CANCEL_SECONDS:
            return False
        self._cancel_statement()
        return True

    def _cancel_statement(self) -> None:
        self.canceled_statement = True
        try:
            if self.statement is not None:
                cancel_statement(self.statement)
        except Exception as error:
            # The driver's exceptions are its own; without the cancel the interrupt comes when the statement ends.
            logger.warning("A statement of step run %s could not be canceled: %r", self.claim.step_run_id, error)


class Interrupter:
    """The thread that raises the interrupts of one process. It does no I/O but to cancel statements.

    It starts with the first step that has a timeout or is canceled; without such it costs nothing.
    """

    def __init__(self) -> None:
        self._wake = threading.Condition(threading.Lock())
        self._runs: set[ActiveRun] = set()
        self._thread: threading.Thread | None = None
        self._ended = False

    def add(self, run: ActiveRun) -> None:
        """Watch over a run that has a deadline, or an interrupt that is asked for."""
        with self._wake:
            self._runs.add(run)
            if self._thread is None and not self._ended:
                self._thread = threading.Thread(target=self._run, name="django-wfe-interrupts", daemon=True)
                self._thread.start()
            self._wake.notify_all()

    def remove(self, run: ActiveRun) -> None:
        """Forget a run that has ended."""
        with self._wake:
            self._runs.discard(run)

    def stop(self) -> None:
        """End the thread."""
        with self._wake:
            self._ended = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        pressed: list[ActiveRun] = []
        while True:
            with self._wake:
                self._runs.difference_update(pressed)
                if not self._ended:
                    self._wake.wait(self._choose_wait())
                if self._ended:
                    return
                runs = list(self._runs)
            pressed = []
            for run in runs:
                if run.asked is None and run.deadline is not None and read_clock() >= run.deadline:
                    run.ask(StepTimeout)
                if run.asked is not None and run.press():
                    pressed.append(run)

    def _choose_wait(self) -> float | None:
        waits = [run.look_seconds for run in self._runs if run.asked is not None]
        deadlines = [run.deadline for run in self._runs if run.asked is None and run.deadline is not None]
        if deadlines:
            waits.append(max(0.0, min(deadlines) - read_clock()))
        return min(waits, default=None)


def raise_in(thread_id: int, boundary: FrameType, interrupt: type[Interrupt], waited: float) -> bool:
    """Raise an interrupt in the code that ``boundary`` calls in a thread, if that is at a good place now.

    Args:
        waited: for how many seconds it has been tried: with time, worse places will do.

    Returns:
        Whether it is set, and will arrive.
    """
    frame = sys._current_frames().get(thread_id)
    if frame is None or frame is boundary:
        return False
    position = frame.f_lasti
    place = judge_place(list_frames(frame, boundary))
    if waited < _PATIENCE[place]:
        return False
    _set_exception(ctypes.c_ulong(thread_id), ctypes.py_object(interrupt))
    now = sys._current_frames().get(thread_id)
    if place is Place.GOOD and (now is not frame or frame.f_lasti != position):
        # The thread has moved between the look and the deed: take it back, if it has not arrived.
        take_back(thread_id)
        return False
    return True


def take_back(thread_id: int) -> None:
    """Take back what ``raise_in`` has set for a thread, if it has not arrived."""
    _set_exception(ctypes.c_ulong(thread_id), None)


def get_run(interrupt: BaseException) -> ActiveRun | None:
    """Return the run that an interrupt is for; None for an exception that step code has raised by itself."""
    run: ActiveRun | None = getattr(type(interrupt), "_run", None)
    return run


def release_logging_locks() -> None:
    """Release the locks of logging that this thread still holds: outside a call of logging, none."""
    handlers = [reference() for reference in list(logging._handlerList)]  # type: ignore[attr-defined]
    for lock in [logging._lock, *(handler.lock for handler in handlers if handler is not None)]:  # type: ignore[attr-defined]
        while lock is not None and lock._is_owned():
            lock.release()


def _make_class(interrupt: type[Interrupt], run: ActiveRun) -> type[Interrupt]:
    """Return a subclass that tells its run when it is raised. Python makes the instance where it raises a class."""

    def __init__(self: Interrupt, *args: object) -> None:
        BaseException.__init__(self, *(args or (interrupt.__doc__,)))
        run.note_raised(self)

    namespace = {"__init__": __init__, "_run": run, "__module__": interrupt.__module__, "__doc__": interrupt.__doc__}
    return type(interrupt.__name__, (interrupt,), namespace)
