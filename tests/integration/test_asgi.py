"""Async views that start Jobs, under a real ASGI server: uvicorn, in a process of its own."""

import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from django_wfe.models import Job, StepRun
from tests.support.running.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

STARTS = 200


@pytest.fixture
def server(child_environment: dict[str, str]) -> Iterator[str]:
    """The address of a uvicorn that serves the application."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(2 * STARTS)
    listening.set_inheritable(True)
    environment = {**child_environment, "WFE_TEST_SETTINGS": json.dumps({"ROOT_URLCONF": f"{SUPPORT}"})}
    command = [sys.executable, "-m", "uvicorn", f"{SUPPORT}:application", "--fd", str(listening.fileno())]
    process = subprocess.Popen(
        [*command, "--log-level", "warning"], env=environment, pass_fds=[listening.fileno()], stderr=subprocess.PIPE
    )
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    listening.close()
    try:
        wait_until(lambda: _answers(address, process), message="uvicorn does not answer")
        yield address
    finally:
        process.terminate()
        _output, errors = process.communicate(timeout=30)
        assert errors == b"", errors.decode()[-5_000:]


SUPPORT = "tests.support.running.asgi_starts"


def test_200_async_views_that_start_jobs_at_once_start_them_all_and_leave_no_thread(server: str) -> None:
    before = ask(f"{server}/threads")["threads"]
    with ThreadPoolExecutor(STARTS) as pool:
        answers = list(pool.map(lambda number: ask(f"{server}/start?key=order-{number}"), range(STARTS)))
    started = {answer["job"] for answer in answers}
    assert len(started) == STARTS
    assert set(Job.objects.values_list("pk", flat=True)) == started
    assert StepRun.objects.filter(number=1).count() == STARTS
    wait_until(
        lambda: len(ask(f"{server}/threads")["threads"]) <= len(before),
        message=lambda: f"threads were left: {ask(f'{server}/threads')} and not {before}",
    )


def ask(address: str) -> Any:
    with urllib.request.urlopen(address, timeout=60) as answer:
        return json.load(answer)


def _answers(address: str, process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is not None:
        raise AssertionError(process.stderr.read().decode() if process.stderr else "uvicorn ended")
    try:
        ask(f"{address}/threads")
    except (urllib.error.URLError, ConnectionError):
        return False
    return True
