"""Runs a storm: starts the servers, the fleet and the load, does the faults, and waits for the calm after them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import django
from django.core.management import call_command

from tests.chaos.storm.faults import Fault, Faults, plan_faults
from tests.chaos.storm.fleet import Fleet
from tests.chaos.storm.servers import BROKERS, Database
from tests.support.running.waiting import wait_until

if TYPE_CHECKING:
    from tests.chaos.storm.report import Report

ALLOWED_SECONDS = 30.0
"""How long after the last fault every Job must be finished."""

PATIENCE_SECONDS = 150.0
"""How long Jobs that are late are still waited for, to say whether they are stuck for good."""

QUEUE = "storm"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a storm is to be."""

    broker: str
    minutes: float
    jobs: int
    seed: int
    masters: int
    processes: int
    threads: int


def run_storm(options: Options, directory: Path, logs: Path, say: Callable[[str], None]) -> Report:
    """Run a storm with its servers in ``directory``. For the main thread; call it once a process."""
    database = Database(directory / "postgresql")
    broker = BROKERS[options.broker](directory / "broker")
    try:
        say(f"Starting PostgreSQL and {options.broker} ...")
        database.start()
        broker.start()
        wait_until(broker.answers, timeout=60, message="the broker did not start")
        environment = _set_up(database, broker.url)
        fleet = Fleet(environment, logs, masters=options.masters, processes=options.processes, threads=options.threads)
        return Storm(options, fleet, Faults(fleet, database, broker, QUEUE), say).run()
    finally:
        broker.stop()
        database.stop()


def _set_up(database: Database, broker_url: str) -> dict[str, str]:
    """Make this process a Django one on the storm's servers; give the environment for the others."""
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.chaos.storm.settings",
        "PYTHONUNBUFFERED": "1",
        "WFE_TEST_DATABASE_HOST": database.host,
        "WFE_TEST_DATABASE_NAME": "postgres",
        "WFE_TEST_BROKER_URL": broker_url,
        "WFE_TEST_BROKER_NAMESPACE": QUEUE,
        "WFE_TEST_QUEUE": QUEUE,
    }
    os.environ.update(environment)
    django.setup()
    call_command("migrate", verbosity=0)
    from django.db import connection

    from tests.chaos.storm.records import CREATE_TABLES

    with connection.cursor() as cursor:
        cursor.execute(CREATE_TABLES)
    return {**os.environ}


class Storm:
    """The running storm: what is up, what is planned, what is going on."""

    def __init__(self, options: Options, fleet: Fleet, faults: Faults, say: Callable[[str], None]) -> None:
        from tests.chaos.storm.load import Load
        from tests.chaos.storm.settings import WFE_WORKER_TIMEOUT

        self.options = options
        self.fleet = fleet
        self.say = say
        self.schedule = plan_faults(options.seed, options.minutes * 60, worker_timeout=WFE_WORKER_TIMEOUT)
        # Until the last fault, which meets jobs in full work.
        self.load = Load(options.jobs, self.schedule[-1].at, options.seed)
        self._faults = faults
        self._waiting = list(self.schedule)
        self._pending: list[tuple[Fault, Callable[[], bool]]] = []
        self._began = 0.0

    def run(self) -> Report:
        """Run it, and give the report."""
        from django.db import connection

        from tests.chaos.storm.report import make_report

        self.say(f"The faults of seed {self.options.seed}:\n" + "\n".join(f"  {fault}" for fault in self.schedule))
        try:
            self._start_fleet()
            # The database will be taken away from under this thread's connection.
            connection.close()
            self._began = time.time()
            self.load.start()
            while self._waiting or self._is_harm_going_on() or self.load.is_ordering:
                self._tick()
            last = max(fault.harmed_until for fault in self.schedule)
            self.say(f"The last fault is over. Every job is to finish within {ALLOWED_SECONDS:g} s ...")
            late = self._wait_for_calm(last + ALLOWED_SECONDS)
            if late:
                self.say(f"{len(late)} jobs are late, such as {late[:10]}. Are they stuck for good? ...")
                self._wait_for_calm(last + PATIENCE_SECONDS)
            while self._pending:
                self._tick()
            self.load.stop()
            self.fleet.stop()
            return make_report(self.options, self.schedule, self.load, late, self.fleet)
        finally:
            self.load.stop()
            self.fleet.end()

    def _start_fleet(self) -> None:
        self.fleet.supervise()
        wait_until(
            lambda: len(self.fleet.list_workers()) == self.options.masters * self.options.processes,
            timeout=60,
            message="the workers did not start",
        )

    def _tick(self) -> None:
        """Start again what died, end what is over, begin what is due."""
        self.fleet.supervise()
        for entry in list(self._pending):
            fault, is_over = entry
            if is_over():
                fault.ended = time.time()
                self._pending.remove(entry)
        now = time.time() - self._began
        going_on = [fault for fault, _ in self._pending]
        if self._waiting and now >= self._waiting[0].at and self._faults.may_begin(self._waiting[0], going_on):
            fault = self._waiting.pop(0)
            self._pending.append((fault, self._faults.begin(fault)))
            self.say(f"{now:6.1f} s  {fault.kind} {fault.note}")
        time.sleep(0.1)

    def _is_harm_going_on(self) -> bool:
        return any(fault.kind.startswith("restart-") for fault, _ in self._pending)

    def _wait_for_calm(self, deadline: float) -> list[int]:
        """Wait until every ordered Job has ended; give the ids of those that had not at the deadline."""
        from django_wfe.models import Job
        from django_wfe.states import LIVE_JOB_STATES

        while True:
            self._tick()
            live = list(Job.objects.filter(state__in=sorted(LIVE_JOB_STATES)).values_list("id", flat=True))
            if not live or time.time() > deadline:
                return live
