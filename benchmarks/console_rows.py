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
SELECT gen_random_uuid(), workflow.id,
       CASE WHEN number > {jobs} / 100 THEN workflow.current_definition_id ELSE old.id END, mixed.state,
       'benchmarks.workflows.Noop4of10', 4, 'order-' || number,
       now() - (({jobs} - number) * {apart} || ' seconds')::interval, now(),
       CASE WHEN mixed.state IN ('FAILED', 'CANCELED', 'FINISHED') THEN now() END,
       CASE WHEN mixed.state = 'FAILED' THEN 'it failed' ELSE '' END
FROM django_wfe_workflow AS workflow
JOIN django_wfe_definition AS old ON old.workflow_id = workflow.id AND old.id <> workflow.current_definition_id,
     generate_series(1, {jobs}) AS number, LATERAL (SELECT {mix.state} AS state OFFSET 0) AS mixed
WHERE workflow.name = 'Chain10' ORDER BY number
"""

_RUNS = """
INSERT INTO django_wfe_steprun
    (id, job_id, number, attempt, step, state, previous_id, result, transition, superseded, epoch, created_at, due_at,
     started_at, finished_at, lost_before, dispatched_at, dispatches, error_type, error, traceback, fingerprint)
SELECT {run}, job.id, number, 1,
       CASE number WHEN 0 THEN 'django_wfe.steps.__start__' ELSE 'benchmarks.workflows.Noop' || number || 'of10' END,
       CASE WHEN number < 4 OR job.state = 'FINISHED' THEN 'FINISHED' WHEN job.state = 'PENDING' THEN 'READY'
            ELSE job.state END,
       CASE WHEN number > 0 THEN {run} - 1 END, '{{"rows": 3}}', 0, FALSE, 1, job.created_at, job.created_at,
       job.created_at,
       CASE WHEN number = 4 AND job.state = 'FAILED' THEN {mix.failed_at}
            WHEN number < 4 OR job.finished_at IS NOT NULL
            THEN job.created_at + job.id % 600 * INTERVAL '0.1 second' END, 0, now(), 0,
       CASE WHEN number = 4 AND job.state = 'FAILED' THEN 'ValueError' ELSE '' END,
       CASE WHEN number = 4 AND job.state = 'FAILED' THEN 'no such account' ELSE '' END,
       CASE WHEN number = 4 AND job.state = 'FAILED' THEN 'Traceback' ELSE '' END,
       CASE WHEN number = 4 AND job.state = 'FAILED' THEN {mix.fingerprint} ELSE '' END
FROM django_wfe_job AS job, generate_series(0, 4) AS number
WHERE job.key IS NOT NULL AND job.id BETWEEN {first} AND {last} ORDER BY job.id, number
"""

# Each job's start, its end, and of one in ten that its second step was answered.
_EVENTS = """
INSERT INTO django_wfe_jobevent (job_id, step_run_id, kind, actor_name, source, data, created_at)
SELECT job.id, CASE WHEN number > 0 THEN {run} END, kind, actor, 'engine', '{{}}', created_at + after
FROM django_wfe_job AS job, LATERAL (SELECT id % 600 * INTERVAL '0.1 second' AS taken) AS time, LATERAL (
    VALUES ('started', 0, '', INTERVAL '0', TRUE),
           ('input_provided', 2, 'person ' || id % 20, taken / 2, id % 10 = 7 AND id % 600 > 0),
           (lower(state), 4, '', taken, state IN ('FINISHED', 'FAILED', 'CANCELED'))
) AS event (kind, number, actor, after, holds)
WHERE job.key IS NOT NULL AND holds ORDER BY created_at + after
"""

# Three of each job: a customer of twenty jobs, a region of very many, and a subject of a hundred. The region "north" is
# that of the oldest jobs alone, so that the newest first is no way to them.
_ATTRIBUTES = """
INSERT INTO django_wfe_jobattribute (job_id, name, value)
SELECT job.id, name, value
FROM django_wfe_job AS job, LATERAL (SELECT substr(job.key, 7)::bigint AS number) AS counted, LATERAL (
    VALUES ('customer', 'customer ' || number % ({jobs} / 20 + 1)),
           ('region', CASE WHEN number < {jobs} / 10 THEN 'north' WHEN number % 3 > 0 THEN 'south' ELSE 'west' END),
           ('auth.user', (number % ({jobs} / 100 + 1))::text)
) AS attribute (name, value)
WHERE job.key IS NOT NULL ORDER BY job.id, name
"""

_MORE_JOBS = """
WITH job AS (
    INSERT INTO django_wfe_job
        (uuid, workflow_id, definition_id, state, current_step, current_step_number, created_at, started_at,
         finished_at, error)
    SELECT gen_random_uuid(), id, current_definition_id, 'FINISHED', 'benchmarks.workflows.Noop4of10', 4,
           now() - INTERVAL '1 minute', now(), now(), ''
    FROM django_wfe_workflow, generate_series(1, {jobs}) WHERE name = 'Chain10' RETURNING id
), run AS (
    INSERT INTO django_wfe_steprun
        (id, job_id, number, attempt, step, state, previous_id, result, transition, superseded, epoch, created_at,
         due_at, started_at, finished_at, lost_before, dispatched_at, dispatches, error_type, error, traceback,
         fingerprint)
    SELECT {run}, job.id, number, 1, 'benchmarks.workflows.Noop' || number || 'of10', 'FINISHED',
           CASE WHEN number > 0 THEN {run} - 1 END, '{{"rows": 3}}', 0, FALSE, 1, now(), now(), now(),
           now() + job.id % 600 * INTERVAL '0.1 second', 0, now(), 0, '', '', '', ''
    FROM job, generate_series(0, 4) AS number ORDER BY job.id, number
    RETURNING id, job_id, number
)
INSERT INTO django_wfe_jobevent (job_id, step_run_id, kind, actor_name, source, data, created_at)
SELECT job_id, CASE number WHEN 4 THEN id END, CASE number WHEN 4 THEN 'finished' ELSE 'started' END, '', 'engine',
       '{{}}', now()
