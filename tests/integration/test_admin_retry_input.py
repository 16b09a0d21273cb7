"""Retry with other input: what the operator leaves alone stays what it was."""

from typing import Any

import pytest
from django.urls import reverse
from pydantic import BaseModel, Field, NaiveDatetime, SecretStr

from django_wfe import steps, workflows
from django_wfe.engine.lifecycle import provide_external_input, run_workflow
from django_wfe.models import Job, StepRun
from django_wfe.values.sealing import unseal
from tests.support.doors.console import read_page, record, sign_in, sign_in_superuser
from tests.support.running.engine_helpers import run_ready

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


class Parcel(BaseModel):
    town: str
    code: SecretStr
    letter: str = Field(json_schema_extra={"format": "file"})
    packed: NaiveDatetime
    articles: list[str] = []


class Deliver(steps.Step):
    """Delivers to Bern alone."""

    UserInputSchema = Parcel

    def execute(self, external_input=None):
        if external_input["town"] != "Bern":
            raise LookupError(external_input["town"])
        return "delivered"


class Delivering(workflows.Workflow):
    DIGRAPH = {steps.__start__: [Deliver]}


FORMER: dict[str, Any] = {
    "town": "Uster",
    "code": "hush-hush",
    "letter": "Dear Ada",
    "packed": "2026-01-31T12:30:00",
    "articles": [f"article {number}" for number in range(250)],
}


@pytest.fixture
def failed() -> int:
    return fail_with(FORMER)


def fail_with(former: dict[str, Any]) -> int:
    job_id = run_workflow(record(Delivering))
    provide_external_input(job_id, former)
    assert run_ready(job_id).state == "FAILED"
    return job_id


def build(job_id: int) -> str:
    return reverse("admin:django_wfe_job_verb", args=[job_id, "retry"])


def read_data(answer: Any) -> dict[str, list[str]]:
    """What the form of the page would post as it stands."""
    [form] = [one for one in read_page(answer).forms if one.identifier == "verb-form"]
    data: dict[str, list[str]] = {}
    for name, value in form.list_pairs(None):
        if isinstance(value, str):
            data.setdefault(name, []).append(value)
    return data


def retry(job_id: int, client: Any, **changes: Any) -> Any:
    """Open the page, and send its form with changes."""
    return client.post(build(job_id), {**read_data(client.get(build(job_id))), **changes}, follow=True)


def test_what_is_left_alone_stays_what_it_was(failed: int) -> None:
    retry(failed, sign_in_superuser(), change_input="on", **{"input-town": "Bern"})
    run = StepRun.objects.get(job_id=failed, number=1, attempt=2)
    assert unseal(run.external_data) == {**FORMER, "town": "Bern"}
    assert run_ready(failed).state == "FINISHED"


def test_a_page_without_the_former_input_asks_for_all_of_it(failed: int) -> None:
    client = sign_in("view_job", "retry_job")
    assert "hush-hush" not in client.get(build(failed)).content.decode()
    answer = retry(failed, client, change_input="on", **{"input-town": "Bern"})
    assert "Field required" in read_page(answer).text
    assert Job.objects.get(pk=failed).state == "FAILED"


def test_an_item_removed_without_a_script_loses_nothing_else(failed: int) -> None:
    client = sign_in_superuser()
    answer = retry(failed, client, change_input="on", **{"input-_structure": "remove:articles-0"})
    data = read_data(answer)
    assert len(data["input-articles"]) == 249
    client.post(build(failed), {**data, "input-town": "Bern"}, follow=True)
    run = StepRun.objects.get(job_id=failed, number=1, attempt=2)
    assert unseal(run.external_data) == {**FORMER, "town": "Bern", "articles": FORMER["articles"][1:]}


def test_more_items_than_a_request_can_hold_stay_what_they_were() -> None:
    former = {**FORMER, "articles": [f"article {number}" for number in range(600)]}
    job_id, client = fail_with(former), sign_in_superuser()
    assert list(read_data(client.get(build(job_id)))).count("input-articles-_text") == 1
    retry(job_id, client, change_input="on", **{"input-town": "Bern"})
    again = StepRun.objects.get(job_id=job_id, number=1, attempt=2).external_data
    assert unseal(again) == {**former, "town": "Bern"}
