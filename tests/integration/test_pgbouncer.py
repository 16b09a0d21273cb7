"""Watchdogs whose sessions belong to others between two transactions: PgBouncer hands them around."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.projects.running import Child, Project, execute, project_set_up
from tests.support.running.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("pgbouncer")]

LEASE_SECONDS = 5.0

FORGET_THE_SETTING = """
from django.db import connection
from django_wfe.management.health import examine_database

connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"] = False
answer = examine_database().text
"""

KEPT_BY_PGBOUNCER = {"TimeZone", "application_name", "client_encoding", "DateStyle", "standard_conforming_strings"}
"""The settings of a session that PgBouncer gives each client its own of."""

USE_AND_LOOK = """
from django.db import connection, transaction
from django_wfe import run_workflow
from django_wfe.engine.queries.incidents import list_incidents
from django_wfe.watchdog.leadership import Leadership
from django_wfe.models import Job
from tests.workflows import Failing, Linear

def ask(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return [value for (value,) in cursor.fetchall()]

leadership = Leadership()
leadership.hold()
run_workflow(Failing)
list_incidents(None)
for _ in Job.objects.iterator(chunk_size=1):
    pass
answer = {
    "state": Job.objects.get(pk=run_workflow(Linear)).state,
    "is_shared": connection.connection.info.backend_pid != ask("SELECT pg_backend_pid()")[0],
    "prepared": ask("SELECT name FROM pg_prepared_statements"),
    "temporary": ask("SELECT relname FROM pg_class WHERE relpersistence = 't'"),
    "locks": ask("SELECT mode FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"),
    "changed": ask("SELECT name FROM pg_settings WHERE source = 'session'"),
}
leadership.release()
"""


@pytest.fixture
def project(tmp_path: Path, redis_url: str, broker_namespace: str) -> Iterator[Project]:
    with project_set_up("pgbouncer", tmp_path, redis_url, broker_namespace) as made:
        made.manage("migrate", "--verbosity", "0")
        yield made


def ask(project: Project, statement: str) -> list[tuple[Any, ...]]:
    """Ask the server itself, past PgBouncer."""
    return execute(project.databases["default"], statement)


def find_leader(project: Project) -> int | None:
    """Give the process that holds the lease."""
    rows = ask(project, "SELECT holder_name FROM django_wfe_lease WHERE expires_at > clock_timestamp()")
    return int(rows[0][0].rpartition(":")[2]) if rows and rows[0][0] else None


def test_one_leads_and_another_takes_over_when_it_is_killed(project: Project) -> None:
    with ExitStack() as stack:
        children: list[Child] = [stack.enter_context(project.watching(name=f"watchdog-{number}")) for number in (1, 2)]
        leading = wait_until(lambda: find_leader(project), timeout=60)
        leader = next(child for child in children if child.process.pid == leading)
        other = next(child for child in children if child is not leader)
        wait_until(lambda: "Another watchdog leads" in other.read_log(), timeout=60, message=other.describe)
        held = ask(
            project,
            "SELECT lock.pid FROM pg_locks AS lock JOIN pg_database AS base ON base.oid = lock.database "
            "WHERE lock.locktype = 'advisory' AND base.datname = current_database()",
        )
        assert held == [], "a lock of a session that others use as well is not a lock"
        leader.process.send_signal(signal.SIGKILL)
        wait_until(lambda: find_leader(project) == other.process.pid, timeout=LEASE_SECONDS * 6)
        told = project.manage("wfe_doctor", status=1)  # there is no worker
        assert f":{other.process.pid} has led for " in told
        assert ", through a pooler\n" in told


def test_nothing_that_belongs_to_a_session_is_left_in_one(project: Project) -> None:
    """What one leaves in a session, whoever gets it next would have. With one client there is one session."""
    project.manage("wfe_watchdog", "--once")
    told = project.ask("evaluate", USE_AND_LOOK)
    assert told["state"] == "FINISHED"
    assert told["is_shared"], "the client's number of its session is PgBouncer's, not the server's"
    assert told["prepared"] == []
    assert told["temporary"] == []
    assert told["locks"] == []
    assert set(told["changed"]) <= KEPT_BY_PGBOUNCER


def test_the_doctor_tells_what_is_to_be_written_where_there_is_a_pooler(project: Project) -> None:
    assert "write “DISABLE_SERVER_SIDE_CURSORS”: True" in project.ask("evaluate", FORGET_THE_SETTING)
