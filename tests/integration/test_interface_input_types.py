"""What a step gets of the external input: the types of its schema."""

import datetime
from decimal import Decimal

import pytest
from pydantic import SecretStr, ValidationError

from django_wfe import provide_external_input, run_workflow
from django_wfe.exceptions import NotEncodable
from django_wfe.models import JobState
from tests.declared import input_workflows as asking
from tests.declared import interface_workflows as declared
from tests.support.running.engine_helpers import get_job, get_last_event, run_ready, start_asking

pytestmark = [pytest.mark.integration, pytest.mark.django_db, pytest.mark.usefixtures("fresh_engine")]


def answer(workflow, external_data):
    """Give input to the first step of a workflow; return what its step got."""
    job_id = start_asking(workflow)
    provide_external_input(job_id, external_data)
    job = run_ready(job_id)
    assert job.state == JobState.FINISHED, job.error
    [(external_input, model)] = declared.GIVEN
    return external_input, model, job.storage["data"][1]["external_data"]


def test_external_input_has_the_types_of_the_schema():
    given_input, model, kept = answer(
        asking.Ordering,
        {
            "day": "2024-02-29",
            "when": "2024-02-29T12:00:00+02:00",
            "size": "l",
            "lines": [{"article": "pen", "price": "1.10"}],
            "tags": ["b", "a"],
        },
    )
    assert given_input["day"] == datetime.date(2024, 2, 29)
    assert type(given_input["day"]) is datetime.date
    assert given_input["when"].utcoffset() == datetime.timedelta(hours=2)
    assert given_input["size"] is asking.Size.LARGE
    assert given_input["lines"] == [{"article": "pen", "price": Decimal("1.10")}]
    assert str(given_input["lines"][0]["price"]) == "1.10"
    assert given_input["urgency"] == "low"
    assert given_input["tags"] == {"a", "b"}
    assert type(model) is asking.Order
    assert type(model.lines[0]) is asking.Line
    assert kept["day"] == "2024-02-29"


def test_external_input_given_as_python_values_is_taken_too():
    given_input, _, kept = answer(
        asking.Ordering, {"day": datetime.date(2024, 2, 29), "size": asking.Size.LARGE, "tags": {"a"}}
    )
    assert (given_input["day"], given_input["size"]) == (datetime.date(2024, 2, 29), asking.Size.LARGE)
    assert (kept["day"], kept["size"]) == ("2024-02-29", "l")


def test_external_input_given_as_a_model_is_taken_too():
    order = asking.Order(day=datetime.date(2024, 2, 29), lines=[asking.Line(article="pen", price=Decimal("1.10"))])
    _, model, _ = answer(asking.Ordering, order)
    assert model == order


def test_external_input_of_a_strict_model_comes_from_its_json_form():
    given_input, _, _ = answer(
        asking.StrictlyAsked,
        {"day": "2024-02-29", "number": 1, "size": "s", "price": "1.10", "pair": [1, "a"]},
    )
    assert given_input == {
        "day": datetime.date(2024, 2, 29),
        "number": 1,
        "size": asking.Size.SMALL,
        "price": Decimal("1.10"),
        "pair": (1, "a"),
    }
    job_id = start_asking(asking.StrictlyAsked)
    with pytest.raises(ValidationError, match="number"):
        provide_external_input(
            job_id, {"day": "2024-02-29", "number": "1", "size": "s", "price": "1.10", "pair": [1, "a"]}
        )


@pytest.mark.parametrize("name", ["someData", "some_data"])
def test_external_input_takes_an_alias_or_the_field_name_and_gives_the_field_name(name):
    given_input, model, kept = answer(asking.AliasAsked, {name: 1})
    assert given_input == {"some_data": 1}
    assert model.some_data == 1
    assert kept == {"some_data": 1}


def test_external_input_with_a_secret_reaches_the_step_in_full():
    given_input, model, _ = answer(asking.SecretAsked, {"user": "kay", "password": "hunter2"})
    assert isinstance(given_input["password"], SecretStr)
    assert model.password.get_secret_value() == "hunter2"


def test_external_input_with_a_secret_already_wrapped_is_refused_not_kept_as_asterisks():
    job_id = start_asking(asking.SecretAsked)
    for wrapped in (
        {"user": "kay", "password": SecretStr("hunter2")},
        asking.AskSecret.UserInputSchema(user="kay", password=SecretStr("hunter2")),
    ):
        with pytest.raises(NotEncodable, match="is a secret"):
            provide_external_input(job_id, wrapped)
    assert get_job(job_id).state == JobState.INPUT_REQUIRED


def test_external_input_of_a_root_model_is_its_root():
    given_input, model, kept = answer(asking.ListAsked, ["1", 2])
    assert given_input == kept == [1, 2]
    assert model.root == [1, 2]


def test_external_input_of_a_json_field_is_what_its_text_says():
    given_input, model, _ = answer(asking.JsonAsked, {"payload": '{"a": 1, "b": 2}'})
    assert given_input["payload"] == {"a": 1, "b": 2} == model.payload
    assert model.total == 3


def test_extra_fields_are_ignored_kept_or_refused_as_the_schema_says():
    assert answer(asking.IgnoringAsked, {"amount": 1, "more": 2})[0] == {"amount": 1}
    declared.GIVEN.clear()
    assert answer(asking.AllowingAsked, {"amount": 1, "more": [2]})[0] == {"amount": 1, "more": [2]}
    job_id = start_asking(asking.ForbiddingAsked)
    with pytest.raises(ValidationError, match="more"):
        provide_external_input(job_id, {"amount": 1, "more": 2})


def test_a_schema_without_fields_means_no_input_needed():
    job = get_job(run_workflow(asking.NothingAsked))
    assert job.state == JobState.FINISHED
    assert declared.GIVEN == [(None, None), (None, None)]
    assert all("external_data" not in entry for entry in job.storage["data"])


def test_stored_input_that_no_longer_validates_is_asked_for_again(sent):
    job_id = start_asking(asking.Moody)
    provide_external_input(job_id, {"amount": 1})
    asking.MOODS.append(ValueError("not \0 today"))
    job = run_ready(job_id)
    assert job.state == JobState.INPUT_REQUIRED
    assert "no longer validates" in job.error
    assert "not \\x00 today" in job.error
    assert get_last_event(job_id).data["external_data"] == {"amount": 1}, "what was given is not lost"
    asking.MOODS.clear()
    provide_external_input(job_id, {"amount": 2})
    assert run_ready(job_id).storage["data"][-1]["result"] == 2


def test_a_schema_that_raises_anything_else_fails_the_step_and_frees_the_run():
    job_id = start_asking(asking.Moody)
    provide_external_input(job_id, {"amount": 1})
    asking.MOODS.append(RuntimeError("the lookup is away"))
    job = run_ready(job_id)
    assert job.state == JobState.FAILED
    assert job.error == "tests.declared.input_workflows.AskMoody: RuntimeError: the lookup is away"
