"""Which real servers the tests can use: those that answer on their standard loopback ports, else embedded ones."""

import os
import socket

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
    return "WFE_TEST_DATABASE_HOST" in os.environ or answers(DEFAULT_DATABASE_HOST, DEFAULT_DATABASE_PORT)


def are_brokers_required() -> bool:
    """Tell whether a broker that does not answer is a failure (in CI) instead of a reason to skip."""
    return os.environ.get("CI") == "true" or os.environ.get("WFE_REQUIRE_BROKERS") == "1"
