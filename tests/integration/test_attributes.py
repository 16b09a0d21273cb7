"""A Job is found by its attributes, and by the row of the project that it is about."""

import datetime
import enum
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import transaction
from pydantic import SecretStr

from django_wfe import lifecycle, order_workflow_execution, provide_external_input
from django_wfe.exceptions import InputCheckFailed, NotEncodable, OtherInput
from django_wfe.models import Job, JobAttribute, JobState, Workflow
from tests.declared.attribute_workflows import WORLD, Audit, Bare, Refund
from tests.support.running.engine_helpers import get_job, run, run_now, run_ready

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    WORLD.clear()
    yield
    WORLD.clear()


@pytest.fixture
def user() -> User:
    return User.objects.create_user("ada")


def test_a_job_has_what_its_workflow_says_of_its_input(user: User) -> None:
    job = get_job(order_workflow_execution(Refund, input={"user": user.pk, "customer": "Miller & Sons"}))
    assert job.attributes == {"customer": "Miller & Sons", "amount": "1.50", "on": "2026-01-31", "express": "false"}
    assert job.subject == ("auth.user", str(user.pk))
    assert job.subject.find_row() == user


def test_it_is_found_by_them(user: User) -> None:
    other = User.objects.create_user("ben")
    first, second, third = (
        order_workflow_execution(Refund, input={"user": who, "customer": name})
        for who, name in ((user.pk, "ACME"), (user.pk, "Miller"), (other.pk, "ACME"))
    )
    fourth = order_workflow_execution(Audit)

    def find(**attributes: Any) -> list[int]:
        return list(Job.objects.with_attributes(**attributes).order_by("pk").values_list("pk", flat=True))

    assert find(customer="ACME") == [first, third]
    assert find(customer="ACME", express=False, amount=Decimal("1.50")) == [first, third]
    assert find(customer="acme") == []
    assert find(customer=None) == [fourth]
    assert find(kind="Audit") == [fourth]
    assert find(on=datetime.date(2026, 1, 31), customer="Miller") == [second]
    assert list(Job.objects.about(user).order_by("pk").values_list("pk", flat=True)) == [first, second]
    about_user = Job.objects.filter(state=JobState.PENDING).about(user).with_attributes(customer="ACME")
    assert [job.pk for job in about_user] == [first]
    with pytest.raises(ValueError, match="not saved"):
        Job.objects.about(User())
    with pytest.raises(NotEncodable):
        Job.objects.with_attributes(customer=object())


def test_a_start_by_id_is_found_alike_and_one_without_pays_nothing(user: User) -> None:
    run(Refund)
    row = Workflow.objects.get(path__endswith=".Refund")
    assert (row.subject, row.has_attributes) == ("auth.user", True)
    job = get_job(order_workflow_execution(row.pk, input={"user": user.pk}))
    assert job.subject == ("auth.user", str(user.pk))
    assert job.attributes["customer"] == "ACME"
    bare = run(Bare)
    assert (bare.attributes, bare.subject) == ({}, None)


class Colour(enum.Enum):
    RED = "red"


KINDS = {
    "text": ("Grüße, “Ada”", "Grüße, “Ada”"),
    "empty": ("", ""),
    "whole": (1042, "1042"),
    "exact": (Decimal("12.50"), "12.50"),
    "fraction": (0.5, "0.5"),
    "yes": (True, "true"),
    "day": (datetime.date(2026, 2, 1), "2026-02-01"),
    "hour": (datetime.time(8, 30), "08:30:00"),
    "zoned": (
        datetime.datetime(2026, 2, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=2))),
        "2026-01-31T23:00:00+00:00",
    ),
    "member": (Colour.RED, "red"),
    "uuid": (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
}


@pytest.mark.parametrize("door", ["start", "step"])
def test_each_kind_of_value_is_kept_as_the_text_that_is_searched_for(door: str) -> None:
    given = {name: value for name, (value, _text) in KINDS.items()}
    WORLD.update({"attributes": lambda job_input: given} if door == "start" else {"set": given})
    job = run(Refund)
    expected = {name: text for name, (_value, text) in KINDS.items()}
    assert job.attributes.items() >= expected.items()
    assert Job.objects.with_attributes(**given).get() == job


