"""Has the interrupts of a step run get through to a coroutine of it, which runs in a thread of its own.

Nothing can be raised in a thread that waits. So an interrupt cancels the coroutine, which ends each ``await`` at once.
What is at work in a thread at that moment gets the interrupt there, as the code of a plain step does:

- what the step's thread does for the coroutine, and the threads of the loop; the coroutine no longer waits for it;
- the coroutine itself, while it computes or blocks the loop and so cannot be canceled.

What the coroutine does after that, to clean up, is left alone for ``AGAIN_SECONDS``.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from types import CodeType, FrameType

from asgiref.sync import SyncToAsync

from django_wfe.engine.clock import read_clock
from django_wfe.engine.errors.tracebacks import list_members
from django_wfe.engine.isolation.interrupts import (
    LOOK_SECONDS,
    ActiveRun,
    get_run,
    raise_in,
    release_logging_locks,
    take_back,
)
from django_wfe.exceptions import Interrupt

AGAIN_SECONDS = 5.0
"""How long a coroutine may go on after it was canceled, before it is canceled again."""

LOOP_SECONDS = 0.1
"""How long a cancel may take to arrive; a loop that takes longer is blocked."""

IDLE_LOOK_SECONDS = 0.05
"""How long to wait between two looks at a coroutine to which nothing is to be done now."""

_CALLBACK = asyncio.Handle._run.__code__
"""What a loop calls everything by."""

_ITEM = SyncToAsync.thread_handler.__code__
"""What the thread that waits calls by all that it does for the coroutine."""


class CoroutineInterrupts:
    """The interrupts of the runs of one thread, while that waits for a coroutine.

    Attributes:
        asker: the run whose interrupt has come; None as long as none has.

    Args:
        boundary: the frame of the thread that waits, from which on it does so.
        awaiting: the code that awaits the coroutine, in the loop.
    """

    def __init__(self, boundary: FrameType, awaiting: CodeType) -> None:
        self.asker: ActiveRun | None = None
        self._asked_at = 0.0
        self._waiting_id = threading.get_ident()
        self._boundary: FrameType | None = boundary
        self._awaiting = awaiting
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_id = 0
        self._task: asyncio.Task[object] | None = None
        self._calls: dict[int, FrameType] = {}
        self._targets: list[tuple[int, FrameType]] = []
        self._hit: dict[int, FrameType] = {}
        self._is_canceled = False
        self._is_delivered = False
        self._is_loop_hit = False
        self._is_coroutine_hit = False
        self._has_ended = False

    def begin(self, calls: dict[int, FrameType]) -> bool:
        """Let the task that runs now be interrupted; return False if nobody waits for it any more.

        Args:
            calls: what the threads of the loop are at: the frame that calls the step's code, by the thread's id.
        """
        with self._lock:
            if self._has_ended:
                return False
            self._loop_id, self._loop = threading.get_ident(), asyncio.get_running_loop()
            self._task, self._calls = asyncio.current_task(), calls
            return True

    def end_task(self) -> None:
        """Let nothing arrive in the task, which is about to end, nor in its thread."""
        with self._lock:
            self._task = None
        self.leave_thread(self._loop_id)

    def end(self) -> None:
        """Let nothing be interrupted from here on. In the thread that has waited."""
        with self._lock:
            self._has_ended = True
            self._targets.clear()
            if self.asker is not None:
                self.asker.look_seconds = LOOK_SECONDS
        self.leave_thread(self._waiting_id)
        self._boundary = None

    def leave_thread(self, thread_id: int) -> None:
        """Let nothing arrive in this thread from here on."""
        with self._lock:
            self._targets = [target for target in self._targets if target[0] != thread_id]
            if self._hit.pop(thread_id, None) is not None:
                take_back(thread_id)
        if self.asker is not None:
            release_logging_locks()

    def press(self, run: ActiveRun) -> bool:
        """Cancel the coroutine, and raise the interrupt in what is at work in threads. Called again until all ends."""
        with self._lock:
            if self.asker is None and run.raised is not None:
                return True  # by a coroutine or code before this one
            if self.asker not in (None, run) or self._has_ended or self._loop is None:
                return False
            if run.asked is None or run.boundary is None:
                # It is over; this is the coroutine of another run on its thread.
                return False
            now = read_clock()
            if self.asker is None or now - self._asked_at >= AGAIN_SECONDS:
                self.asker, self._asked_at = run, now
                self._targets = self._find_targets()
                self._cancel_soon(self._loop)
            waited = now - self._asked_at
            # Without its task the thread may be gone, and another one have its id.
            is_blocked = self._task is not None and not self._is_delivered and not self._is_loop_hit
            if is_blocked and waited >= LOOP_SECONDS:
                self._press_loop(run.asked, waited)
            if any(thread_id == self._waiting_id for thread_id, _frame in self._targets):
                run.cancel_long_statement(waited)
            for thread_id, frame in list(self._targets):
                if raise_in(thread_id, frame, run.asked, waited):
                    self._targets.remove((thread_id, frame))
                    self._hit[thread_id] = frame
            is_idle = not self._targets and (self._is_delivered or self._task is None)
            run.look_seconds = IDLE_LOOK_SECONDS if is_idle else LOOK_SECONDS
            return False

    def takes_at_statement(self, run: ActiveRun) -> bool:
        """Return whether the step's thread is at what it was at when the interrupt came; what came later cleans up."""
        frame = self._find_item(sys._getframe())
        with self._lock:
            is_target = (self._waiting_id, frame) in self._targets or self._hit.get(self._waiting_id) is frame
        if frame is None or self.asker is not run or not is_target:
            return False
        # The thread raises it by itself, and it is not to come twice.
        self.leave_thread(self._waiting_id)
        return True

    def cancel(self) -> None:
        """Cancel the coroutine soon, though no interrupt has come. Not in the thread of the loop."""
        with self._lock:
            if self._loop is not None:
                self._cancel_soon(self._loop)

    def translate(self, error: BaseException | None) -> BaseException | None:
        """Return what a coroutine has raised, or the interrupt that was asked for if that came of its cancel."""
        run = self.asker
        if run is None or run.asked is None:
            return error
        own = None if error is None else _find_own(error, run)
        if own is not None:
            run.raised = own
        elif isinstance(error, asyncio.CancelledError) and self._is_canceled:
            return run.asked()
        elif self._is_canceled and run.raised is None and not run.canceled_statement:
            # It went its own way, as a plain step may with an interrupt: that has come, and does not come again.
            run.asked()
        return error

    def _find_targets(self) -> list[tuple[int, FrameType]]:
        """List what is at work in threads now: their ids, and the frames that call the step's code."""
        targets = list(self._calls.items())
        item = self._find_item(sys._current_frames().get(self._waiting_id))
        return targets if item is None else [(self._waiting_id, item), *targets]

    def _find_item(self, frame: FrameType | None) -> FrameType | None:
        """Return the frame by which the step's thread does something for the coroutine; None if it only waits."""
        item = None
        while frame is not None and frame is not self._boundary:
            if frame.f_code is _ITEM:
                item = frame
            frame = frame.f_back
        return item

    def _press_loop(self, interrupt: type[Interrupt], waited: float) -> None:
        """Raise the interrupt in the code that keeps the loop from canceling the coroutine."""
        frame = sys._current_frames().get(self._loop_id)
        boundary, is_in_coroutine = None, False
        while frame is not None:
            if frame.f_code is _CALLBACK:
                boundary = frame
            is_in_coroutine = is_in_coroutine or frame.f_code is self._awaiting
            frame = frame.f_back
        if boundary is not None and raise_in(self._loop_id, boundary, interrupt, waited):
            self._hit[self._loop_id] = boundary
            self._is_loop_hit, self._is_coroutine_hit = True, is_in_coroutine

    def _cancel_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        self._is_delivered = self._is_loop_hit = self._is_coroutine_hit = False
        try:
            loop.call_soon_threadsafe(self._cancel_now)
        except RuntimeError:
            self._is_delivered = True  # the loop is closed

    def _cancel_now(self) -> None:
        self._is_delivered = True
        if self._task is not None and not self._is_coroutine_hit:
            self._is_canceled = True
            self._task.cancel()


def _find_own(error: BaseException, run: ActiveRun) -> Interrupt | None:
    """Return the interrupt of a run that an exception is, or that is in a group such as a TaskGroup's."""
    if isinstance(error, Interrupt) and get_run(error) is run:
        return error
    return next((own for inner in list_members(error) if (own := _find_own(inner, run))), None)
