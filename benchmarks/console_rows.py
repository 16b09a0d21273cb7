"""Fills one database as years of use would have: so many jobs with five step runs each, in one of two mixes.

"usual": few of the jobs are live. "worst": an outage. A fifth wait for input, a fifth have failed in a thousand ways in
the last three hours, a tenth are ready; they lie among finished jobs, so that each page of a table holds some.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.database import Parameters, execute

_FAST = "SET session_replication_role = replica; SET synchronous_commit = off; SET maintenance_work_mem = '768MB'"

_PARTS = 2
"""Connections that fill a table at once."""


@dataclass(frozen=True, slots=True)
class Mix:
    """How the jobs stand: ``state`` is SQL on ``number``, ``failed_at`` and ``fingerprint`` on ``job``."""

    state: str
    failed_at: str
    fingerprint: str
    words: str


MIXES = {
    # Of 1,000 jobs: 2 wait for input, 1 is ready, 6 have failed (of three kinds), 4 were canceled, the others finished.
    "usual": Mix(
        state="""
            CASE WHEN number % 1000 < 2 THEN 'INPUT_REQUIRED' WHEN number % 1000 < 3 THEN 'PENDING'
                 WHEN number % 1000 < 9 THEN 'FAILED' WHEN number % 1000 < 13 THEN 'CANCELED' ELSE 'FINISHED' END
        """,
        failed_at="job.created_at",
        fingerprint="repeat((job.id % 3)::text, 64)",
        words="Of 1,000 jobs 2 wait for input, 1 is ready, and 6 have failed, in three ways.",
    ),
    "worst": Mix(
        state="""
            CASE WHEN number % 10 < 2 THEN 'INPUT_REQUIRED' WHEN number % 10 < 4 THEN 'FAILED'
                 WHEN number % 10 < 5 THEN 'PENDING' WHEN number % 1000 < 10 THEN 'CANCELED' ELSE 'FINISHED' END
        """,
        failed_at="now() - job.id % 10800 * INTERVAL '1 second'",
        fingerprint="lpad(to_hex(job.id / 10 % 1000), 64, '0')",
        words="The worst day: of 10 jobs 2 wait for input, 1 is ready, and 2 have failed, in a thousand ways.",
    ),
}

_JOBS = """
INSERT INTO django_wfe_job
    (uuid, workflow_id, definition_id, state, current_step, current_step_number, key, created_at, started_at,
     finished_at, error)
SELECT gen_random_uuid(), workflow.id, workflow.current_definition_id, mixed.state,
       'benchmarks.workflows.Noop4of10', 4, 'order-' || number,
       now() - (({jobs} - number) * {apart} || ' seconds')::interval, now(),
       CASE WHEN mixed.state IN ('FAILED', 'CANCELED', 'FINISHED') THEN now() END,
       CASE WHEN mixed.state = 'FAILED' THEN 'it failed' ELSE '' END
FROM django_wfe_workflow AS workflow, generate_series(1, {jobs}) AS number,
     LATERAL (SELECT {mix.state} AS state OFFSET 0) AS mixed
WHERE workflow.name = 'Chain10' ORDER BY number
"""

_RUNS = """
INSERT INTO django_wfe_steprun
    (job_id, number, attempt, step, state, previous_id, result, transition, superseded, epoch, created_at, due_at,
     started_at, finished_at, lost_before, dispatched_at, dispatches, error_type, error, traceback, fingerprint)
SELECT job.id, number, 1,
       CASE number WHEN 0 THEN 'django_wfe.steps.__start__' ELSE 'benchmarks.workflows.Noop' || number || 'of10' END,
       CASE WHEN number < 4 OR job.state = 'FINISHED' THEN 'FINISHED' WHEN job.state = 'PENDING' THEN 'READY'
            ELSE job.state END,
       NULL, '{{"rows": 3}}', 0, FALSE, 1, job.created_at, job.created_at, job.created_at,
       CASE WHEN number = 4 AND job.state = 'FAILED' THEN {mix.failed_at}
            WHEN number < 4 OR job.finished_at IS NOT NULL THEN job.created_at END, 0, now(), 0,
       CASE WHEN number = 4 AND job.state = 'FAILED' THEN 'ValueError' ELSE '' END,
       CASE WHEN number = 4 AND job.state = 'FAILED' THEN 'no such account' ELSE '' END,
       CASE WHEN number = 4 AND job.state = 'FAILED' THEN 'Traceback' ELSE '' END,
       CASE WHEN number = 4 AND job.state = 'FAILED' THEN {mix.fingerprint} ELSE '' END
