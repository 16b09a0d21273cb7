"""Runs a coroutine of a step's to its end, in an event loop of its own.

It runs in a thread of its own, by ``async_to_sync``. The step's thread waits for it meanwhile, and does what the async
ORM and ``sync_to_async`` ask for: so that is done in the step's sessions, and in its transaction.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from functools import partial
from types import FrameType
from typing import Any

from asgiref.sync import async_to_sync
from django.db import Error

from django_wfe.engine.clock import read_clock
from django_wfe.engine.errors.tracebacks import get_location
from django_wfe.engine.isolation.coroutine_interrupts import CoroutineInterrupts
from django_wfe.engine.isolation.interrupts import LONG_PATIENCE_SECONDS, LOOK_SECONDS, ActiveRun, stand_ins
from django_wfe.engine.isolation.loop_threads import LoopThreads
from django_wfe.exceptions import Interrupt
from django_wfe.steps import Step, StepContext
from django_wfe.values.sentences import gettext as _

ABANDONED_SECONDS = 1.0
"""How long a coroutine for which the step's thread does nothing any more may go on before it is canceled again."""

JOIN_SECONDS = 1.0
"""How long to wait for the thread of the loop, which has nothing left to do."""


def run_coroutine(step: Step, coroutine: Coroutine[Any, Any, Any], run: ActiveRun | None) -> Any:
    """Run a coroutine of a step's to its end and return its result, or raise what it raised.

    Afterwards its loop, its tasks, the threads of its loop and their connections are gone.

    Args:
        run: the step run whose interrupts it gets. None: it is not to be interrupted.

    Raises:
        Interrupt: if that is what has ended it.
        RuntimeError: in a thread whose own event loop is running.
    """
    try:
        _refuse_running_loop()
        _load_ahead(step)
    except BaseException:
        coroutine.close()
        raise
    stay = _Stay(coroutine, run, sys._getframe())
    error: BaseException | None = None
    try:
        stay.begin()
        async_to_sync(stay.work, force_new_loop=True)()
    except BaseException as broken:
        error = broken
    error = stay.end(error)
    if error is None:
        return stay.result
    try:
        # From here, so that there are as many frames of the engine around the step's as with a plain function.
        raise error
    finally:
        # The traceback holds this frame: a circle would keep all that the step had.
        del error, stay


def _refuse_running_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(
        _(
            "An async step cannot run in a thread whose event loop is running, as that of a notebook. "
            "Run the job by 'await arun(...)', or by sync_to_async."
        )
    )


def _load_ahead(step: Step) -> None:
    """Load what a coroutine cannot ask the database for. What cannot be loaded raises where the step asks for it."""
    context: StepContext | None = getattr(step, "_context", None)
    if context is not None:
        if context.job is None:
            context.load_job = _load(context.load_job)
        if context.job_input is None:
            context.load_job_input = _load(context.load_job_input)


def _load(load: Callable[[], Any]) -> Callable[[], Any]:
    try:
        loaded = load()
    except Error:
        raise
    except Exception as error:
        return partial(_fail, error)
    return lambda: loaded


def _fail(error: Exception) -> Any:
    raise error


