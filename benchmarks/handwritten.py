"""A pipeline as a team would write it by hand over Dramatiq: one INSERT and commit a step, then the next message.

Of the guarantees it has none: a process that dies between commit and send loses the job, one that dies before the
broker's acknowledgement repeats a step. It is the price of the parts alone. Run by ``dramatiq benchmarks.handwritten``.
"""

from __future__ import annotations

import json
import os
import threading
from typing import Any

import dramatiq
import psycopg2
from dramatiq.brokers.rabbitmq import RabbitmqBroker

broker = RabbitmqBroker(url=os.environ["WFE_BENCH_BROKER_URL"])
dramatiq.set_broker(broker)
_local = threading.local()


@dramatiq.actor(queue_name=f"{os.environ['WFE_BENCH_QUEUE']}_handwritten")
def run_handwritten_step(job: int, number: int, steps: int) -> None:
    """Do nothing, keep that it was done, and send the next step's message."""
    connection = _get_connection()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO handwritten_step (job, number, result) VALUES (%s, %s, %s)", [job, number, json.dumps(None)]
        )
    connection.commit()
    if number < steps:
        run_handwritten_step.send(job, number + 1, steps)


def _get_connection() -> Any:
    connection = getattr(_local, "connection", None)
    if connection is None:
        connection = _local.connection = psycopg2.connect(**json.loads(os.environ["WFE_BENCH_DATABASE"]))
    return connection
