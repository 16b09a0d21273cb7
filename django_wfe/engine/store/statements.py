"""The SQL of the hot path. Each constant is one statement, so that in autocommit it is one transaction.

Every change of state is a compare-and-set. Rows are locked in one order everywhere: step runs by id, then their Job.
``statement_timestamp()`` is the database's clock at the time of the statement, also within a longer transaction.
"""

from __future__ import annotations

from django_wfe.engine.store.open_run import EXPIRES_AT, open_run
from django_wfe.engine.store.prepared import Statement

# In the order of the model's fields, as Model.from_db wants them.
WORKFLOW_COLUMNS = (
    *("id", "path", "name", "deleted", "paused", "groups", "subject", "has_attributes", "current_definition_id"),
    "load_error",
)

# What tells a version of a row from any other: who wrote it, and where it lies, since one transaction may write twice.
VERSION = "xmin::text || ctid::text"

_FIND_WORKFLOW = f"SELECT {', '.join(WORKFLOW_COLUMNS)}, {VERSION} FROM django_wfe_workflow"
FIND_WORKFLOW = Statement("find_workflow", f"{_FIND_WORKFLOW} WHERE id = %(workflow_id)s")
FIND_WORKFLOW_BY_PATH = Statement("find_workflow_by_path", f"{_FIND_WORKFLOW} WHERE path = %(path)s")

_CLAIM = """
WITH ready AS (
    SELECT id, job_id, previous_id FROM django_wfe_steprun
    -- Written so that no partial index fits: the planner takes that of the ready runs to be empty, reads all of it to
    -- find one, and each claim then costs as much as the backlog is long.
    WHERE id = %(id)s AND state || '' = 'READY'
        -- What was due when it was made stays due, though the database's clock be set back.
        AND due_at <= GREATEST(statement_timestamp(), created_at)
        -- A worker runs one suspect at a time, so that a step that kills its workers takes no other suspect with it.
        AND (lost_before = 0 OR %(suspects)s)
    FOR UPDATE
), job AS (
    UPDATE django_wfe_job AS job
    SET state = 'ONGOING', started_at = COALESCE(job.started_at, statement_timestamp())
    FROM ready, django_wfe_workflow AS workflow
    WHERE job.id = ready.job_id AND job.state = ANY(%(runnable)s)
        AND workflow.id = job.workflow_id AND NOT workflow.paused
    RETURNING job.id, job.uuid, job.definition_id, workflow.name, workflow.path{context}
), run AS (
    UPDATE django_wfe_steprun AS run
    SET state = 'RUNNING', worker_id = %(worker_id)s, epoch = run.epoch + 1, started_at = statement_timestamp()
    FROM job
    WHERE run.id = %(id)s AND run.state || '' = 'READY' AND run.job_id = job.id
    RETURNING run.id, run.job_id, run.number, run.attempt, run.epoch, run.step, run.previous_id, run.external_data,
              run.edited_input, run.lost_before
)
SELECT run.id, run.job_id, job.uuid, job.name, job.path, job.definition_id,
       run.number, run.attempt, run.epoch, run.step,
       CASE WHEN run.edited_input IS NULL THEN previous.result ELSE run.edited_input -> 'value' END, run.external_data,
       run.lost_before{context}
FROM run JOIN job ON job.id = run.job_id
LEFT JOIN django_wfe_steprun AS previous ON previous.id = run.previous_id
"""
CLAIM = Statement("claim", _CLAIM.format(context=""))
# Where the project captures what surrounds a start.
CLAIM_WITH_CONTEXT = Statement("claim_with_context", _CLAIM.format(context=", job.context"))

# What every ending of a step run begins with: the compare-and-set on the run that this claim holds, and its log.
_END = """
WITH ended AS (
    UPDATE django_wfe_steprun
    SET state = %(state)s, result = %(result)s::jsonb, transition = %(transition)s,
        finished_at = statement_timestamp(), error_type = %(error_type)s, error = %(error)s,
        traceback = %(traceback)s, fingerprint = %(fingerprint)s
    WHERE id = %(id)s AND state = 'RUNNING' AND worker_id = %(worker_id)s AND epoch = %(epoch)s
    RETURNING id, job_id
), log AS (
    INSERT INTO django_wfe_joblog (step_run_id, sequence, text, created_at)
    SELECT id, %(log_sequence)s, %(log)s, statement_timestamp() FROM ended WHERE %(log)s <> ''
)
"""

