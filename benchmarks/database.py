"""The one PostgreSQL server of a run, and the databases that are made in it and dropped at the end."""

from __future__ import annotations

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
    from django_wfe.demo.servers import PostgresServer

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
def open_database(server: Parameters, name: str, *, migrated: bool = True) -> Iterator[Parameters]:
    """Make a database of this name, and drop it at the end. ``migrated``: with django-wfe's tables."""
    name = f"wfe_benchmark_{os.getpid()}_{name}"
    execute(server, f'CREATE DATABASE "{name}" TEMPLATE template0')
    database = {**server, "dbname": name}
    try:
        if migrated:
            migrate(database)
        yield database
    finally:
        execute(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def migrate(database: Parameters) -> None:
    """Make django-wfe's tables."""
    command = [sys.executable, "-m", "django", "migrate", "--verbosity", "0"]
    subprocess.run(command, env=build_environment(database), check=True, stdout=sys.stderr)


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
