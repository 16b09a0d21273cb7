"""A Job starts with data: validated, kept, the same at every step, and the same again with the same key."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import override_settings
from pydantic import BaseModel, SecretStr, ValidationError

from django_wfe import order_workflow_execution, run_workflow, workflows
from django_wfe.engine.lifecycle import rerun_job
from django_wfe.engine.operations.rotating_secrets import rotate_secrets
from django_wfe.engine.project_code.recording import describe_workflow, record_workflow
from django_wfe.exceptions import InputNotAsked, InvalidWorkflow, NotEncodable, OtherInput
from django_wfe.models import Definition, Job, JobEvent, StepRun
from tests.declared.job_input_workflows import SEEN, WORLD, Line, Optional, Plain, Refund, Shipping
from tests.support.running.contender import racing
from tests.support.running.engine_helpers import run_ready

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

ROUNDS = 25
MASK = "**********"


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    SEEN.clear()
    yield
    WORLD["is open"] = True


@pytest.mark.parametrize("door", [order_workflow_execution, run_workflow])
def test_every_step_sees_what_the_job_started_with(door: Any) -> None:
    given = {"order": 1042, "on": "2026-01-31", "lines": [{"article": "A4"}]}
    run_ready(door(Refund, input=given))
    kept = {
        "order": 1042,
        "on": "2026-01-31",
        "lines": [{"article": "A4", "amount": "1.00"}],
        "note": "",
        "token": None,
    }
    (first, in_decision), (second, in_step) = SEEN
    assert first == second == kept, "a Decision hands on what it got"
    assert isinstance(in_step, Refund.InputSchema)
    assert (in_step.order, in_step.on, in_step.lines) == (1042, date(2026, 1, 31), [Line(article="A4")])
    assert in_step.lines[0].amount == Decimal("1.00")
    assert in_decision == in_step


def test_a_model_is_taken_as_its_data_are() -> None:
    run_workflow(Refund, input=Refund.InputSchema(order=7, token=SecretStr("t0ken"), Note="by hand"))
    assert SEEN[1][1].token.get_secret_value() == "t0ken"
    assert SEEN[1][1].note == "by hand"


def test_a_workflow_whose_fields_have_defaults_starts_without_a_word() -> None:
    run_workflow(Optional)
    run_workflow(Optional, input={})
    assert [(value, model.copies) for value, model in SEEN] == [({"copies": 2}, 2)] * 2


def test_what_does_not_fit_starts_nothing() -> None:
    for given in ({"order": "many"}, {}, {"order": 1, "lines": [{}]}, None, [1]):
        with pytest.raises(ValidationError):
            order_workflow_execution(Refund, input=given)
    with pytest.raises(ValidationError):
        order_workflow_execution(Refund)
    with pytest.raises(NotEncodable):
        order_workflow_execution(Refund, input={"order": 1, "Note": object()})
    with pytest.raises(InputNotAsked, match="Plain starts without input"):
        order_workflow_execution(Plain, input={"order": 1})
    assert not Job.objects.exists()
    order_workflow_execution(Plain)
    assert StepRun.objects.get(number=0).result is None


def test_the_first_step_may_ask_for_more() -> None:
    job_id = run_workflow(Shipping, input={"order": 5}, first_input={"address": "1 Main Street"})
    assert Job.objects.get(pk=job_id).state == "FINISHED"
    assert [({"order": 5}, {"address": "1 Main Street"}, Shipping.InputSchema(order=5))] == SEEN


def test_secrets_are_in_clear_in_job_input_alone() -> None:
    job_id = run_workflow(Refund, input={"order": 1, "token": "s3cret-token"})
    queued = order_workflow_execution(Refund, input={"order": 2, "token": "s3cret-token"})
    run_ready(queued)
    assert [value["token"] for value, _model in SEEN] == [MASK] * 4
    assert {model.token.get_secret_value() for _value, model in SEEN} == {"s3cret-token"}
    assert Job.objects.get(pk=job_id).storage["data"][0]["result"]["token"] == MASK
    with connection.cursor() as cursor:
        for table in ("steprun", "job", "jobevent", "joblog"):
            cursor.execute(f"SELECT string_agg(row::text, '') FROM django_wfe_{table} AS row")
            assert "s3cret-token" not in (cursor.fetchone()[0] or "")
    with override_settings(SECRET_KEY="another", SECRET_KEY_FALLBACKS=[settings.SECRET_KEY]):
        assert rotate_secrets().changed == 2
        with override_settings(SECRET_KEY_FALLBACKS=[]):
            SEEN.clear()
            rerun_job(job_id, 1)
            run_ready(job_id)
            assert SEEN[0][1].token.get_secret_value() == "s3cret-token"


def test_the_same_key_with_the_same_input_gives_the_first_job() -> None:
    given = {"order": 1, "token": "abc", "Note": "x"}
    first = order_workflow_execution(Refund, key="k", input=given)
    assert order_workflow_execution(Refund, key="k", input=given) == first
    assert order_workflow_execution(Refund, key="k", input=Refund.InputSchema(**given)) == first
    assert order_workflow_execution(Refund, key="k", input={"note": "x", "token": "abc", "order": 1}) == first
    WORLD["is open"] = False
    assert order_workflow_execution(Refund, key="k", input=given) == first, "whatever it would be told today"
    with override_settings(SECRET_KEY="another", SECRET_KEY_FALLBACKS=[settings.SECRET_KEY]):
        assert order_workflow_execution(Refund, key="k", input=given) == first
    assert Job.objects.count() == 1


def test_the_same_key_with_other_input_is_refused_by_the_names_of_the_fields() -> None:
    order_workflow_execution(Refund, key="k", input={"order": 1042, "token": "abc"})
    for given, fields in (
        ({"order": 1043, "token": "abc"}, ("order",)),
        ({"order": 1043, "token": "abd"}, ("order", "token")),
        ({"order": 1042}, ("token",)),
        ({"order": 1042, "token": "abc", "Note": ""}, ("note",)),
    ):
        for door in (order_workflow_execution, run_workflow):
            with pytest.raises(OtherInput) as refused:
                door(Refund, key="k", input=given)
            assert refused.value.fields == fields
            assert ", ".join(fields) in str(refused.value)
            assert "1042" not in str(refused.value)
            assert "abc" not in str(refused.value)
    assert Job.objects.count() == 1
    assert "1042" not in str(JobEvent.objects.get(kind="started").data)


@pytest.mark.django_db(transaction=True)
def test_two_processes_at_once_with_one_key_and_other_input_start_one_job(child_environment: dict[str, str]) -> None:
    workflow = record_workflow(describe_workflow(Shipping))
    with racing(child_environment) as race:
        for number in range(ROUNDS):
            answers = race(do="start with job input", workflow=workflow.pk, key=f"order-{number}", values=[1, 2])
            job_id = Job.objects.get(key=f"order-{number}").pk
            assert answers in ([["order"], job_id], [job_id, ["order"]])


def test_a_job_that_started_without_data_has_none() -> None:
    job_id = order_workflow_execution(Plain)
    assert run_ready(job_id).state == "FINISHED"
    assert SEEN == [(None, None)]


def test_a_wrong_schema_is_told_at_declaration() -> None:
    class Wrong(workflows.Workflow):
        InputSchema = Line(article="x")
        DIGRAPH = Plain.DIGRAPH

    class Impossible(workflows.Workflow):
        class InputSchema(BaseModel):
            call: Any = float("inf")

        DIGRAPH = Plain.DIGRAPH

    with pytest.raises(InvalidWorkflow, match="InputSchema = Line"):
        order_workflow_execution(Wrong)
    with pytest.raises(InvalidWorkflow, match="JSON cannot hold"):
        order_workflow_execution(Impossible)


def test_the_schema_is_a_part_of_the_definition() -> None:
    run_workflow(Optional)
    definition = Definition.objects.get()
    assert definition.load_graph().input_schema["properties"]["copies"]["default"] == 2
    run_workflow(Plain)
    assert "input_schema" not in Definition.objects.get(workflow__name="Plain").graph
