"""Servers and helpers that every kind of test shares."""

import fcntl
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import dramatiq
import pytest
from django.conf import settings
from django.db import connection

from tests.support.running.fast_flush import install_fast_flush
from tests.support.running.servers import (
    DEFAULT_RABBITMQ_PORT,
    DEFAULT_REDIS_PORT,
    answers,
    are_brokers_required,
    delete_keys,
    delete_queues,
    is_database_configured,
    is_embedded_wanted,
)

_EMBEDDED_DATABASE = pytest.StashKey[tuple[object, tempfile.TemporaryDirectory[str]]]()


def pytest_configure(config: pytest.Config) -> None:
    """Start the embedded PostgreSQL in the controller of the run, where no server answers."""
    install_fast_flush()
    if hasattr(config, "workerinput") or config.option.collectonly or is_database_configured():
        return
    from django_wfe.demo.servers.postgres_and_valkey import PostgresServer

    directory = tempfile.TemporaryDirectory(prefix="wfe-pg-")
    server = PostgresServer(Path(directory.name), durable=False)
    server.start()
    config.stash[_EMBEDDED_DATABASE] = (server, directory)
    # The workers of xdist and the children of tests read the environment; this process has read it already.
    os.environ["WFE_TEST_DATABASE_HOST"] = str(server.socket_directory)
    settings.DATABASES["default"]["HOST"] = str(server.socket_directory)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the embedded PostgreSQL, if this run started one."""
    embedded = config.stash.get(_EMBEDDED_DATABASE, None)
    if embedded is not None:
        server, directory = embedded
        server.stop()  # type: ignore[attr-defined]
        directory.cleanup()


@pytest.fixture
def rabbitmq_url() -> Iterator[str]:
    """The URL of the RabbitMQ on this machine's standard port; skips where none answers, fails in CI.

    A test has it for itself, with empty queues: queues have fixed names, and test runs at the same time would take each
    other's messages.
    """
    if not answers("127.0.0.1", DEFAULT_RABBITMQ_PORT):
        _refuse_missing_broker("RabbitMQ", DEFAULT_RABBITMQ_PORT)
        pytest.skip(f"RabbitMQ does not answer on 127.0.0.1:{DEFAULT_RABBITMQ_PORT}")
    url = f"amqp://guest:guest@127.0.0.1:{DEFAULT_RABBITMQ_PORT}/"
    with (Path(tempfile.gettempdir()) / "wfe-test-rabbitmq.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        delete_queues(url, {"default", *dramatiq.get_broker().get_declared_queues()})
        yield url


@pytest.fixture
def without_package(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package that encrypts secrets is not installed."""
    from django_wfe.values import sealing

    sealing._build_cipher.cache_clear()
    sealing._derive.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.setitem(sys.modules, name, None)
    yield
    sealing._build_cipher.cache_clear()
    sealing._derive.cache_clear()


@pytest.fixture(scope="session")
def broker_namespace() -> str:
    """The prefix of this run's keys in Redis, for ``RedisBroker(namespace=...)``: other runs use the same server."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    return f"wfe-test-{os.getpid()}{worker}"


@pytest.fixture(scope="session")
def redis_url(broker_namespace: str) -> Iterator[str]:
    """The URL of the Redis on this machine's standard port, else of an embedded Valkey; in CI only the former."""
    if not is_embedded_wanted() and answers("127.0.0.1", DEFAULT_REDIS_PORT):
        url = f"redis://127.0.0.1:{DEFAULT_REDIS_PORT}/0"
        yield url
        delete_keys(url, f"{broker_namespace}*")
        return
    _refuse_missing_broker("Redis", DEFAULT_REDIS_PORT)
    from django_wfe.demo.servers.postgres_and_valkey import ValkeyServer

    with tempfile.TemporaryDirectory(prefix="wfe-vk-") as directory:
        server = ValkeyServer(Path(directory))
        server.start()
        try:
            yield server.url
        finally:
            server.stop()


@pytest.fixture
def child_environment(request: pytest.FixtureRequest, broker_namespace: str) -> dict[str, str]:
    """The environment for a child process that must work on this test's database (the test needs ``transaction=True``).

    Add ``WFE_TEST_BROKER_URL`` (from ``rabbitmq_url`` or ``redis_url``) for a real broker.
    """
    request.getfixturevalue("transactional_db")
    database = connection.settings_dict
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "PYTHONPATH": os.pathsep.join([str(request.config.rootpath), os.environ.get("PYTHONPATH", "")]).rstrip(
            os.pathsep
        ),
        "PYTHONUNBUFFERED": "1",
        "WFE_TEST_DATABASE_NAME": str(database["NAME"]),
        "WFE_TEST_DATABASE_HOST": str(database["HOST"]),
        "WFE_TEST_DATABASE_PORT": str(database["PORT"]),
        "WFE_TEST_DATABASE_USER": str(database["USER"]),
        "WFE_TEST_DATABASE_PASSWORD": str(database["PASSWORD"]),
        "WFE_TEST_BROKER_NAMESPACE": broker_namespace,
    }


def _refuse_missing_broker(name: str, port: int) -> None:
    if are_brokers_required() and not is_embedded_wanted():
        pytest.fail(f"{name} does not answer on 127.0.0.1:{port}, and CI=true or WFE_REQUIRE_BROKERS=1 asks for it")
