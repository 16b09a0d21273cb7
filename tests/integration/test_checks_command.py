"""``manage.py check`` and ``manage.py wfe_check`` as a developer runs them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from django_wfe.discovery import steadiness, sync, sync_definitions
from django_wfe.management.commands import wfe_watchdog
from tests.definition_files import ANOTHER_WORKFLOW, TWO_STEPS, UNREACHABLE, Project, open_project

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


@pytest.fixture
def project(tmp_path: Path, settings) -> Iterator[Project]:
    with open_project(tmp_path) as opened:
        settings.WFE_WORKFLOWS = [opened.flows]
        yield opened


@pytest.fixture
def read_here(project, monkeypatch):
    """Read in this process, where a test is not about the child process that takes a second for it."""
    for module in (steadiness, sync):
        monkeypatch.setattr(module, "read_modules", project.read_here)


def run_check(*arguments: str) -> tuple[str, str]:
    """Run ``wfe_check``; give what it prints and the error that it ends with, "" for none."""
    output = StringIO()
    try:
        call_command("wfe_check", *arguments, stdout=output, no_color=True)
    except CommandError as error:
        return output.getvalue(), str(error)
    return output.getvalue(), ""


def test_sound_workflows_are_counted(project, read_here):
    project.write("flows", TWO_STEPS)
    assert run_check() == ("1 workflow, no problems.\n", "")
    project.write("flows", TWO_STEPS + ANOTHER_WORKFLOW)
    assert run_check() == ("2 workflows, no problems.\n", "")


def test_each_problem_is_printed_with_workflow_node_and_cure(project, read_here):
    project.write("flows", UNREACHABLE)
    output, error = run_check()
    assert output == (
        f"{project.flows}.Flow\n"
        f"  node:    {project.flows}.Lonely\n"
        "  problem: it cannot be reached from the start.\n"
        "  cure:    Add an edge to it, or remove it.\n"
    )
    assert error == "1 problem."


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("", "names no Workflow"),
        (None, "No module named"),
    ],
)
def test_a_file_that_gives_nothing_is_a_problem(project, read_here, source, told):
    if source is not None:
        project.write("flows", source)
    output, error = run_check()
    assert told in output
    assert project.flows in output
    assert error == "1 problem."


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import os; os._exit(0)", "ended its process with exit code 0"),
        ("import time; time.sleep(600)", "longer than 2 seconds"),
    ],
)
def test_a_file_that_would_end_or_hold_up_the_command_is_a_problem_like_others(project, settings, source, told):
    settings.WFE_DISCOVERY_TIMEOUT = 2
    project.write("flows", source)
    output, error = run_check()
    assert told in output
    assert error == "1 problem."


@pytest.mark.parametrize("value", [[], 5])
def test_workflows_that_are_not_set_or_of_the_wrong_kind_are_an_error(settings, value):
    settings.WFE_WORKFLOWS = value
    output, error = run_check()
    assert output == ""
    assert "WFE_WORKFLOWS" in error


def test_a_comparison_with_the_database_tells_what_is_not_synced(project, read_here):
    project.write("flows", TWO_STEPS)
    output, error = run_check("--compare")
    assert f"{project.flows}.Flow differs from the database" in output
    assert error == "1 problem."
    sync_definitions()
    assert run_check("--compare") == ("1 workflow, no problems.\n", "")
    project.write("flows", TWO_STEPS.replace("class Flow", "class Renamed"))
    output, error = run_check("--compare")
    assert f"{project.flows}.Flow is in the database, but no longer declared." in output
    assert error == "2 problems."


def test_check_answers_while_the_database_is_down(project):
    project.write("flows", TWO_STEPS)
    result = run_django(project, "check", DATABASE_PORT="1")
    assert result.returncode == 0
    assert "ERRORS" not in result.stderr
    assert "Traceback" not in result.stderr


def test_the_exit_code_tells_a_script_of_problems(project):
    project.write("flows", UNREACHABLE)
    for command in ("check", "wfe_check"):
        result = run_django(project, command)
        assert result.returncode == 1
        assert "Lonely" in result.stdout + result.stderr
    project.write("flows", TWO_STEPS)
    for command in ("check", "wfe_check"):
        assert run_django(project, command).returncode == 0


def test_the_watchdog_starts_although_the_checks_have_errors(project):
    """Else a broken file would also stop the recovery of the jobs of all other workflows."""
    project.write("flows", "1 / 0")
    assert wfe_watchdog.Command.requires_system_checks == []


def run_django(project: Project, *arguments: str, **database: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-m", "django", *arguments],
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "PYTHONPATH": os.pathsep.join([str(root), str(project.folder)]),
            "WFE_TEST_WORKFLOWS": project.flows,
            **{f"WFE_TEST_{name}": value for name, value in database.items()},
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
