"""Fills in by when an input is expected, where a worker that does not know the column has opened the run.

A rolling upgrade has both kinds of worker for a while.
"""

from __future__ import annotations

from django.db import connections

from django_wfe.conf import DATABASE
from django_wfe.definition.node_problems import LONGEST_WAIT_SECONDS

FILL_SECONDS = 60
"""How often a watchdog looks."""

BATCH = 500
"""How many are filled in at once."""

# Each node that names a time is one look-up in the index wfe_run_due_step: what has no due time there lacks it.
_FILL = """
WITH asked AS (
    SELECT definition.id AS definition_id, node ->> 'path' AS step, (node ->> 'input_within')::float8 AS within
    FROM django_wfe_definition AS definition, jsonb_array_elements(definition.graph -> 'nodes') AS node
    WHERE node ->> 'input_within' IS NOT NULL
), found AS (
    SELECT run.id, asked.within
    FROM asked
    JOIN django_wfe_steprun AS run
        ON run.step = asked.step AND run.state = 'INPUT_REQUIRED' AND run.expires_at IS NULL
    JOIN django_wfe_job AS job ON job.id = run.job_id AND job.definition_id = asked.definition_id
    WHERE asked.within <= %s
    LIMIT %s FOR UPDATE OF run SKIP LOCKED
)
UPDATE django_wfe_steprun AS run SET expires_at = run.created_at + found.within * INTERVAL '1 second'
FROM found WHERE run.id = found.id AND run.state = 'INPUT_REQUIRED'
"""


def fill_deadlines() -> int:
    """Fill in the due times that are missing, at most a batch of them; return their number."""
    with connections[DATABASE].cursor() as cursor:
        cursor.execute(_FILL, [LONGEST_WAIT_SECONDS, BATCH])
        return int(cursor.rowcount)
