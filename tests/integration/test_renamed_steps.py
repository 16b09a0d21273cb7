"""A step is renamed while jobs wait at it: every door says so in one wording, and an alias is the cure."""

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.urls import reverse
from rest_framework.test import APIClient

from django_wfe import order_workflow_execution, provide_external_input
from django_wfe.discovery import steadiness, sync, sync_definitions
from django_wfe.engine.lifecycle import cancel_job, pause_job, retry_job
from django_wfe.engine.queries.situation import explain_job
from django_wfe.exceptions import CodeNotLoaded, WrongState
from django_wfe.management.health import examine_needed_code
from django_wfe.models import Job, JobState, Step
from tests.definition_files import Project, open_project
from tests.support.doors.console import read_page, sign_in_superuser
from tests.support.running.engine_helpers import get_job, recording_dispatcher, run_ready

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

FLOWS = """
from pydantic import BaseModel
from django_wfe import steps, workflows

class Fetch(steps.Step):
    def execute(self): return 20

class NAME(steps.Step):
    SCHEMA

    def execute(self, _input, external_input=None):
        return _input + (external_input or {"amount": 0})["amount"]

class Store(steps.Step):
    def execute(self, _input):
        if _input > 100:
            raise ValueError(f"{_input} is too much")
        return {"stored": _input, "by": type(self).__name__}

class Flow(workflows.Workflow):
    DIGRAPH = {steps.__start__: [Fetch], Fetch: [NAME], NAME: [Store]}
"""
SCHEMA = """class UserInputSchema(BaseModel):
        amount: int"""


def write(name: str, schema: str = SCHEMA) -> str:
    return FLOWS.replace("NAME", name).replace("SCHEMA", schema)


@pytest.fixture
def project(tmp_path: Path, settings, monkeypatch) -> Iterator[Project]:
    with open_project(tmp_path) as opened, recording_dispatcher():
        settings.WFE_WORKFLOWS = [opened.flows]
        for module in (steadiness, sync):
            monkeypatch.setattr(module, "read_modules", opened.read_here)
        yield opened


def deploy(project: Project, source: str) -> None:
    """Deploy the code, restart this process, and have the watchdog look at it."""
    project.write("flows", source)
    project.unload()
    sync_definitions()


def wait_at(project: Project, name: str = "Ask") -> Job:
    """Deploy a workflow and have a Job of it wait for input at the step of this name."""
    deploy(project, write(name))
    job = run_ready(order_workflow_execution(f"{project.flows}.Flow"))
    assert (job.state, job.current_step) == (JobState.INPUT_REQUIRED, f"{project.flows}.{name}")
    return job


def compare() -> tuple[str, str]:
    output = StringIO()
    try:
        call_command("wfe_check", "--compare", stdout=output, no_color=True)
    except CommandError as error:
        return output.getvalue(), f"exit code {error.returncode}: {error}"
    return output.getvalue(), ""


def consult(job: Job) -> str:
    output = StringIO()
    with pytest.raises(CommandError, match="is stuck"):
        call_command("wfe_doctor", str(job.pk), stdout=output, no_color=True)
    return output.getvalue()


def sign_in_to_api() -> APIClient:
    api = APIClient()
    api.force_authenticate(User.objects.create_superuser("robot"))
    return api


def read_everywhere(job: Job) -> dict[str, str]:
    """What people and programs are told of a Job, by the place that tells it."""
    console, api = sign_in_superuser(), sign_in_to_api()
    return {
        "form": read_page(console.get(reverse("admin:django_wfe_job_input", args=[job.pk]))).text,
        "job page": read_page(console.get(reverse("admin:django_wfe_job_change", args=[job.pk]))).text,
        "inbox": read_page(console.get(reverse("admin:django_wfe_inbox"))).text,
        "doctor": consult(job),
        "question": api.get(f"/wfe/jobs/{job.pk}/input/").json()["problem"],
        "answer": api.post(f"/wfe/jobs/{job.pk}/input/", {"amount": 1}, format="json").json()["detail"],
    }


