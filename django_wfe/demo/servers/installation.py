"""The parts of the demo, and the order in which they are started."""

import errno
import fcntl
import http.client
import json
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Self

from django_wfe.demo.servers.embedded import EmbeddedServer
from django_wfe.demo.servers.postgres_and_valkey import PostgresServer, ValkeyServer
from django_wfe.demo.servers.processes import ChildProcess, is_alive
from django_wfe.demo.servers.supervisor import PartDied, Supervisor, describe_death

HOST = "127.0.0.1"
PORTS_TO_TRY = 100
START_TIMEOUT = 60.0  # seconds for each step of the start
HANDOVER_TIMEOUT = 20.0  # seconds for a demo whose guard was killed to come to its end
DEATH_TIMEOUT = 1.0  # seconds in which a process that was killed a moment ago is gone
WORKER_PROCESSES = 2
WORKER_THREADS = 4
WORKER_SHUTDOWN_TIMEOUT = "5000"  # milliseconds for the steps that run, less than the supervisor's patience


class DemoError(Exception):
    """The demo cannot be started; the message says why and what to do."""


class Installation:
    """One running demo: a context manager that owns ``directory``, and everything that runs on it.

    ``port`` is the first port to try, 0 for any free one. ``durable=False`` does not wait for the disk.
    ``say`` receives one line for people at a time.
    """

    def __init__(self, directory: Path, *, port: int, say: Callable[[str], None], durable: bool = True) -> None:
        self.directory = directory.absolute()
        self.say = say
        self.supervisor = Supervisor(say)
        self._wanted_port = port
        self._closing = ExitStack()
        logs = self.logs
        self.database = PostgresServer(self.directory / "postgresql", log_path=logs / "postgresql.log", durable=durable)
        self.broker = ValkeyServer(self.directory / "broker", log_path=logs / "broker.log")
        self.port = 0

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            opening.enter_context(self._take_directory())
            for server in (self.database, self.broker):
                opening.callback(server.stop)
            opening.enter_context(self.supervisor)
            self._closing = opening.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._closing.close()

    @property
    def logs(self) -> Path:
        """The folder with one log file for each part."""
        return self.directory / "logs"

    @property
    def address(self) -> str:
        """Where a browser finds the demo."""
        return f"http://{HOST}:{self.port}/"

    def start(self) -> None:
        """Start everything and return once the web server answers.

        Raises ``PartDied``, ``StopRequested`` or ``TimeoutError`` as the supervisor does, ``DemoError`` where no port
        is free, ``ServerError`` where a server does not come up.
        """
        self._start_server("PostgreSQL", self.database)
        self._start_server("Broker", self.broker)
        self._make_secret_key()
        self._prepare_database()
        # It stays open here: who comes while a web server that was killed is started again waits, and is not refused.
        listener = self._closing.enter_context(self._open_port())
        web = self._make_part("web", ["-m", "django_wfe.demo.web", str(listener.fileno())], listener.fileno())
        workers = self._make_part(
            "workers",
            [
                *["-m", "django", "rundramatiq", "--worker-shutdown-timeout", WORKER_SHUTDOWN_TIMEOUT],
                *["--processes", str(WORKER_PROCESSES), "--threads", str(WORKER_THREADS)],
            ],
        )
        watchdog = self._make_part("watchdog", ["-m", "django", "wfe_watchdog"])
        parts = (web, workers, watchdog)
        for part in parts:
            part.start()
        self.supervisor.add(*parts)
        self.say(f"Workers    {WORKER_PROCESSES} processes of {WORKER_THREADS} threads, and the watchdog")
        self.supervisor.wait_until(self._web_answers, timeout=START_TIMEOUT)
        self._seed()
        self.supervisor.keep_alive(*parts)
        self._write_owner()

    def make_environment(self) -> dict[str, str]:
        """The environment of every Django process of the demo."""
        # libpq would let PGOPTIONS, PGSERVICE and their like change where and how Django connects.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return {
            **inherited,
            "DJANGO_SETTINGS_MODULE": "django_wfe.demo.settings",
            "PYTHONUNBUFFERED": "1",
            "WFE_DEMO_DIRECTORY": str(self.directory),
            "WFE_DEMO_DATABASE": str(self.database.socket_directory),
            "WFE_DEMO_BROKER": self.broker.url,
        }

    def make_child(self, name: str, arguments: list[str], *, quiet: bool = True) -> ChildProcess:
        """A Python child with the demo's environment; its output goes to its log, or to ours where not ``quiet``."""
        return ChildProcess(
            name,
            [sys.executable, *arguments],
            log_path=self.logs / f"{name}.log" if quiet else None,
            environment=self.make_environment(),
        )

    def delete(self) -> None:
        """Remove the servers' data, wherever it is; the demo must not run."""
        self.database.delete()
        self.broker.delete()

    def _start_server(self, title: str, server: EmbeddedServer) -> None:
        started = time.monotonic()
        server.start(START_TIMEOUT)
        if server.process is not None:
            self.supervisor.add(server.process)
        self.say(f"{title:10} started in {time.monotonic() - started:.1f} s")

    def _make_secret_key(self) -> None:
        path = self.directory / "secret-key"
        if not path.exists():
            unfinished = path.with_suffix(".unfinished")
            unfinished.touch(mode=0o600)
            unfinished.write_text(f"{secrets.token_urlsafe(50)}\n", encoding="ascii")
            unfinished.replace(path)

    def _prepare_database(self) -> None:
        started = time.monotonic()
        child = self.make_child("prepare", ["-m", "django_wfe.demo.prepare"])
        if self.supervisor.run(child, START_TIMEOUT) != 0:
            raise PartDied(describe_death(child))
        self.say(f"Database   migrated in {time.monotonic() - started:.1f} s")

    def _seed(self) -> None:
        started = time.monotonic()
        child = self.make_child("seed", ["-m", "django_wfe.demo.seed"])
        if self.supervisor.run(child, START_TIMEOUT) != 0:
            raise PartDied(describe_death(child))
        self.say(f"Jobs       one in every state, in {time.monotonic() - started:.1f} s")

    def _open_port(self) -> socket.socket:
        """Bind the wanted port or the next free one, and say so; no other program can take it in between."""
        for port in [0] if self._wanted_port == 0 else range(self._wanted_port, self._wanted_port + PORTS_TO_TRY):
            listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((HOST, port))
                # Two sockets may be bound to a port as long as neither listens.
                listener.listen(128)
            except OSError as error:
                listener.close()
                if error.errno == errno.EADDRINUSE:
                    continue
                raise DemoError(f"Port {port} cannot be used: {error.strerror}. Choose another one.") from error
            self.port = int(listener.getsockname()[1])
            if self._wanted_port not in (0, self.port):
                self.say(f"Web        port {self._wanted_port} is taken, so this is port {self.port}")
            return listener
        last = self._wanted_port + PORTS_TO_TRY - 1
        raise DemoError(f"None of the ports {self._wanted_port} to {last} is free. Choose another one.")

    def _make_part(self, name: str, arguments: list[str], *pass_fds: int) -> ChildProcess:
        part = self.make_child(name, arguments)
        part.pass_fds = pass_fds
        return part

    def _web_answers(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=5.0)
        try:
            connection.request("GET", "/admin/login/")
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False
        finally:
            connection.close()

    def _take_directory(self) -> IO[str]:
        """Become the only demo on this directory; wait for one that is coming to its end.

        Raises ``DemoError`` where another one runs.
        """
        self.logs.mkdir(parents=True, exist_ok=True)
        lock = (self.directory / "demo.json").open("a+")
        started = time.monotonic()
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                owner = json.loads(lock.read() or "{}")
                pid, address = owner.get("pid", 0), owner.get("address", "not yet known")
                if time.monotonic() - started > (DEATH_TIMEOUT if is_alive(pid) else HANDOVER_TIMEOUT):
                    lock.close()
                    raise DemoError(
                        f"The demo already runs on {self.directory} (process {pid}, address {address}). "
                        "Stop it with Ctrl-C or use another directory."
                    ) from None
                time.sleep(0.1)
            else:
                self._lock = lock
                self._write_owner()
                return lock

    def _write_owner(self) -> None:
        self._lock.truncate(0)
        # The parent is the guard: the process that a person sees and stops.
        json.dump({"pid": os.getppid()} | ({"address": self.address} if self.port else {}), self._lock)
        self._lock.flush()
