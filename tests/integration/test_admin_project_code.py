"""Code of a project's schemas that raises: told on the page of the form, never a blank one."""

import datetime
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import reverse
from pydantic import BaseModel, Field, model_validator

from django_wfe import steps, workflows
from django_wfe.engine.lifecycle import run_workflow
from django_wfe.models import Job
from tests.support.doors.console import describe_database, read_page, record, sign_in_superuser

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def no_logs() -> Iterator[None]:
    """No half of a surrogate pair in the logs: a worker of pytest-xdist could not send them."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def find_tariff() -> int:
    raise LookupError("no such tariff \ud800")  # half of a surrogate pair, which no page can hold


class AskTariff(steps.Step):
    class UserInputSchema(BaseModel):
        tariff: int = Field(default_factory=find_tariff)
        raw: bytes = b"\xff\xfe"
        start: datetime.date | None = None

    def execute(self, external_input=None):
        return external_input["tariff"]


class AskChecked(steps.Step):
    class UserInputSchema(BaseModel):
        name: str

        @model_validator(mode="after")
        def _check(self) -> Any:
            raise ValueError("T\ud800") if self.name == "odd" else LookupError("no such tariff")

    def execute(self, external_input=None):
        return None


class TariffAsking(workflows.Workflow):
    DIGRAPH = {steps.__start__: [AskTariff]}


class CheckedAsking(workflows.Workflow):
    DIGRAPH = {steps.__start__: [AskChecked]}


def open_form(workflow: type[workflows.Workflow]) -> tuple[int, str]:
    job_id = run_workflow(record(workflow))
    return job_id, reverse("admin:django_wfe_job_input", args=[job_id])


def post(address: str, **typed: Any) -> Any:
    client = sign_in_superuser()
    [form] = [one for one in read_page(client.get(address)).forms if one.identifier == "input-form"]
    data = {name: value for name, value in form.list_pairs(None) if isinstance(value, str)}
    return client.post(address, {**data, **typed}, follow=True)


def test_a_default_that_cannot_be_made_is_told_and_the_form_is_answered_all_the_same() -> None:
    job_id, address = open_form(TariffAsking)
    page = read_page(sign_in_superuser().get(address))
    assert "tariff could not be made: LookupError: no such tariff \\ud800." in page.text
    post(address, **{"input-tariff": "7"})
    job = Job.objects.get(pk=job_id)
    assert job.state != "INPUT_REQUIRED"


def test_left_empty_it_is_told_and_nothing_is_saved() -> None:
    _job_id, address = open_form(TariffAsking)
    before = describe_database()
    assert "no such tariff" in read_page(post(address)).text
    assert describe_database() == before


@pytest.mark.parametrize(("name", "told"), [("pen", "LookupError: no such tariff"), ("odd", "UnicodeEncodeError")])
def test_a_validator_that_raises_is_told_and_what_was_typed_is_kept(name: str, told: str) -> None:
    _job_id, address = open_form(CheckedAsking)
    before = describe_database()
    page = read_page(post(address, **{"input-name": name}))
    assert told in page.text
    assert page.find_form("input-name").get("input-name").values == [name]
    assert describe_database() == before


def test_a_form_that_cannot_be_drawn_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    _job_id, address = open_form(CheckedAsking)
    monkeypatch.setattr(
        "django_wfe.admin.inbox.answering.build_input_form", lambda schema: lambda *_a, **_o: find_tariff()
    )
    assert (
        "No input can be given now: LookupError: no such tariff \\ud800"
        in read_page(sign_in_superuser().get(address)).text
    )
