"""The demo under ``kill -9``: of itself, of ``make``, and of each of its parts."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from django_wfe.demo.servers.processes import list_descendants
from tests.support.demo.demo_helpers import ROOT
from tests.support.demo.demo_runs import DemoRun, delete_demo_directory, make_demo_directory, wait_until_gone
from tests.support.demo.visits import Visit
from tests.support.running.waiting import wait_until

pytestmark = pytest.mark.chaos


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """A folder that all demos of this module use, one after the other."""
    directory = make_demo_directory()
    yield directory
    delete_demo_directory(directory)


def test_kill_9_leaves_no_process_and_the_next_start_works(directory: Path) -> None:
    demo = DemoRun(directory, "--port", "0")
    try:
        demo.wait_until_up()
        pids = demo.list_processes()
        demo.process.kill()
        # Started at once, while the killed one still comes to its end.
        again = DemoRun(directory, "--port", "0")
        try:
            again.wait_until_up()
            wait_until_gone(pids)
        finally:
            again.end()
    finally:
        demo.end()


def test_kill_9_of_make_leaves_no_process(directory: Path, tmp_path: Path) -> None:
    environment = make_environment_for_make(tmp_path)
    options = [f"VENV={environment}", "PORT=0", f"ARGS=--directory {directory}"]
    demo = DemoRun(directory, command=["make", "--no-print-directory", "demo", *options])
    try:
        demo.wait_until_up()
        pids = demo.list_processes()
        assert len(pids) > 8
        demo.process.kill()
        wait_until_gone(pids)
    finally:
        demo.end()


@pytest.mark.parametrize("part", ["web", "workers", "watchdog"])
def test_a_part_that_is_killed_is_started_again_and_said_and_the_demo_works_on(directory: Path, part: str) -> None:
    demo = DemoRun(directory, "--port", "0")
    try:
        address = demo.wait_until_up()
        killed = wait_for_part(demo, part)
        left = list_descendants(killed)
        os.kill(killed, signal.SIGKILL)
        wait_until(
            lambda: f"The part '{part}' was ended by SIGKILL. It is started again, as process " in demo.output,
            timeout=30,
            message=lambda: f"it is not said:\n{demo.output}",
        )
        wait_until_gone([killed, *left])
        assert wait_for_part(demo, part) != killed
        finish_a_job(address)
        assert demo.process.poll() is None
    finally:
        demo.end()


def test_a_worker_process_that_is_killed_is_replaced_and_its_step_is_run_again(directory: Path) -> None:
    demo = DemoRun(directory, "--port", "0")
    try:
        address = demo.wait_until_up()
        finish_a_job(address)
        visit = Visit(address)
        visit.sign_in()
        job = visit.start_job("Monthly report", {"minutes": "0.25"})

        def collects_figures() -> bool:
            rows = visit.wait_for_state(job, "ONGOING", by=visit.admin).rows
            return any(
                row.facts.get("state") == "RUNNING" and row.facts["step"].endswith("CollectFigures") for row in rows
            )

        wait_until(collects_figures, message="the figures are not being collected")
        workers = wait_until(
            lambda: list_children(wait_for_part(demo, "workers")), message="the workers have no processes"
        )
        # Whichever of them runs the step: both are killed.
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        wait_until_gone(workers)
        report = visit.report(job)
        assert [(step.step, step.state) for step in report.steps] == [
            ("CollectFigures", "LOST"),
            ("CollectFigures", "FINISHED"),
            ("MailReport", "FINISHED"),
        ]
        assert "The part 'workers' ended with exit code" in demo.output
    finally:
        demo.end()


@pytest.mark.parametrize("part", ["postgresql", "broker"])
def test_the_demo_says_which_server_died_and_ends_with_all_others(directory: Path, part: str) -> None:
    demo = DemoRun(directory, "--port", "0")
    try:
        demo.wait_until_up()
        log = directory / "logs" / f"{part}.log"
        pids = demo.list_processes()
        os.kill(wait_for_part(demo, part), signal.SIGKILL)
        assert demo.wait_for_end() == 1
        assert f"The demo stops: {part} was ended by SIGKILL. The end of {log}:\n    " in demo.output
        wait_until_gone(pids)
    finally:
        demo.end()


def finish_a_job(address: str) -> None:
    """Have the web server, the watchdog's definitions and the workers do what they are for."""
    visit = Visit(address)
    wait_until(lambda: can_sign_in(visit), timeout=30, message="the web server does not come back")
    job = visit.start_job("File intake")
    visit.answer(visit.open_question(job, "AskForFile"), {"sample": "iso3166.tab"})
    visit.report(job)


def can_sign_in(visit: Visit) -> bool:
    """Tell whether the web server answers; a connection that the killed one had is broken."""
    try:
        visit.sign_in()
    except OSError:
        return False
    return True


def wait_for_part(demo: DemoRun, part: str) -> int:
    """The process of a part. While it becomes another program, as the workers do, it has no command line."""
    return wait_until(lambda: find_part(demo, part), timeout=30, message=f"there is no process of {part}") or 0


def find_part(demo: DemoRun, part: str) -> int | None:
    """The process of a part: a child of the supervisor, known by its command. None where none has it."""
    commands = {
        "web": "django_wfe.demo.web",
        "workers": "dramatiq",
        "watchdog": "wfe_watchdog",
        "postgresql": "bin/postgres",
        "broker": "valkey-server",
    }
    [supervisor] = list_children(demo.process.pid)
    for pid in list_children(supervisor):
        if commands[part] in Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode():
            return pid
    return None


def list_children(pid: int) -> list[int]:
    """The children of a process."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def make_environment_for_make(tmp_path: Path) -> Path:
    """A folder that ``make`` takes for an environment in which everything is installed: this very Python."""
    environment = tmp_path / "environment"
    (environment / "bin").mkdir(parents=True)
    python = environment / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (environment / ".created").touch()
    (environment / ".installed-demo").touch()
    assert (ROOT / "Makefile").exists()
    return environment
