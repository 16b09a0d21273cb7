"""What is wrong with DRAMATIQ_BROKER is told before django_dramatiq fails of it."""

import sys

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured

from django_wfe.apps import DjangoWFEConfig
from django_wfe.checks.broker_settings import BROKER_HINT, find_broker_problems

pytestmark = pytest.mark.unit

REDIS = "dramatiq.brokers.redis.RedisBroker"
RABBITMQ = "dramatiq.brokers.rabbitmq.RabbitmqBroker"
STUB = "dramatiq.brokers.stub.StubBroker"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, BROKER_HINT),
        ({}, BROKER_HINT),
        (REDIS, BROKER_HINT),
        ({"BROKER": 5}, 'DRAMATIQ_BROKER["BROKER"] is 5. Write a dotted path'),
        ({"BROKER": "dramatiq.brokers.redis.RedisBrocker"}, "RedisBrocker, which cannot be imported"),
        ({"BROKER": "dramatiq.broker.redis.RedisBroker"}, "which cannot be imported"),
        ({"BROKER": REDIS, "OPTIONS": {"url": "amqp://127.0.0.1"}}, f'Write "BROKER": "{RABBITMQ}"'),
        ({"BROKER": RABBITMQ, "OPTIONS": {"url": "redis://127.0.0.1/0"}}, f'Write "BROKER": "{REDIS}"'),
        ({"BROKER": REDIS, "OPTIONS": {"uri": "redis://127.0.0.1"}}, "unexpected keyword argument 'uri'"),
        ({"BROKER": REDIS, "OPTIONS": {"url": "127.0.0.1:6379"}}, 'Write the "url" of the broker'),
        ({"BROKER": REDIS, "OPTIONS": "redis://127.0.0.1"}, 'Write the "url" of the broker'),
        ({"BROKER": STUB, "MIDDLEWARE": ["dramatiq.middleware.Prometheus"]}, "which dramatiq 2 has moved"),
        ({"BROKER": STUB, "MIDDLEWARE": ["dramatiq.middleware.Retires"]}, "dramatiq.middleware.Retires"),
    ],
)
def test_each_mistake_is_told_with_its_cure(settings, value: object, told: str) -> None:
    if value is None:
        del settings.DRAMATIQ_BROKER
    else:
        settings.DRAMATIQ_BROKER = value
    (problem,) = find_broker_problems()
    assert told in problem
    assert problem.startswith("DRAMATIQ_BROKER")


@pytest.mark.parametrize(("path", "package", "extra"), [(RABBITMQ, "pika", "rabbitmq"), (REDIS, "redis", "redis")])
def test_a_library_that_is_not_installed_is_named_with_the_command(
    settings, monkeypatch, path: str, package: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, path.rpartition(".")[0], raising=False)
    settings.DRAMATIQ_BROKER = {"BROKER": path}
    (problem,) = find_broker_problems()
    assert (
        f'needs the package {package}, and that is not installed. Run: python -m pip install "dramatiq[{extra}]"'
        in problem
    )


@pytest.mark.parametrize(
    "value",
    [
        {"BROKER": STUB},
        {"BROKER": REDIS, "OPTIONS": {"url": "redis://127.0.0.1:1/0"}},
        {"BROKER": RABBITMQ, "OPTIONS": {"url": "amqp://127.0.0.1:1"}},
        {"BROKER": "unittest.mock.Mock", "OPTIONS": {"url": "whatever it takes"}},
    ],
)
def test_what_can_be_built_is_left_to_be_built_and_nothing_connects(settings, value: dict[str, object]) -> None:
    settings.DRAMATIQ_BROKER = value
    assert list(find_broker_problems()) == []


def test_it_is_looked_at_where_django_dramatiq_comes_later(settings, monkeypatch) -> None:
    del settings.DRAMATIQ_BROKER
    import django_wfe

    DjangoWFEConfig("django_wfe", django_wfe)  # django_dramatiq has built its broker
    configs = {label: config for label, config in apps.app_configs.items() if label != "django_dramatiq"}
    monkeypatch.setattr(apps, "app_configs", configs)
    with pytest.raises(ImproperlyConfigured, match="DRAMATIQ_BROKER does not say which broker to use"):
        DjangoWFEConfig("django_wfe", django_wfe)
