"""Which real servers the tests can use: those that answer on their standard loopback ports, else embedded ones."""

import os
import socket
from collections.abc import Iterable

import pika  # type: ignore[import-untyped]
import redis

DEFAULT_DATABASE_HOST = "127.0.0.1"
DEFAULT_DATABASE_PORT = 5432
DEFAULT_REDIS_PORT = 6379
DEFAULT_RABBITMQ_PORT = 5672


def answers(host: str, port: int, *, timeout: float = 1.0) -> bool:
    """Tell whether something accepts a TCP connection at ``host:port`` within ``timeout`` seconds."""
    try:
        with socket.create_connection((host, port), timeout=timeout):
            return True
    except OSError:
        return False


def is_database_configured() -> bool:
    """Tell whether the environment names a PostgreSQL server or one answers on the standard port."""
    if "WFE_TEST_DATABASE_HOST" in os.environ:
        return True
    return not is_embedded_wanted() and answers(DEFAULT_DATABASE_HOST, DEFAULT_DATABASE_PORT)


def is_embedded_wanted() -> bool:
    """Tell whether ``WFE_TEST_EMBEDDED=1`` asks for embedded servers, whatever else answers on this machine."""
    return os.environ.get("WFE_TEST_EMBEDDED") == "1"


def are_brokers_required() -> bool:
    """Tell whether a broker that does not answer is a failure (in CI) instead of a reason to skip."""
    return os.environ.get("CI") == "true" or os.environ.get("WFE_REQUIRE_BROKERS") == "1"


def delete_queues(url: str, names: Iterable[str]) -> None:
    """Delete queues from the RabbitMQ at ``url``, with those that dramatiq keeps beside each (delayed and dead)."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        for name in names:
            for queue in (name, f"{name}.DQ", f"{name}.XQ"):
                channel.queue_delete(queue)


def delete_keys(url: str, pattern: str) -> None:
    """Delete every key that matches ``pattern`` from the Redis at ``url``."""
    with redis.Redis.from_url(url) as client:
        for key in client.scan_iter(pattern):
            client.delete(key)
