"""A worker inside the test's own process, which can die alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import connections
from django.db.models.functions import Now

from django_wfe.conf import DATABASE, settings
from django_wfe.engine.delivery.dispatcher import install_dispatcher
from django_wfe.engine.isolation.interrupts import ActiveRun
from django_wfe.engine.output.capture import Capture
from django_wfe.engine.store.claims import Claim
from django_wfe.engine.worker.heartbeat import WorkerProcess, install_worker, stop_worker
from django_wfe.models import Worker
from django_wfe.testing.dispatchers import RecordingDispatcher


class SimulatedWorker(WorkerProcess):
    """A worker that remembers which step run it is at. It lives and dies by method calls."""

    def __init__(self) -> None:
        super().__init__()
        self.claim: Claim | None = None

    @contextmanager
    def watch(self, claim: Claim, capture: Capture, timeout: float | None) -> Iterator[ActiveRun]:
        """Remember the claim, and watch over it as every worker does."""
        self.claim = claim
        with super().watch(claim, capture, timeout) as active:
            yield active

    def die(self) -> None:
        """Fall silent as after kill -9: the row stays as it is, and was last seen longer ago than a worker may be."""
        self.end_thread()
        silent = timedelta(seconds=settings.worker_timeout + 1)
        Worker.objects.filter(pk=self.id, declared_dead_at=None).update(last_seen=Now() - silent)


@contextmanager
def engine_in_process() -> Iterator[SimulatedWorker]:
    """Make this process a worker for the block, and keep its messages from the broker.

    The messages go to the ``RecordingDispatcher`` that is installed, if one is. Afterwards no thread is left, and the
    dispatcher is the one before.
    """
    worker = SimulatedWorker()
    own = RecordingDispatcher()
    before = install_dispatcher(own)
    if isinstance(before, RecordingDispatcher):
        install_dispatcher(before)
    worker_before = install_worker(worker)
    try:
        yield worker
    finally:
        install_dispatcher(before)
        worker.end_thread()
        if not connections[DATABASE].needs_rollback:
            stop_worker()
        install_worker(worker_before)