def test_every_door_says_the_same_of_a_step_that_was_renamed(project) -> None:
    job = wait_at(project)
    deploy(project, write("AskAmount"))
    told = read_everywhere(job)
    sentence = (
        f"“Ask” cannot be answered: {project.flows}.Ask no longer exists in the code. "
        f"{project.flows}.Ask cannot be loaded: {project.flows} has no Ask."
    )
    assert {place for place, text in told.items() if sentence in text} == set(told)
    way_out = "keep its old name for the new class (OldName = NewName in its module)"
    assert {place for place in ("form", "job page", "doctor") if way_out in told[place]} == {
        "form",
        "job page",
        "doctor",
    }
    assert explain_job(get_job(job.pk)).code == "node_gone"
    with pytest.raises(CodeNotLoaded, match=r"Ask no longer exists in the code"):
        provide_external_input(job.pk, {"amount": 1})
    assert get_job(job.pk).state == JobState.INPUT_REQUIRED
    home = read_page(sign_in_superuser().get(reverse("admin:django_wfe_console"))).text
    assert "cannot be answered" in home


def test_every_door_says_the_same_of_a_step_that_lost_its_schema(project) -> None:
    job = wait_at(project)
    deploy(project, write("Ask", "pass"))
    told = read_everywhere(job)
    sentence = f"“Ask” cannot be answered: {project.flows}.Ask no longer asks for input."
    assert {place for place, text in told.items() if sentence in text} == set(told)
    assert explain_job(get_job(job.pk)).code == "input_gone"
    with pytest.raises(WrongState, match="no longer asks for input"):
        provide_external_input(job.pk, {"amount": 1})


def test_the_inbox_says_it_in_as_many_queries_for_many_jobs_as_for_one(project, django_assert_max_num_queries) -> None:
    wait_at(project)
    for _ in range(4):
        run_ready(order_workflow_execution(f"{project.flows}.Flow"))
    deploy(project, write("AskAmount"))
    console, address = sign_in_superuser(), reverse("admin:django_wfe_inbox")
    console.get(address)
    with django_assert_max_num_queries(15):
        page = console.get(address)
    assert read_page(page).text.count("no longer exists in the code") == 5


def test_an_alias_lets_a_waiting_job_go_on_to_its_end(project) -> None:
    job = wait_at(project)
    deploy(project, write("AskAmount"))
    deploy(project, write("AskAmount") + "\nAsk = AskAmount\n")
    assert Step.objects.get(path=f"{project.flows}.Ask").deleted, "only jobs that were started before know the old name"
    assert explain_job(get_job(job.pk)).code == "waiting_for_input"
    form = sign_in_superuser().get(reverse("admin:django_wfe_job_input", args=[job.pk]))
    assert "amount" in form.content.decode()
    assert "cannot be answered" not in form.content.decode()
    api = sign_in_to_api()
    assert api.get(f"/wfe/jobs/{job.pk}/input/").json()["problem"] == ""
    assert api.post(f"/wfe/jobs/{job.pk}/input/", {"amount": "x"}, format="json").status_code == 422
    assert api.post(f"/wfe/jobs/{job.pk}/input/", {"amount": 22}, format="json").status_code == 200
    done = run_ready(job.pk)
    assert done.state == JobState.FINISHED
    assert [entry["step"].rpartition(".")[2] for entry in done.storage["data"]] == [
        "__start__",
        "Fetch",
        "Ask",
        "Store",
    ]
    assert done.storage["data"][-1]["result"] == {"stored": 42, "by": "Store"}
    new = run_ready(order_workflow_execution(f"{project.flows}.Flow"))
    assert new.current_step == f"{project.flows}.AskAmount"


