"""Every kind of field through the doors that take JSON: REST and the command agree with each other."""

import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from django_wfe.engine.inputs import load_input
from django_wfe.models import StepRun, Workflow
from tests.api_calls import PREFIX, record, sign_in
from tests.support.field_kinds import FIELD_KINDS, FieldKind
from tests.support.kind_workflows import get_workflow

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


def order(workflow: Workflow, data: Any) -> None:
    call_command("wfe_job", "start", workflow.path, "--first-input", json.dumps(data), verbosity=0)


def _sort(kind: FieldKind, stored: Any) -> Any:
    """Give the names of an object in the order of the default: the database keeps none."""
    return (
        {"value": {name: stored["value"][name] for name in kind.data["value"]}}
        if kind.name == "ordered dict"
        else stored
    )
