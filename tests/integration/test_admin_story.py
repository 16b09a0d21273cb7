"""A job's way through the console: started, asked, answered, finished."""

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from django_wfe.engine.lifecycle import run_workflow
from django_wfe.exceptions import CodeNotLoaded
from django_wfe.models import Job, JobEvent, StepRun, Workflow
from tests.support.doors.console import list_messages, read_page, record, sign_in, sign_in_superuser
from tests.support.running.engine_helpers import run_ready
from tests.workflows import Asking, Linear

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


@pytest.fixture
def workflow() -> Workflow:
    return record(Asking)


def build(name: str, *arguments: object) -> str:
    return reverse(f"admin:{name}", args=arguments)


def get_question(job_id: int) -> StepRun:
    return StepRun.objects.get(job_id=job_id, state="INPUT_REQUIRED")


def test_a_job_is_started_asked_answered_wrongly_then_rightly_and_finishes(workflow: Workflow) -> None:
    client = sign_in_superuser()
    page = read_page(client.get(build("django_wfe_workflow_start", workflow.pk)))
    assert page.forms[-1].identifier == "start-form"
    assert "a worker begins with “Fetch”" in page.text
    assert not Job.objects.exists()

    page = read_page(client.post(build("django_wfe_workflow_start", workflow.pk), {"key": "first"}, follow=True))
    job = run_ready(Job.objects.get().pk)
    assert (page.facts["job-id"], page.facts["state"], job.key) == (str(job.pk), "PENDING", "first")

    page = read_page(client.get(build("django_wfe_job_change", job.pk)))
    assert page.facts["state"] == "INPUT_REQUIRED"
    page = read_page(client.get(page.find_link("/input/")))
    assert "Asks a person for a number." in page.text
    form = page.find_form("input-some_data")
    assert form.identifier == "input-form"

    address = build("django_wfe_job_input", job.pk)
    run = form.get("step_run").values[0]
    refused = client.post(address, {"input-some_data": "no number", "input-day": "2026-01-31", "step_run": run})
    page = read_page(refused)
    assert "Enter a whole number" in page.text or "valid integer" in page.text
    assert page.find_form("input-day").get("input-day").values == ["2026-01-31"]
    assert get_question(job.pk).pk == int(run)

    answered = client.post(address, {"input-some_data": "7", "input-day": "2026-01-31", "step_run": run}, follow=True)
    assert list_messages(answered) == [f"Your input for “Ask” of {job.title} was taken."]
    job = run_ready(job.pk)
    page = read_page(client.get(build("django_wfe_job_change", job.pk)))
    assert page.facts["state"] == "FINISHED"
    assert [row.facts["step"].rpartition(".")[2] for row in page.rows if "attempt" in row.facts][1:] == [
        "Fetch",
        "Ask",
        "Route",
        "Right",
        "Done",
    ]
    assert "odd → Right" in page.text
    assert job.storage["data"][-1]["result"] == "right 7"


def test_what_was_done_stands_in_the_events_and_in_the_history_of_the_admin(workflow: Workflow) -> None:
    client = sign_in_superuser()
    client.post(build("django_wfe_workflow_start", workflow.pk), {"key": ""})
    job = run_ready(Job.objects.get().pk)
    client.post(
        build("django_wfe_job_input", job.pk), {"input-some_data": "7", "step_run": str(get_question(job.pk).pk)}
    )
    events = JobEvent.objects.filter(job=job).order_by("pk")
    assert list(events.values_list("kind", "source")) == [("started", "admin"), ("input_provided", "admin")]
    assert {event.actor for event in events} == {Job.objects.get().created_by}
    assert list(LogEntry.objects.order_by("pk").values_list("change_message", flat=True)) == [
        "Started.",
        "Input provided to “Ask”.",
    ]
    assert "Input provided to “Ask”." in read_page(client.get(build("django_wfe_job_history", job.pk))).text