# The shorter form for a step that went well, the hot path.
_FINISH = """
WITH ended AS (
    UPDATE django_wfe_steprun
    SET state = 'FINISHED', result = %(result)s::jsonb, transition = %(transition)s,
        finished_at = statement_timestamp()
    WHERE id = %(id)s AND state = 'RUNNING' AND worker_id = %(worker_id)s AND epoch = %(epoch)s
    RETURNING id, job_id
)
"""

_FINISH_WITH_LOG = (
    _FINISH
    + """
, log AS (
    INSERT INTO django_wfe_joblog (step_run_id, sequence, text, created_at)
    SELECT id, %(log_sequence)s, %(log)s, statement_timestamp() FROM ended
)
"""
)


def _advance(**others: str) -> str:
    """Return what moves the Job on and opens its next run.

    It does so unless the Job has ended meanwhile; a paused one stays paused, and so its next run stays READY.
    """
    return f"""
, job AS (
    UPDATE django_wfe_job AS job
    SET current_step = %(next_step)s, current_step_number = %(next_number)s, error = '',
        state = CASE WHEN job.state = 'PAUSED' THEN 'PAUSED' ELSE %(next_job_state)s END
    FROM ended, django_wfe_workflow AS workflow
    WHERE job.id = ended.job_id AND job.state <> ALL('{{FINISHED,CANCELED,FAILED}}') AND workflow.id = job.workflow_id
    RETURNING job.id, CASE WHEN %(next_run_state)s = 'RUNNING' AND (job.state = 'PAUSED' OR workflow.paused)
                           THEN 'READY' ELSE %(next_run_state)s END AS run_state
), next AS (
    {
        open_run(
            "job",
            job_id="id",
            number="%(next_number)s",
            step="%(next_step)s",
            state="run_state",
            previous_id="%(id)s",
            worker_id="CASE WHEN run_state = 'RUNNING' THEN %(worker_id)s::uuid END",
            epoch="CASE WHEN run_state = 'RUNNING' THEN 1 ELSE 0 END",
            started_at="CASE WHEN run_state = 'RUNNING' THEN statement_timestamp() END",
            returning="id, state",
            **others,
        )
    }
)
SELECT ended.id, next.id, next.state FROM ended LEFT JOIN next ON TRUE
"""


_DEADLINE = {"expires_at": f"statement_timestamp() + {EXPIRES_AT}"}

_FINISH_JOB = """
, job AS (
    UPDATE django_wfe_job AS job SET state = 'FINISHED', finished_at = statement_timestamp(), error = ''
    FROM ended
    WHERE job.id = ended.job_id AND job.state <> ALL('{FINISHED,CANCELED,FAILED}')
    RETURNING job.id
), event AS (
    INSERT INTO django_wfe_jobevent (job_id, step_run_id, kind, actor_name, source, data, created_at)
    SELECT id, %(id)s, 'finished', '', 'engine', '{}', statement_timestamp() FROM job
)
SELECT ended.id, job.id, NULL FROM ended LEFT JOIN job ON TRUE
"""

# What the step has set: a text is what the Job is found by from now on, null takes an attribute away.
_SET_ATTRIBUTES = """
, given AS (
    SELECT ended.job_id, given.key AS name, given.value
    FROM ended, jsonb_each_text(%(attributes)s::jsonb) AS given
), attribute AS (
    INSERT INTO django_wfe_jobattribute (job_id, name, value)
    SELECT job_id, name, value FROM given WHERE value IS NOT NULL
    ON CONFLICT (job_id, name) DO UPDATE SET value = EXCLUDED.value
), without AS (
    DELETE FROM django_wfe_jobattribute AS attribute USING given
    WHERE attribute.job_id = given.job_id AND attribute.name = given.name AND given.value IS NULL
)
"""

FINISH_AND_ADVANCE = Statement("finish_and_advance", _FINISH + _advance())
FINISH_AND_ADVANCE_WITH_LOG = Statement("finish_and_advance_with_log", _FINISH_WITH_LOG + _advance())
FINISH_AND_ASK = Statement("finish_and_ask", _FINISH + _advance(**_DEADLINE))
FINISH_AND_ASK_WITH_LOG = Statement("finish_and_ask_with_log", _FINISH_WITH_LOG + _advance(**_DEADLINE))
FINISH_JOB = Statement("finish_job", _FINISH + _FINISH_JOB)
FINISH_JOB_WITH_LOG = Statement("finish_job_with_log", _FINISH_WITH_LOG + _FINISH_JOB)

