"""Copies the Jobs of django-wfe 1.x into the tables of this version, as history that cannot go on.

1.x kept neither times nor definitions. What it did keep is taken over as it is: the ids, so that links and references
stay right, the path that each Job took with its results and inputs, its state and the path of its log file. A Job that
was not finished becomes CANCELED: it cannot go on by a definition that is drawn up from the paths of old Jobs.

All of it is done by the database, in a few statements, however many Jobs there are.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from django_wfe.version_one.tables import ASIDE, PREFIX, TABLES_OF_BOTH, Columns, refuse_filled

START = "django_wfe.steps.__start__"
UNKNOWN = "unknown"
"""Stands for the path of a step that the old tables do not tell."""

_FIND_POSITIONS = """
CREATE TEMPORARY TABLE wfe1_position ON COMMIT DROP AS
SELECT job.id, job.workflow_id, COALESCE(job.state, '') AS was, data, {number} AS number, {step} AS step
FROM {job} AS job
{join}
CROSS JOIN LATERAL (
    SELECT CASE jsonb_typeof(job.storage::jsonb -> 'data') WHEN 'array' THEN job.storage::jsonb -> 'data'
                ELSE '[]' END AS data
) AS stored
"""

# What ran, and for a Job that was not finished the step that it was at, if that has left nothing behind.
_LIST_RUNS = f"""
CREATE TEMPORARY TABLE wfe1_run ON COMMIT DROP AS
WITH entry AS (
    SELECT job.id AS job_id, (place - 1)::integer AS number, value,
           CASE jsonb_typeof(value) WHEN 'object' THEN value ->> 'step' END AS step
    FROM wfe1_position AS job CROSS JOIN LATERAL jsonb_array_elements(job.data) WITH ORDINALITY AS item (value, place)
), run AS (
    SELECT job_id, number, left(COALESCE(NULLIF(step, ''), '{UNKNOWN}'), 255) AS step,
           CASE WHEN jsonb_typeof(value) = 'object' AND value ? 'result' THEN 'FINISHED' ELSE 'CANCELED' END AS state,
           NULLIF(value -> 'result', 'null') AS result, NULLIF(value -> 'external_data', 'null') AS external_data
    FROM entry
    UNION ALL
    SELECT id, number, step, CASE was WHEN 'FINISHED' THEN 'FINISHED' ELSE 'CANCELED' END, NULL, NULL
    FROM wfe1_position AS job
    WHERE (was <> 'FINISHED' OR jsonb_array_length(data) = 0)
        AND NOT EXISTS (SELECT FROM entry WHERE entry.job_id = job.id AND entry.number = job.number)
)
SELECT run.*, job.workflow_id,
       nextval(pg_get_serial_sequence('{PREFIX}steprun', 'id')) AS id
FROM run JOIN wfe1_position AS job ON job.id = run.job_id
ORDER BY run.job_id, run.number
"""

_LIST_WAYS = """
SELECT workflow_id, source, target
FROM (
    SELECT workflow_id, step AS source, lead(step) OVER (PARTITION BY job_id ORDER BY number) AS target, id
    FROM wfe1_run
) AS way
GROUP BY workflow_id, source, target ORDER BY workflow_id, min(id)
"""

_INSERT_DEFINITION = f"""
WITH made AS (
    INSERT INTO {PREFIX}definition (workflow_id, fingerprint, graph, code_hash, layout)
    VALUES (%s, %s, %s::jsonb, '', '') RETURNING workflow_id, id
)
INSERT INTO wfe1_definition SELECT workflow_id, id FROM made
"""

_INSERT_RUNS = f"""
INSERT INTO {PREFIX}steprun
    (id, job_id, number, attempt, step, state, previous_id, external_data, result, transition, superseded, epoch,
     lost_before, dispatches, error_type, error, traceback, fingerprint)
SELECT run.id, job_id, number, 1, step, state, lag(run.id) OVER job, external_data, result, edge.place, FALSE, 0,
       0, 0, '', '', '', ''
FROM (SELECT *, lead(step) OVER (PARTITION BY job_id ORDER BY number) AS target FROM wfe1_run) AS run
LEFT JOIN wfe1_edge AS edge
    ON edge.workflow_id = run.workflow_id AND edge.source = run.step AND edge.target = run.target
WINDOW job AS (PARTITION BY job_id ORDER BY number)
ORDER BY run.id
"""

# Rows that were there when 1.x added its column "uuid" all got the same one: the first keeps it.
_INSERT_JOBS = """
INSERT INTO {new} (id, uuid, workflow_id, definition_id, state, current_step, current_step_number, finished_at, error)
SELECT job.id, {uuid}, job.workflow_id, definition.id,
       CASE position.was WHEN 'FINISHED' THEN 'FINISHED' ELSE 'CANCELED' END, position.step, position.number,
       CASE position.was WHEN 'FINISHED' THEN NULL ELSE statement_timestamp() END, ''
