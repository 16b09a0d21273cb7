"""The one PostgreSQL server of a run, and the databases that are made in it and dropped at the end."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2

Parameters = dict[str, Any]
"""Connection parameters as psycopg2 names them."""


@contextmanager
def open_server(given: Parameters | None) -> Iterator[Parameters]:
    """Give the parameters of the server's own database: of the server that was given, or of an embedded one.

    The embedded one waits for the disk at each commit, as PostgreSQL does by default.
    """
    if given is not None:
        yield given
        return
    from django_wfe.demo.servers.postgres_and_valkey import PostgresServer

    with (
        tempfile.TemporaryDirectory(prefix="wfe-bench-") as directory,
        PostgresServer(Path(directory) / "server") as server,
    ):
        yield {
            "host": str(server.socket_directory),
            "port": 5432,
            "user": "postgres",
            "password": "",
            "dbname": "postgres",
        }


@contextmanager
def open_database(
    server: Parameters, name: str, *, migrated: bool = True, template: str = "template0"
) -> Iterator[Parameters]:
    """Make a database of this name as a copy of ``template``, and drop it at the end.

    ``migrated``: with django-wfe's tables, as this checkout makes them.
    """
    name = f"wfe_benchmark_{os.getpid()}_{name}"
    execute(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    database = {**server, "dbname": name}
    try:
        if migrated:
            migrate(database)
        yield database
    finally:
        execute(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def migrate(database: Parameters, environment: dict[str, str] | None = None, folder: Path | None = None) -> None:
    """Make django-wfe's tables: by this checkout, or by the one that the environment and the folder lead to."""
    command = [sys.executable, "-m", "django", "migrate", "--verbosity", "0"]
    subprocess.run(command, env=environment or build_environment(database), cwd=folder, check=True, stdout=sys.stderr)


def build_environment(database: Parameters, **variables: str) -> dict[str, str]:
    """Give the environment of a process that works on this database, by ``benchmarks.settings``."""
    root = str(Path(__file__).resolve().parent.parent)
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
        "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        "WFE_BENCH_DATABASE": json.dumps(database),
        **variables,
    }


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name the servers of a run."""
    parser.add_argument("--rabbitmq", default="amqp://guest:guest@127.0.0.1:5672/", metavar="URL")
    parser.add_argument("--database-host", help="a host or socket folder; default: an embedded server is started")
    parser.add_argument("--database-port", type=int, default=5432)
    parser.add_argument("--database-user", default="postgres", help="a superuser")
    parser.add_argument("--database-password", default="")


def choose_server(options: argparse.Namespace) -> Parameters | None:
    """Return the server that the options name, for ``open_server``; ``None`` for an embedded one."""
    if options.database_host is None:
        return None
    return {
        "host": options.database_host,
        "port": options.database_port,
        "user": options.database_user,
        "password": options.database_password,
        "dbname": "postgres",
    }


def execute(database: Parameters, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements, each in its own transaction; give the last one's rows."""
    connection = psycopg2.connect(**database)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()