FROM run WHERE number IN (0, 4) ORDER BY id
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
WHERE index.indrelid IN ('django_wfe_job'::regclass, 'django_wfe_steprun'::regclass, 'django_wfe_jobevent'::regclass,
                         'django_wfe_jobattribute'::regclass)
      AND NOT index.indisprimary ORDER BY index.indexrelid
"""


def fill(database: Parameters, jobs: int, mix: str = "usual") -> None:
    """Insert the jobs with five step runs, three attributes and one to three events each."""
    mixed, apart = MIXES[mix], 30 if jobs <= 3_000_000 else 9
    build = _drop_indexes(database)
    execute(database, _FAST, _JOBS.format(mix=mixed, jobs=jobs, apart=apart))
    bounds = [jobs * part // _PARTS for part in range(_PARTS + 1)]
    first = execute(database, "SELECT min(id) FROM django_wfe_job WHERE key IS NOT NULL")[0][0]
    run = _number_runs(database, first)
    parts = [
        _RUNS.format(mix=mixed, first=first + low, last=first + high - 1, run=run) for low, high in pairwise(bounds)
    ]
    others = [_EVENTS.format(run=run), _ATTRIBUTES.format(jobs=jobs)]
    # Step runs are numbered in the order of their making, as time goes: one connection for them, another for the rest.
    with ThreadPoolExecutor(_PARTS) as pool:
        list(pool.map(lambda statements: execute(database, _FAST, *statements), [parts, others]))
        list(pool.map(lambda statement: execute(database, _FAST, statement), build))
    _move_run_numbers(database)
    execute(database, "VACUUM ANALYZE")


def insert_more_jobs(database: Parameters, jobs: int) -> None:
    """Insert finished jobs of the last minute, with all that the statistics count of them."""
    first = execute(database, "SELECT max(id) + 1 FROM django_wfe_job")[0][0]
    execute(database, _FAST, _MORE_JOBS.format(jobs=jobs, run=_number_runs(database, first)))
    _move_run_numbers(database)


def insert_long_job(database: Parameters, runs: int) -> int:
    """Insert one paused job of so many step runs; give its id."""
    rows = execute(database, _FAST + "; " + _LONG_JOB.replace("%(runs)s", str(runs)))
    return int(rows[0][0])


def _number_runs(database: Parameters, first_job: int) -> str:
    """Return SQL for the id of a job's step run by its ``number``, so that each run can name the one before it."""
    free = execute(database, "SELECT COALESCE(max(id), 0) + 1 FROM django_wfe_steprun")[0][0]
    return f"{free} + (job.id - {first_job}) * 5 + number"


def _move_run_numbers(database: Parameters) -> None:
    execute(
        database,
        "SELECT setval(pg_get_serial_sequence('django_wfe_steprun', 'id'), (SELECT max(id) FROM django_wfe_steprun))",
    )


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
