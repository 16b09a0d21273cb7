"""Watchdogs as processes: killed, cut off from the database, stopped in the middle of reading."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connection

from django_wfe.models import DefinitionModule, Lease, Workflow
from django_wfe.watchdog.leadership import SHORTEST_LEASE_SECONDS as LEASE_SECONDS
from tests.definition_files import ANOTHER_WORKFLOW, TWO_STEPS, Project, open_project
from tests.support.running.waiting import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.django_db(transaction=True)]

SETTINGS = """
from tests.settings import *

WFE_WORKFLOWS = "PACKAGE.flows"
WFE_WATCHDOG_INTERVAL = WFE_RECOVERY_INTERVAL = 0.3
"""

StartWatchdog = Callable[[], subprocess.Popen[str]]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with open_project(tmp_path) as opened:
        opened.write("settings", SETTINGS)
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


def wait_for_workflow(name: str, *, timeout: float = 90) -> None:
    wait_until(lambda: Workflow.objects.filter(name=name, deleted=False).exists(), timeout=timeout)


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


def start_two(project: Project, start_watchdog: StartWatchdog) -> subprocess.Popen[str]:
    """Start a watchdog that leads and has synced, and then one that stands by; return the leader."""
    leader = start_watchdog()
    wait_for_workflow("Flow")
    start_watchdog()
    wait_until(lambda: "Another watchdog leads" in read_log(project, 1), timeout=30)
    assert "This watchdog leads" not in read_log(project, 1)
    return leader


def test_kill_9_of_the_leader_hands_over_to_the_other(project, start_watchdog):
    leader = start_two(project, start_watchdog)
    leader.send_signal(signal.SIGKILL)
    leader.wait()
    wait_until(lambda: "This watchdog leads" in read_log(project, 1), timeout=LEASE_SECONDS * 6)
    project.write("flows", TWO_STEPS + ANOTHER_WORKFLOW)
    wait_for_workflow("Another")


def test_sigterm_of_the_leader_hands_over_long_before_its_lease_is_over(project, start_watchdog):
    # A lease of half an hour; the one that stands by looks with each look at the definitions.
    project.write("settings", SETTINGS + "WFE_RECOVERY_INTERVAL = 600\n")
    leader = start_two(project, start_watchdog)
    leader.send_signal(signal.SIGTERM)
    assert leader.wait(timeout=20) == 0
    wait_until(lambda: "This watchdog leads" in read_log(project, 1), timeout=60)


def test_a_leader_that_was_stopped_while_it_read_notices_that_another_leads_before_it_writes(project, start_watchdog):
    begun, read_on = project.folder / "begun", project.folder / "read_on"
    leader = start_two(project, start_watchdog)
    project.write(
        "flows",
        "import pathlib, time\n"
        f"pathlib.Path({str(begun)!r}).touch()\n"
        f"while not pathlib.Path({str(read_on)!r}).exists():\n    time.sleep(0.02)\n" + TWO_STEPS,
    )
    wait_until(begun.exists, timeout=30)
    leader.send_signal(signal.SIGSTOP)
    project.write("flows", TWO_STEPS + ANOTHER_WORKFLOW)
    wait_for_workflow("Another", timeout=LEASE_SECONDS * 3 + 90)
    read_on.touch()
    wait_until(lambda: not find_readers(project), timeout=30)
    leader.send_signal(signal.SIGCONT)
    wait_until(lambda: "another watchdog leads by now" in read_log(project, 0), timeout=30)
    assert Workflow.objects.filter(name="Another", deleted=False).exists(), "what the first has read is older"
    assert leader.poll() is None
    term = Lease.objects.get().term
    wait_until(lambda: Lease.objects.get().renewed_at > Lease.objects.get().taken_at)
    assert Lease.objects.get().term == term
    assert read_log(project, 0).count("This watchdog leads") == 1


def test_no_two_watchdogs_lead_in_one_term_while_their_leader_is_stopped_and_goes_on(project, start_watchdog):
    """Each is stopped in turn for as long as another needs to take over, and all go on afterwards."""
    project.write("settings", SETTINGS + "WFE_WATCHDOG_INTERVAL = 0\n")  # this is not about definitions
    processes = [start_watchdog() for _ in range(3)]
    wait_until(lambda: all("watchdog leads" in read_log(project, number) for number in range(3)), timeout=90)
    terms: dict[int, str] = {}
    for _ in range(3):
        lease = wait_until(
            lambda: Lease.objects.filter(holder__isnull=False).exclude(term__in=terms).first(), timeout=60
        )
        terms[lease.term] = lease.holder_name
        leader = next(process for process in processes if lease.holder_name.endswith(f":{process.pid}"))
        leader.send_signal(signal.SIGSTOP)
        wait_until(lambda: not Lease.objects.filter(term__in=terms).exists(), timeout=LEASE_SECONDS * 6)
        leader.send_signal(signal.SIGCONT)
    told = [
        match[1] for number in range(3) for match in re.finditer(r"leads \(term (\d+)\)", read_log(project, number))
    ]
    assert len(told) == len(set(told))
    assert set(map(str, terms)) <= set(told)


def test_a_leader_that_loses_its_connections_goes_on_in_its_term(project, start_watchdog):
    start_watchdog()
    wait_for_workflow("Flow")
    before = Lease.objects.get()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    wait_until(lambda: Lease.objects.get().renewed_at > before.renewed_at, timeout=10)
    project.write("flows", TWO_STEPS + ANOTHER_WORKFLOW)
    wait_for_workflow("Another")
    assert Lease.objects.get().term == before.term


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
