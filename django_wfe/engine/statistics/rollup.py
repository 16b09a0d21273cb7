"""Counts each fact once: a cursor by id, and the ids below it that were not to be seen yet.

A sequence gives ids out in order, and transactions commit in any order. An id that is missing below the cursor belongs
to a transaction that is still open, or to none: it is looked for until every transaction of that time is over. Cells,
cursor and gaps change in one transaction, so that a crash changes all of them or none.
"""

from __future__ import annotations

import json
from typing import Any

from django.db import connections

from django_wfe.conf import DATABASE
from django_wfe.engine.statistics.facts import EVENTS, FIND_UNCOUNTED, HOURS_KEPT_DAYS, ROLL_UP, ROLL_UP_JOB, RUNS
from django_wfe.engine.store.transactions import atomic

BATCH = 20_000
"""How many rows one transaction takes on."""

GAP_SECONDS = 60
"""How long a missing id is looked for at the least: whoever has it may not have begun to write."""

Gap = tuple[int, int, int, int]
"""The first and the last missing id, the transaction before which the cause is, and when it was noted."""

# Rows are found by their ids. The planner cannot know how few the gaps hold, expects a tenth of the table, and would
# read all of it.
_BY_ID = "SELECT " + ", ".join(
    f"set_config('{name}', 'off', TRUE)" for name in ("enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit")
)
_MAKE_CURSOR = """
INSERT INTO django_wfe_statisticcursor (source, counted_id, gaps) VALUES (%s, 0, '[]') ON CONFLICT DO NOTHING
"""
_READ_CURSOR = "SELECT counted_id, gaps::text FROM django_wfe_statisticcursor WHERE source = %s"
_LOCK_CURSOR = f"{_READ_CURSOR} FOR UPDATE"
# A deletion of many Jobs may take its time; the next round does what this one leaves.
_TRY_CURSOR = f"{_LOCK_CURSOR} SKIP LOCKED"
_MOVE_CURSOR = "UPDATE django_wfe_statisticcursor SET counted_id = %s, gaps = %s::jsonb WHERE source = %s"

_FORGET_HOURS = [
    f"DELETE FROM {table} WHERE NOT is_day AND since < statement_timestamp() - INTERVAL '{HOURS_KEPT_DAYS + 1} days'"  # noqa: S608
    for table in ("django_wfe_statistic", "django_wfe_statisticbucket")
]


def roll_up(limit: int = BATCH) -> bool:
    """Count one batch of each source. Return whether more is there."""
    more_runs, more_events = _roll_up_source(RUNS, limit), _roll_up_source(EVENTS, limit)
    return more_runs or more_events


def forget_hours() -> None:
    """Delete the sums by hour that are older than any page shows; those by day stay."""
    with atomic(), connections[DATABASE].cursor() as cursor:
        for statement in _FORGET_HOURS:
            cursor.execute(statement)


def count_before_deletion(job_id: int) -> None:
    """Count what is not yet counted of a Job, in the transaction that is about to delete it."""
    with atomic(), connections[DATABASE].cursor() as cursor:
        for source in (RUNS, EVENTS):
            # What was counted stays so: no lock, and nobody waits, for a Job that is all counted.
            seen = _read(cursor, _READ_CURSOR, source) or (0, [])
            cursor.execute(FIND_UNCOUNTED[source], {"job_id": job_id, **_describe(*seen)})
            if not cursor.fetchone()[0]:
                continue
            # The roll-up leaves us alone until the rows are gone, or has counted them by the time we have the lock.
            held = _read(cursor, _LOCK_CURSOR, source, make=True) or seen
            cursor.execute(ROLL_UP_JOB[source], {"job_id": job_id, **_describe(*held)})


def _roll_up_source(source: str, limit: int) -> bool:
    with atomic(), connections[DATABASE].cursor() as cursor:
        held = _read(cursor, _TRY_CURSOR, source, make=True)
        if held is None:
            return False
        counted_id, gaps = held
        cursor.execute(_BY_ID)
        cursor.execute(ROLL_UP[source], {"limit": limit, **_describe(counted_id, gaps)})
        last_id, number, found, missing, oldest, newest, now = cursor.fetchone()
        left = [
            gap
            for first, last, before, noted in gaps
            # Of a transaction that was over when this statement began, the row would have been seen.
            if oldest < before or now - noted < GAP_SECONDS
            for gap in _cut((first, last, before, noted), found)
        ]
        left += [(first, last, newest, now) for first, last in missing]
        if number or left != gaps:
            cursor.execute(_MOVE_CURSOR, [last_id or counted_id, json.dumps(left), source])
    return bool(number == limit)


def _read(cursor: Any, statement: str, source: str, *, make: bool = False) -> tuple[int, list[Gap]] | None:
    if make:
        cursor.execute(_MAKE_CURSOR, [source])
    cursor.execute(statement, [source])
    row = cursor.fetchone()
    return (row[0], [tuple(gap) for gap in json.loads(row[1])]) if row else None


def _describe(counted_id: int, gaps: list[Gap]) -> dict[str, Any]:
    return {"counted_id": counted_id, "firsts": [gap[0] for gap in gaps], "lasts": [gap[1] for gap in gaps]}


def _cut(gap: Gap, found: list[int]) -> list[Gap]:
    """Return what is left of a gap after these ids were found, in order."""
    first, last, before, noted = gap
    left: list[Gap] = []
    for number in found:
        if first <= number <= last:
            if first < number:
                left.append((first, number - 1, before, noted))
            first = number + 1
    if first <= last:
        left.append((first, last, before, noted))
    return left
