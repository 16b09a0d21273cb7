"""One rule says whether a new job may start, whatever the door; and a workflow that is declared needs no watchdog."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from django_wfe import order_workflow_execution, run_workflow
from django_wfe.engine.lifecycle import StartRow, plan_starts, start_many
from django_wfe.exceptions import InvalidWorkflow, UnknownWorkflow, WFEException, WorkflowDeleted
from django_wfe.models import DefinitionModule, Job, Workflow
from tests.definition_files import TWO_STEPS, open_project
from tests.support.doors import api_calls, console
from tests.support.running.engine_helpers import recording_dispatcher
from tests.workflows import Linear

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

BROKEN = "tests.workflows.Linear, node Double: it is broken."


@pytest.fixture(autouse=True)
def quiet():
    with recording_dispatcher():
        yield


@pytest.fixture
def workflow() -> Workflow:
    return console.record(Linear)


def start_by_admin(workflow: Workflow) -> str:
    address = reverse("admin:django_wfe_workflow_start", args=[workflow.pk])
    return console.read_page(console.sign_in_superuser().post(address, {"key": ""}, follow=True)).text


def start_by_rest(workflow: Workflow) -> str:
    response = api_calls.sign_in_superuser().post("/wfe/jobs/", {"workflow_id": workflow.pk}, format="json")
    return str(response.json().get("detail", ""))


def start_by_command(workflow: Workflow) -> str:
    try:
        call_command("wfe_job", "start", workflow.path, stdout=StringIO())
    except CommandError as error:
        return str(error)
    return ""


def start_by(argument: Callable[[Workflow], Any]) -> Callable[[Workflow], str]:
    def start(workflow: Workflow) -> str:
        try:
            order_workflow_execution(argument(workflow))
        except WFEException as error:
            return str(error)
        return ""

    return start


def start_by_many(workflow: Workflow) -> str:
    try:
        start_many(workflow.pk, [StartRow(1, None, {})], actor=None)
    except WFEException as error:
        return str(error)
    return ""


def plan_many(workflow: Workflow) -> str:
    try:
        plan_starts(workflow.pk, [StartRow(1, None, {})])
    except WFEException as error:
        return str(error)
    return ""


DOORS = {
    "admin": start_by_admin,
    "REST": start_by_rest,
    "command": start_by_command,
    "path": start_by(lambda workflow: workflow.path),
    "id": start_by(lambda workflow: workflow.pk),
    "row": start_by(lambda workflow: Workflow.objects.get(pk=workflow.pk)),
    "many": start_by_many,
    "plan": plan_many,
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"load_error": BROKEN},
            f"its latest declaration has problems. Fix them, and let the watchdog read it: {BROKEN}",
        ),
        ({"deleted": True}, "no longer declared in WFE_WORKFLOWS"),
        ({"current_definition": None}, "Start the watchdog: “python manage.py wfe_watchdog”."),
    ],
)
def test_every_door_refuses_what_may_not_start_with_the_same_reason(
    workflow: Workflow, door: str, changes: dict[str, Any], reason: str
) -> None:
    Workflow.objects.filter(pk=workflow.pk).update(**changes)
    said = DOORS[door](workflow)
    assert reason in said
    assert workflow.path in said
    assert not Job.objects.exists()


@pytest.mark.parametrize("door", [door for door in DOORS if door != "plan"])
def test_every_door_starts_what_may_start(workflow: Workflow, door: str) -> None:
    DOORS[door](workflow)
    assert Job.objects.count() == 1


def test_a_class_whose_graph_is_sound_is_its_own_proof(workflow: Workflow) -> None:
    Workflow.objects.update(load_error=BROKEN)
    run_workflow(Linear)
    assert Job.objects.get().state == "FINISHED"


def test_the_refusals_are_of_the_kinds_that_callers_know(workflow: Workflow) -> None:
    Workflow.objects.update(load_error=BROKEN)
    with pytest.raises(InvalidWorkflow):
        order_workflow_execution(workflow.path)
    Workflow.objects.update(deleted=True)
    with pytest.raises(WorkflowDeleted):
        order_workflow_execution(workflow.path)


def test_a_declared_path_is_recorded_on_demand() -> None:
    order_workflow_execution("tests.workflows.Linear")
    assert Workflow.objects.get().path == "tests.workflows.Linear"
    assert Job.objects.get().workflow.current_definition is not None


@pytest.mark.parametrize("name", ["tests.workflows.Linear", "Linear"])
def test_the_command_records_a_declared_path_or_name_on_demand(name: str) -> None:
    call_command("wfe_job", "start", name, stdout=StringIO())
    assert Job.objects.get().workflow.path == "tests.workflows.Linear"


def test_a_class_that_no_module_of_the_setting_names_is_not_recorded_by_its_path(settings, tmp_path) -> None:
    settings.WFE_WORKFLOWS = "tests.declared.inbox_workflows"
    with pytest.raises(UnknownWorkflow):
        order_workflow_execution("tests.workflows.Linear")
    assert not Workflow.objects.exists()


@pytest.mark.parametrize(
    "asked", ["tests.workflows.linear", "tests.workflow.Linear", "Linear", "tests.workflows.Linaer"]
)
def test_a_near_path_is_named(asked: str) -> None:
    with pytest.raises(UnknownWorkflow, match=r"Did you mean 'tests\.workflows\.Linear'\?"):
        order_workflow_execution(asked)


def test_a_module_that_cannot_be_imported_is_the_reason(settings, tmp_path) -> None:
    with open_project(tmp_path) as project:
        project.write("flows", "1 / 0")
        settings.WFE_WORKFLOWS = project.flows
        with pytest.raises(UnknownWorkflow, match="cannot be imported: ZeroDivisionError"):
            order_workflow_execution(f"{project.flows}.Flow")
        project.write("flows", TWO_STEPS)
        order_workflow_execution(f"{project.flows}.Flow")


def test_before_any_sync_an_unknown_id_says_to_start_the_watchdog(settings) -> None:
    with pytest.raises(UnknownWorkflow, match=r"Start the watchdog: “python manage\.py wfe_watchdog”"):
        order_workflow_execution(1)
    settings.WFE_WATCHDOG_INTERVAL = 0
    with pytest.raises(UnknownWorkflow, match="WFE_WATCHDOG_INTERVAL turns that off"):
        order_workflow_execution(1)
    DefinitionModule.objects.create(path="tests.workflows")
    with pytest.raises(UnknownWorkflow, match="Use the id or dotted path of one that is listed"):
        order_workflow_execution(1)
