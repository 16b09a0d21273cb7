"""The SQL of a claim that is given back: a sister of ``statements``."""

from __future__ import annotations

from django_wfe.engine.store.prepared import Statement

# A run goes back unharmed: its worker was told to stop, lacks the code, or found its stored input no longer valid.
GIVE_BACK = Statement(
    "give_back",
    """
WITH ended AS (
    UPDATE django_wfe_steprun
    SET state = %(state)s, worker_id = NULL, started_at = NULL, dispatched_at = statement_timestamp(), dispatches = 0,
        due_at = statement_timestamp() + %(wait_seconds)s * INTERVAL '1 second',
        external_data = CASE WHEN %(state)s = 'INPUT_REQUIRED' THEN NULL ELSE external_data END,
        expires_at = CASE WHEN %(state)s = 'INPUT_REQUIRED'
                          THEN COALESCE(expires_at, created_at + %(input_within)s * INTERVAL '1 second')
                          ELSE expires_at END
    WHERE id = %(id)s AND state = 'RUNNING' AND worker_id = %(worker_id)s AND epoch = %(epoch)s
    RETURNING id, job_id
), before AS (
    SELECT job.id, job.error FROM django_wfe_job AS job JOIN ended ON ended.job_id = job.id
), job AS (
    UPDATE django_wfe_job AS job
    SET state = CASE WHEN job.state = 'PAUSED' THEN 'PAUSED' ELSE %(next_job_state)s END, error = %(job_error)s
    FROM ended
    WHERE job.id = ended.job_id AND job.state <> ALL('{FINISHED,CANCELED,FAILED}')
    RETURNING job.id
), event AS (
    INSERT INTO django_wfe_jobevent (job_id, step_run_id, kind, actor_name, source, data, created_at)
    SELECT job.id, %(id)s, %(event_kind)s, '', 'engine', %(event_data)s::jsonb, statement_timestamp()
    FROM job JOIN before ON before.id = job.id
    -- Said once, not at each try.
    WHERE before.error <> %(job_error)s
)
SELECT ended.id, NULL, NULL FROM ended
""",
)
