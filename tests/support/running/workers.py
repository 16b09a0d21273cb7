"""Real worker processes on a real broker, for the tests."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import dramatiq
from django.conf import settings
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.redis import RedisBroker

from django_wfe.engine.delivery.dispatcher import Dispatcher, Message, install_dispatcher
from django_wfe.models import Worker
from tests.support.running.waiting import wait_until


class BrokerDispatcher(Dispatcher):
    """Sends the engine's messages to a broker other than the one of this process's settings."""

    def __init__(self, url: str, namespace: str) -> None:
        if url.startswith("amqp"):
            self.broker: dramatiq.Broker = RabbitmqBroker(url=url, middleware=[])
        else:
            self.broker = RedisBroker(url=url, namespace=namespace, middleware=[])
        self.broker.declare_queue(settings.WFE_QUEUE)

    def send(self, message: Message) -> bool:
        assert message.kind == "step"
        over_broker: dramatiq.Message[Any] = dramatiq.Message(
            queue_name=settings.WFE_QUEUE, actor_name="run_step", args=(message.number,), kwargs={}, options={}
        )
        self.broker.enqueue(over_broker)
        return True


class Workers:
    """A running "rundramatiq": its master process and the workers below it."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log

    def list_pids(self) -> list[int]:
        """Give the worker processes that the database knows as alive."""
        return list(Worker.objects.filter(stopped_at=None, declared_dead_at=None).values_list("pid", flat=True))

    def read_log(self) -> str:
        return self.log.read_text(errors="replace")

    def kill_all(self) -> None:
        """kill -9 the master and every process of its group."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def running_workers(
    environment: dict[str, str],
    broker_url: str,
    *,
    processes: int = 1,
    threads: int = 4,
    **overrides: Any,
) -> Iterator[Workers]:
    """Run workers on this test's database, and send this process's messages to the same broker.

    ``overrides`` are settings for the workers, such as ``WFE_WORKER_TIMEOUT=2``.
    """
    child = {
        **environment,
        "WFE_TEST_BROKER_URL": broker_url,
        "WFE_TEST_QUEUE": settings.WFE_QUEUE,
        "WFE_TEST_SETTINGS": json.dumps(overrides),
    }
    dispatcher = BrokerDispatcher(broker_url, environment["WFE_TEST_BROKER_NAMESPACE"])
    with tempfile.TemporaryDirectory(prefix="wfe-workers-") as directory:
        log = Path(directory) / "log"
        command = [sys.executable, "-m", "django", "rundramatiq", "--processes", str(processes), "--threads"]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, str(threads)], env=child, stdout=output, stderr=output, start_new_session=True
            )
        workers = Workers(process, log)
        before = install_dispatcher(dispatcher)
        try:
            wait_until(
                lambda: len(workers.list_pids()) == processes or process.poll() is not None,
                timeout=30,
                message=lambda: f"the workers did not start: {workers.read_log()}",
            )
            yield workers
        finally:
            install_dispatcher(before)
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(timeout=30)
                except subprocess.TimeoutExpired:
                    workers.kill_all()
            dispatcher.broker.flush(settings.WFE_QUEUE)
            dispatcher.broker.close()
