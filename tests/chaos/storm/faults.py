"""The faults of a storm: a schedule that follows from a seed, and how each is done."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from tests.chaos.storm.fleet import Fleet
from tests.chaos.storm.servers import Broker, Database

FREQUENCIES = {
    "kill-worker": 6,
    "kill-master": 4,
    "freeze-worker": 4,
    "stop-master": 3,
    "kill-leader": 2,
    "restart-broker": 2,
    "restart-database": 2,
}
"""How often each kind comes, relative to the others. "empty-broker" comes once."""


@dataclass(slots=True)
class Fault:
    """One fault. ``at`` is in seconds from the beginning, ``chance`` chooses the victim, ``seconds`` is how long it is.

    The rest is filled in when it is done: times as ``time.time()``, the processes that it hit.
    """

    at: float
    kind: str
    chance: float
    seconds: float
    began: float = 0.0
    ended: float = 0.0
    pids: list[int] = field(default_factory=list)
    note: str = ""

    @property
    def harmed_until(self) -> float:
        """Give the time from which nothing is in the way: servers answer again, dead processes may be replaced.

        What is frozen counts as dead: nobody should have to wait until it wakes up.
        """
        return self.ended if self.kind.startswith("restart-") else self.began

    def __str__(self) -> str:
        length = f" for {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.at:6.1f} s  {self.kind}{length}"


def plan_faults(seed: int, duration: float, *, worker_timeout: float) -> list[Fault]:
    """Give the faults of a storm of ``duration`` seconds, in an order left to chance.

    Each kind comes at least once. The last is always the death of a whole master in full work.
    """
    chance = random.Random(seed)
    moments = []
    moment = 8.0
    while moment < duration:
        moments.append(moment)
        moment += chance.uniform(2.5, 6.5)
    kinds = ["empty-broker", *FREQUENCIES]
    if len(moments) < len(kinds):
        raise ValueError(f"A storm of {duration:g} s has no room for {len(kinds)} faults: give it a minute or more.")
    kinds += chance.choices(list(FREQUENCIES), list(FREQUENCIES.values()), k=len(moments) - len(kinds))
    kinds.remove("kill-master")
    chance.shuffle(kinds)
    kinds.append("kill-master")
    lengths = {"restart-broker": (0.5, 4.0), "restart-database": (0.2, 2.0)}
    lengths["freeze-worker"] = (worker_timeout + 1, worker_timeout + 5)
    return [
        Fault(at, kind, chance.random(), chance.uniform(*lengths[kind]) if kind in lengths else 0.0)
        for at, kind in zip(moments, kinds, strict=True)
    ]


@dataclass(slots=True)
class Faults:
    """Does faults. ``begin`` does one; it is over once the function that it gives says so."""

    fleet: Fleet
    database: Database
    broker: Broker
    queue: str

    @staticmethod
    def may_begin(fault: Fault, pending: Iterable[Fault]) -> bool:
        """Tell whether nothing of what is still going on is in the way: a server that is down cannot be taken down."""
        server = fault.kind.partition("-")[2]
        return not any(other.kind == f"restart-{server}" for other in pending)

    def begin(self, fault: Fault) -> Callable[[], bool]:
        fault.began = time.time()
        method: Callable[[Fault], Callable[[], bool] | None] = getattr(self, f"_{fault.kind.replace('-', '_')}")
        return method(fault) or (lambda: True)

    def _kill_worker(self, fault: Fault) -> None:
        self._signal_one(fault, signal.SIGKILL)

    def _kill_master(self, fault: Fault) -> None:
        masters = [master for master in self.fleet.masters if master.is_running]
        if not masters:
            fault.note = "none was there"
            return
        master = masters[int(fault.chance * len(masters))]
        fault.pids = [master.pid, *master.list_workers()]
        master.signal_group(signal.SIGKILL)
        fault.note = master.name

    def _stop_master(self, fault: Fault) -> None:
        masters = [master for master in self.fleet.masters if master.is_running]
        if masters:
            master = masters[int(fault.chance * len(masters))]
            fault.note = master.name
            os.kill(master.pid, signal.SIGTERM)

    def _freeze_worker(self, fault: Fault) -> Callable[[], bool] | None:
        pid = self._signal_one(fault, signal.SIGSTOP)
        if pid is None:
            return None
        until = time.monotonic() + fault.seconds

        def thaw() -> bool:
            if time.monotonic() < until:
                return False
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
            return True

        return thaw

    def _kill_leader(self, fault: Fault) -> None:
        leader = self.fleet.find_leader()
        if leader is None:
            fault.note = "none led"
            return
        fault.note = leader.name
        fault.pids = [leader.pid]
        leader.signal_group(signal.SIGKILL)

    def _restart_broker(self, fault: Fault) -> Callable[[], bool]:
        self.broker.kill()
        return self._start_after(fault.seconds, self.broker)

    def _restart_database(self, fault: Fault) -> Callable[[], bool]:
        self.database.kill()
        return self._start_after(fault.seconds, self.database)

    def _empty_broker(self, fault: Fault) -> None:
        self.broker.empty(self.queue)

    def _signal_one(self, fault: Fault, number: signal.Signals) -> int | None:
        workers = self.fleet.list_workers()
        if not workers:
            fault.note = "none was there"
            return None
        pid = workers[int(fault.chance * len(workers))]
        fault.pids = [pid]
        fault.note = f"process {pid}"
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        return pid

    @staticmethod
    def _start_after(seconds: float, server: Broker | Database) -> Callable[[], bool]:
        until = time.monotonic() + seconds
        started = False

        def look() -> bool:
            nonlocal started
            if time.monotonic() < until:
                return False
            if not started:
                server.start()
                started = True
            return server.answers()

        return look
