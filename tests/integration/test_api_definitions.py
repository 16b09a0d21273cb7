"""GET workflows/ and steps/ through HTTP."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from django_wfe.definition.graph import START
from django_wfe.models import Step, Workflow
from django_wfe.workflows import compile_graph
from tests.declared.api_workflows import Ask, AskingFlow, ChoosingFlow, PlainFlow
from tests.support.doors.api_calls import record, sign_in

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


def test_workflows_come_with_name_path_description_and_graph() -> None:
    workflow = record(AskingFlow)
    client = sign_in("view_workflow")
    expected = {
        "id": workflow.pk,
        "name": "AskingFlow",
        "path": "tests.declared.api_workflows.AskingFlow",
        "description": "Waits for a clerk.",
        "input_schema": None,
        "graph": compile_graph(AskingFlow).to_json(),
    }
    assert client.get("/wfe/workflows/").json() == [expected]
    assert client.get(f"/wfe/workflows/{workflow.pk}/").json() == expected
    assert client.get("/wfe/workflows/").json()[0]["graph"]["nodes"][0]["path"] == START


def test_a_deleted_workflow_is_neither_listed_nor_found() -> None:
    kept, deleted = record(PlainFlow), record(AskingFlow)
    Workflow.objects.filter(pk=deleted.pk).update(deleted=True)
    client = sign_in("view_workflow")
    assert [workflow["id"] for workflow in client.get("/wfe/workflows/").json()] == [kept.pk]
    response = client.get(f"/wfe/workflows/{deleted.pk}/")
    assert response.status_code == 404
    assert response["Content-Type"] == "application/json"


def test_a_workflow_of_which_no_declaration_was_good_has_no_graph() -> None:
    workflow = Workflow.objects.create(path="shop.flows.Broken", name="Broken", load_error="it has no __start__")
    assert sign_in("view_workflow").get(f"/wfe/workflows/{workflow.pk}/").json()["graph"] is None


def test_steps_come_with_kind_and_input_schema() -> None:
    record(AskingFlow)
    record(ChoosingFlow)
    client = sign_in("view_step")
    steps = {step["name"]: step for step in client.get("/wfe/steps/").json()}
    assert steps["Ask"] == {
        "id": Step.objects.get(name="Ask").pk,
        "name": "Ask",
        "path": "tests.declared.api_workflows.Ask",
        "kind": "step",
        "description": "Asks a clerk.",
        "input_schema": Ask.UserInputSchema.model_json_schema(),
    }
    assert steps["Choose"]["kind"] == "decision"
    assert steps["Choose"]["input_schema"] is None
    assert client.get(f"/wfe/steps/{steps['Ask']['id']}/").json() == steps["Ask"]


def test_a_step_that_is_no_longer_declared_is_neither_listed_nor_found() -> None:
    record(PlainFlow)
    Step.objects.filter(name="Fetch").update(deleted=True)
    client = sign_in("view_step")
    assert "Fetch" not in [step["name"] for step in client.get("/wfe/steps/").json()]
    assert client.get(f"/wfe/steps/{Step.objects.get(name='Fetch').pk}/").status_code == 404


def test_the_list_of_workflows_takes_the_same_queries_however_many_there_are() -> None:
    counts = []
    for workflows in ([PlainFlow], [AskingFlow, ChoosingFlow]):
        for workflow in workflows:
            record(workflow)
        client = sign_in("view_workflow")
        with CaptureQueriesContext(
            connection,
        ) as captured:
            client.get("/wfe/workflows/")
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_the_names_of_the_addresses_can_be_reversed() -> None:
    assert reverse("django_wfe:job_logs", args=[7]) == "/wfe/jobs/7/logs"
    assert reverse("django_wfe:workflow_detail", kwargs={"workflow_id": 7}) == "/wfe/workflows/7"
    assert reverse("django_wfe:job_list") == "/wfe/jobs"