FROM django_wfe_job AS job, generate_series(0, 4) AS number
WHERE job.key IS NOT NULL AND job.id BETWEEN {first} AND {last} ORDER BY job.id, number
"""

_EVENTS = """
INSERT INTO django_wfe_jobevent (job_id, kind, actor_name, source, data, created_at)
SELECT id, 'started', '', 'engine', '{}', created_at FROM django_wfe_job WHERE key IS NOT NULL ORDER BY id
"""

_LONG_JOB = """
WITH job AS (
    INSERT INTO django_wfe_job
        (uuid, workflow_id, definition_id, state, current_step, current_step_number, created_at, started_at, error)
    SELECT gen_random_uuid(), id, current_definition_id, 'PAUSED', 'benchmarks.workflows.Noop4of10', %(runs)s,
           now() - INTERVAL '1 day', now() - INTERVAL '1 day', ''
    FROM django_wfe_workflow WHERE name = 'Chain10' RETURNING id
)
INSERT INTO django_wfe_steprun
    (job_id, number, attempt, step, state, previous_id, result, transition, superseded, epoch, created_at, due_at,
     started_at, finished_at, lost_before, dispatched_at, dispatches, error_type, error, traceback, fingerprint)
SELECT job.id, number, 1, 'benchmarks.workflows.Noop' || (number % 10 + 1) || 'of10', 'FINISHED', NULL,
       '{"rows": 3}', 0, FALSE, 1, moment, moment, moment, moment + INTERVAL '1 second', 0, moment, 0, '', '', '', ''
FROM job, generate_series(1, %(runs)s) AS number,
     LATERAL (SELECT now() - INTERVAL '1 day' + number * INTERVAL '8 seconds' AS moment) AS at
RETURNING job_id
"""

# All indexes but those of the primary keys: built at the end, they take a third of the time. ``{{}}`` becomes a name.
_INDEXES = """
SELECT pg_get_indexdef(index.indexrelid), index.indexrelid::regclass::text, index.indrelid::regclass::text,
       key.conname, pg_get_constraintdef(key.oid)
FROM pg_index AS index LEFT JOIN pg_constraint AS key ON key.conindid = index.indexrelid
WHERE index.indrelid IN ('django_wfe_job'::regclass, 'django_wfe_steprun'::regclass, 'django_wfe_jobevent'::regclass)
      AND NOT index.indisprimary ORDER BY index.indexrelid
"""


def fill(database: Parameters, jobs: int, mix: str = "usual") -> None:
    """Insert the jobs with five step runs each, and one event."""
    mixed, apart = MIXES[mix], 30 if jobs <= 3_000_000 else 9
    build = _drop_indexes(database)
    execute(database, _FAST, _JOBS.format(mix=mixed, jobs=jobs, apart=apart))
    bounds = [jobs * part // _PARTS for part in range(_PARTS + 1)]
    first = execute(database, "SELECT min(id) FROM django_wfe_job WHERE key IS NOT NULL")[0][0]
    parts = [_RUNS.format(mix=mixed, first=first + low, last=first + high - 1) for low, high in pairwise(bounds)]
    # Step runs are numbered in the order of their making, as time goes: one connection for them, another for the rest.
    with ThreadPoolExecutor(_PARTS) as pool:
        list(pool.map(lambda statements: execute(database, _FAST, *statements), [parts, [_EVENTS]]))
        list(pool.map(lambda statement: execute(database, _FAST, statement), build))
    execute(database, "VACUUM ANALYZE")


def insert_long_job(database: Parameters, runs: int) -> int:
    """Insert one paused job of so many step runs; give its id."""
    rows = execute(database, _FAST + "; " + _LONG_JOB.replace("%(runs)s", str(runs)))
    return int(rows[0][0])


def _drop_indexes(database: Parameters) -> list[str]:
    """Drop what can be built at the end, and give the statements that build it."""
    build: list[str] = []
    for definition, index, table, constraint, clause in execute(database, _INDEXES):
        if constraint:
            execute(database, f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")
            build.append(f"ALTER TABLE {table} ADD CONSTRAINT {constraint} {clause}")
        else:
            execute(database, f"DROP INDEX {index}")
            build.append(definition)
    return build
