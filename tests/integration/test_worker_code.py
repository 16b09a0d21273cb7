"""Real workers whose code changes under them: what they load, what they refuse, and what the console says of it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db.models.functions import Now
from django.urls import reverse

from django_wfe import order_workflow_execution
from django_wfe.discovery import DefinitionSync
from django_wfe.engine.delivery.dispatcher import Message, send
from django_wfe.engine.project_code.outdated_workers import list_outdated
from django_wfe.engine.queries.situation import explain_job
from django_wfe.management import health
from django_wfe.models import Definition, Job, JobState, StepRun, Worker, Workflow
from tests.definition_files import Project, open_project
from tests.support.doors.console import read_page, sign_in_superuser
from tests.support.running.waiting import wait_until
from tests.support.running.workers import running_workers

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

DECLARING = """
from django_wfe.steps import *
from django_wfe.workflows import *
from PACKAGE.helper import RATE

class Fetch(Step):
    def execute(self): return RATE

class Flow(Workflow):
    DIGRAPH = {__start__: [Fetch]}
"""

ANOTHER = """
class Another(Workflow):
    DIGRAPH = {__start__: [Fetch]}
"""

METRICS = """
NAMES = ["nothing yet"]

def count(name):
    if name in NAMES:
        raise ValueError(f"Duplicated timeseries: {name}")
    NAMES.append(name)
"""

REGISTERING = """
from django.dispatch import receiver
from django_wfe.signals import job_started
from django_wfe.steps import *
from django_wfe.workflows import *
from PACKAGE import metrics

SEEN = metrics.count("seen")

@receiver(job_started)
def note(**kwargs): pass

class Fetch(Step):
    def execute(self): return len(metrics.NAMES), sum(r[1]() is note for r in job_started.receivers)

class Store(Step):
    def execute(self, _input): return [*_input, "stored"]

class Flow(Workflow):
    DIGRAPH = {__start__: [Fetch]}
"""


@pytest.fixture
def project(tmp_path: Path, settings) -> Iterator[Project]:
    with open_project(tmp_path) as opened:
        settings.WFE_WORKFLOWS = [opened.flows]
        yield opened


@pytest.fixture
def start_worker(project, child_environment, redis_url, settings) -> Callable[[], Any]:
    environment = {**child_environment, "WFE_TEST_WORKFLOWS": project.flows}
    environment["PYTHONPATH"] = f"{environment['PYTHONPATH']}:{project.folder}"
    return lambda: running_workers(environment, redis_url, threads=2, WFE_WORKER_TIMEOUT=4)


def finish(name: str) -> list[Any]:
    """Start a Job of this workflow, wait for its end, and give the results of its steps."""
    job_id = order_workflow_execution(name)
    wait_until(lambda: Job.objects.get(pk=job_id).state in (JobState.FINISHED, JobState.FAILED), timeout=60)
    job = Job.objects.get(pk=job_id)
    assert job.state == JobState.FINISHED, job.error
    return [entry["result"] for entry in job.storage["data"]][1:]


def wait_until_told(path: str) -> None:
    """Wait until the worker's row says which code of a workflow it holds."""
    wait_until(lambda: Worker.objects.filter(stopped_at=None, code__has_key=path).exists(), timeout=60)


def list_sentences() -> list[str]:
    return [str(outdated) for outdated in list_outdated(Worker.objects.filter(stopped_at=None))]


def test_a_worker_takes_up_what_merely_declares_and_the_console_says_while_it_runs_older_code(project, start_worker):
    project.write("helper", "RATE = 1")
    project.write("flows", DECLARING)
    definitions = DefinitionSync()
    definitions.run()
    flow = f"{project.flows}.Flow"
    with start_worker():
        assert finish(flow) == [1]
        wait_until_told(flow)
        worker = Worker.objects.get()
        assert worker.code[flow] == Workflow.objects.get().current_definition.code_hash
        assert list_sentences() == []

        project.write("helper", "RATE = 2")  # the graph stays as it is, and so does the running code
        assert definitions.run_if_changed() is not None
        assert finish(flow) == [1]
        [sentence] = list_sentences()
        assert sentence == f"Worker {worker} runs older code than the definitions of Flow: restart it."
        finding = health.examine_workers()
        assert (finding.ok, finding.text) == (False, sentence)
        client = sign_in_superuser()
        assert sentence in read_page(client.get(reverse("admin:django_wfe_console"))).text
        assert "older" in read_page(client.get(reverse("admin:django_wfe_worker_changelist"))).text
        assert sentence in read_page(client.get(reverse("admin:django_wfe_worker_change", args=[worker.pk]))).text

        project.write("flows", DECLARING + ANOTHER)  # a new workflow: it is loaded, with the helper that it needs
        definitions.run_if_changed()
        assert finish(f"{project.flows}.Another") == [2]
        assert finish(flow) == [2]
        wait_until(lambda: list_sentences() == [], timeout=60)

        project.write("late", DECLARING.replace("RATE", "1 + RATE").replace("import 1 + RATE", "import RATE"))
        project.write("flows", DECLARING + ANOTHER + "from PACKAGE import late\nLate = late.Flow\n")
        definitions.run_if_changed()
        assert finish(f"{project.package}.late.Flow") == [3]


def test_a_module_with_a_receiver_and_a_counter_is_imported_once_and_its_new_jobs_wait_for_a_restart(
    project, start_worker
):
    project.write("metrics", METRICS)
    project.write("flows", REGISTERING)
    definitions = DefinitionSync()
    definitions.run()
    flow = f"{project.flows}.Flow"
    with start_worker():
        assert finish(flow) == [[2, 1]]
        older = order_workflow_execution(flow)
        wait_until(lambda: Job.objects.get(pk=older).state == JobState.FINISHED, timeout=60)
        project.write("flows", REGISTERING.replace("[Fetch]}", "[Fetch], Fetch: [Store]}"))
        definitions.run_if_changed()
        assert Definition.objects.count() == 2
        parked = order_workflow_execution(flow)
        wait_until(lambda: "Restart the workers" in Job.objects.get(pk=parked).error, timeout=60)
        job = Job.objects.get(pk=parked)
        assert job.state == JobState.WAITING
        assert f"the file of {project.flows} has changed" in job.error
        assert "line 8 calls metrics.count()" in job.error
        assert "Restart the workers" in explain_job(job).sentence
        wait_until_told(flow)
        assert [sentence.endswith("restart it.") for sentence in list_sentences()] == [True]
    with start_worker():
        StepRun.objects.filter(job_id=parked, state="READY").update(due_at=Now())
        send(Message("step", StepRun.objects.get(job_id=parked, state="READY").pk))
        wait_until(lambda: Job.objects.get(pk=parked).state == JobState.FINISHED, timeout=60)
        assert [entry["result"] for entry in Job.objects.get(pk=parked).storage["data"]][1:] == [
            [2, 1],
            [2, 1, "stored"],
        ]
        wait_until_told(flow)
        assert list_sentences() == []
