"""The process that keeps definitions in sync and gives back what dead workers and brokers have lost."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from django.db import DatabaseError, InterfaceError, close_old_connections, connections

from django_wfe.conf import settings
from django_wfe.discovery.reading import ReadingStopped
from django_wfe.discovery.sync import DefinitionSync, LeadLost, SyncReport
from django_wfe.engine.bulk.runs import resume_bulk
from django_wfe.engine.errors.database_errors import is_connection_error
from django_wfe.engine.errors.database_trouble import explain_database_error
from django_wfe.engine.large_values.sweeping import sweep_large_values
from django_wfe.engine.recovery.fingerprints import renew_fingerprints
from django_wfe.engine.recovery.sweeping import Observer, SweepReport, sweep
from django_wfe.engine.statistics.rollup import forget_hours, roll_up
from django_wfe.watchdog.leadership import Leadership

RENEWALS = 3
"""How often the lease is renewed in its time."""

STATISTICS_SECONDS = 30.0
"""How often the statistics are brought up to date."""

STORAGE_SECONDS = 600.0
"""How often the storage is searched for files that no Job uses."""

logger = logging.getLogger("django_wfe.watchdog.process")


class Watchdog:
    """Syncs the definitions every ``WFE_WATCHDOG_INTERVAL`` seconds and sweeps every ``WFE_RECOVERY_INTERVAL``.

    Several may run, on one machine or on many: one leads, the others stand by and take over when it is gone.
    """

    def __init__(self) -> None:
        self._leadership = Leadership()
        self._sync = DefinitionSync()
        self._observer = Observer()
        self._synced_term = 0
        self._stopping = threading.Event()
        self._troubles: dict[str, str] = {}
        self._wake_read, self._wake_write = os.pipe()

    def run(self) -> None:
        """Work until ``stop`` is called. Then wait for the sweep that runs, call off the sync, and give up the lead."""
        scheduler = self._build_scheduler()
        scheduler.start()
        try:
            os.read(self._wake_read, 1)
        finally:
            self._stopping.set()
            scheduler.shutdown(wait=True)
            self._leadership.release()
            connections.close_all()

    def stop(self) -> None:
        """Let ``run`` return. May be called from a signal handler or from any thread, and more than once."""
        # A byte in a pipe, since a lock could be held by the very code that the signal has interrupted.
        os.write(self._wake_write, b"x")

    def watch_definitions(self) -> None:
        """Do one look at the definitions, if this process leads."""
        self._guard("sync", self._watch_definitions)

    def recover(self) -> None:
        """Do one sweep, if this process leads."""
        self._guard("sweep", self._recover)

    def keep_statistics(self) -> None:
        """Count what is new, batch after batch, while this process leads."""
        self._guard("statistics", self._keep_statistics)

    def sweep_storage(self) -> None:
        """Delete the files of large values that no Job uses, if this process leads."""
        self._guard("storage", self._sweep_storage)

    def keep_lead(self) -> None:
        """Renew the lease, or take it when it is free. A duty of its own: a long sync must not cost the lead."""
        self._guard("lease", self._leadership.hold)

    def _watch_definitions(self) -> None:
        term = self._leadership.hold()
        if not term:
            return
        if self._synced_term != term:
            # Another watchdog may have led since, with other files.
            self._sync.forget()
        # Reading takes its time, and may be interrupted by anything: what was read is only written in the same term.
        report = self._sync.run_if_changed(stop=self._stopping, may_record=lambda: self._leadership.hold() == term)
        self._synced_term = term
        if report is not None:
            log_sync(report)

    def _recover(self) -> None:
        if self._leadership.hold():
            sweep(self._observer)
            resume_bulk()
            renew_fingerprints()

    def _keep_statistics(self) -> None:
        # Two who count do not harm each other, since the cursor is locked; one is enough.
        while not self._stopping.is_set() and self._leadership.hold():
            if not roll_up():
                forget_hours()
                return

    def _sweep_storage(self) -> None:
        if settings.storage and self._leadership.hold():
            sweep_large_values()

    def _guard(self, what: str, work: Callable[[], object]) -> None:
        """Run one job, so that its failure costs one round: it is told once, and once more when it is over."""
        close_old_connections()
        try:
            self._work_connected(work)
        except ReadingStopped:
            logger.debug("The sync was called off.")
        except LeadLost:
            logger.warning("The definitions were read, but not written: another watchdog leads by now.")
        except Exception as error:  # one failed round must not be the last
            trouble = explain_database_error(error)
            if trouble is not None:
                self._tell_trouble(what, str(trouble), error=None)
            else:
                self._tell_trouble(what, f"{type(error).__name__}: {error}", error=error)
        else:
            if self._troubles.pop(what, None) is not None:
                logger.info("The %s works again.", what)
        finally:
            close_old_connections()

    @staticmethod
    def _work_connected(work: Callable[[], object]) -> None:
        """Work; a connection that was kept open and broke meanwhile costs no round."""
        try:
            work()
        except (DatabaseError, InterfaceError) as error:
            if not is_connection_error(error):
                raise
            close_old_connections()
            work()

    def _tell_trouble(self, what: str, text: str, *, error: Exception | None) -> None:
        if self._troubles.get(what) != text:
            self._troubles[what] = text
            logger.error(
                "The %s failed, and is tried again every round without saying so: %s", what, text, exc_info=error
            )

    def _build_scheduler(self) -> BackgroundScheduler:
        scheduler = BackgroundScheduler(
            timezone=UTC,
            daemon=False,
            logger=_make_quiet("apscheduler.scheduler"),
            executors={"default": ThreadPoolExecutor(4)},
            # A job that takes longer than its interval is not started twice, nor made up for.
            job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None},
        )
        _make_quiet("apscheduler.executors.default")
        now = datetime.now(UTC)
        jobs: list[tuple[Callable[[], None], float]] = [
            (self.recover, settings.recovery_interval),
            (self.keep_lead, self._leadership.seconds / RENEWALS),
            (self.keep_statistics, STATISTICS_SECONDS),
            (self.sweep_storage, STORAGE_SECONDS),
        ]
        if settings.watchdog_interval > 0:
            jobs.insert(0, (self.watch_definitions, settings.watchdog_interval))
        else:
            logger.info("WFE_WATCHDOG_INTERVAL is %s: definitions are not synced.", settings.watchdog_interval)
        for function, seconds in jobs:
            scheduler.add_job(function, "interval", seconds=seconds, next_run_time=now)
        return scheduler


def run_once() -> tuple[SyncReport | None, SweepReport]:
    """Do one sync (unless ``WFE_WATCHDOG_INTERVAL`` turns it off) and one sweep, whoever leads."""
    report = DefinitionSync().run() if settings.watchdog_interval > 0 else None
    if report is not None:
        log_sync(report)
    swept = sweep()
    sweep_large_values()
    resume_bulk()
    renew_fingerprints()
    while roll_up():
        pass
    connections.close_all()
    return report, swept


def log_sync(report: SyncReport) -> None:
    """Log what a sync did."""
    logger.info("Read the definitions: %d workflows, %d with errors.", len(report.workflows), len(report.errors))
    for path in report.deleted:
        logger.info("%s is no longer declared; it is marked as deleted, and its jobs keep their history.", path)
    for error in report.errors.values():
        logger.error("%s", error)


def _make_quiet(name: str) -> logging.Logger:
    """Return APScheduler's logger, which tells of each round, unless the project has set its level."""
    scheduler_logger = logging.getLogger(name)
    if scheduler_logger.level == logging.NOTSET:
        scheduler_logger.setLevel(logging.ERROR)
    return scheduler_logger