FROM {job} AS job
JOIN wfe1_position AS position ON position.id = job.id
JOIN wfe1_definition AS definition ON definition.workflow_id = job.workflow_id
ORDER BY job.id
"""
_KEEP_UUID = (
    "CASE WHEN row_number() OVER (PARTITION BY job.uuid ORDER BY job.id) = 1 THEN job.uuid ELSE gen_random_uuid() END"
)

_INSERT_EVENTS = """
INSERT INTO {new} (job_id, kind, actor_name, source, data)
SELECT job.id, 'adopted', '', 'engine',
       jsonb_build_object('was', position.was) || {logfile}
       || CASE WHEN jsonb_typeof(job.storage::jsonb) = 'object' AND job.storage::jsonb - 'data' <> '{{}}'
               THEN jsonb_build_object('storage', job.storage::jsonb - 'data') ELSE '{{}}' END
FROM {job} AS job JOIN wfe1_position AS position ON position.id = job.id
ORDER BY job.id
"""

_INSERT_LOGS = """
INSERT INTO {new} (step_run_id, sequence, text)
SELECT run.id, 0, 'This job ran under django-wfe 1.x, which wrote its log to the file ' || job.logfile || chr(10)
FROM {job} AS job JOIN (SELECT DISTINCT ON (job_id) job_id, id FROM wfe1_run ORDER BY job_id, number) AS run
    ON run.job_id = job.id
