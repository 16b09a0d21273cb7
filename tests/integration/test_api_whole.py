"""A job from its start to its end, and DRF's own pages, through HTTP."""

import json

import pytest
from django.contrib.auth.models import User

from django_wfe.engine.lifecycle import pause_job, pause_workflow, run_workflow, start_bulk
from django_wfe.engine.worker.loop import run_step_run
from django_wfe.models import Job, Step, StepRun
from tests.declared.api_workflows import AskingFlow, BreakingFlow, PlainFlow
from tests.support.doors.api_calls import CALLS, COLLEAGUE, PREFIX, Call, record, sign_in, sign_in_superuser

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


def run_what_is_ready() -> None:
    for step_run in StepRun.objects.filter(state="READY"):
        run_step_run(step_run.pk)


def test_a_job_is_started_asked_for_fed_and_read() -> None:
    workflow = record(AskingFlow)
    robot = sign_in("add_job", "view_job", "view_job_data", "provide_input_job")
    job = robot.post("/wfe/jobs/", {"workflow_id": workflow.pk}, format="json").json()
    address = f"/wfe/jobs/{job['id']}/"
    run_what_is_ready()
    assert robot.get(address).json()["state"] == "INPUT_REQUIRED"
    step_run = robot.get(f"{address}input/").json()["step_run"]
    answer = robot.post(f"{address}input/?step_run={step_run}", {"some_data": "7"}, format="json")
    assert answer.json()["state"] == "INPUT_RECEIVED"
    run_what_is_ready()
    done = robot.get(address).json()
    assert done["state"] == "FINISHED"
    asked = done["storage"]["data"][2]
    assert (asked["step"], asked["external_data"]["some_data"]) == ("tests.declared.api_workflows.Ask", 7)
    assert done["storage"]["data"][3]["result"] == {"report": {"given": 7, "rows": 2}}
    assert "two rows fetched" in robot.get(f"{address}logs").content.decode()
    assert robot.get(f"{address}input/").status_code == 409


@pytest.mark.parametrize("superuser", [False, True], ids=["just the rights", "superuser"])
@pytest.mark.parametrize("call", CALLS, ids=str)
def test_a_browser_gets_the_pages_of_rest_framework(call: Call, superuser: bool) -> None:
    User.objects.create_user(COLLEAGUE)
    workflow = record(AskingFlow)
    paused = run_workflow(workflow_id=workflow.pk)
    pause_job(paused)
    held = record(PlainFlow)
    pause_workflow(held.pk)
    path = PREFIX + call.path.format(
        workflow=workflow.pk,
        step=Step.objects.get(name="Ask").pk,
        job=run_workflow(workflow_id=workflow.pk),
        paused=paused,
        failed=run_workflow(workflow_id=record(BreakingFlow).pk),
        held=held.pk,
        bulk=start_bulk("cancel", Job.objects.all()).pk,
    )
    client = sign_in_superuser() if superuser else sign_in(*call.permissions)
    body = json.dumps(call.body).replace('"{workflow}"', str(workflow.pk))
    response = client.generic(call.method, path, body, content_type="application/json", HTTP_ACCEPT="text/html")
    assert response.status_code in (200, 201)
    kind = "text/plain; charset=utf-8" if call.path.endswith("logs") else "text/html; charset=utf-8"
    assert response["Content-Type"] == kind


def test_a_browser_without_rights_gets_a_page_that_names_what_is_missing() -> None:
    response = sign_in("view_step").get("/wfe/jobs/", HTTP_ACCEPT="text/html")
    assert response.status_code == 403
    assert "django_wfe.view_job" in response.content.decode()
