"""The dispatcher of docs/extending.md, and what the engine does with one that is wrong."""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import dramatiq
import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

from django_wfe import order_workflow_execution
from django_wfe.checks.project_checks import check_dispatcher
from django_wfe.dispatchers import Dispatcher, DramatiqDispatcher, Message
from django_wfe.engine.delivery.dispatcher import get_dispatcher, send
from django_wfe.models import Job, JobState, StepRun
from django_wfe.tasks import run_step
from tests.support.documents.documented_shop import write_shop
from tests.workflows import Linear

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

PATH = "shop.delivery.MeasuredDispatcher"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings) -> Iterator[None]:
    """The module of the section, named by the setting."""
    write_shop(tmp_path, "A dispatcher of your own")
    monkeypatch.syspath_prepend(tmp_path)
    settings.WFE_DISPATCHER = PATH
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        del sys.modules[name]


@pytest.fixture(autouse=True)
def messages() -> Iterator[list[int]]:
    """The step runs whose messages are on the broker, read at the end of a test."""
    broker = dramatiq.get_broker()
    broker.flush_all()
    yield broker.queues[run_step.queue_name]
    broker.flush_all()


class Refusing(Dispatcher):
    """Takes no message."""

    def send(self, message: Message) -> bool:
        return False


class Raising(Dispatcher):
    """Has an error of its own."""

    def send(self, message: Message) -> bool:
        raise ValueError(f"no way for {message.number}")


class Incomplete(Dispatcher):
    """Forgot the only method that counts."""


def test_the_messages_of_jobs_go_through_it(shop: None, settings, messages, caplog: pytest.LogCaptureFixture) -> None:
    settings.SHOP_BROKER_PATIENCE = 1e-9
    job_id = order_workflow_execution(Linear)
    first = StepRun.objects.get(job_id=job_id, number=1)
    (logged,) = [record for record in caplog.records if record.name == "shop.delivery"]
    assert logged.getMessage().startswith("The broker took 0.")
    assert logged.getMessage().endswith(f"s for step {first.pk}.")
    assert dramatiq.Message.decode(messages.get_nowait()).args == (first.pk,)


def test_its_own_check_is_part_of_the_checks_of_the_project(shop: None, settings) -> None:
    assert check_dispatcher(None) == []
    settings.SHOP_BROKER_PATIENCE = 0
    (told,) = [message for message in run_checks(tags=["django_wfe"]) if message.id == "shop.E001"]
    assert told.msg == "SHOP_BROKER_PATIENCE = 0: give a positive number of seconds."


def test_without_the_setting_messages_go_over_dramatiq() -> None:
    assert type(get_dispatcher()) is DramatiqDispatcher
    assert check_dispatcher(None) == []


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("shop.nowhere.Sender", "WFE_DISPATCHER = 'shop.nowhere.Sender' cannot be imported: No module named 'shop'."),
        ("django_wfe.dispatchers.Sender", 'cannot be imported: Module "django_wfe.dispatchers" does not define a'),
        ("Sender", "WFE_DISPATCHER = 'Sender' cannot be imported"),
        ("tests.workflows.Linear", "name a subclass of django_wfe.dispatchers.Dispatcher, not <class"),
        ("tests.workflows", "name a subclass of django_wfe.dispatchers.Dispatcher, not <module"),
        (None, "WFE_DISPATCHER = None: give the dotted path of a class."),
        (Refusing, "give the dotted path of a class."),
    ],
)
def test_a_wrong_setting_is_an_error_of_the_project_and_loses_no_job(
    settings, caplog: pytest.LogCaptureFixture, value: object, words: str
) -> None:
    settings.WFE_DISPATCHER = value
    (told,) = check_dispatcher(None)
    assert (told.id, words in told.msg) == ("wfe.E008", True), told.msg
    assert "Dramatiq" in told.hint
    with pytest.raises(ImproperlyConfigured):
        get_dispatcher()
    job_id = order_workflow_execution(Linear)
    assert Job.objects.get(pk=job_id).state == JobState.PENDING
    assert "recovery will" in caplog.text


@pytest.mark.parametrize(
    ("kind", "logged"),
    [(Refusing, ""), (Raising, "ValueError('no way for 7')"), (Incomplete, "Incomplete needs a method send().")],
)
def test_what_is_not_taken_is_told_to_who_sends_and_raises_nothing(
    settings, caplog: pytest.LogCaptureFixture, kind: type[Dispatcher], logged: str
) -> None:
    settings.WFE_DISPATCHER = f"{__name__}.{kind.__name__}"
    with caplog.at_level(logging.WARNING, "django_wfe.delivery"):
        assert send(Message("step", 7)) is False
    assert logged in caplog.text
    assert bool(caplog.text) == bool(logged)
