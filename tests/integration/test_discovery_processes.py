"""Syncing through real processes: one that reads, one that ran before the change."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from django_wfe.discovery import DefinitionSync
from django_wfe.models import Workflow
from tests.definition_files import ANOTHER_WORKFLOW, TWO_STEPS, Project, open_project

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


@pytest.fixture
def project(tmp_path: Path, settings) -> Iterator[Project]:
    with open_project(tmp_path) as opened:
        settings.WFE_WORKFLOWS = [opened.flows]
        opened.write("flows", TWO_STEPS)
        yield opened


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import os; os._exit(3)", "exit code 3"),
        ("import time; time.sleep(600)", "WFE_DISCOVERY_TIMEOUT"),
    ],
)
def test_a_file_that_ends_or_holds_up_its_process_deletes_nothing_and_heals(project, settings, source, told):
    project.write("flows", f"import PACKAGE.helper\n{TWO_STEPS}")
    project.write("helper", "")
    definitions = DefinitionSync()
    definitions.run()
    settings.WFE_DISCOVERY_TIMEOUT = 2
    project.write("helper", source)
    assert told in definitions.run_if_changed().errors[project.flows]
    workflow = Workflow.objects.get()
    assert told in workflow.load_error
    assert not workflow.deleted
    settings.WFE_DISCOVERY_TIMEOUT = 60
    project.write("helper", "")
    assert definitions.run_if_changed().errors == {}
    assert Workflow.objects.get().load_error == ""


RUNNING_PROCESS = """
import json, sys
import django
django.setup()
from django_wfe import run_workflow
from django_wfe.discovery import collect_workflows
from django_wfe.models import Job

print(json.dumps([workflow.__name__ for workflow in collect_workflows()]), flush=True)
for line in sys.stdin:
    job = Job.objects.get(pk=run_workflow(line.strip()))
    print(json.dumps([job.state, job.error, job.storage["data"]]), flush=True)
"""


@pytest.mark.django_db(transaction=True)
def test_a_workflow_that_is_added_while_everything_runs_can_be_started_without_a_restart(project, child_environment):
    """One process has the old file loaded; another syncs the new one; the first runs the new workflow."""
    definitions = DefinitionSync()
    definitions.run()
    environment = {**child_environment, "WFE_TEST_WORKFLOWS": project.flows}
    environment["PYTHONPATH"] = os.pathsep.join([environment["PYTHONPATH"], str(project.folder)])
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(RUNNING_PROCESS)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert json.loads(process.stdout.readline()) == ["Flow"]
            project.write("flows", TWO_STEPS.replace("return 2", "return 22") + ANOTHER_WORKFLOW)
            definitions.run_if_changed()
            process.stdin.write(f"{project.flows}.Another\n")
            process.stdin.flush()
            state, error, data = json.loads(process.stdout.readline())
            assert (state, error) == ("FINISHED", "")
            assert data[1] == {"step": f"{project.flows}.Store", "result": 22}
        finally:
            process.stdin.close()
            process.wait(timeout=20)
