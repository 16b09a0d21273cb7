"""Delivery over Dramatiq: the actor that runs step runs, the dispatcher that calls it, the worker's life around it."""

from __future__ import annotations

import logging
from typing import Any

import dramatiq
from django.db import DatabaseError, InterfaceError, connections
from dramatiq.middleware import Middleware

from django_wfe.conf import DATABASE, settings
from django_wfe.engine.bulk import work_on_bulk
from django_wfe.engine.connections import is_connection_error
from django_wfe.engine.executor import run_step_run
from django_wfe.engine.heartbeat import get_worker, stop_worker
from django_wfe.engine.sessions import check_sessions

logger = logging.getLogger("django_wfe.delivery")


# The engine retries by its own policy and knows its own timeouts: Dramatiq must neither repeat, cut nor drop a step. An
# option is only known to a broker that has the middleware which it is for.
ACTOR_OPTIONS: dict[str, Any] = {
    name: value
    for name, value in {"max_retries": 0, "time_limit": float("inf"), "max_age": None, "notify_shutdown": False}.items()
    if name in dramatiq.get_broker().actor_options
}


@dramatiq.actor(queue_name=settings.queue, **ACTOR_OPTIONS)
def run_step(step_run_id: int) -> None:
    """Run a step run that is ready. Where the database is away, the message is dropped: recovery sends another."""
    check_sessions()
    try:
        run_step_run(step_run_id)
    except (DatabaseError, InterfaceError) as error:
        if not is_connection_error(error):
            raise
        logger.warning("Step run %s was not run, or not committed: the database is away (%s).", step_run_id, error)
        connections[DATABASE].close()


@dramatiq.actor(queue_name=settings.queue, **ACTOR_OPTIONS)
def run_bulk(bulk_run_id: int) -> None:
    """Work on a bulk run for a slice of time."""
    work_on_bulk(bulk_run_id)


class DramatiqDispatcher:
    """Sends a message to the actor for each step run that is ready, and for each slice of a bulk run.

    A broker that is away is logged, not raised: what the message stands for is committed, and the watchdog sends it
    again when the broker is back.
    """

    def dispatch(self, step_run_id: int, *, delay_seconds: float = 0) -> bool:
        """Send the message of a step run."""
        return self._send(run_step, step_run_id, delay=int(delay_seconds * 1000) or None)

    def dispatch_bulk(self, bulk_run_id: int, *, delay_seconds: float = 0) -> None:
        """Send the message of a bulk run."""
        self._send(run_bulk, bulk_run_id, delay=int(delay_seconds * 1000) or None)

    def _send(self, actor: dramatiq.Actor[[int], None], number: int, *, delay: int | None) -> bool:
        try:
            actor.send_with_options(args=(number,), delay=delay)
        except Exception as error:
            # Each broker has exceptions of its own.
            logger.warning("The message %s(%s) was not sent (%r); recovery will.", actor.actor_name, number, error)
            return False
        return True


class WorkerLifeMiddleware(Middleware):
    """Makes a Dramatiq worker process one of the engine's workers while it lives."""

    def after_worker_boot(self, broker: dramatiq.Broker, worker: Any) -> None:
        """Appear in the list of workers."""
        get_worker().start(threads=worker.worker_threads)

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: Any) -> None:
        """End the slices: each thread finishes its current step and leaves the rest to others."""
        worker_process = get_worker()
        worker_process.stopping.set()
        logger.info("Worker %s is told to stop: each thread finishes its current step.", worker_process.id)

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: Any) -> None:
        """Leave the list of workers."""
        stop_worker()


# Dramatiq's command imports this module once the broker is set, as it does for every app's actors.
dramatiq.get_broker().add_middleware(WorkerLifeMiddleware())
