"""Where two Jobs parted, and what differed in what they were given and gave. PostgreSQL compares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connections

from django_wfe.admin.elements.readable import BRIEFLY, KeyOrder
from django_wfe.conf import DATABASE
from django_wfe.definition.secret_places import MASK
from django_wfe.values.encoding import REFERENCE_MARK
from django_wfe.values.sealing import SEALED_TEXT

KEYS_NAMED = 6
"""Of what differs at one step, a page names no more keys of its input, and of its result."""

LARGEST_COMPARED = 50_000
"""Compressed bytes of a value."""

_LAST_ATTEMPTS = """
SELECT DISTINCT ON (number) number, step, state FROM django_wfe_steprun
WHERE job_id = {job} AND NOT superseded ORDER BY number, attempt DESC"""
_PARTING = f"""
SELECT number FROM ({_LAST_ATTEMPTS.format(job="%(first)s")}) AS one
FULL JOIN ({_LAST_ATTEMPTS.format(job="%(second)s")}) AS other USING (number)
WHERE one.step IS DISTINCT FROM other.step OR one.state IS DISTINCT FROM other.state
ORDER BY number LIMIT 1"""  # noqa: S608  (made of constants)

# Only in what was given, at a start too, is something sealed; sealed twice, a secret is another text.
_GIVEN = "regexp_replace({run}.external_data::text, %(sealed)s, %(mask)s, 'g')::jsonb"
_RESULT = """CASE WHEN {run}.number = 0 THEN regexp_replace({run}.result::text, %(sealed)s, %(mask)s, 'g')::jsonb
            ELSE {run}.result END"""
# What is in files is not compared; the same file is the same value.
_IS_LARGE = """(greatest(pg_column_size(one.{column}), pg_column_size(other.{column})) > %(most)s
            OR (coalesce(one.{column} ? %(file)s, FALSE) OR coalesce(other.{column} ? %(file)s, FALSE))
                AND one.{column} #>> %(hash)s IS DISTINCT FROM other.{column} #>> %(hash)s)"""
_DIFFERENCES = f"""
SELECT pair.place, value.kind, part.key, left(part.one #>> '{{}}', %(brief)s), left(part.other #>> '{{}}', %(brief)s)
FROM unnest(%(ones)s::bigint[], %(others)s::bigint[]) WITH ORDINALITY AS pair (one, other, place)
JOIN django_wfe_steprun AS one ON one.id = pair.one
JOIN django_wfe_steprun AS other ON other.id = pair.other
CROSS JOIN LATERAL (
    SELECT {_IS_LARGE.format(column="external_data")} AS given, {_IS_LARGE.format(column="result")} AS result
) AS large
CROSS JOIN LATERAL (VALUES
    ('input', coalesce(large.given, false),
        CASE WHEN large.given IS NOT TRUE THEN {_GIVEN.format(run="one")} END,
        CASE WHEN large.given IS NOT TRUE THEN {_GIVEN.format(run="other")} END),
    ('result', coalesce(large.result, false),
        CASE WHEN large.result IS NOT TRUE THEN {_RESULT.format(run="one")} END,
        CASE WHEN large.result IS NOT TRUE THEN {_RESULT.format(run="other")} END)
) AS value (kind, is_large, one, other)
CROSS JOIN LATERAL (
    SELECT NULL::text AS key, NULL::jsonb AS one, NULL::jsonb AS other WHERE value.is_large
    UNION ALL (
        SELECT key, was.value, now.value
        FROM jsonb_each(CASE WHEN value.one IS NULL THEN NULL WHEN jsonb_typeof(value.one) = 'object'
            AND coalesce(jsonb_typeof(value.other), 'object') = 'object' THEN value.one
            ELSE jsonb_build_object('', value.one) END) AS was
        FULL JOIN jsonb_each(CASE WHEN value.other IS NULL THEN NULL WHEN jsonb_typeof(value.other) = 'object'
            AND coalesce(jsonb_typeof(value.one), 'object') = 'object' THEN value.other
            ELSE jsonb_build_object('', value.other) END) AS now USING (key)
        WHERE was.value IS DISTINCT FROM now.value
        ORDER BY key LIMIT %(keys)s
    )
) AS part
ORDER BY pair.place, value.kind, part.key
"""  # noqa: S608  (made of constants)


@dataclass(frozen=True, slots=True)
class Difference:
    """One key that two step runs have otherwise.

    Attributes:
        kind: "input" or "result".
        label: the key in words, "" for a value that has no keys.
        one: the beginning of the first value, None where there is none; ``other`` that of the second.
        is_large: whether the values were not compared, since they are too large.
        is_more: whether this stands for further keys.
    """

    kind: str
    label: str = ""
    one: str | None = None
    other: str | None = None
    is_large: bool = False
    is_more: bool = False


def find_parting(first_id: int, second_id: int) -> int | None:
    """Return the first number at which two Jobs are at different nodes, or came to different ends; None if at none."""
    with connections[DATABASE].cursor() as cursor:
        cursor.execute(_PARTING, {"first": first_id, "second": second_id})
        row = cursor.fetchone()
    return row[0] if row is not None else None


def load_differences(pairs: Sequence[tuple[int, int]], order: KeyOrder) -> dict[int, list[Difference]]:
    """Return what differs between the step runs of each pair of ids, by the pair's place, in one query."""
    parameters: dict[str, Any] = {
        "ones": [one for one, _other in pairs],
        "others": [other for _one, other in pairs],
        "sealed": SEALED_TEXT,
        "mask": f'"{MASK}"',
        "brief": BRIEFLY + 1,
        "most": LARGEST_COMPARED,
        "file": REFERENCE_MARK,
        "hash": [REFERENCE_MARK, "sha256"],
        "keys": KEYS_NAMED + 1,
    }
    with connections[DATABASE].cursor() as cursor:
        cursor.execute(_DIFFERENCES, parameters)
        rows = cursor.fetchall()
    found: dict[int, list[Difference]] = {}
    counts: dict[tuple[int, str], int] = {}
    for place, kind, key, one, other in rows:
        counts[place, kind] = counts.get((place, kind), 0) + 1
        if key is None:
            difference = Difference(kind, is_large=True)
        elif counts[place, kind] > KEYS_NAMED:
            difference = Difference(kind, is_more=True)
        else:
            difference = Difference(kind, order.label(key) if key else "", _shorten(one), _shorten(other))
        found.setdefault(place - 1, []).append(difference)
    return found


def _shorten(text: str | None) -> str | None:
    return text if text is None or len(text) <= BRIEFLY else f"{text[:BRIEFLY]}…"
