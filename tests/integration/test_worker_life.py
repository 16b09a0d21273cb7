"""What a worker process holds while it lives, and when it has stopped."""

from types import SimpleNamespace

import dramatiq
import pytest
from django.db import connections

from django_wfe.conf import DATABASE
from django_wfe.models import Worker
from django_wfe.tasks import WorkerLifeMiddleware, run_step

pytestmark = [
    pytest.mark.integration,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("fresh_engine"),
]


def test_the_thread_that_starts_and_stops_a_worker_keeps_no_connection() -> None:
    life = WorkerLifeMiddleware()
    worker = SimpleNamespace(worker_threads=2, consumer_whitelist={run_step.queue_name})
    life.after_worker_boot(dramatiq.get_broker(), worker)
    assert connections[DATABASE].connection is None
    assert Worker.objects.get().queues == run_step.queue_name
    life.before_worker_shutdown(dramatiq.get_broker(), worker)
    life.after_worker_shutdown(dramatiq.get_broker(), worker)
    assert connections[DATABASE].connection is None
    assert Worker.objects.get().stopped_at is not None
