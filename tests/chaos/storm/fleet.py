"""The worker masters and watchdogs of a storm, and the supervisor that starts again what died."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from django_wfe.demo.servers.processes import ChildProcess, list_descendants


class Part:
    """One master or watchdog, with a process group of its own; each start has a log of its own."""

    def __init__(self, name: str, arguments: list[str], environment: dict[str, str], logs: Path) -> None:
        self.name = name
        self.starts = 0
        self._arguments = arguments
        self._environment = environment
        self._logs = logs
        self._process: ChildProcess | None = None

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.is_running

    def start(self) -> None:
        self.starts += 1
        self._process = ChildProcess(
            self.name,
            [sys.executable, "-m", "django", *self._arguments],
            environment=self._environment,
            log_path=self._logs / f"{self.name}-{self.starts:03}.log",
        )
        self._process.start()

    def list_workers(self) -> list[int]:
        """Give the ids of the processes below this one."""
        return sorted(list_descendants(self.pid)) if self.is_running else []

    def read_log(self) -> str:
        """Give the log of the latest start."""
        return (self._logs / f"{self.name}-{self.starts:03}.log").read_text(errors="replace")

    def signal_group(self, number: signal.Signals) -> None:
        if self.pid:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def end(self) -> None:
        """Kill whatever is left of its group."""
        self.signal_group(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(10)


class Fleet:
    """All masters and watchdogs."""

    def __init__(
        self, environment: dict[str, str], logs: Path, *, masters: int, processes: int, threads: int, watchdogs: int = 2
    ) -> None:
        command = ["rundramatiq", "--processes", str(processes), "--threads", str(threads)]
        self.masters = [Part(f"master-{n + 1}", command, environment, logs) for n in range(masters)]
        self.watchdogs = [Part(f"watchdog-{n + 1}", ["wfe_watchdog"], environment, logs) for n in range(watchdogs)]
        self._logs = logs

    @property
    def parts(self) -> list[Part]:
        return [*self.watchdogs, *self.masters]

    def supervise(self) -> None:
        """Start again what is not running, once the rest of its group is gone."""
        for part in self.parts:
            if not part.is_running:
                part.signal_group(signal.SIGKILL)
                part.start()

    def list_workers(self) -> list[int]:
        """Give the ids of all worker processes."""
        return [pid for master in self.masters for pid in master.list_workers()]

    def find_leader(self) -> Part | None:
        """Give the watchdog that was the last to say that it leads. Each line of a log begins with its time."""
        claims = [
            (line, watchdog)
            for watchdog in self.watchdogs
            if watchdog.is_running
            for line in watchdog.read_log().splitlines()
            if "This watchdog leads" in line
        ]
        return max(claims, key=lambda claim: claim[0])[1] if claims else None

    def stop(self, timeout: float = 20.0) -> None:
        """Let everything come to an orderly end, as in a deployment."""
        for part in self.parts:
            if part.is_running:
                os.kill(part.pid, signal.SIGTERM)
        deadline = time.monotonic() + timeout
        while any(part.is_running for part in self.parts) and time.monotonic() < deadline:
            time.sleep(0.1)

    def end(self) -> None:
        """Kill whatever is left."""
        for part in self.parts:
            part.end()

    def count_in_logs(self, text: str) -> int:
        """Count how often something was said in the logs of all starts."""
        return sum(path.read_text(errors="replace").count(text) for path in self._logs.glob("*.log"))