WHERE job.logfile <> ''
ORDER BY run.id
"""

_LIST_REFERENCES = """
SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid)
FROM pg_constraint
WHERE contype = 'f' AND confrelid = ANY(%s::regclass[]) AND conrelid <> ALL(%s::regclass[])
"""


def needs_copy(cursor: Any) -> bool:
    """Return whether the old Jobs are still to be copied; not if a migration back and forth comes by a second time.

    Raises:
        CommandError: the new tables have rows, and they do not come from the old ones.
    """
    cursor.execute(
        f"SELECT EXISTS (SELECT FROM {ASIDE}job), EXISTS (SELECT FROM {PREFIX}workflow),"
        f" EXISTS (SELECT FROM {PREFIX}jobevent WHERE kind = 'adopted')"
    )
    has_old, has_new, is_done = cursor.fetchone()
    if has_old and has_new and not is_done:
        raise refuse_filled()
    return not has_new


def copy_into(cursor: Any, quote: Any, old: Columns) -> None:
    """Copy what the tables that were set aside hold into those of this version, which are empty."""
    job = old.get("job", frozenset())
    names = {"job": quote(f"{ASIDE}job"), "new": quote(f"{PREFIX}job")}
    _copy_declared(cursor, quote, old)
    cursor.execute(_FIND_POSITIONS.format(**names, **_say_where(quote, job)))
    cursor.execute(_LIST_RUNS)
    _draw_up_definitions(cursor)
    cursor.execute(_INSERT_JOBS.format(**names, uuid=_KEEP_UUID if "uuid" in job else "gen_random_uuid()"))
    cursor.execute(_INSERT_RUNS)
    logfile = "jsonb_build_object('logfile', job.logfile)" if "logfile" in job else "'{}'"
    cursor.execute(_INSERT_EVENTS.format(job=names["job"], new=quote(f"{PREFIX}jobevent"), logfile=logfile))
    if "logfile" in job:
        cursor.execute(_INSERT_LOGS.format(job=names["job"], new=quote(f"{PREFIX}joblog")))
    for name in sorted(old.keys() & TABLES_OF_BOTH):
        table = PREFIX + name
        cursor.execute(
            f"SELECT setval(pg_get_serial_sequence(%s, 'id'), max(id)) FROM {quote(table)} HAVING max(id) IS NOT NULL",
            [table],
        )
    _point_at_new_tables(cursor, quote, old)


def _copy_declared(cursor: Any, quote: Any, old: Columns) -> None:
    """Copy Workflows and Steps. Their paths stay, so the next look at the definitions knows them again."""
    deleted = "deleted" if "deleted" in old["workflow"] else "FALSE"
    cursor.execute(
        f"INSERT INTO {quote(PREFIX + 'workflow')} (id, path, name, label, description, deleted, paused, paused_by,"
        " pause_reason, groups, load_error)"
        f" SELECT id, path, name, '', '', {deleted}, FALSE, '', '', '[]', '' FROM {quote(ASIDE + 'workflow')}"
    )
    if "step" in old:
        # Those that are still declared are found by the next look at the definitions, which unmarks them.
        cursor.execute(
            f"INSERT INTO {quote(PREFIX + 'step')} (id, path, name, label, kind, description, deleted)"
            f" SELECT id, path, name, '', 'step', '', TRUE FROM {quote(ASIDE + 'step')}"
        )


def _say_where(quote: Any, job: frozenset[str]) -> dict[str, str]:
    """Return the SQL for the number and the path of the step that a Job was at, by the columns that there are."""
    number = "job.current_step_number"
    if "current_step_number" not in job:
        done = "(SELECT count(*) FROM jsonb_array_elements(data) AS entry (value) WHERE value ? 'result')::integer"
        number = f"CASE WHEN job.state = 'FINISHED' THEN GREATEST({done} - 1, 0) ELSE {done} END"
    if "current_step_id" in job:
        join, step = f"LEFT JOIN {quote(ASIDE + 'step')} AS step ON step.id = job.current_step_id", "step.path"
    else:
        # 0003 of 1.x put the id where the path belongs, and dropped the table that told which is which. A Job that has
        # left something at the step that it is at tells it for the others.
        step = "COALESCE(CASE WHEN job.current_step !~ '^[0-9]*$' THEN job.current_step END, step.path)"
        join = f"""
            LEFT JOIN (
                SELECT current_step, min(storage -> 'data' -> current_step_number ->> 'step') AS path
                FROM {quote(ASIDE + "job")} GROUP BY current_step
            ) AS step ON step.current_step = job.current_step
        """
    last = "CASE WHEN job.state = 'FINISHED' THEN data -> -1 ->> 'step' END"
    otherwise = f"CASE WHEN {number} = 0 THEN '{START}' ELSE '{UNKNOWN}' END"
    found = f"COALESCE({step}, data -> ({number}) ->> 'step', {last}, {otherwise})"
    return {"number": number, "join": join, "step": f"left({found}, 255)"}


def _draw_up_definitions(cursor: Any) -> None:
    """Insert a definition for each Workflow that has Jobs: the steps that they came by, and the ways between them."""
    cursor.execute("CREATE TEMPORARY TABLE wfe1_definition (workflow_id bigint, id bigint) ON COMMIT DROP")
    cursor.execute(
        "CREATE TEMPORARY TABLE wfe1_edge (workflow_id bigint, source text, target text, place integer) ON COMMIT DROP"
    )
    cursor.execute(_LIST_WAYS)
    ways: dict[int, list[tuple[str, str | None]]] = {}
    for workflow_id, source, target in cursor.fetchall():
        ways.setdefault(workflow_id, []).append((source, target))
    for workflow_id, found in ways.items():
        targets: dict[str, list[str]] = {START: []}
        for source, target in found:
            targets.setdefault(source, [])
            if target is not None:
                targets[source].append(target)
        nodes = [_describe_node(path, len(leads_to)) for path, leads_to in targets.items()]
        edges = [
            {"source": source, "target": target, "index": index, "label": ""}
            for source, leads_to in targets.items()
            for index, target in enumerate(leads_to)
        ]
        written = json.dumps({"nodes": nodes, "edges": edges, "is_history": True}, sort_keys=True)
        fingerprint = hashlib.sha256(written.encode()).hexdigest()
        cursor.execute(_INSERT_DEFINITION, [workflow_id, fingerprint, written])
        for edge in edges:
            cursor.execute(
                "INSERT INTO wfe1_edge VALUES (%s, %s, %s, %s)",
                [workflow_id, edge["source"], edge["target"], edge["index"]],
            )


def _describe_node(path: str, edges: int) -> dict[str, Any]:
    name = path.rpartition(".")[2]
    kind = "decision" if edges > 1 else "step"
    return {
        "path": path,
        "name": name,
        "kind": "start" if path == START else kind,
        "label": "Start" if path == START else re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name),
        "description": "",
        "input_schema": None,
    }


def _point_at_new_tables(cursor: Any, quote: Any, old: Columns) -> None:
    """Let the foreign keys of the project's own tables lead to the same rows in the tables of this version."""
    aside = [quote(ASIDE + name) for name in old]
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    cursor.execute(_LIST_REFERENCES, [aside, aside])
    for table, constraint, definition in cursor.fetchall():
        for name in sorted(old.keys() & TABLES_OF_BOTH):
            definition = re.sub(rf"\b{ASIDE}{name}\(", f"{PREFIX}{name}(", definition)
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")
        cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {constraint} {definition}")
