"""The servers of a storm: its own, so that they can be killed and emptied without harm to anybody.

They run as the account of the embedded servers, end when the driver does, and keep their addresses over a restart.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
from contextlib import suppress
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import pika  # type: ignore[import-untyped]
import redis

from django_wfe.demo.servers.accounts import Account, give_to
from django_wfe.demo.servers.embedded import EmbeddedServer
from django_wfe.demo.servers.postgres_and_valkey import PostgresServer, ValkeyServer
from django_wfe.demo.servers.processes import ChildProcess
from tests.support.running.servers import answers

RABBITMQ_PROGRAMS = "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server"
"""Where Debian keeps the script that needs neither root nor the account of the machine's own node."""


class Database:
    """A PostgreSQL with fsync on, which is shut down at once and recovers from its log."""

    def __init__(self, directory: Path) -> None:
        self._server = PostgresServer(directory, durable=True)
        self.host = str(directory / "socket")
        """The folder of the socket: a link, which stays when a start makes another folder."""

    def start(self) -> None:
        self._server.start()

    def kill(self) -> None:
        """Shut down immediately: no checkpoint, every connection dropped."""
        _end(self._server, signal.SIGQUIT)

    def answers(self) -> bool:
        return self._server.is_running

    def stop(self) -> None:
        self._server.stop()


class Broker(Protocol):
    """A broker that can be killed, started again and emptied."""

    url: str

    def start(self) -> None:
        """Start it; it may answer only later."""

    def answers(self) -> bool:
        """Tell whether it takes connections."""

    def kill(self) -> None:
        """kill -9, and wait for the end."""

    def empty(self, queue: str) -> None:
        """Lose every message."""

    def stop(self) -> None:
        """End it in order."""


class Valkey:
    """A Valkey that appends to a file, and so keeps all but the last second over a kill."""

    def __init__(self, directory: Path) -> None:
        self._server = ValkeyServer(directory)
        self.url = f"unix://{quote(str(directory / 'socket' / 'valkey.sock'))}"

    def start(self) -> None:
        self._server.start()

    def answers(self) -> bool:
        return self._server.is_running

    def kill(self) -> None:
        _end(self._server, signal.SIGKILL)

    def empty(self, queue: str) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def stop(self) -> None:
        self._server.stop()


class RabbitMQ:
    """A RabbitMQ node of our own, with a port mapper of its own, beside whatever node the machine runs."""

    def __init__(self, directory: Path) -> None:
        program = find_rabbitmq()
        if program is None:
            raise RuntimeError(f"There is no RabbitMQ at {RABBITMQ_PROGRAMS}: apt install rabbitmq-server.")
        account = Account.choose()
        for folder in (directory, directory / "home"):
            folder.mkdir(mode=0o700, exist_ok=True)
            give_to(account, folder)
        port, distribution_port, mapper_port = _choose_ports(3)
        (directory / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\n")
        (directory / "plugins").write_text("[].\n")
        (directory / "environment.conf").touch()
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C.UTF-8",
            "HOME": str(directory / "home"),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(mapper_port),
            "RABBITMQ_NODENAME": "storm@localhost",
            "RABBITMQ_DIST_PORT": str(distribution_port),
            "RABBITMQ_CONF_ENV_FILE": str(directory / "environment.conf"),
            "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(directory / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(directory / "data"),
            "RABBITMQ_LOG_BASE": str(directory / "log"),
            "RABBITMQ_LOGS": "-",
            # The script then becomes the node, in place of waiting for it: one process, which signals reach.
            "RABBITMQ_ALLOW_INPUT": "1",
            "RABBITMQ_SERVER_START_ARGS": "-noinput",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
        }
        self.url = f"amqp://guest:guest@127.0.0.1:{port}/"
        self._port = port
        self._mapper = ChildProcess(
            "epmd",
            [str(shutil.which("epmd")), "-port", str(mapper_port), "-address", "127.0.0.1"],
            log_path=directory / "epmd.log",
            environment=environment,
            account=account,
        )
        self._node = ChildProcess(
            "rabbitmq", [program], log_path=directory / "node.log", environment=environment, account=account
        )

    def start(self) -> None:
        if not self._mapper.is_running:
            self._mapper.start()
        self._node.start()

    def answers(self) -> bool:
        if not self._node.is_running:
            raise RuntimeError("\n".join(["The RabbitMQ node ended by itself.", *self._node.read_last_lines()]))
        return answers("127.0.0.1", self._port)

    def kill(self) -> None:
        self._node.kill()
        self._node.wait(10)

    def empty(self, queue: str) -> None:
        with pika.BlockingConnection(pika.URLParameters(self.url)) as connection:
            channel = connection.channel()
            for name in (queue, f"{queue}.DQ", f"{queue}.XQ"):
                # Deleted, not purged: so the messages that consumers hold are gone, too.
                channel.queue_delete(name)

    def stop(self) -> None:
        self._node.stop(15)
        self._mapper.stop(5)


BROKERS: dict[str, type[Valkey] | type[RabbitMQ]] = {"rabbitmq": RabbitMQ, "redis": Valkey}


def find_rabbitmq() -> Path | None:
    """Give the program of the newest RabbitMQ, or None."""
    found = sorted(Path("/").glob(RABBITMQ_PROGRAMS.lstrip("/")))
    return found[-1] if found else None


def _end(server: EmbeddedServer, number: signal.Signals) -> None:
    if server.process is not None and server.process.is_running:
        os.kill(server.process.pid, number)
        server.process.wait(10)
    server.stop()


def _choose_ports(count: int) -> list[int]:
    """Choose ports that are free, below those that outgoing connections are given: they must stay free over a kill."""
    chosen: list[int] = []
    while len(chosen) < count:
        port = random.randrange(15_000, 30_000)
        with socket.socket() as tried, suppress(OSError):
            tried.bind(("127.0.0.1", port))
            if port not in chosen:
                chosen.append(port)
    return chosen
