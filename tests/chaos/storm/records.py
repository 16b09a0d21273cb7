"""The side tables of a storm: what the steps really did, written past the engine.

An execution is recorded in a connection of its own, in autocommit, before the step works. It is tried again until it is
surely there, under a token that makes a second try harmless; where that takes too long, the step fails, and so its Job.
"""

from __future__ import annotations

import threading
import time
import uuid
from typing import Any

from django.conf import settings
from django.db import models

from tests.support.running.driver import DriverError, connect

PATIENCE_SECONDS = 60.0

CREATE_TABLES = """
CREATE TABLE storm_execution (
    token uuid PRIMARY KEY,
    job_uuid uuid NOT NULL,
    number integer NOT NULL,
    attempt integer NOT NULL,
    began timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE storm_atomic_row (id bigserial PRIMARY KEY, key text NOT NULL, attempt integer NOT NULL);
"""

_RECORD = """
INSERT INTO storm_execution (token, job_uuid, number, attempt) VALUES (%s, %s, %s, %s) ON CONFLICT (token) DO NOTHING
"""

_kept = threading.local()


class AtomicRow(models.Model):
    """What an atomic step writes. Nothing keeps it from being written twice, except the engine's promise."""

    objects: models.Manager[AtomicRow] = models.Manager()

    key = models.TextField()
    attempt = models.IntegerField()

    class Meta:
        app_label = "storm"
        db_table = "storm_atomic_row"
        managed = False

    def __str__(self) -> str:
        return f"{self.key} by attempt {self.attempt}"


class NotRecorded(Exception):
    """An execution could not be recorded, so that the storm's figures would be wrong."""


def record_execution(idempotency_key: str, attempt: int) -> None:
    """Record that a step is executed now.

    Raises:
        NotRecorded: where the database stays away for ``PATIENCE_SECONDS``.
    """
    job_uuid, _, number = idempotency_key.rpartition(":")
    parameters = [str(uuid.uuid4()), job_uuid, int(number), attempt]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with _get_connection().cursor() as cursor:
                cursor.execute(_RECORD, parameters)
            return
        except DriverError as error:
            # A crash of the server shows as the bare DatabaseError; nothing else can go wrong with this statement.
            _kept.connection = None
            if time.monotonic() > deadline:
                raise NotRecorded(f"The execution of {idempotency_key}, attempt {attempt}: {error}") from error
            time.sleep(0.1)


def _get_connection() -> Any:
    connection = getattr(_kept, "connection", None)
    if connection is None:
        database = settings.DATABASES["default"]
        connection = connect(
            dbname=database["NAME"],
            host=database["HOST"],
            port=database["PORT"],
            user=database["USER"],
            password=database["PASSWORD"],
        )
        connection.autocommit = True
        _kept.connection = connection
    return connection