SETTING_ATTRIBUTES = {
    plain: Statement(f"{plain.name}_found", begin + _SET_ATTRIBUTES + end)
    for plain, begin, end in (
        (FINISH_AND_ADVANCE, _FINISH, _advance()),
        (FINISH_AND_ADVANCE_WITH_LOG, _FINISH_WITH_LOG, _advance()),
        (FINISH_AND_ASK, _FINISH, _advance(**_DEADLINE)),
        (FINISH_AND_ASK_WITH_LOG, _FINISH_WITH_LOG, _advance(**_DEADLINE)),
        (FINISH_JOB, _FINISH, _FINISH_JOB),
        (FINISH_JOB_WITH_LOG, _FINISH_WITH_LOG, _FINISH_JOB),
    )
}
"""The same for a step that has set attributes: other steps do not pay for them."""

FAIL_JOB = Statement(
    "fail_job",
    _END
    + """
, job AS (
    UPDATE django_wfe_job AS job SET state = 'FAILED', finished_at = statement_timestamp(), error = %(job_error)s
    FROM ended
    WHERE job.id = ended.job_id AND job.state <> ALL('{FINISHED,CANCELED,FAILED}')
    RETURNING job.id
), event AS (
    INSERT INTO django_wfe_jobevent (job_id, step_run_id, kind, actor_name, source, data, created_at)
    SELECT id, %(id)s, 'failed', '', 'engine', %(event_data)s::jsonb, statement_timestamp() FROM job
)
SELECT ended.id, job.id, NULL FROM ended LEFT JOIN job ON TRUE
""",
)

# Another attempt at the same node, due after a wait; the failed or lost one stays as it is.
RETRY = Statement(
    "retry",
    _END
    + f"""
, job AS (
    UPDATE django_wfe_job AS job
    SET state = CASE WHEN job.state = 'PAUSED' THEN 'PAUSED' ELSE %(next_job_state)s END, error = %(job_error)s
    FROM ended
    WHERE job.id = ended.job_id AND job.state <> ALL('{{FINISHED,CANCELED,FAILED}}')
    RETURNING job.id
), next AS (
    {
        open_run(
            "job JOIN django_wfe_steprun AS run ON run.id = %(id)s",
            job_id="run.job_id",
            number="run.number",
            attempt="run.attempt + 1",
            step="run.step",
            state="'READY'",
            previous_id="run.previous_id",
            external_data="run.external_data",
            edited_input="run.edited_input",
            due_at="statement_timestamp() + %(wait_seconds)s * INTERVAL '1 second'",
            lost_before="run.lost_before + CASE WHEN %(state)s = 'LOST' THEN 1 ELSE 0 END",
            returning="id, job_id",
        )
    }
), event AS (
    INSERT INTO django_wfe_jobevent (job_id, step_run_id, kind, actor_name, source, data, created_at)
    SELECT job_id, %(id)s, %(event_kind)s, '', 'engine', %(event_data)s::jsonb, statement_timestamp() FROM next
)
SELECT ended.id, next.id, 'READY' FROM ended LEFT JOIN next ON TRUE
""",
)

CANCEL_RUN = Statement("cancel_run", _END + "SELECT id, NULL, NULL FROM ended")

FIND_ENDED = Statement(
    "find_ended",
    """
SELECT run.state, next.id, next.state, next.worker_id
FROM django_wfe_steprun AS run
LEFT JOIN django_wfe_steprun AS next
    ON next.job_id = run.job_id AND next.number = run.number + 1 AND next.previous_id = run.id AND next.attempt = 1
WHERE run.id = %(id)s AND run.worker_id = %(worker_id)s AND run.epoch = %(epoch)s
""",
)

PROVIDE_INPUT = Statement(
    "provide_input",
    """
WITH run AS (
    UPDATE django_wfe_steprun
    SET state = 'READY', external_data = %(external_data)s::jsonb,
        dispatched_at = statement_timestamp(), dispatches = 0
    WHERE id = %(id)s AND state = 'INPUT_REQUIRED'
    RETURNING id, job_id
), job AS (
    UPDATE django_wfe_job AS job
    SET state = CASE WHEN job.state = 'PAUSED' THEN 'PAUSED' ELSE 'INPUT_RECEIVED' END, error = ''
    FROM run WHERE job.id = run.job_id
    RETURNING job.id
), event AS (
    INSERT INTO django_wfe_jobevent (job_id, step_run_id, kind, actor_id, actor_name, source, data, created_at)
    SELECT job.id, %(id)s, 'input_provided', %(actor_id)s, %(actor_name)s, %(source)s, '{}', statement_timestamp()
    FROM job
), claim AS (
    DELETE FROM django_wfe_inputclaim USING run WHERE step_run_id = run.id
)
SELECT run.id FROM run
""",
)
