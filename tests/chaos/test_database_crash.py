"""The database crashes: what an open connection says then is taken for that, and not for a failure of the step."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from django_wfe.demo.servers.postgres_and_valkey import PostgresServer
from django_wfe.engine.errors import database_errors as engine_connections
from django_wfe.engine.errors.database_errors import is_connection_broken, is_connection_error

pytestmark = [pytest.mark.chaos, pytest.mark.django_db]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PostgresServer]:
    with PostgresServer(tmp_path / "postgresql", durable=False) as started:
        yield started


@pytest.fixture
def crashing(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[BaseDatabaseWrapper]:
    """A connection to a server that will crash, in the place of the engine's."""
    database: BaseDatabaseWrapper = connection.copy("crashing")
    database.settings_dict |= {"NAME": "postgres", "HOST": str(server.socket_directory), "PORT": "5432"}
    database.settings_dict |= {"USER": "postgres", "PASSWORD": ""}
    monkeypatch.setattr(engine_connections, "connections", {"default": database})
    yield database
    database.close()


def ask(database: BaseDatabaseWrapper, statement: str = "SELECT 1") -> None:
    with database.cursor() as cursor:
        cursor.execute(statement)


def crash(server: PostgresServer) -> None:
    assert server.process is not None
    os.kill(server.process.pid, signal.SIGQUIT)
    assert server.process.wait(10)


def catch(database: BaseDatabaseWrapper, statement: str = "SELECT 1") -> Any:
    with pytest.raises(DatabaseError) as caught:
        ask(database, statement)
    return caught.value


@pytest.mark.parametrize("autocommit", [True, False], ids=["alone", "in a transaction"])
def test_the_error_of_a_crash_is_known_for_what_it_is(
    server: PostgresServer, crashing: BaseDatabaseWrapper, *, autocommit: bool
) -> None:
    ask(crashing)
    assert not is_connection_broken()
    if not autocommit:
        crashing.set_autocommit(False)
        crashing.in_atomic_block = True
        ask(crashing)
    crash(server)
    assert is_connection_error(catch(crashing))
    assert is_connection_broken()
    crashing.in_atomic_block = False


@pytest.mark.parametrize(
    "statement",
    ["SELECT 1/0", "SELECT nothing", "DO $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = 'ZZ001'; END $$"],
)
def test_a_refused_statement_is_no_crash(crashing: BaseDatabaseWrapper, statement: str) -> None:
    assert not is_connection_error(catch(crashing, statement))
    assert not is_connection_broken()


def test_an_aborted_transaction_is_no_crash(crashing: BaseDatabaseWrapper) -> None:
    ask(crashing)
    crashing.set_autocommit(False)
    crashing.in_atomic_block = True
    assert not is_connection_error(catch(crashing, "SELECT nothing"))
    assert not is_connection_broken()
    crashing.in_atomic_block = False


def test_an_error_of_djangos_own_is_no_crash() -> None:
    from django.contrib.auth.models import Group

    with pytest.raises(DatabaseError) as caught, transaction.atomic():
        Group(pk=1, name="not there").save(force_update=True)
    assert not is_connection_error(caught.value)
