"""The watchdog in this process: who leads, what a failing round costs, and how it stops."""

import logging
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection, connections
from django.db.models.functions import Now

from django_wfe.discovery import steadiness, sync
from django_wfe.models import Lease, Workflow
from django_wfe.watchdog import process as watchdog_module
from django_wfe.watchdog.leadership import Leadership, find_leader
from django_wfe.watchdog.process import Watchdog
from tests.definition_files import ANOTHER_WORKFLOW, TWO_STEPS, Project, open_project
from tests.support.running.waiting import wait_until

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
def watchdog() -> Watchdog:
    return Watchdog()


def end_sessions() -> None:
    """End every session in this database but the test's own."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_only_the_leader_syncs_and_sweeps(project, read_here, watchdog, monkeypatch):
    sweeps = []
    monkeypatch.setattr(watchdog_module, "sweep", lambda *observer: sweeps.append("sweep"))
    other = Leadership()
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


def test_who_takes_the_lead_again_reads_all_since_another_may_have_led_with_other_files(read_here, watchdog):
    other = Leadership()
    watchdog.watch_definitions()
    Lease.objects.update(expires_at=Now())
    assert other.hold()
    watchdog.watch_definitions()
    Workflow.objects.update(deleted=True)
    other.release()
    watchdog.watch_definitions()
    assert not Workflow.objects.get().deleted


def test_what_was_read_is_not_written_where_another_has_taken_over_meanwhile(project, watchdog, monkeypatch, caplog):
    other = Leadership()

    def read_for_long(names, **options):
        Lease.objects.update(expires_at=Now())
        assert other.hold()
        return project.read_here(names, **options)

    monkeypatch.setattr(sync, "read_modules", read_for_long)
    watchdog.watch_definitions()
    assert not Workflow.objects.exists()
    assert "another watchdog leads by now" in caplog.text
    other.release()
    monkeypatch.setattr(sync, "read_modules", project.read_here)
    watchdog.watch_definitions()
    assert Workflow.objects.get().name == "Flow"


def test_the_lease_is_renewed_while_a_sync_takes_longer_than_it_lasts(settings, monkeypatch):
    settings.WFE_RECOVERY_INTERVAL = 60
    monkeypatch.setattr(Leadership, "seconds", 0.3)
    reading, read_on = threading.Event(), threading.Event()

    def read_for_long(names, **options):
        reading.set()
        assert read_on.wait(20)
        return []

    monkeypatch.setattr(sync, "read_modules", read_for_long)
    watchdog, other = Watchdog(), Leadership()
    thread = threading.Thread(target=watchdog.run)
    thread.start()
    try:
        assert reading.wait(20)
        first = Lease.objects.get()
        # Longer than two leases: without a renewal it would have ended.
        wait_until(lambda: Lease.objects.filter(renewed_at__gt=first.renewed_at + timedelta(seconds=0.6)).exists())
        assert Lease.objects.get().term == first.term
        assert not other.hold()
    finally:
        read_on.set()
        watchdog.stop()
        thread.join(timeout=20)
    assert not thread.is_alive()


def test_a_round_goes_on_with_a_new_connection_in_the_same_term(read_here, watchdog, settings, monkeypatch):
    sweeps = []
    monkeypatch.setattr(watchdog_module, "sweep", lambda *observer: sweeps.append("sweep"))
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 60)
    rounds, ended = threading.Barrier(2, timeout=20), []

    def work() -> None:
        for _ in range(2):
            watchdog.recover()
            rounds.wait()
            rounds.wait()
        connections.close_all()
        ended.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    rounds.wait()
    term = Lease.objects.get().term
    end_sessions()
    rounds.wait()
    rounds.wait()
    rounds.wait()
    thread.join(timeout=20)
    assert ended
    assert sweeps == ["sweep", "sweep"]
    assert Lease.objects.get().term == term


def test_trouble_is_told_once_and_its_end_too(project, watchdog, monkeypatch, caplog):
    caplog.set_level(logging.INFO, "django_wfe.watchdog.process")

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
        f"This watchdog leads (term {Lease.objects.get().term}).",
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
    assert find_leader() is None
    assert {record.name for record in caplog.records} <= {"django_wfe.watchdog.process"}


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
