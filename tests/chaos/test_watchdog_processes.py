"""Watchdogs as processes: killed, cut off from the database, stopped in the middle of reading."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connection

from django_wfe.models import DefinitionModule, Workflow
from tests.definition_files import ANOTHER_WORKFLOW, TWO_STEPS, Project, open_project
from tests.waiting import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.django_db(transaction=True)]

StartWatchdog = Callable[[], subprocess.Popen[str]]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with open_project(tmp_path) as opened:
        opened.write(
            "settings",
            "from tests.settings import *\nWFE_WORKFLOWS = 'PACKAGE.flows'\n"
            "WFE_WATCHDOG_INTERVAL = WFE_RECOVERY_INTERVAL = 0.3\n",
        )
        opened.write("flows", TWO_STEPS)
        yield opened


@pytest.fixture
def start_watchdog(project: Project, child_environment: dict[str, str]) -> Iterator[StartWatchdog]:
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        log = project.folder / f"watchdog-{len(started)}.log"
        with log.open("w") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "django", "wfe_watchdog"],
                env={
                    **child_environment,
                    "DJANGO_SETTINGS_MODULE": f"{project.package}.settings",
                    "PYTHONPATH": os.pathsep.join([child_environment["PYTHONPATH"], str(project.folder)]),
                },
                stderr=file,
                text=True,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def read_log(project: Project, number: int) -> str:
    return (project.folder / f"watchdog-{number}.log").read_text()


def wait_for_workflow(name: str, *, timeout: float = 30) -> None:
    wait_until(lambda: Workflow.objects.filter(name=name, deleted=False).exists(), timeout=timeout)


def find_leading_session() -> int | None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT lock.pid FROM pg_locks AS lock JOIN pg_database AS base ON base.oid = lock.database "
            "WHERE lock.locktype = 'advisory' AND base.datname = current_database() AND lock.granted"
        )
        row = cursor.fetchone()
    return row[0] if row else None


def find_readers(project: Project) -> list[int]:
    """Give the ids of the processes that read this project's definitions now."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            command = (folder / "cmdline").read_bytes() if folder.name.isdecimal() else b""
        except OSError:
            continue
        if b"django_wfe.discovery.child" in command and project.flows.encode() in command:
            found.append(int(folder.name))
    return found


def write_endless_module(project: Project) -> Path:
    """Let the definitions take for ever; give the file that appears when they have begun."""
    begun = project.folder / "begun"
    project.write("flows", f"import pathlib, time\npathlib.Path({str(begun)!r}).touch()\ntime.sleep(600)")
    return begun


def test_kill_9_of_the_leader_hands_over_to_the_other(project, start_watchdog):
    leader = start_watchdog()
    wait_for_workflow("Flow")
    start_watchdog()
    wait_until(lambda: "Another watchdog leads" in read_log(project, 1), timeout=30)
    assert "This watchdog leads" not in read_log(project, 1)
    leader.send_signal(signal.SIGKILL)
    leader.wait()
    wait_until(lambda: "This watchdog leads" in read_log(project, 1), timeout=10)
    project.write("flows", TWO_STEPS + ANOTHER_WORKFLOW)
    wait_for_workflow("Another")


def test_a_leader_that_loses_its_connection_comes_back(project, start_watchdog):
    start_watchdog()
    wait_for_workflow("Flow")
    first = find_leading_session()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    wait_until(lambda: find_leading_session() not in (None, first), timeout=10)
    project.write("flows", TWO_STEPS + ANOTHER_WORKFLOW)
    wait_for_workflow("Another")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_the_middle_of_reading_ends_it_at_once_and_leaves_no_process(project, start_watchdog, number):
    begun = write_endless_module(project)
    watchdog = start_watchdog()
    wait_until(begun.exists, timeout=30)
    assert find_readers(project)
    watchdog.send_signal(number)
    assert watchdog.wait(timeout=10) == 0
    assert find_readers(project) == []
    assert "The watchdog has stopped." in read_log(project, 0)
    assert "Traceback" not in read_log(project, 0)


def test_kill_9_in_the_middle_of_reading_leaves_no_process(project, start_watchdog):
    begun = write_endless_module(project)
    watchdog = start_watchdog()
    wait_until(begun.exists, timeout=30)
    assert find_readers(project)
    watchdog.send_signal(signal.SIGKILL)
    watchdog.wait()
    wait_until(lambda: not find_readers(project), timeout=10)


@pytest.mark.parametrize(
    "source", ["import os; os._exit(1)", "import sys; sys.exit(1)", "import ctypes; ctypes.string_at(0)"]
)
def test_a_file_that_ends_processes_does_not_end_the_watchdog(project, start_watchdog, source):
    project.write("flows", source)
    watchdog = start_watchdog()
    wait_until(lambda: DefinitionModule.objects.exclude(error="").exists(), timeout=30)
    assert f"{project.flows} cannot be imported" in DefinitionModule.objects.get().error
    project.write("flows", TWO_STEPS)
    wait_for_workflow("Flow")
    assert watchdog.poll() is None
    assert read_log(project, 0).count("cannot be imported") <= 2
