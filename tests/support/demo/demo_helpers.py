"""What the tests of the demo's servers and processes share."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import redis

from django_wfe.demo.servers.accounts import Account, can_execute
from django_wfe.demo.servers.postgres_and_valkey import PostgresServer, ValkeyServer
from django_wfe.demo.servers.processes import is_alive
from tests.support.running.driver import connect

ROOT = Path(__file__).resolve().parents[3]


def query(server: PostgresServer, *statements: str) -> list[tuple[object, ...]]:
    """Run statements on a server and return the rows of the last one."""
    connection = connect(host=str(server.socket_directory), user="postgres", dbname="postgres")
    try:
        with connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def count_up(server: ValkeyServer, key: str) -> int:
    """Increment a counter on a server and return it."""
    with redis.Redis.from_url(server.url) as client:
        return int(client.incr(key))


def find_processes(marker: str) -> list[int]:
    """The processes, other than this one, with ``marker`` in their command line or environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid() or not is_alive(int(entry.name)):
            continue
        try:
            text = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        except OSError:
            continue
        if marker.encode() in text:
            found.append(int(entry.name))
    return found


def describe_processes(pids: list[int]) -> str:
    """The command lines of processes, for a failure's message."""
    lines = []
    for pid in pids:
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        lines.append(f"{pid}: {command}")
    return "\n".join(lines)


def find_python_for(account: Account) -> str | None:
    """A Python that is new enough for this package and that the account can run; ``None`` where there is none."""
    return next((str(program) for program in _list_pythons() if can_execute(account, program)), None)


def _list_pythons() -> Iterator[Path]:
    yield Path(sys.executable)
    for minor in range(19, 10, -1):
        for folder in os.defpath.split(os.pathsep) + os.environ.get("PATH", "").split(os.pathsep):
            program = Path(folder) / f"python3.{minor}"
            if folder and program.is_file():
                yield program
