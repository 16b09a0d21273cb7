"""What the engine finds while it works in one language is kept in English, and told to each reader in theirs."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils.translation import override

from django_wfe import steps, workflows
from django_wfe.engine.bulk.runs import work_on_bulk
from django_wfe.engine.lifecycle import (
    order_workflow_execution,
    run_workflow,
    start_bulk,
)
from django_wfe.engine.project_code.recording import DeclaredWorkflow, describe_workflow, record_workflow
from django_wfe.models import BulkItem, Job, JobEvent, StepRun
from django_wfe.models import Workflow as WorkflowRow
from tests.support.doors.console import sign_in_superuser
from tests.support.running.engine_helpers import get_last_run, recording_dispatcher, run_ready
from tests.workflows import Linear, TimingOut

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

GERMAN = {"accept-language": "de"}


@pytest.fixture(autouse=True)
def sent() -> Iterator[None]:
    with recording_dispatcher(), override("en"):  # a request leaves its language behind
        yield


class Astray(steps.Decision):
    """Returns no edge."""

    def execute(self, _input: Any = None) -> None:
        pass

    def transition(self, _input: Any = None) -> Any:
        return "nowhere"


class End(steps.Step):
    """Does nothing."""

    def execute(self, _input: Any = None) -> None:
        pass


class GoingAstray(workflows.Workflow):
    """Fails at its decision."""

    DIGRAPH = {steps.__start__: [Astray], Astray: [End, End]}


class Unfit(workflows.Workflow):
    """Has a problem: nothing leads on from its decision."""

    DIGRAPH = {steps.__start__: [Astray], Astray: []}


def test_why_a_bulk_run_left_a_job_alone_is_told_in_the_language_of_the_request() -> None:
    with override("de"):
        job_id = run_workflow(Linear)
        bulk = start_bulk("retry", Job.objects.filter(pk=job_id))
        work_on_bulk(bulk.pk)
    item = BulkItem.objects.get(bulk_run=bulk)
    assert item.message == item.refusal == "Only a failed job can be tried again."
    client = sign_in_superuser()
    for headers, words in (({}, item.message), (GERMAN, "Nur ein fehlgeschlagener Job lässt sich wiederholen.")):
        answer = client.get(f"/wfe/bulk/{bulk.pk}", headers=headers).json()
        assert [row["message"] for row in answer["results"]] == [words]
        assert words in client.get(f"/admin/django_wfe/bulkrun/{bulk.pk}/change/", headers=headers).content.decode()


@pytest.mark.parametrize(
    ("workflow", "words"),
    [
        (GoingAstray, "transition() of tests.integration.test_kept_sentences.Astray returned 'nowhere', which is not"),
        (TimingOut, "tests.workflows.Slow ran longer than its timeout of 0.1 s."),
    ],
)
def test_what_the_engine_says_of_a_failure_is_kept_in_english_like_every_exception(workflow: Any, words: str) -> None:
    with override("de"):
        job_id = run_workflow(workflow)
    run, job = get_last_run(job_id), Job.objects.get(pk=job_id)
    assert run.error.startswith(words)
    assert job.error == f"{run.step}: {run.error_type}: {run.error}"
    assert JobEvent.objects.get(job=job, kind="failed").data["error"] == f"{run.error_type}: {run.error}"


def test_why_a_run_was_given_back_is_told_in_the_language_of_the_request() -> None:
    job_id = order_workflow_execution(Linear)
    StepRun.objects.filter(job_id=job_id, number=1).update(step="tests.workflows.Gone")
    Job.objects.filter(pk=job_id).update(current_step="tests.workflows.Gone")
    with override("de"):
        run_ready(job_id)
    (event,) = JobEvent.objects.filter(job_id=job_id, kind="parked")
    english = "tests.workflows.Gone cannot be loaded: tests.workflows has no Gone."
    german = "tests.workflows.Gone lässt sich nicht laden: tests.workflows hat kein Gone."
    assert event.data["detail"] == event.detail == Job.objects.get(pk=job_id).error == english
    client = sign_in_superuser()
    assert english in client.get(f"/admin/django_wfe/job/{job_id}/change/").content.decode()
    page = client.get(f"/admin/django_wfe/job/{job_id}/change/", headers=GERMAN).content.decode()
    assert german in page
    assert english not in page


def test_the_problems_of_a_declaration_are_told_in_the_language_of_the_request() -> None:
    with override("de"):
        record_workflow(DeclaredWorkflow.from_json(describe_workflow(Unfit).to_json()))
    row = WorkflowRow.objects.get(name="Unfit")
    english, german = "it is a Decision without an outgoing edge.", "es ist eine Decision ohne ausgehende Kante."
    assert english in row.load_error
    client = sign_in_superuser()
    for address in (f"/admin/django_wfe/workflow/{row.pk}/change/", "/admin/django_wfe/workflow/console/"):
        assert english in client.get(address).content.decode()
        page = client.get(address, headers=GERMAN).content.decode()
        assert german in page
        assert english not in page
    refused = client.post("/wfe/jobs/", {"workflow_id": row.pk}, content_type="application/json", headers=GERMAN)
    assert german in refused.content.decode()


def test_rows_of_before_and_of_later_versions_are_shown_as_they_are() -> None:
    row = record_workflow(describe_workflow(Unfit))
    for problems in (None, [], [{"code": "new"}], "?"):
        row.problems = problems
        assert row.trouble == row.load_error
    item = BulkItem(message="Nur so.", sentence=None)
    assert item.refusal == "Nur so."
    assert JobEvent(data={"detail": "einfach so"}).detail == "einfach so"
    assert JobEvent(data=["odd"]).detail == ""
