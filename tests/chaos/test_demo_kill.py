"""The demo under ``kill -9``: of itself, of ``make``, and of each of its parts."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.demo_helpers import ROOT
from tests.demo_runs import DemoRun, delete_demo_directory, make_demo_directory, wait_until_gone
from tests.waiting import wait_until

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


@pytest.mark.parametrize("part", ["web", "workers", "postgresql"])
def test_the_demo_says_which_part_died_and_ends_with_all_others(directory: Path, part: str) -> None:
    demo = DemoRun(directory, "--port", "0")
    try:
        demo.wait_until_up()
        log = directory / "logs" / f"{part}.log"
        wait_until(log.read_text, message=f"{part} says nothing")
        pids = demo.list_processes()
        # While a part becomes another program, as the workers do, it has no command line for a moment.
        os.kill(wait_until(lambda: find_part(demo, part), message=f"there is no process of {part}"), signal.SIGKILL)
        assert demo.wait_for_end() == 1
        assert f"The demo stops: {part} was ended by SIGKILL. The end of {log}:\n    " in demo.output
        wait_until_gone(pids)
    finally:
        demo.end()


def find_part(demo: DemoRun, part: str) -> int | None:
    """The process of a part: a child of the supervisor, known by its command. None where none has it."""
    commands = {
        "web": "django_wfe.demo.web",
        "workers": "dramatiq",
        "postgresql": "bin/postgres",
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