WRONG = [
    {"customer": ["ACME"]},
    {"customer": SecretStr("x")},
    {"customer": "x" * 256},
    {"customer": "a\0b"},
    {"customer": float("nan")},
    {"": "x"},
    {"auth.user": "1"},
    {"a b": "x"},
    {"ä": "x"},
    {7: "x"},
    ["customer"],
    None,
]


@pytest.mark.parametrize("wrong", WRONG)
def test_what_cannot_be_searched_for_starts_nothing(wrong: Any) -> None:
    WORLD["attributes"] = lambda job_input: wrong
    with pytest.raises(NotEncodable):
        order_workflow_execution(Refund)
    assert not Job.objects.exists()


def test_a_subject_is_a_row_or_its_key_and_none_is_about_nothing(user: User) -> None:
    for found in (user, user.pk, str(user.pk)):
        WORLD["subject"] = lambda job_input, found=found: found
        assert get_job(order_workflow_execution(Refund)).subject == ("auth.user", str(user.pk))
    WORLD["subject"] = lambda job_input: None
    assert get_job(order_workflow_execution(Refund)).subject is None
    for wrong in (Group.objects.create(name="staff"), User(), "ada", object()):
        WORLD["subject"] = lambda job_input, found=wrong: found
        with pytest.raises(NotEncodable, match="find_subject"):
            order_workflow_execution(Refund)
    assert Job.objects.count() == 4


def test_a_job_outlives_its_subject(user: User) -> None:
    job = get_job(order_workflow_execution(Refund, input={"user": user.pk}))
    user.delete()
    assert job.subject is not None
    assert job.subject.find_row() is None


@pytest.mark.parametrize("method", ["attributes", "subject"])
def test_code_that_raises_starts_nothing_and_tells_no_value(method: str, caplog: pytest.LogCaptureFixture) -> None:
    def fail(job_input: Any) -> Any:
        raise LookupError(f"no {job_input.token.get_secret_value()}")

    WORLD[method] = fail
    with pytest.raises(InputCheckFailed, match=r"Refund\.\w+\(\) raised LookupError") as caught:
        order_workflow_execution(Refund, input={"token": "t0ken"})
    assert "t0ken" not in str(caught.value)
    assert not Job.objects.exists()


def test_a_key_that_is_known_gives_the_first_job_whatever_the_workflow_says_today() -> None:
    first = order_workflow_execution(Refund, input={"customer": "ACME"}, key="r-1")
    WORLD["attributes"] = lambda job_input: {"customer": ["no"]}
    assert order_workflow_execution(Refund, input={"customer": "ACME"}, key="r-1") == first
    with pytest.raises(OtherInput):
        order_workflow_execution(Refund, input={"customer": "Miller"}, key="r-1")
    assert get_job(first).attributes["customer"] == "ACME"


def test_a_step_sets_attributes_with_its_result() -> None:
    WORLD["set"] = {"customer": "Miller", "order": 7, "amount": None, "never": None}
    job = run(Refund)
    assert job.state == JobState.INPUT_REQUIRED
    assert job.attributes == {"customer": "Miller", "order": "7", "on": "2026-01-31", "express": "false"}
    provide_external_input(job.pk, {"is_right": True})
    assert run_ready(job.pk).state == JobState.FINISHED
    assert job.attributes["customer"] == "Miller"
    # The last step of a job too, and one that has put something out.
    WORLD["set"] = {"kind": "done"}
    assert run(Audit).attributes == {"kind": "done"}


def test_a_step_that_fails_has_set_nothing() -> None:
    WORLD.update(set={"customer": "Miller"}, fails=True)
    job = run(Refund)
    assert job.state == JobState.FAILED
    assert job.attributes["customer"] == "ACME"
    WORLD["fails"] = False
    lifecycle.retry_job(job.pk)
    assert run_now(job.pk).attributes["customer"] == "Miller"


def test_a_wrong_attribute_is_the_failure_of_the_step_that_sets_it() -> None:
    WORLD["set"] = {"customer": object()}
    job = run(Refund)
    assert job.state == JobState.FAILED
    assert "The attribute customer is of the type object." in job.error


def test_attributes_go_with_their_job_and_with_the_callers_transaction() -> None:
    with transaction.atomic():
        order_workflow_execution(Refund)
        transaction.set_rollback(True)
    assert not JobAttribute.objects.exists()
    job = get_job(order_workflow_execution(Refund))
    other = get_job(order_workflow_execution(Refund))
    job.delete()
    assert set(JobAttribute.objects.values_list("job_id", flat=True)) == {other.pk}
