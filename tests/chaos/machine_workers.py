"""Workers that die or freeze where they are told; one that is to freeze has a thread and a connection of its own."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import connections

from django_wfe.engine.store.claims import Claim
from django_wfe.engine.store.crash_points import Death, watch_boundaries
from django_wfe.engine.worker.heartbeat import install_worker
from django_wfe.testing.workers import SimulatedWorker

PATIENCE = 30
"""Seconds after which a slice that neither ends nor freezes fails the test."""


@dataclass
class Slice:
    """What one thread is doing, and what is to happen to it at its ``fatal``-th or ``cold``-th point (from 1)."""

    worker: SimulatedWorker
    fatal: int = 0
    cold: int = 0
    passed: int = 0
    died: bool = False
    error: BaseException | None = None
    thread: threading.Thread | None = None
    halted: threading.Event = field(default_factory=threading.Event)
    thaw: threading.Event = field(default_factory=threading.Event)

    @property
    def is_frozen(self) -> bool:
        return self.thread is not None and self.thread.is_alive()


class Stage:
    """Runs slices, one at a time but for those that are frozen."""

    def __init__(self, note_execution: Callable[[Claim], None]) -> None:
        self._slices: dict[int, Slice] = {}
        self._note = note_execution
        self._before = watch_boundaries(self._watch)

    def run(self, work: Callable[[], object], worker: SimulatedWorker, *, fatal: int = 0, cold: int = 0) -> Slice:
        """Do some work as a worker, until it is done, dies or freezes."""
        slice_ = Slice(worker, fatal, cold)

        def target() -> None:
            try:
                self._do(work, slice_)
            except BaseException as error:
                slice_.error = error
            finally:
                connections.close_all()
                slice_.halted.set()

        before = install_worker(worker)
        try:
            if not cold:
                self._do(work, slice_)
                return slice_
            slice_.thread = threading.Thread(target=target, name="simulated-worker")
            slice_.thread.start()
            self._await(slice_)
        finally:
            install_worker(before)
        return slice_

    def wake(self, slice_: Slice) -> None:
        """Let a frozen slice go on to its end."""
        slice_.halted.clear()
        slice_.thaw.set()
        self._await(slice_)

    def close(self) -> None:
        """Be no longer told of points."""
        watch_boundaries(self._before)

    def _do(self, work: Callable[[], object], slice_: Slice) -> None:
        self._slices[threading.get_ident()] = slice_
        try:
            work()
        except Death:
            slice_.died = True
        finally:
            del self._slices[threading.get_ident()]

    def _await(self, slice_: Slice) -> None:
        assert slice_.halted.wait(PATIENCE), "the slice neither ended nor froze"
        if slice_.thaw.is_set() or not slice_.cold or slice_.passed < slice_.cold:
            assert slice_.thread is not None
            slice_.thread.join(PATIENCE)
        if slice_.error is not None:
            raise slice_.error

    def _watch(self, point: str) -> None:
        slice_ = self._slices.get(threading.get_ident())
        if slice_ is None:
            return
        slice_.passed += 1
        if slice_.passed == slice_.fatal:
            raise Death(point)
        # Frozen behind a statement in a transaction it would hold locks, and others would rightly wait for it.
        if slice_.cold and slice_.passed >= slice_.cold and not slice_.thaw.is_set():
            if connections["default"].in_atomic_block and point.startswith("after ") and point != "after execute":
                slice_.cold += 1
            else:
                slice_.halted.set()
                assert slice_.thaw.wait(PATIENCE * 4), "nobody woke the frozen worker"
        if point == "before execute" and slice_.worker.claim is not None:
            self._note(slice_.worker.claim)
