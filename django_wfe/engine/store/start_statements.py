"""The SQL of a start: one statement inserts the Job, its finished start, its first step run and its first event."""

from __future__ import annotations

from functools import cache
from typing import Literal

from django_wfe.engine.store.open_run import EXPIRES_AT, open_run
from django_wfe.engine.store.prepared import Statement
from django_wfe.engine.store.statements import VERSION

# What every start begins with: the Job, unless its key is known or the Workflow's row is another than was read, and its
# finished start. The lock stands in the place of two foreign keys: as long as the Job is not committed, nobody deletes
# the Workflow, and with it its definitions.
_INSERT_JOB = """
WITH workflow AS (
    SELECT id FROM django_wfe_workflow
    WHERE id = %(workflow_id)s AND (%(version)s IS NULL OR {version} = %(version)s)
    FOR KEY SHARE
), job AS (
    INSERT INTO django_wfe_job
        (uuid, workflow_id, definition_id, state, current_step, current_step_number, key, created_by_id,
         created_at, started_at, error{column})
    SELECT %(uuid)s, id, %(definition_id)s, %(job_state)s, %(step)s, 1, %(key)s, %(created_by_id)s,
        statement_timestamp(), CASE WHEN %(run_state)s = 'RUNNING' THEN statement_timestamp() END, ''{value}
    FROM workflow
    ON CONFLICT (workflow_id, key) WHERE key IS NOT NULL DO NOTHING
    RETURNING id, created_at
), start AS ({start}
), first AS ({first}
)"""

_START_RUN = open_run(
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

# What the Job is found by. Both kinds are written alike; a subject's name is that of its model.
_INSERT_ATTRIBUTES = """, attribute AS (
    INSERT INTO django_wfe_jobattribute (job_id, name, value)
    SELECT job.id, given.key, given.value FROM job, jsonb_each_text(%(attributes)s::jsonb) AS given
)"""

_TELL_START = """, event AS (
    INSERT INTO django_wfe_jobevent (job_id, kind, actor_id, actor_name, source, data, created_at)
    SELECT id, 'started', %(created_by_id)s, %(actor_name)s, %(source)s, %(event_data)s::jsonb, created_at FROM job
)"""

# Where the start brings the first step's input along: one INSERT, so that the history has both in this order.
_TELL_START_AND_INPUT = """, event AS (
    INSERT INTO django_wfe_jobevent (job_id, step_run_id, kind, actor_id, actor_name, source, data, created_at)
    SELECT job.id, CASE WHEN kind = 'input_provided' THEN first.id END, kind,
           %(created_by_id)s, %(actor_name)s, %(source)s,
           CASE kind WHEN 'started' THEN %(event_data)s::jsonb ELSE '{}' END, created_at
    FROM job, first, (VALUES (1, 'started'), (2, 'input_provided')) AS happened (place, kind)
    ORDER BY place
)"""

Opening = Literal["plain", "with_deadline", "answered"]
"""How the first step opens: as it is; waiting for input by a certain time; or with the input that the start brings."""


@cache
def build_start(opening: Opening = "plain", *, has_attributes: bool = False, has_context: bool = False) -> Statement:
    """Return the statement of a start. It does not name what the Job has none of: other Jobs do not pay for it.

    Answered, it does what a start and PROVIDE_INPUT would do, and there never is a Job that waits.
    """
    others = {"expires_at": f"created_at + {EXPIRES_AT}"} if opening == "with_deadline" else {}
    first = open_run(
        "job JOIN start ON start.job_id = job.id",
        job_id="job.id",
        number="1",
        step="%(step)s",
        state="%(run_state)s",
        previous_id="start.id",
        external_data="%(external_data)s::jsonb" if opening == "answered" else "NULL",
        worker_id="%(worker_id)s",
        epoch="%(epoch)s",
        now="created_at",
        started_at="CASE WHEN %(run_state)s = 'RUNNING' THEN created_at END",
        **others,
    )
    insert = _INSERT_JOB.format(
        version=VERSION,
        column=", context" if has_context else "",
        value=", %(context)s::jsonb" if has_context else "",
        start=_START_RUN,
        first=first,
    )
    parts = [
        insert,
        _INSERT_ATTRIBUTES if has_attributes else "",
        _TELL_START_AND_INPUT if opening == "answered" else _TELL_START,
        "\nSELECT job.id, first.id FROM job, first\n",
    ]
    name = f"start_{opening}{'_found' * has_attributes}{'_within' * has_context}"
    return Statement(name, "".join(parts))
