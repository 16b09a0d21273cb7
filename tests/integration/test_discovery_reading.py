"""Reading definitions in a child process: whatever a module does there, it harms only itself."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from django_wfe.discovery.reading import ModuleReading, ReadingStopped, read_modules
from tests.definition_files import TWO_STEPS, UNREACHABLE, Project, open_project
from tests.support.running.waiting import wait_until

pytestmark = pytest.mark.integration


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with open_project(tmp_path) as opened:
        opened.write("good", TWO_STEPS)
        yield opened


def read_beside_a_good_one(project: Project, *, timeout: float = 30) -> ModuleReading:
    """Read the module under test before a good one, and give its reading when the good one is unharmed."""
    first, second = read_modules([project.flows, f"{project.package}.good"], timeout=timeout)
    assert [workflow.path for workflow in second.workflows] == [f"{project.package}.good.Flow"]
    assert second.error == ""
    return first


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_good_module_gives_its_workflows_and_the_files_they_stand_in(project):
    project.write("flows", TWO_STEPS)
    reading = read_beside_a_good_one(project)
    (flow,) = reading.workflows
    assert (flow.path, flow.name, flow.label) == (f"{project.flows}.Flow", "Flow", "Flow")
    assert flow.description == "Moves one thing."
    assert [node.name for node in flow.graph.nodes] == ["__start__", "Fetch", "Store"]
    assert reading.files == {str(project.path("__init__")), str(project.path("flows"))}


def test_a_workflow_with_problems_tells_them_and_has_no_graph(project):
    project.write("flows", UNREACHABLE)
    (flow,) = read_beside_a_good_one(project).workflows
    assert flow.graph is None
    assert [(problem.code, problem.node) for problem in flow.problems] == [("unreachable", f"{project.flows}.Lonely")]


def test_an_empty_module_is_no_error_and_names_nothing(project):
    project.write("flows", "")
    reading = read_beside_a_good_one(project)
    assert (reading.workflows, reading.error) == ((), "")


def test_a_missing_module_is_told_and_watched_for(project):
    reading = read_beside_a_good_one(project)
    assert f"No module named '{project.flows}'" in reading.error
    assert str(project.path("flows")) in reading.files


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("def (", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
        ("raise SystemExit(4)", "exit code 4"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise type('Odd', (BaseException,), {})('told')", "Odd: told"),
        ("from PACKAGE.deeper import *", "NameError"),
    ],
)
def test_a_broken_module_is_told_with_its_file_and_line(project, source, told):
    project.write("deeper", "undefined_name")
    project.write("flows", source)
    reading = read_beside_a_good_one(project)
    assert told in reading.error
    assert f"{project.path('deeper' if 'deeper' in source else 'flows')}, line 1" in reading.error
    assert "\n" not in reading.error
    assert str(project.path("flows")) in reading.files


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import os; os._exit(7)", "exit code 7"),
        ("import os; os._exit(0)", "exit code 0"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
    ],
)
def test_a_module_that_ends_its_process_is_the_one_that_is_named(project, source, told):
    project.write("flows", source)
    assert f"{project.flows} cannot be imported: it ended its process with {told}" in (
        read_beside_a_good_one(project).error
    )


@pytest.mark.parametrize(("deeper", "value"), [("import os; os._exit(7)", 1), ("VALUE = 0", "1 / deeper.VALUE")])
def test_whatever_was_run_before_an_error_is_watched_since_it_may_hold_the_cure(project, deeper, value):
    project.write("deeper", deeper)
    project.write("flows", f"from PACKAGE import deeper\n{value}")
    assert str(project.path("deeper")) in read_beside_a_good_one(project).files


def test_a_module_that_crashes_the_interpreter_is_told_with_file_and_line(project):
    file = project.write("flows", "import ctypes\n\nctypes.string_at(0)\n")
    error = read_beside_a_good_one(project).error
    assert f"it ended its process with SIGSEGV ({file}, line 3)." in error


def test_a_module_that_hangs_is_told_with_the_line_it_hangs_at(project):
    file = project.write("flows", "import time\n\ntime.sleep(600)\n")
    error = read_beside_a_good_one(project, timeout=2.5).error
    assert f"it took longer than 2.5 seconds ({file}, line 3)." in error
    assert "WFE_DISCOVERY_TIMEOUT" in error


def test_a_slow_module_within_its_time_is_no_error(project):
    project.write("flows", "import time\ntime.sleep(1)\n" + TWO_STEPS)
    assert read_beside_a_good_one(project, timeout=20).error == ""


def test_what_modules_print_disturbs_nothing_however_much_it_is(project):
    project.write(
        "flows",
        "import sys\nfor number in range(20_000):\n"
        "    print('{\"done\": true}' * 5)\n    print('x' * 50, file=sys.stderr)\n" + TWO_STEPS,
    )
    assert len(read_beside_a_good_one(project).workflows) == 1


def test_threads_children_and_exit_handlers_of_a_module_hold_nothing_up(project, tmp_path):
    project.write(
        "flows",
        f"""
        import atexit, pathlib, subprocess, sys, threading, time
        threading.Thread(target=time.sleep, args=(600,)).start()
        atexit.register(time.sleep, 600)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], close_fds=False)
        pathlib.Path({str(tmp_path / "pid")!r}).write_text(str(child.pid))
        """
        + TWO_STEPS.replace("\n", "\n        "),
    )
    began = time.monotonic()
    assert read_beside_a_good_one(project).error == ""
    assert time.monotonic() - began < 20
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: not is_alive(pid), message="a process that a module had started was left behind")


def test_reading_leaves_no_bytecode_that_a_later_edit_could_be_mistaken_for(project):
    project.write("flows", TWO_STEPS)
    read_beside_a_good_one(project)
    assert not list(project.folder.rglob("*.pyc"))


def test_two_edits_within_a_second_that_keep_the_size_are_both_read(project):
    for number in range(1, 4):
        file = project.write("flows", TWO_STEPS.replace("Moves one", f"Moves {number:03}"))
        os.utime(file, (1_700_000_000, 1_700_000_000))
        (flow,) = read_modules([project.flows])[0].workflows
        assert flow.description == f"Moves {number:03} thing."


def test_where_django_cannot_be_set_up_every_module_says_so(project, monkeypatch):
    project.write("settings", "INSTALLED_APPS = ['nowhere_at_all']\nSECRET_KEY = 'x'")
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", f"{project.package}.settings")
    readings = read_modules([project.flows, f"{project.package}.good"])
    assert len(readings) == 2
    for reading in readings:
        assert "Django cannot be set up: ModuleNotFoundError: No module named 'nowhere_at_all'" in reading.error


def test_a_reading_can_be_called_off(project):
    project.write(
        "flows", f"import pathlib, time\npathlib.Path({str(project.folder / 'begun')!r}).touch()\ntime.sleep(600)"
    )
    stop = threading.Event()
    raised = []

    def read() -> None:
        try:
            read_modules([project.flows], stop=stop)
        except ReadingStopped as error:
            raised.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    wait_until((project.folder / "begun").exists, timeout=20)
    stop.set()
    thread.join(timeout=10)
    assert len(raised) == 1
