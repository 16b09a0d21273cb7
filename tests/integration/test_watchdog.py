"""The watchdog in this process: who leads, what a failing round costs, and how it stops."""

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection

from django_wfe import watchdog as watchdog_module
from django_wfe.discovery import steadiness, sync
from django_wfe.leadership import Leadership
from django_wfe.models import Workflow
from django_wfe.watchdog import Watchdog
from tests.definition_files import ANOTHER_WORKFLOW, TWO_STEPS, Project, open_project
from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def project(tmp_path: Path, settings) -> Iterator[Project]:
    with open_project(tmp_path) as opened:
        settings.WFE_WORKFLOWS = [opened.flows]
        opened.write("flows", TWO_STEPS)
        yield opened


@pytest.fixture
def read_here(project, monkeypatch):
    """Read in this process, where a test is not about the child process that takes a second for it."""
    monkeypatch.setattr(sync, "read_modules", project.read_here)
    monkeypatch.setattr(steadiness, "read_modules", project.read_here)


@pytest.fixture
def leaderships() -> Iterator[list[Leadership]]:
    made = [Leadership(), Leadership()]
    yield made
    for leadership in made:
        leadership.release()


@pytest.fixture
def watchdog() -> Iterator[Watchdog]:
    made = Watchdog()
    yield made
    made._leadership.release()


def find_leading_session() -> int | None:
    """Give PostgreSQL's process id of the session that holds the lead in this database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT lock.pid FROM pg_locks AS lock JOIN pg_database AS base ON base.oid = lock.database "
            "WHERE lock.locktype = 'advisory' AND base.datname = current_database() AND lock.granted"
        )
        row = cursor.fetchone()
    return row[0] if row else None


def end_session(pid: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def test_of_two_one_leads_and_the_other_follows_when_it_lets_go(leaderships):
    first, second = leaderships
    assert [first.hold(), second.hold(), first.hold()] == [True, False, True]
    first.release()
    assert second.hold()
    assert not first.hold()


def test_a_leader_whose_session_was_ended_knows_it_and_asks_again(leaderships):
    first, second = leaderships
    assert first.hold()
    assert not second.hold()
    end_session(find_leading_session())
    assert second.hold()
    assert not first.hold()
    second.release()
    assert first.hold()
    assert first.term == 2


def test_who_only_stands_by_survives_the_end_of_its_session_too(leaderships, settings):
    first, second = leaderships
    first.hold()
    second.hold()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid NOT IN (%s, pg_backend_pid())",
            [find_leading_session()],
        )
        for (pid,) in cursor.fetchall():
            end_session(pid)
    with pytest.raises(OperationalError):
        second.hold()
    assert not second.hold()
    first.release()
    assert second.hold()


def test_the_lead_needs_no_transaction_and_survives_others(leaderships):
    first, _ = leaderships
    first.hold()
    pid = find_leading_session()
    with connection.cursor() as cursor:
        cursor.execute("SELECT state FROM pg_stat_activity WHERE pid = %s", [pid])
        assert cursor.fetchone() == ("idle",)


def test_only_the_leader_syncs_and_sweeps(project, read_here, watchdog, leaderships, monkeypatch):
    sweeps = []
    monkeypatch.setattr(watchdog_module, "sweep", lambda *observer: sweeps.append("sweep"))
    other, _ = leaderships
    assert other.hold()
    watchdog.watch_definitions()
    watchdog.recover()
    assert not Workflow.objects.exists()
    assert sweeps == []
    other.release()
    watchdog.watch_definitions()
    watchdog.recover()
    assert Workflow.objects.get().name == "Flow"
    assert sweeps == ["sweep"]


def test_who_takes_the_lead_again_reads_all_since_another_may_have_led_with_other_files(
    read_here, watchdog, leaderships
):
    other, _ = leaderships
    watchdog.watch_definitions()
    end_session(find_leading_session())
    assert other.hold()
    watchdog.watch_definitions()
    Workflow.objects.update(deleted=True)
    other.release()
    watchdog.watch_definitions()
    assert not Workflow.objects.get().deleted


def test_trouble_is_told_once_and_its_end_too(project, watchdog, monkeypatch, caplog):
    caplog.set_level(logging.INFO, "django_wfe.watchdog")

    def fail(*observer: object) -> None:
        raise OperationalError("the server\nis gone")

    monkeypatch.setattr(watchdog_module, "sweep", fail)
    for _ in range(3):
        watchdog.recover()
    monkeypatch.setattr(watchdog_module, "sweep", lambda *observer: None)
    for _ in range(3):
        watchdog.recover()
    told = [record.getMessage() for record in caplog.records]
    cure = 'See that PostgreSQL runs, and look at DATABASES["default"].'
    failed = "The sweep failed, and is tried again every round without saying so: "
    assert told == [
        "This watchdog leads.",
        f"{failed}The database does not answer: the server is gone. {cure}",
        "The sweep works again.",
    ]


def test_an_unexpected_error_is_logged_with_its_traceback_and_the_next_round_runs(watchdog, monkeypatch, caplog):
    def fail(*observer: object) -> None:
        raise RuntimeError("unexpected")

    monkeypatch.setattr(watchdog_module, "sweep", fail)
    watchdog.recover()
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert "RuntimeError: unexpected" in record.getMessage()
    assert record.exc_info is not None


def test_it_syncs_at_its_start_then_when_a_file_changes_and_is_quiet_between(project, settings, caplog):
    settings.WFE_WATCHDOG_INTERVAL = 0.1
    settings.WFE_RECOVERY_INTERVAL = 0.1
    caplog.set_level(logging.INFO)
    watchdog = Watchdog()
    thread = threading.Thread(target=watchdog.run)
    thread.start()
    try:
        wait_until(lambda: Workflow.objects.filter(name="Flow").exists(), timeout=20)
        project.write("flows", TWO_STEPS + ANOTHER_WORKFLOW)
        wait_until(lambda: Workflow.objects.filter(name="Another").exists(), timeout=20)
        project.write("flows", "1 / 0")
        wait_until(lambda: Workflow.objects.filter(load_error__contains="ZeroDivisionError").count() == 2, timeout=20)
    finally:
        watchdog.stop()
        thread.join(timeout=20)
    assert not thread.is_alive()
    assert find_leading_session() is None
    assert {record.name for record in caplog.records} <= {"django_wfe.watchdog"}


def test_an_interval_of_zero_turns_the_sync_off_but_not_the_recovery(project, settings, monkeypatch):
    settings.WFE_WATCHDOG_INTERVAL = 0
    settings.WFE_RECOVERY_INTERVAL = 0.05
    swept = threading.Event()
    monkeypatch.setattr(watchdog_module, "sweep", lambda *observer: swept.set())
    watchdog = Watchdog()
    thread = threading.Thread(target=watchdog.run)
    thread.start()
    try:
        assert swept.wait(20)
    finally:
        watchdog.stop()
        thread.join(timeout=20)
    assert not Workflow.objects.exists()


def test_once_does_one_sync_and_one_sweep_and_ends(read_here, monkeypatch):
    sweeps = []
    monkeypatch.setattr(watchdog_module, "sweep", lambda *observer: sweeps.append("sweep"))
    call_command("wfe_watchdog", once=True)
    assert Workflow.objects.get().name == "Flow"
    assert sweeps == ["sweep"]
