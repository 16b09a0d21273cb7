"""Fills the tables of one database by bulk inserts, as a long life would have filled them."""

from __future__ import annotations

from benchmarks.database import Parameters, execute

# Checking each foreign key of millions of rows, and waiting for the disk, would only make the filling longer.
_FAST = "SET session_replication_role = replica; SET synchronous_commit = off"

# As the engine makes them (version 7), a millisecond apart.
_UUID = """
    (lpad(to_hex(1700000000000 + number), 12, '0') || '7'
     || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid
"""

_FINISHED = """
WITH chain AS (
    SELECT id AS workflow_id, current_definition_id AS definition_id FROM django_wfe_workflow WHERE name = 'Chain10'
)
INSERT INTO django_wfe_job
    (uuid, workflow_id, definition_id, state, current_step, current_step_number, created_at, started_at, finished_at,
     error)
SELECT {uuid}, workflow_id, definition_id, {state}, 'benchmarks.workflows.Noop1of10', 1,
       now() - (({jobs} - number) || ' seconds')::interval, now(), {finished_at}, ''
FROM chain, generate_series(1, {jobs}) AS number ORDER BY number
"""

_RUNS = """
INSERT INTO django_wfe_steprun
    (job_id, number, attempt, step, state, previous_id, result, transition, superseded, worker_id, epoch, created_at,
     due_at, started_at, finished_at, lost_before, dispatched_at, dispatches, error_type, error, traceback, fingerprint)
SELECT id, number, 1, CASE number WHEN 0 THEN '__start__' ELSE current_step END,
       CASE number WHEN 0 THEN 'FINISHED' ELSE {state} END, NULL, '{{"rows": 3}}', 0, FALSE, {worker}, 1, created_at,
       {due_at}, created_at, {finished_at}, 0, now(), 0, '', '', '', ''
FROM django_wfe_job, generate_series(0, 1) AS number WHERE id > {after} ORDER BY id, number
"""

_EVENTS = """
INSERT INTO django_wfe_jobevent (job_id, kind, actor_name, source, data, created_at)
SELECT id, kind, '', 'engine', '{}', created_at
FROM django_wfe_job, unnest(ARRAY['started', 'finished']) AS kind WHERE finished_at IS NOT NULL ORDER BY id
"""

_WORKER = """
INSERT INTO django_wfe_worker (id, hostname, pid, threads, started_at, last_seen, lacks)
VALUES ('00000000-0000-4000-8000-000000000001', 'benchmark', 1, 8, now(), now(), '{}')
"""

_WORKER_ID = "'00000000-0000-4000-8000-000000000001'::uuid"


def insert_finished(database: Parameters, jobs: int) -> None:
    """Insert finished jobs, each with two step runs and two events."""
    execute(
        database,
        _FAST,
        _FINISHED.format(uuid=_UUID, state="'FINISHED'", finished_at="now()", jobs=jobs),
        _RUNS.format(state="'FINISHED'", worker="NULL", due_at="created_at", finished_at="created_at", after=0)
        + " ON CONFLICT DO NOTHING",
        _EVENTS,
    )


def insert_live(database: Parameters, jobs: int) -> None:
    """Insert live jobs, by quarters: running by a live worker, waiting for input, for a worker, and for their time."""
    ((last,),) = execute(database, "SELECT max(id) FROM django_wfe_job")
    quarter = "(ARRAY['ONGOING', 'INPUT_REQUIRED', 'PENDING', 'WAITING'])[number %% 4 + 1]".replace("%%", "%")
    execute(
        database,
        _FAST,
        _WORKER,
        _FINISHED.format(uuid=_UUID, state=quarter, finished_at="NULL", jobs=jobs),
        _RUNS.format(
            state="CASE state WHEN 'ONGOING' THEN 'RUNNING' WHEN 'INPUT_REQUIRED' THEN 'INPUT_REQUIRED' "
            "ELSE 'READY' END",
            worker=f"CASE WHEN state = 'ONGOING' AND number = 1 THEN {_WORKER_ID} END",
            due_at="CASE state WHEN 'WAITING' THEN now() + INTERVAL '1 day' ELSE now() END",
            finished_at="CASE number WHEN 0 THEN created_at END",
            after=last,
        ),
    )
    refresh_live(database)


def refresh_live(database: Parameters) -> None:
    """Have the worker alive, and the messages of what is ready just sent, so that a sweep finds all in order."""
    execute(
        database,
        f"UPDATE django_wfe_worker SET last_seen = now() WHERE id = {_WORKER_ID}",
        "UPDATE django_wfe_steprun SET dispatched_at = now() WHERE state = 'READY'",
    )