class _Stay:
    """The time that a step's thread waits for a coroutine.

    Attributes:
        result: what the coroutine returned.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, Any], run: ActiveRun | None, frame: FrameType) -> None:
        self.result: Any = None
        self._coroutine = coroutine
        self._run = run
        self._frame: FrameType | None = frame
        self._waiting_id = threading.get_ident()
        self._outer = stand_ins.get(self._waiting_id)
        self._interrupts = CoroutineInterrupts(frame, _Stay.work.__code__)
        self._threads = LoopThreads(self._interrupts.leave_thread)
        self._error: BaseException | None = None
        self._over = threading.Event()
        # Known once the coroutine has begun.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._call: FrameType | None = None

    def begin(self) -> None:
        """Have the interrupts of this thread get through to the coroutine."""
        if self._run is None:
            stand_ins[self._waiting_id] = self._interrupts
            return
        with self._run.lock:
            # Not while the interrupt is being raised in this thread, which is about to wait.
            stand_ins[self._waiting_id] = self._interrupts

    async def work(self) -> None:
        """Await the coroutine, and end what it has left. What it raises is kept: here it would hold the loop."""
        self._thread, self._call = threading.current_thread(), self._find_call()
        self._loop = asyncio.get_running_loop()
        self._loop.set_default_executor(self._threads)
        if not self._interrupts.begin(self._threads.calls):
            self._coroutine.close()
            return
        try:
            try:
                self.result = await self._coroutine
            finally:
                if self._run is not None:
                    self._run.capture.leave_forked_process()
        except BaseException as error:
            location = get_location(error)
            # Without the frame of this function.
            self._error = error if location is None else error.with_traceback(location.tb_next or location)
        try:
            while not await self._try_to_wind_up():
                pass
        finally:
            self._threads.note_connections()
            self._interrupts.end_task()
            self._over.set()

    def end(self, broken: BaseException | None) -> BaseException | None:
        """Let nothing be interrupted from here on, in the thread that waited; return what the coroutine has raised.

        Args:
            broken: what has ended the wait before the coroutine has come to its end.
        """
        while True:
            try:
                if broken is not None and self._loop is not None and not self._loop.is_closed():
                    self._abandon(self._loop)
                self._interrupts.end()
                break
            except BaseException as late:
                # An interrupt that comes at this very moment, or a person at a shell who does not wait.
                broken = late
        self._frame = None
        try:
            if self._loop is None:
                self._coroutine.close()
            elif self._loop.is_closed():
                self._end_thread()
                self._threads.close_connections()
            error, self._error = self._interrupts.translate(broken or self._error), None
            return error
        finally:
            self._call = None
            if self._outer is None:
                del stand_ins[self._waiting_id]
            else:
                stand_ins[self._waiting_id] = self._outer

    async def _try_to_wind_up(self) -> bool:
        """End what the coroutine has left; return False if that was interrupted, and is to be begun anew."""
        try:
            await _end_tasks()
            await asyncio.get_running_loop().shutdown_asyncgens()
            if self._interrupts.asker is not None:
                self._threads.cancel_waiting()
            await self._threads.join()
        except (asyncio.CancelledError, Interrupt):
            return False
        return True

    def _abandon(self, loop: asyncio.AbstractEventLoop) -> None:
        """The step's thread no longer does anything for the coroutine: have that end soon all the same."""
        end = read_clock() + LONG_PATIENCE_SECONDS
        while not self._over.is_set() and read_clock() < end:
            self._interrupts.cancel()
            self._over.wait(ABANDONED_SECONDS)
        while self._over.is_set() and not loop.is_closed() and read_clock() < end:
            time.sleep(LOOK_SECONDS)
        if not loop.is_closed() and self._run is not None:
            self._run.left_running = True

    def _end_thread(self) -> None:
        if self._call is not None and self._thread is not None:
            # What was raised in this thread holds its frames, and this one holds the executor of the loop's thread.
            self._call.clear()
            self._thread.join(JOIN_SECONDS)

    def _find_call(self) -> FrameType | None:
        """Return the frame of ``async_to_sync`` in the thread that waits."""
        frame = sys._current_frames().get(self._waiting_id)
        while frame is not None and frame.f_back is not self._frame:
            frame = frame.f_back
        return frame


async def _end_tasks() -> None:
    """Cancel the tasks that are left in this loop until there is none."""
    loop = asyncio.get_running_loop()
    while tasks := asyncio.all_tasks(loop) - {asyncio.current_task(loop)}:
        for task in tasks:
            task.cancel()
        done, _pending = await asyncio.wait(tasks)
        for task in done:
            error = None if task.cancelled() else task.exception()
            if error is not None and not isinstance(error, Interrupt):
                message = "A task that a step left running failed"
                loop.call_exception_handler({"message": message, "exception": error, "task": task})
