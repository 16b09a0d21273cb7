"""Every kind of field through the doors that take JSON: REST and the command agree with each other."""

import datetime
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pydantic import ValidationError
from rest_framework.test import APIClient

from django_wfe.engine.inputs.validation import load_input
from django_wfe.engine.lifecycle import start_job, start_many
from django_wfe.forms import build_input_form
from django_wfe.models import StepRun, Workflow
from tests.declared.inbox_workflows import AskMoments, Dating
from tests.declared.kind_workflows import get_workflow
from tests.support.doors.api_calls import PREFIX, record, sign_in
from tests.support.forms.field_kinds import FIELD_KINDS, FieldKind
from tests.support.forms.spreadsheets import read

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


@pytest.fixture
def client() -> APIClient:
    return sign_in("add_job", "provide_input_job", "view_job")


def start(client: APIClient, workflow: Workflow, first_input: Any) -> Any:
    body = {"workflow_id": workflow.pk, "first_input": first_input}
    return client.post(f"{PREFIX}jobs/", body, format="json")


def answer(client: APIClient, workflow: Workflow, data: Any) -> Any:
    job = client.post(f"{PREFIX}jobs/", {"workflow_id": workflow.pk}, format="json").json()
    return client.post(f"{PREFIX}jobs/{job['id']}/input/", data, format="json")


QUICK = FIELD_KINDS[::6]


@pytest.mark.parametrize(
    "kind",
    [kind if kind in QUICK else pytest.param(kind, marks=pytest.mark.survey) for kind in FIELD_KINDS],
    ids=str,
)
def test_a_default_is_taken_and_a_wrong_value_refused_by_each_door(kind: FieldKind, client: APIClient) -> None:
    workflow = record(get_workflow(kind))
    refused = [start(client, workflow, kind.wrong), answer(client, workflow, kind.wrong)]
    assert [response.status_code for response in refused] == [422, 422]
    assert refused[0].json() == refused[1].json()
    with pytest.raises(CommandError):
        order(workflow, kind.wrong)
    given = StepRun.objects.filter(job__workflow=workflow, number=1, external_data__isnull=False)
    assert not given.exists()
    if kind.holds_secret:
        return  # no door gives it out
    assert start(client, workflow, kind.data).status_code == 201
    assert answer(client, workflow, kind.data).status_code == 200
    order(workflow, kind.data)
    assert given.count() == 3
    for stored in given:
        assert load_input(kind.model, json.dumps(_sort(kind, stored.external_data))) == kind.instance


def test_a_moment_means_the_same_at_each_door(client: APIClient) -> None:
    workflow = record(Dating)
    moments = {"at": "2026-01-31T08:30", "aware": "20260131"}
    with timezone.override("Europe/Berlin"):
        start(client, workflow, moments)
        answer(client, workflow, moments)
        order(workflow, moments)
        start_job(workflow, first_input={"at": datetime.datetime(2026, 1, 31, 8, 30), "aware": "2026-01-31"})
        form = build_input_form(AskMoments.UserInputSchema)(moments)
        assert form.is_valid(), form.errors
        start_job(workflow, first_input=form.external_data)
        start_many(workflow, read("a.csv", "at,aware\n2026-01-31T08:30,20260131\n", AskMoments.UserInputSchema))
    stored = StepRun.objects.filter(job__workflow=workflow, number=1).values_list("external_data", flat=True)
    assert list(stored) == [{"at": "2026-01-31T08:30:00+01:00", "aware": "2026-01-31T00:00:00+01:00"}] * 6


@pytest.mark.parametrize("wrong", [46053, "46053", 46053.5, 20260131, "2026-10-25T02:30"], ids=str)
def test_what_would_have_to_be_guessed_is_refused_by_each_door(wrong: Any, client: APIClient) -> None:
    workflow, schema = record(Dating), AskMoments.UserInputSchema
    moments = {"at": wrong, "aware": "2026-01-31T08:30Z"}
    with timezone.override("Europe/Berlin"):
        assert start(client, workflow, moments).status_code == 422
        assert answer(client, workflow, moments).status_code == 422
        with pytest.raises(CommandError):
            order(workflow, moments)
        with pytest.raises(ValidationError, match=r"number|twice"):
            start_job(workflow, first_input=moments)
        [row] = start_many(workflow, read("a.json", json.dumps([moments]), schema))
        assert row.outcome == "refused"
        if isinstance(wrong, str):  # what is typed is text, and 20260131 a day in it
            assert not build_input_form(schema)(moments).is_valid()
    assert not StepRun.objects.filter(external_data__isnull=False).exists()


def order(workflow: Workflow, data: Any) -> None:
    call_command("wfe_job", "start", workflow.path, "--first-input", json.dumps(data), verbosity=0)


def _sort(kind: FieldKind, stored: Any) -> Any:
    """Give the names of an object in the order of the default: the database keeps none."""
    return (
        {"value": {name: stored["value"][name] for name in kind.data["value"]}}
        if kind.name == "ordered dict"
        else stored
    )
