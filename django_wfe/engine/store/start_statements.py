"""The SQL of a start: one statement inserts the Job, its finished start, its first step run and its first event."""

from __future__ import annotations

from django_wfe.engine.store.open_run import EXPIRES_AT, open_run
from django_wfe.engine.store.prepared import Statement

# What every start begins with: the Job, unless its key is known, and its finished start.
_INSERT_JOB = f"""
WITH job AS (
    INSERT INTO django_wfe_job
        (uuid, workflow_id, definition_id, state, current_step, current_step_number, key, created_by_id,
         created_at, started_at, error)
    VALUES
        (%(uuid)s, %(workflow_id)s, %(definition_id)s, %(job_state)s, %(step)s, 1, %(key)s, %(created_by_id)s,
         statement_timestamp(), CASE WHEN %(run_state)s = 'RUNNING' THEN statement_timestamp() END, '')
    ON CONFLICT (workflow_id, key) WHERE key IS NOT NULL DO NOTHING
    RETURNING id, created_at
), start AS (
    {
    open_run(
        "job",
        job_id="id",
        number="0",
        step="%(start)s",
        state="'FINISHED'",
        previous_id="NULL",
        now="created_at",
        started_at="created_at",
        finished_at="created_at",
        result="%(job_input)s::jsonb",
        transition="0",
        returning="id, job_id",
    )
}
"""


def _open_first_run(external_data: str = "NULL", **others: str) -> str:
    return open_run(
        "job JOIN start ON start.job_id = job.id",
        job_id="job.id",
        number="1",
        step="%(step)s",
        state="%(run_state)s",
        previous_id="start.id",
        external_data=external_data,
        worker_id="%(worker_id)s",
        epoch="%(epoch)s",
        now="created_at",
        started_at="CASE WHEN %(run_state)s = 'RUNNING' THEN created_at END",
        **others,
    )


# What the Job is found by. Both kinds are written alike; a subject's name is that of its model.
_INSERT_ATTRIBUTES = """), attribute AS (
    INSERT INTO django_wfe_jobattribute (job_id, workflow_id, name, value)
    SELECT job.id, %(workflow_id)s, given.key, given.value FROM job, jsonb_each_text(%(attributes)s::jsonb) AS given
"""


def _start(attributes: str = "", **others: str) -> str:
    return (
        _INSERT_JOB
        + attributes
        + f"""), first AS (
    {_open_first_run(**others)}
), event AS (
    INSERT INTO django_wfe_jobevent (job_id, kind, actor_id, actor_name, source, data, created_at)
    SELECT id, 'started', %(created_by_id)s, %(actor_name)s, %(source)s, %(event_data)s::jsonb, created_at FROM job
)
SELECT job.id, first.id FROM job, first
"""
    )


START = Statement("start", _start())
START_WITH_DEADLINE = Statement("start_with_deadline", _start(expires_at=f"created_at + {EXPIRES_AT}"))


def _start_answered(attributes: str = "") -> str:
    """Return a start that brings the first step's input along.

    It does what START and PROVIDE_INPUT would do, and there never is a Job that waits.
    """
    return (
        _INSERT_JOB
        + attributes
        + f"""), first AS (
    {_open_first_run("%(external_data)s::jsonb")}
), event AS (
    -- One INSERT, so that the history has them in this order.
    INSERT INTO django_wfe_jobevent (job_id, step_run_id, kind, actor_id, actor_name, source, data, created_at)
    SELECT job.id, CASE WHEN kind = 'input_provided' THEN first.id END, kind,
           %(created_by_id)s, %(actor_name)s, %(source)s,
           CASE kind WHEN 'started' THEN %(event_data)s::jsonb ELSE '{{}}' END, created_at
    FROM job, first, (VALUES (1, 'started'), (2, 'input_provided')) AS happened (place, kind)
    ORDER BY place
)
SELECT job.id, first.id FROM job, first
"""
    )


START_ANSWERED = Statement("start_answered", _start_answered())

WITH_ATTRIBUTES = {
    START: Statement("start_found", _start(_INSERT_ATTRIBUTES)),
    START_WITH_DEADLINE: Statement(
        "start_found_with_deadline", _start(_INSERT_ATTRIBUTES, expires_at=f"created_at + {EXPIRES_AT}")
    ),
    START_ANSWERED: Statement("start_found_answered", _start_answered(_INSERT_ATTRIBUTES)),
}
"""The starts of Jobs that have attributes or a subject: other Jobs do not pay for them."""
