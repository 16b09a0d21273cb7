"""What is wrong with ``DRAMATIQ_BROKER``, found without a connection and before django_dramatiq builds its broker."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

BROKER_HINT = """Write, for RabbitMQ (for Redis: dramatiq.brokers.redis.RedisBroker and a redis:// url):
DRAMATIQ_BROKER = {
    "BROKER": "dramatiq.brokers.rabbitmq.RabbitmqBroker",
    "OPTIONS": {"url": "amqp://user:password@host:5672"},
    "MIDDLEWARE": [
        "dramatiq.middleware.AgeLimit",
        "dramatiq.middleware.TimeLimit",
        "dramatiq.middleware.ShutdownNotifications",
        "dramatiq.middleware.Callbacks",
        "dramatiq.middleware.Retries",
        "django_dramatiq.middleware.DbConnectionsMiddleware",
    ],
}"""

_EXTRAS = {"pika": "rabbitmq", "redis": "redis", "pylibmc": "memcached"}
"""Which extra of dramatiq brings a package."""

_MOVED = {"dramatiq.middleware.Prometheus": "dramatiq.middleware.prometheus.Prometheus"}

_SCHEMES = {
    "redis": ("dramatiq.brokers.redis.RedisBroker", "redis"),
    "rediss": ("dramatiq.brokers.redis.RedisBroker", "redis"),
    "amqp": ("dramatiq.brokers.rabbitmq.RabbitmqBroker", "rabbitmq"),
    "amqps": ("dramatiq.brokers.rabbitmq.RabbitmqBroker", "rabbitmq"),
}


def require_buildable_broker() -> None:
    """Look whether django_dramatiq can build the broker that the settings name.

    Raises:
        ImproperlyConfigured: it cannot, with the cause and what to write.
    """
    problem = next(find_broker_problems(), "")
    if problem:
        raise ImproperlyConfigured(problem)


def find_broker_problems() -> Iterator[str]:
    """Yield, each with its cure, what would keep django_dramatiq from building its broker."""
    value = getattr(django_settings, "DRAMATIQ_BROKER", None)
    if not isinstance(value, dict) or not value.get("BROKER"):
        yield f"DRAMATIQ_BROKER does not say which broker to use. {BROKER_HINT}"
        return
    broker = _import(value["BROKER"], 'DRAMATIQ_BROKER["BROKER"]')
    if isinstance(broker, str):
        yield broker
        return
    for entry in value.get("MIDDLEWARE", ()):
        if isinstance(entry, str):
            found = _import(entry, 'DRAMATIQ_BROKER["MIDDLEWARE"]')
            if isinstance(found, str):
                yield found
    # Only of a broker of dramatiq's own is it known that a second one does no harm.
    if broker.__module__.startswith("dramatiq.brokers."):
        yield from _find_wrong_options(broker, value)


def _find_wrong_options(broker: type[Any], value: dict[str, Any]) -> Iterator[str]:
    options = value.get("OPTIONS", {})
    scheme = str(options.get("url", "")).partition("://")[0] if isinstance(options, dict) else ""
    wanted, extra = _SCHEMES.get(scheme, (value["BROKER"], ""))
    if wanted != value["BROKER"] and value["BROKER"] in {path for path, _extra in _SCHEMES.values()}:
        yield (
            f'DRAMATIQ_BROKER["OPTIONS"]["url"] is of the kind {scheme}://, and "BROKER" is {value["BROKER"]}. '
            f'Write "BROKER": "{wanted}" (and install dramatiq[{extra}]), or correct the url.'
        )
        return
    try:
        broker(middleware=[], **options)
    except Exception as error:  # whatever the libraries below raise
        yield (
            f'DRAMATIQ_BROKER["OPTIONS"]: {broker.__name__} refuses them: {type(error).__name__}: {error}. '
            'Write the "url" of the broker, such as redis://127.0.0.1:6379/0 or amqp://user:password@host:5672.'
        )


def _import(path: Any, place: str) -> Any:
    """Return what the path names, or a text that says why it cannot be imported."""
    if not isinstance(path, str):
        return f"{place} is {path!r}. Write a dotted path, such as dramatiq.brokers.redis.RedisBroker."
    if path in _MOVED:
        try:
            return import_string(path)
        except ImportError:
            return f'{place} names {path}, which dramatiq 2 has moved. Write "{_MOVED[path]}", or remove it.'
    try:
        return import_string(path)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is not None and not path.startswith(f"{error.name}."):
            cure = f'Run: python -m pip install "dramatiq[{extra}]"'
            return f"{place} names {path}, which needs the package {error.name}, and that is not installed. {cure}"
        return f"{place} names {path}, which cannot be imported: {error}. Correct the path."
    except ImportError as error:
        return f"{place} names {path}, which cannot be imported: {error}. Correct the path."
