"""The threads in which the event loop of a step runs what blocks: known while they work, and gone with the loop."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import FrameType
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper


class LoopThreads(ThreadPoolExecutor):
    """The default executor of a loop.

    Attributes:
        calls: for each thread that is at work, by its id, the frame that calls the step's code.

    Args:
        leave: called in the thread with its id after each call.
    """

    def __init__(self, leave: Callable[[int], None]) -> None:
        super().__init__(thread_name_prefix="django-wfe-step")
        self.calls: dict[int, FrameType] = {}
        self._leave = leave
        self._futures: set[Future[Any]] = set()
        self._connections: set[BaseDatabaseWrapper] = set()

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have a thread call ``function``."""
        future = super().submit(self._call, function, args, kwargs)
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        return future

    def cancel_waiting(self) -> None:
        """Cancel the calls that have not begun."""
        for future in list(self._futures):
            future.cancel()

    async def join(self) -> None:
        """Wait until every call is over, and end the threads. May be called again if it is canceled."""
        loop = asyncio.get_running_loop()
        while futures := list(self._futures):
            is_over = asyncio.Event()
            for future in futures:
                future.add_done_callback(lambda _future, wake=is_over.set: loop.call_soon_threadsafe(wake))  # type: ignore[misc]
            await is_over.wait()
        # They do nothing by now, so it takes no time.
        self.shutdown()

    def note_connections(self) -> None:
        """Keep what this thread has connected to: nobody would close it once the thread is gone."""
        self._connections.update(c for c in connections.all(initialized_only=True) if c.connection is not None)

    def close_connections(self) -> None:
        """Close the connections that were made in the threads, after these have ended."""
        for connection in self._connections:
            connection.inc_thread_sharing()
            connection.close()

    def _call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        thread_id = threading.get_ident()
        self.calls[thread_id] = sys._getframe()
        try:
            return function(*args, **kwargs)
        finally:
            try:
                self._leave(thread_id)
            finally:
                self.calls.pop(thread_id, None)
                self.note_connections()
