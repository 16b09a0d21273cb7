"""The SQL that finds facts in new rows and adds them to the cells, in one statement and thus from one snapshot.

Each fact has a row that was *inserted* when it happened: an event, or the step run that the end of another opened.
"""

from __future__ import annotations

RUNS, EVENTS = "runs", "events"

BUCKETS_A_DOUBLING = 8
"""A bucket ends at 2^(1/8) times its beginning: what is read from its middle is at most 4.5 % off."""

SHORTEST_SECONDS = 0.001
HOURS_KEPT_DAYS = 35
"""For how many days the sums by hour are kept; those by day are kept for good."""

_TABLES = {RUNS: "django_wfe_steprun", EVENTS: "django_wfe_jobevent"}

# Rows beyond the cursor, and those in gaps below it that have come to be seen.
_NEW = """
WITH batch AS MATERIALIZED (
    SELECT {columns} FROM {table} WHERE id > %(counted_id)s ORDER BY id LIMIT %(limit)s
), late AS MATERIALIZED (
    SELECT {late_columns} FROM unnest(%(firsts)s::bigint[], %(lasts)s::bigint[]) AS gap (first_id, last_id)
    JOIN {table} AS row ON row.id BETWEEN gap.first_id AND gap.last_id
), new AS MATERIALIZED (
    SELECT * FROM batch UNION ALL SELECT * FROM late
)"""

# What a deletion is about to take away.
_UNCOUNTED = """
    FROM {table} AS row
    WHERE job_id = %(job_id)s AND (id > %(counted_id)s OR EXISTS (
        SELECT FROM unnest(%(firsts)s::bigint[], %(lasts)s::bigint[]) AS gap (first_id, last_id)
        WHERE row.id BETWEEN gap.first_id AND gap.last_id
    ))"""
_OF_JOB = "\nWITH new AS MATERIALIZED (\n    SELECT {columns}" + _UNCOUNTED + "\n)"

_COLUMNS = {
    RUNS: ("id", "job_id", "number", "previous_id"),
    EVENTS: ("id", "job_id", "step_run_id", "kind", "actor_name", "created_at"),
}

_WORKED = "GREATEST(EXTRACT(EPOCH FROM run.finished_at - run.started_at), 0)::float8"
_WAITED = "GREATEST(EXTRACT(EPOCH FROM run.started_at - run.created_at), 0)::float8"
_DONE = f"(VALUES ('done', {_WORKED}), ('waited', {_WAITED})) AS part (measure, seconds)"

# The run that the end of another opened. Retries of it have the same one before them: the first alone counts.
_FACTS_OF_RUNS = f"""
, facts (workflow_id, node, person, measure, at, seconds) AS (
    SELECT job.workflow_id, run.step, '', part.measure, run.finished_at, part.seconds
    FROM new JOIN django_wfe_steprun AS run ON run.id = new.previous_id
    JOIN django_wfe_job AS job ON job.id = new.job_id
    CROSS JOIN LATERAL {_DONE}
    -- What was taken over from version 1 tells no times.
    WHERE run.number > 0 AND run.state = 'FINISHED' AND run.started_at IS NOT NULL AND run.finished_at IS NOT NULL
        AND new.number = run.number + 1 AND NOT EXISTS (
        SELECT FROM django_wfe_steprun AS earlier
        WHERE earlier.job_id = new.job_id AND earlier.number = new.number
            AND earlier.previous_id = new.previous_id AND earlier.id < new.id
    )
)"""  # noqa: S608  (of constants)