def test_an_alias_serves_a_job_that_is_on_its_way_paused_or_failed(project) -> None:
    waiting = wait_at(project)
    provide_external_input(waiting.pk, {"amount": 500})
    assert run_ready(waiting.pk).state == JobState.FAILED
    paused = run_ready(order_workflow_execution(f"{project.flows}.Flow"))
    pause_job(paused.pk)
    on_its_way = order_workflow_execution(f"{project.flows}.Flow")
    renamed = write("AskAmount").replace("Store", "Keep")
    deploy(project, renamed)
    output, error = compare()
    assert error == "exit code 1: 2 problems."
    assert f"node:    {project.flows}.Ask\n" in output
    assert "2 open jobs need it (there now: 1, may reach it: 1)" in output
    assert f"node:    {project.flows}.Store\n" in output
    assert "3 open jobs need it (there now: 1, may reach it: 2)" in output
    deploy(project, renamed + "\nAsk = AskAmount\nStore = Keep\n")
    assert compare() == ("1 workflow, no problems.\n", "")
    retry_job(waiting.pk, value=7)
    assert run_ready(waiting.pk).storage["data"][-1]["result"] == {"stored": 7, "by": "Keep"}
    assert run_ready(on_its_way).current_step == f"{project.flows}.Ask"


def test_an_alias_may_stand_in_the_old_module_for_a_class_that_moved(project) -> None:
    job = wait_at(project)
    moved = write("Ask")
    project.write("asking", moved.replace("class Flow", "class _Flow"))
    deploy(project, "from PACKAGE.asking import Ask, Fetch, Store\nfrom PACKAGE.asking import _Flow as Flow\n")
    assert compare()[0].count("node:") == 0
    provide_external_input(job.pk, {"amount": 1})
    assert run_ready(job.pk).state == JobState.FINISHED


def test_compare_counts_the_open_jobs_by_workflow_and_node_and_fails(project) -> None:
    wait_at(project)
    for _ in range(2):
        run_ready(order_workflow_execution(f"{project.flows}.Flow"))
    order_workflow_execution(f"{project.flows}.Flow")  # has not come to it yet
    canceled = run_ready(order_workflow_execution(f"{project.flows}.Flow"))
    cancel_job(canceled.pk)
    assert compare() == ("1 workflow, no problems.\n", "")
    assert examine_needed_code().ok
    deploy(project, write("AskAmount"))
    output, error = compare()
    assert error == "exit code 1: 1 problem."
    assert output == (
        f"{project.flows}.Flow\n"
        f"  node:    {project.flows}.Ask\n"
        "  problem: 4 open jobs need it (there now: 3, may reach it: 1): "
        f"{project.flows}.Ask cannot be loaded: {project.flows} has no Ask.\n"
        "  cure:    If it was renamed, write “Ask = NewName” in its module. "
        "If it is gone, keep it until they are done.\n"
    )
    finding = examine_needed_code()
    assert not finding.ok
    assert "4 open jobs need it" in finding.text
    assert "Ask = NewName" in finding.cure


def test_compare_counts_the_open_jobs_whose_input_schema_is_gone(project) -> None:
    job = wait_at(project)
    order_workflow_execution(f"{project.flows}.Flow")
    deploy(project, write("Ask", "pass"))
    output, error = compare()
    assert error == "exit code 1: 1 problem."
    assert (
        "problem: 2 open jobs need it (there now: 1, may reach it: 1): "
        "it no longer asks for the input that they wait for, or will.\n"
    ) in output
    cancel_job(job.pk)
    assert "1 open job needs it (there now: 0, may reach it: 1)" in compare()[0]


def test_compare_before_the_deployment_sees_it_too(project) -> None:
    """As it is meant: the new code against the database that the old code has left."""
    wait_at(project)
    project.write("flows", write("AskAmount"))
    project.unload()
    output, error = compare()
    assert error == "exit code 1: 2 problems."
    assert "differs from the database" in output
    assert "1 open job needs it (there now: 1, may reach it: 0)" in output


def test_a_class_that_is_only_out_of_the_graph_is_no_problem(project) -> None:
    job = wait_at(project)
    deploy(project, write("Ask").replace("Fetch: [Ask], Ask: [Store]", "Fetch: [Store]"))
    assert compare() == ("1 workflow, no problems.\n", "")
    provide_external_input(job.pk, {"amount": 1})
    assert run_ready(job.pk).state == JobState.FINISHED
