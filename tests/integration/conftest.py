"""What several modules share: an engine that begins afresh, what it sends, and the package as people install it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from importlib.util import find_spec
from typing import Any

import pytest

from django_wfe.engine.worker.heartbeat import stop_worker
from tests import workflows
from tests.declared import input_workflows as asking
from tests.declared import interface_workflows as declared
from tests.support.documents.distribution import Distributions, Environment, build_distributions, install_wheel
from tests.support.running.engine_helpers import RecordingDispatcher, recording_dispatcher

# The benchmarks compare with hand-written statements of psycopg2.
collect_ignore = [] if find_spec("psycopg2") else ["test_benchmarks.py"]


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """An sdist of this checkout and the wheel that was built from it."""
    return build_distributions(tmp_path_factory.mktemp("distributions"))


@pytest.fixture(scope="session")
def installation(distributions: Distributions, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """A virtual environment with the wheel in it, and nothing of the checkout."""
    return install_wheel(distributions.wheel, tmp_path_factory.mktemp("installation") / "venv")


@pytest.fixture
def fresh_engine() -> Iterator[None]:
    """What the steps of these workflows have noted is empty, and this process's worker ends with the test."""
    declared.GIVEN.clear()
    asking.MOODS.clear()
    workflows.EXECUTED.clear()
    yield
    stop_worker()


@pytest.fixture
def sent() -> Iterator[RecordingDispatcher]:
    """What is sent once ``commit`` has done what waits for a commit."""
    with recording_dispatcher() as dispatcher:
        yield dispatcher


@pytest.fixture
def commit(django_capture_on_commit_callbacks: Callable[..., Any]) -> Callable[[], AbstractContextManager[Any]]:
    """A context in which what waits for a commit is done at its end."""
    return lambda: django_capture_on_commit_callbacks(execute=True)
