"""Fills one database as years of use would have: a million jobs and five million step runs, few of them live."""

from __future__ import annotations

from benchmarks.database import Parameters, execute

_FAST = "SET session_replication_role = replica; SET synchronous_commit = off"

# Of 1,000 jobs: 2 wait for input, 1 is ready, 6 have failed (of three kinds), 4 were canceled, the others finished.
_STATE = """
    CASE WHEN number % 1000 < 2 THEN 'INPUT_REQUIRED' WHEN number % 1000 < 3 THEN 'PENDING'
         WHEN number % 1000 < 9 THEN 'FAILED' WHEN number % 1000 < 13 THEN 'CANCELED' ELSE 'FINISHED' END
"""

_JOBS = """
INSERT INTO django_wfe_job
    (uuid, workflow_id, definition_id, state, current_step, current_step_number, key, created_at, started_at,
     finished_at, error)
SELECT gen_random_uuid(), workflow.id, workflow.current_definition_id, {state},
       'benchmarks.workflows.Noop4of10', 4, 'order-' || number,
       now() - (({jobs} - number) * 30 || ' seconds')::interval, now(),
       CASE WHEN number % 1000 >= 3 THEN now() END, CASE WHEN number % 1000 BETWEEN 3 AND 8 THEN 'it failed' ELSE '' END
FROM django_wfe_workflow AS workflow, generate_series(1, {jobs}) AS number
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
       NULL, '{"rows": 3}', 0, FALSE, 1, job.created_at, job.created_at, job.created_at,
       CASE WHEN number < 4 OR job.finished_at IS NOT NULL THEN job.created_at END, 0, now(), 0,
       CASE WHEN number = 4 AND job.state = 'FAILED' THEN 'ValueError' ELSE '' END,
       CASE WHEN number = 4 AND job.state = 'FAILED' THEN 'no such account' ELSE '' END,
       CASE WHEN number = 4 AND job.state = 'FAILED' THEN 'Traceback' ELSE '' END,
       CASE WHEN number = 4 AND job.state = 'FAILED' THEN repeat((job.id % 3)::text, 64) ELSE '' END
FROM django_wfe_job AS job, generate_series(0, 4) AS number WHERE job.key IS NOT NULL ORDER BY job.id, number
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


def fill(database: Parameters, jobs: int) -> None:
    """Insert the jobs with five step runs each, and one event."""
    execute(database, _FAST, _JOBS.format(state=_STATE, jobs=jobs), _RUNS, _EVENTS)
    execute(database, "VACUUM ANALYZE")


def insert_long_job(database: Parameters, runs: int) -> int:
    """Insert one paused job of so many step runs; give its id."""
    rows = execute(database, _FAST + "; " + _LONG_JOB.replace("%(runs)s", str(runs)))
    return int(rows[0][0])