def test_a_second_start_with_the_same_key_leads_to_the_first_job(workflow: Workflow) -> None:
    client, address = sign_in_superuser(), build("django_wfe_workflow_start", workflow.pk)
    client.post(address, {"key": "order 1"})
    again = client.post(address, {"key": "order 1"}, follow=True)
    job = Job.objects.get()
    assert (
        list_messages(again)[-1]
        == f"Asking · order 1 #{job.pk} was started with this key before; no other was started."
    )
    assert again.request["PATH_INFO"] == build("django_wfe_job_change", job.pk)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"deleted": True}, "no longer declared"),
        ({"load_error": "tests.workflows.Asking: it is broken."}, "has problems"),
        ({"current_definition": None}, "no definition of it was ever loaded"),
    ],
)
def test_a_workflow_that_cannot_start_says_why(changes: dict[str, object], reason: str, workflow: Workflow) -> None:
    Workflow.objects.filter(pk=workflow.pk).update(**changes)
    client = sign_in_superuser()
    page = read_page(client.get(build("django_wfe_workflow_change", workflow.pk)))
    assert reason in page.text
    assert not any("/start/" in link.address for link in page.links)
    page = read_page(client.post(build("django_wfe_workflow_start", workflow.pk), {"key": ""}))
    assert reason in page.text
    assert not Job.objects.exists()


def test_submit_and_next_leads_to_the_job_that_has_waited_longest(workflow: Workflow) -> None:
    first, second, third = (run_workflow(workflow) for _ in range(3))
    client = sign_in("view_job", "provide_input_job")
    data = {"input-some_data": "1", "_next": "Submit and next"}
    answered = client.post(build("django_wfe_job_input", second), {**data, "step_run": str(get_question(second).pk)})
    assert answered["Location"] == build("django_wfe_job_input", first)
    answered = client.post(build("django_wfe_job_input", first), {**data, "step_run": str(get_question(first).pk)})
    assert answered["Location"] == build("django_wfe_job_input", third)
    answered = client.post(
        build("django_wfe_job_input", third), {**data, "step_run": str(get_question(third).pk)}, follow=True
    )
    assert list_messages(answered)[-1] == "No other job waits for your input."


def test_an_answer_to_a_question_that_was_answered_meanwhile_changes_nothing(workflow: Workflow) -> None:
    job_id = run_workflow(workflow)
    client, address = sign_in_superuser(), build("django_wfe_job_input", job_id)
    data = {"input-some_data": "1", "step_run": str(get_question(job_id).pk)}
    assert client.post(address, data).status_code == 302
    late = client.post(address, {**data, "input-some_data": "2"}, follow=True)
    assert list_messages(late)[-1] == f"Asking #{job_id} does not wait for input."
    assert StepRun.objects.get(pk=data["step_run"]).external_data["some_data"] == 1


def test_an_answer_to_an_older_question_of_the_job_changes_nothing(workflow: Workflow) -> None:
    job_id = run_workflow(workflow)
    client = sign_in_superuser()
    late = client.post(build("django_wfe_job_input", job_id), {"input-some_data": "1", "step_run": "1"}, follow=True)
    assert "moved on" in list_messages(late)[-1]
    assert get_question(job_id).external_data is None


def test_a_job_that_asks_nothing_has_no_form() -> None:
    job_id = run_workflow(record(Linear))
    opened = sign_in_superuser().get(build("django_wfe_job_input", job_id), follow=True)
    assert list_messages(opened) == [f"Linear #{job_id} does not wait for input."]


def test_without_the_steps_code_the_page_says_so_and_shows_what_is_asked(
    workflow: Workflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = run_workflow(workflow)

    def refuse(path: str) -> None:
        raise CodeNotLoaded(f"{path} cannot be imported: it is gone.")

    monkeypatch.setattr("django_wfe.engine.rules.obstacles.load_node", refuse)
    page = read_page(sign_in_superuser().get(build("django_wfe_job_input", job_id)))
    assert "No input can be given now" in page.text
    assert "tests.workflows.Ask cannot be imported: it is gone." in page.text
    assert "some_data" in page.text
    assert not any(form.identifier == "input-form" for form in page.forms)
