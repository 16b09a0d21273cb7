"""The floor: what PostgreSQL itself takes for a step's least, one statement that inserts and updates, one commit."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self

import psycopg2

from benchmarks.database import Parameters

TABLES = """
CREATE TABLE floor_job (id bigserial PRIMARY KEY, number integer NOT NULL);
CREATE TABLE floor_step (
    id bigserial PRIMARY KEY, job_id bigint NOT NULL, number integer NOT NULL, result jsonb, UNIQUE (job_id, number)
)
"""
STEP = """
WITH step AS (INSERT INTO floor_step (job_id, number, result) VALUES (%s, %s, 'null') RETURNING job_id)
UPDATE floor_job SET number = %s FROM step WHERE floor_job.id = step.job_id
"""


class Floor:
    """The floor as a contender, in two forms. A context manager."""

    def __init__(self, database: Parameters) -> None:
        self._database = database
        self._connection: Any = None

    def __enter__(self) -> Self:
        self._connection = psycopg2.connect(**self._database)
        with self._connection.cursor() as cursor:
            cursor.execute(TABLES)
        self._connection.commit()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._connection.close()

    def run(self, steps: int, *, autocommit: bool) -> float:
        """Run a job of so many steps; give the milliseconds of a step.

        Args:
            autocommit: let PostgreSQL commit at the end of the statement, in one round trip. Otherwise psycopg2's
                default: it begins a transaction, and ``commit()`` is called, in three.
        """
        connection = self._connection
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO floor_job (number) VALUES (0) RETURNING id")
            (job_id,) = cursor.fetchone()
            connection.autocommit = autocommit
            began = time.perf_counter()
            for number in range(1, steps + 1):
                cursor.execute(STEP, (job_id, number, number))
                if not autocommit:
                    connection.commit()
            return (time.perf_counter() - began) * 1000 / steps
