"""Delivery over Dramatiq: the actors that do what is ready, and the worker's life around them."""

from __future__ import annotations

import logging
import threading
from typing import Any

import dramatiq
from django.db import DatabaseError, InterfaceError, connections
from dramatiq.middleware import Middleware, SkipMessage

from django_wfe.conf import DATABASE, settings
from django_wfe.engine.bulk.runs import work_on_bulk
from django_wfe.engine.errors.database_errors import is_connection_error, may_pass
from django_wfe.engine.errors.database_trouble import explain_database_error
from django_wfe.engine.isolation.green_threads import refuse_green_threads
from django_wfe.engine.isolation.sessions import check_sessions
from django_wfe.engine.store.transactions import atomic
from django_wfe.engine.worker.foreign_messages import OPTION, ForeignMessages
from django_wfe.engine.worker.heartbeat import get_worker, stop_worker
from django_wfe.engine.worker.loop import run_step_run
from django_wfe.exceptions import GreenThreads
from django_wfe.models import Worker

EXIT_CONFIGURATION = 78
"""What sysexits.h has for a wrong configuration."""

ENLIST_SECONDS = 5.0
"""How long a worker that cannot reach its tables waits before it tries again."""

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
        trouble = explain_database_error(error)
        if trouble is None and not is_connection_error(error):
            raise
        logger.warning("Step run %s was not run, or not committed: %s", step_run_id, trouble or error)
        connections[DATABASE].close()


@dramatiq.actor(queue_name=settings.queue, **ACTOR_OPTIONS)
def run_bulk(bulk_run_id: int) -> None:
    """Work on a bulk run for a slice of time."""
    work_on_bulk(bulk_run_id)


class WorkerLifeMiddleware(Middleware):
    """Makes a Dramatiq worker process one of the engine's workers while it lives."""

    def __init__(self) -> None:
        self._foreign = ForeignMessages()

    def before_worker_boot(self, broker: dramatiq.Broker, worker: Any) -> None:
        """Refuse to start where steps cannot run as they must. Ends the process with exit code 78."""
        try:
            refuse_green_threads()
        except GreenThreads as error:
            logger.critical("%s", error)
            # Dramatiq would log an exception, and go on.
            raise SystemExit(EXIT_CONFIGURATION) from None

    def after_worker_boot(self, broker: dramatiq.Broker, worker: Any) -> None:
        """Appear in the list of workers, as soon as there is one."""
        chosen = worker.consumer_whitelist
        queues = sorted(chosen if chosen else broker.get_declared_queues())
        if run_step.queue_name not in queues:
            logger.error(
                "This worker reads the queues %s and not %s, so it gets no step to run. Add that to --queues.",
                ", ".join(queues),
                run_step.queue_name,
            )
        if not self._enlist(worker.worker_threads, queues):
            threading.Thread(
                target=self._enlist_later, args=(worker.worker_threads, queues), name="django-wfe-enlist", daemon=True
            ).start()
        _close_connection()

    def before_process_message(self, broker: dramatiq.Broker, message: Any) -> None:
        """Leave messages of another database alone.

        Raises:
            SkipMessage: it is one.
        """
        identity = message.options.get(OPTION)
        if identity is not None and self._foreign.is_foreign(identity):
            self._foreign.note(identity, message.queue_name)
            raise SkipMessage(f"It is of another database: {identity}.")

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: Any) -> None:
        """End the slices: each thread finishes its current step and leaves the rest to others."""
        worker_process = get_worker()
        worker_process.stopping.set()
        logger.info("Worker %s is told to stop: each thread finishes its current step.", worker_process.id)

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: Any) -> None:
        """Leave the list of workers."""
        try:
            stop_worker()
        except (DatabaseError, InterfaceError) as error:
            trouble = explain_database_error(error)
            logger.warning("The worker could not say that it has stopped: %s", trouble or error)
        finally:
            _close_connection()

    def _enlist_later(self, threads: int, queues: list[str]) -> None:
        while not get_worker().stopping.wait(ENLIST_SECONDS) and not self._enlist(threads, queues):
            pass
        _close_connection()

    @staticmethod
    def _enlist(threads: int, queues: list[str]) -> bool:
        # Ours first, since the text may be cut.
        written = " ".join(sorted(queues, key=lambda name: name != run_step.queue_name))
        try:
            get_worker().start(threads=threads)
            with atomic():
                Worker.objects.filter(pk=get_worker().id).update(queues=written[:255])
        except (DatabaseError, InterfaceError) as error:
            trouble = explain_database_error(error)
            if trouble is None and not may_pass(error):
                raise
            logger.error(
                "This worker cannot work yet, and tries again every %g s. %s", ENLIST_SECONDS, trouble or error
            )
            connections[DATABASE].close()
            return False
        return True


def _close_connection() -> None:
    """Close this thread's connection, which it has no more use for: not if a test has it in a transaction."""
    if not connections[DATABASE].in_atomic_block:
        connections[DATABASE].close()


# Dramatiq's command imports this module once the broker is set, as it does for every app's actors.
dramatiq.get_broker().add_middleware(WorkerLifeMiddleware())
