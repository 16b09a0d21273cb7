"""What every embedded server shares: its folder, its account, its private socket, its start and its end.

A server listens on a Unix socket in a private folder only, keeps its data between starts, and ends when this process
does, however it does. As root it runs as ``nobody`` (see ``accounts``). Start it from the main thread.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Self, TypeVar

from django_wfe.demo.servers.accounts import Account, give_to, make_socket_folder, prepare_home, remove_socket_folder
from django_wfe.demo.servers.processes import POLL_INTERVAL, ChildProcess

Value = TypeVar("Value")


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
        return require(self._home)

    @property
    def socket_directory(self) -> Path:
        """The private folder of the socket, for as long as the server is started."""
        return require(self._socket_directory)

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
        """Stop the server and remove its folder and data, wherever they are.

        Raises ``ServerAlreadyRunning`` where another process uses them.
        """
        self.stop()
        if not self.directory.exists():
            return
        lock = self._take_lock()
        home = prepare_home(self.directory, self.account)
        shutil.rmtree(home)
        shutil.rmtree(self.directory, ignore_errors=True)
        lock.close()

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
        process = require(self.process)
        while not condition():
            if not process.is_running:
                raise ServerError(f"{self.name} ended with {process.returncode}.{self.quote_log(process)}")
            if time.monotonic() > deadline:
                raise ServerError(f"{self.name} {failure}.{self.quote_log(process)}")
            time.sleep(POLL_INTERVAL)

    @staticmethod
    def quote_log(process: ChildProcess) -> str:
        """The end of a process's log, as the end of an error message."""
        lines = process.read_last_lines()
        return "".join(f"\n    {line}" for line in [f"The end of {process.log_path}:", *lines] if lines)


def find_package(module: str, distribution: str) -> Path:
    """The folder of an installed package, without importing it. Raises ``ServerError`` where it is not installed."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ServerError(f"The package {distribution} is not installed: pip install 'django-wfe[demo]'.")
    return Path(spec.origin).resolve().parent


def require(value: Value | None) -> Value:
    """Return a value that only a started server has; raises ``RuntimeError`` before."""
    if value is None:
        raise RuntimeError("The server is not started.")
    return value
