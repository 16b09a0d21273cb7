"""What each step run changed: the keys of its result that are new or other than in what it was given."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connections

from django_wfe.admin.elements.payloads import Preview
from django_wfe.admin.elements.readable import BRIEFLY, KeyOrder, list_briefly
from django_wfe.conf import DATABASE, settings
from django_wfe.definition.secret_places import MASK
from django_wfe.values.encoding import REFERENCE_MARK
from django_wfe.values.sealing import SEALED_TEXT

KEYS_NAMED = 4
"""A row names no more of them; the others are one click away."""

LARGEST_COMPARED = 200_000
"""Compressed bytes of a result, and of what it is compared with."""

# Both are taken apart once and joined by key: looked up one by one, a large object would be unpacked for each key.
_CHANGES = """
SELECT run.id, left(part.changed::text, %(characters)s), length(part.changed::text), part.keys, part.same, part.gone
FROM django_wfe_steprun AS run
JOIN django_wfe_steprun AS before ON before.id = run.previous_id
CROSS JOIN LATERAL (
    SELECT coalesce(run.edited_input -> 'value', CASE WHEN before.number > 0 THEN before.result
        -- What the job started with: its step got the secrets masked.
        ELSE regexp_replace(before.result::text, %(sealed)s, %(mask)s, 'g')::jsonb END) AS given
    WHERE pg_column_size(run.result) <= %(most)s AND coalesce(pg_column_size(before.result), 0) <= %(most)s
        AND coalesce(pg_column_size(run.edited_input), 0) <= %(most)s
        -- What is in files is larger than what is compared here.
        AND NOT coalesce(
            run.result ? %(file)s OR before.result ? %(file)s OR run.edited_input -> 'value' ? %(file)s, FALSE)
    OFFSET 0
) AS input
CROSS JOIN LATERAL (
    SELECT jsonb_object_agg(now.key, CASE WHEN length(now.value::text) <= %(brief)s THEN now.value
                ELSE to_jsonb(left(now.value #>> '{}', %(brief)s)) END)
            FILTER (WHERE now.key IS NOT NULL AND now.value IS DISTINCT FROM was.value) AS changed,
        count(*) FILTER (WHERE now.key IS NOT NULL AND now.value IS DISTINCT FROM was.value) AS keys,
        count(*) FILTER (WHERE now.value = was.value) AS same,
        count(*) FILTER (WHERE now.key IS NULL) AS gone
    FROM jsonb_each(CASE WHEN jsonb_typeof(run.result) = 'object' THEN run.result END) AS now
    FULL JOIN jsonb_each(CASE WHEN jsonb_typeof(input.given) = 'object' THEN input.given END) AS was
        ON now.key = was.key
) AS part
WHERE run.id = ANY(%(ids)s) AND jsonb_typeof(run.result) = 'object' AND jsonb_typeof(input.given) = 'object'
"""


@dataclass(frozen=True, slots=True)
class Change:
    """What a result is beside what the step was given, both being objects.

    Attributes:
        named: labels and short values of the first keys that are new or other.
        more: how many such keys there are besides.
        same: how many keys stayed as they were.
        gone: how many keys are no more.
    """

    named: list[tuple[str, str]]
    more: int
    same: int
    gone: int


def load_changes(step_run_ids: Iterable[int], characters: int, order: KeyOrder) -> dict[int, Change]:
    """Return what each step run changed, by its id, in one query. Those whose results are no objects are left out."""
    ids = list(step_run_ids)
    share = settings.max_answer_bytes // max(2 * len(ids), 1)
    parameters: dict[str, Any] = {
        "ids": ids,
        "characters": characters,
        "brief": 2 * BRIEFLY,
        "sealed": SEALED_TEXT,
        "mask": f'"{MASK}"',
        "file": REFERENCE_MARK,
        "most": min(max(share, characters), LARGEST_COMPARED),
    }
    with connections[DATABASE].cursor() as cursor:
        cursor.execute(_CHANGES, parameters)
        rows = cursor.fetchall()
    changes = {}
    for pk, text, size, keys, same, gone in rows:
        preview = Preview(text or "", size or 0)
        named = [] if preview.is_cut else list_briefly(preview.text, order, KEYS_NAMED)
        changes[pk] = Change(named, keys - len(named), same, gone)
    return changes
