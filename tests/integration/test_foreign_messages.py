"""Two projects on one broker: by default they do not meet; where they do, it is told, and nothing is run by mistake."""

from typing import Any

import dramatiq
import pytest
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.utils import ConnectionHandler
from dramatiq.middleware import SkipMessage

from django_wfe import order_workflow_execution
from django_wfe.conf import Settings
from django_wfe.dispatchers import DramatiqDispatcher, Message
from django_wfe.engine.store import database_identity
from django_wfe.engine.store.database_identity import forget_database_identity, get_database_identity
from django_wfe.engine.worker.foreign_messages import OPTION
from django_wfe.models import Job, StepRun, Worker
from django_wfe.tasks import WorkerLifeMiddleware, run_step
from tests.support.running.waiting import wait_until
from tests.support.running.workers import BrokerDispatcher, running_workers
from tests.workflows import Linear

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def ask_anew():
    forget_database_identity()
    yield
    forget_database_identity()


def test_the_identity_names_the_database_and_differs_between_two_of_one_server(monkeypatch) -> None:
    own = get_database_identity()
    assert own.startswith(f"{connections['default'].settings_dict['NAME']}/")
    other = {**connections["default"].settings_dict, "NAME": "postgres"}
    handler = ConnectionHandler({"default": other})
    monkeypatch.setattr(database_identity, "connections", handler)
    try:
        assert get_database_identity().startswith("postgres/")
        assert get_database_identity().partition("/")[2] != own.partition("/")[2]
    finally:
        handler["default"].close()


def test_the_identity_is_asked_for_once(django_assert_num_queries) -> None:
    with django_assert_num_queries(2):
        assert get_database_identity() == get_database_identity()


def test_a_message_carries_its_database() -> None:
    broker: Any = dramatiq.get_broker()
    broker.flush_all()
    assert DramatiqDispatcher().send(Message("step", 7))
    (data,) = [broker.queues[run_step.queue_name].get_nowait()]
    message = dramatiq.Message.decode(data)
    broker.flush_all()
    assert (message.args, message.options[OPTION]) == ((7,), get_database_identity())


@pytest.mark.parametrize("options", [{}, {OPTION: None}])
def test_messages_of_an_older_version_are_taken(options: dict[str, Any]) -> None:
    message = run_step.message_with_options(args=(7,), **options)
    WorkerLifeMiddleware().before_process_message(dramatiq.get_broker(), message)
    assert run_step.message_with_options(args=(7,), **{OPTION: get_database_identity()}).options[OPTION]


def test_a_server_that_was_given_another_identity_meanwhile_is_asked_again(monkeypatch) -> None:
    own = get_database_identity()
    place = next(iter(database_identity._known))
    monkeypatch.setitem(database_identity._known, place, (database_identity._known[place][0], "stale/000"))
    message = run_step.message_with_options(args=(7,), **{OPTION: own})
    WorkerLifeMiddleware().before_process_message(dramatiq.get_broker(), message)
    assert get_database_identity() == own


def test_foreign_messages_are_skipped_and_told_once_a_minute(caplog) -> None:
    middleware = WorkerLifeMiddleware()
    for identity in ("blog/000", "blog/000", "blog/000", "news/111"):
        message = run_step.message_with_options(args=(7,), **{OPTION: identity})
        with pytest.raises(SkipMessage):
            middleware.before_process_message(dramatiq.get_broker(), message)
    told = [record.getMessage() for record in caplog.records if record.name == "django_wfe.delivery"]
    assert len(told) == 2
    for text, identity in zip(told, ("blog/000", "news/111"), strict=True):
        assert f"are of another database, {identity}; this worker's is {get_database_identity()}" in text
        assert "Set a different WFE_QUEUE for each" in text


def test_a_worker_leaves_foreign_messages_alone_counts_them_and_goes_on(
    child_environment: dict[str, str], redis_url: str
) -> None:
    with running_workers(child_environment, redis_url, threads=1) as workers:
        dispatcher = BrokerDispatcher(redis_url, child_environment["WFE_TEST_BROKER_NAMESPACE"])
        wait_until(
            lambda: django_settings.WFE_QUEUE in Worker.objects.get().queues.split(),
            timeout=30,
            message=workers.read_log,
        )
        job_id = order_workflow_execution(Linear)
        wait_until(lambda: Job.objects.get(pk=job_id).state == "FINISHED", timeout=30, message=workers.read_log)
        run = StepRun.objects.filter(job_id=job_id, number=1)
        run.update(state="READY")
        dispatcher.broker.enqueue(
            dramatiq.Message(
                queue_name=django_settings.WFE_QUEUE,
                actor_name="run_step",
                args=(run.get().pk,),
                kwargs={},
                options={OPTION: "blog/3f2a9c1d04be"},
            )
        )
        wait_until(
            lambda: Worker.objects.filter(foreign_messages={"blog/3f2a9c1d04be": 1}).exists(),
            timeout=30,
            message=workers.read_log,
        )
        assert run.get().state == "READY"
        assert "are of another database, blog/3f2a9c1d04be" in workers.read_log()
        run.update(state="FINISHED")
        second = order_workflow_execution(Linear)
        wait_until(lambda: Job.objects.get(pk=second).state == "FINISHED", timeout=30, message=workers.read_log)
        dispatcher.broker.close()


@pytest.mark.parametrize(
    ("name", "queue"),
    [("shop", "wfe_shop"), ("my shop.de", "wfe_my_shop_de"), ("shop-2", "wfe_shop-2"), ("", "wfe"), (None, "wfe")],
)
def test_the_queue_is_named_after_the_database(settings, monkeypatch, name: str | None, queue: str) -> None:
    del settings.WFE_QUEUE
    monkeypatch.setitem(settings.DATABASES["default"], "NAME", name)
    assert Settings().queue == queue


def test_a_queue_that_is_set_stays_as_it_is(settings) -> None:
    settings.WFE_QUEUE = "wfe"
    assert Settings().queue == "wfe"


@pytest.mark.parametrize("value", ["", "two words", "7up", 5, "ä"])
def test_a_queue_that_dramatiq_would_refuse_is_told_with_its_value(settings, value: object) -> None:
    settings.WFE_QUEUE = value
    with pytest.raises(ImproperlyConfigured, match=r"WFE_QUEUE = .*give a text of letters"):
        _ = Settings().queue