_FACTS_OF_EVENTS = f"""
, facts (workflow_id, node, person, measure, at, seconds) AS (
    SELECT job.workflow_id, '', '', new.kind, new.created_at,
           CASE WHEN new.kind = 'finished'
                THEN GREATEST(EXTRACT(EPOCH FROM new.created_at - job.created_at), 0)::float8 END
    FROM new JOIN django_wfe_job AS job ON job.id = new.job_id
    WHERE new.kind IN ('started', 'finished', 'failed', 'canceled')
  UNION ALL
    SELECT job.workflow_id, run.step, '', part.measure, new.created_at, part.seconds
    FROM new JOIN django_wfe_steprun AS run ON run.id = new.step_run_id
    JOIN django_wfe_job AS job ON job.id = new.job_id
    CROSS JOIN LATERAL {_DONE}
    WHERE new.kind = 'finished' AND run.state = 'FINISHED' AND run.started_at IS NOT NULL
  UNION ALL
    SELECT job.workflow_id, run.step, '', 'failed', new.created_at, {_WORKED}
    FROM new JOIN django_wfe_steprun AS run ON run.id = new.step_run_id
    JOIN django_wfe_job AS job ON job.id = new.job_id
    WHERE new.kind IN ('failed', 'retry_scheduled', 'step_lost')
  UNION ALL
    SELECT job.workflow_id, run.step, new.actor_name, part.measure, new.created_at, part.seconds
    FROM new JOIN django_wfe_steprun AS run ON run.id = new.step_run_id
    JOIN django_wfe_job AS job ON job.id = new.job_id
    JOIN django_wfe_definition AS definition ON definition.id = job.definition_id
    CROSS JOIN LATERAL (
        SELECT EXTRACT(EPOCH FROM new.created_at - run.created_at)::float8 AS seconds,
               (jsonb_path_query_first(
                   definition.graph, '$.nodes[*] ? (@.path == $path).input_within',
                   jsonb_build_object('path', run.step)
               ) #>> '{{}}')::float8 AS allowed
    ) AS answer
    CROSS JOIN LATERAL (
        VALUES ('answered', answer.seconds, TRUE),
               ('overdue', answer.seconds - answer.allowed, answer.seconds > answer.allowed)
    ) AS part (measure, seconds, holds)
    -- Whoever starts a Job brings its first input along at once, and was not asked for it.
    WHERE new.kind = 'input_provided' AND new.created_at > run.created_at AND part.holds
)"""  # noqa: S608  (of constants)

# In one order, so that two who add wait for each other and do not deadlock.
_ADD = f"""
, placed AS MATERIALIZED (
    SELECT facts.workflow_id, facts.node, facts.person, facts.measure, grain.is_day,
           date_trunc(grain.unit, facts.at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS since, facts.seconds,
           floor({BUCKETS_A_DOUBLING} / ln(2::float8) * ln(GREATEST(facts.seconds, {SHORTEST_SECONDS})))::smallint
               AS bucket
    FROM facts JOIN (VALUES (FALSE, 'hour'), (TRUE, 'day')) AS grain (is_day, unit)
        ON grain.is_day OR facts.at > statement_timestamp() - INTERVAL '{HOURS_KEPT_DAYS} days'
), summed AS (
    INSERT INTO django_wfe_statistic AS cell
        (workflow_id, is_day, since, node, measure, person, count, seconds)
    SELECT workflow_id, is_day, since, node, measure, person, count(*), COALESCE(sum(seconds), 0)
    FROM placed GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6
    ON CONFLICT (workflow_id, is_day, since, node, measure, person) DO UPDATE
    SET count = cell.count + EXCLUDED.count, seconds = cell.seconds + EXCLUDED.seconds
), spread AS (
    INSERT INTO django_wfe_statisticbucket AS cell (workflow_id, is_day, since, node, measure, bucket, count)
    SELECT workflow_id, is_day, since, node, measure, bucket, count(*)
    FROM placed WHERE seconds IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6
    ON CONFLICT (workflow_id, is_day, since, node, measure, bucket) DO UPDATE
    SET count = cell.count + EXCLUDED.count
)"""  # noqa: S608  (of constants)

_TELL = """
SELECT (SELECT max(id) FROM batch), (SELECT count(*) FROM batch),
       ARRAY(SELECT id FROM late ORDER BY id),
       ARRAY(
           SELECT ARRAY[before + 1, id - 1]
           FROM (SELECT id, lag(id, 1, %(counted_id)s::bigint) OVER (ORDER BY id) AS before FROM batch) AS pair
           WHERE id > before + 1 ORDER BY id
       ),
       pg_snapshot_xmin(pg_current_snapshot())::text::bigint, pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
       EXTRACT(EPOCH FROM statement_timestamp())::bigint
"""

_COUNT = """
SELECT count(*) FROM new
"""

_FACTS = {RUNS: _FACTS_OF_RUNS, EVENTS: _FACTS_OF_EVENTS}


def _write(new: str, source: str) -> str:
    columns = _COLUMNS[source]
    found = new.format(
        table=_TABLES[source],
        columns=", ".join(columns),
        late_columns=", ".join(f"row.{column}" for column in columns),
    )
    return found + _FACTS[source] + _ADD


ROLL_UP = {source: _write(_NEW, source) + _TELL for source in (RUNS, EVENTS)}
"""Add what is new to the cells, and tell how far that was and what was missing on the way."""

ROLL_UP_JOB = {source: _write(_OF_JOB, source) + _COUNT for source in (RUNS, EVENTS)}
"""Add what is not yet counted of one Job."""

FIND_UNCOUNTED = {
    source: f"SELECT EXISTS (SELECT {_UNCOUNTED.format(table=table)})" for source, table in _TABLES.items()
}
"""Tell whether something of one Job is not yet counted."""
