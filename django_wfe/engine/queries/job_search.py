"""Finding Jobs by what people know them by: a key, the beginning of one, a number in it; an id; a UUID."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Any

from django.db import connections
from django.db.models import QuerySet
from django.db.models.functions import Upper

from django_wfe.conf import DATABASE
from django_wfe.definition.texts import is_storable
from django_wfe.engine.access import list_visible_jobs
from django_wfe.models import Job
from django_wfe.models.columns.keys import HoldsNumbers
from django_wfe.values.identifiers import parse_id

SHOWN = 50
"""The most Jobs that are found by a part of their key."""

LOOKED_AT = 1_000
"""The most Jobs with all the numbers asked for that are looked at for the words beside them."""

LONGEST_TERM = 255

MOST_NAMES = 100
"""The names of attributes that are looked at."""

_HAS_VALUE = """
WITH RECURSIVE attribute AS (
    (SELECT name FROM django_wfe_jobattribute ORDER BY name LIMIT 1)
    UNION ALL
    SELECT (SELECT name FROM django_wfe_jobattribute WHERE name > attribute.name ORDER BY name LIMIT 1)
    FROM attribute WHERE attribute.name IS NOT NULL
)
SELECT found.job_id FROM (SELECT name FROM attribute LIMIT %(names)s) AS attribute, LATERAL (
    SELECT job_id FROM django_wfe_jobattribute
    WHERE name = attribute.name AND value = %(term)s ORDER BY job_id DESC LIMIT %(most)s
) AS found
WHERE position('.' IN attribute.name) = 0
"""
"""One look-up in the index for each name, however many jobs have it. Not of subjects: 17 is the number of a job."""


@dataclass(frozen=True, slots=True)
class FoundJobs:
    """What a search found: ids of Jobs that the actor may see, each in one place alone.

    Attributes:
        named: the Jobs that the term names whole: by id, UUID, key in any case, or the idempotency key of a step.
        similar: those of whose key it is a part (the beginning, or numbers in it and words beside them), or that have
            an attribute of this value.
        is_cut: whether there are more similar ones.
    """

    named: tuple[int, ...] = ()
    similar: tuple[int, ...] = ()
    is_cut: bool = False

    @property
    def ids(self) -> tuple[int, ...]:
        """All of them, the named ones first."""
        return self.named + self.similar

    @property
    def only(self) -> int | None:
        """The one that is meant without doubt: the only one found. None if there are others, or none."""
        return self.ids[0] if len(self.ids) == 1 else None


def search_jobs(actor: Any, term: str) -> FoundJobs:
    """Find Jobs by a text that somebody typed. A fixed number of queries, each bounded by an index.

    A number is an id, and may be a part of keys: 4711 finds Job 4711 and the Job with the key "order-4711". So does
    "order 4711", since people write keys in their way.

    Args:
        actor: the user; None for trusted code.
        term: the text. Nothing is found by one that is empty, longer than a key, or that no key can hold.
    """
    term = term.strip()
    if not term or len(term) > LONGEST_TERM or not is_storable(term):
        return FoundJobs()
    visible = list_visible_jobs(actor)
    # In this order: a key that is typed whole comes before the Job that has it as its number.
    named = dict.fromkeys([*_find_by_key(visible, term), *_find_by_id(visible, term), *_find_by_uuid(visible, term)])
    begins = visible.filter(key__istartswith=term).order_by(Upper("key"), "pk").values_list("pk", flat=True)
    similar = dict.fromkeys(
        [*begins[: SHOWN + len(named) + 1], *_find_by_attribute(visible, term), *_find_by_numbers(visible, term)]
    )
    others = [pk for pk in similar if pk not in named]
    return FoundJobs(tuple(named), tuple(others[:SHOWN]), is_cut=len(others) > SHOWN)


def _find_by_id(visible: QuerySet[Job], term: str) -> list[int]:
    number = parse_id(term.removeprefix("#"))
    return list(visible.filter(pk=number).order_by().values_list("pk", flat=True)) if number is not None else []


def _find_by_uuid(visible: QuerySet[Job], term: str) -> list[int]:
    job, _colon, number = term.partition(":")
    if number and not number.isdecimal():
        return []
    try:
        value = uuid.UUID(job)
    except ValueError:
        return []
    return list(visible.filter(uuid=value).order_by().values_list("pk", flat=True))


def _find_by_key(visible: QuerySet[Job], term: str) -> list[int]:
    # Sorted here: PostgreSQL would rather walk through all Jobs in the order asked for than look this key up.
    same = visible.filter(key__iexact=term).order_by().values_list("pk", flat=True)
    return sorted(same, reverse=True)[:SHOWN]


def _find_by_attribute(visible: QuerySet[Job], term: str) -> list[int]:
    with connections[DATABASE].cursor() as cursor:
        cursor.execute(_HAS_VALUE, {"term": term, "names": MOST_NAMES, "most": SHOWN + 1})
        ids = [row[0] for row in cursor.fetchall()]
    found = visible.filter(pk__in=ids).order_by().values_list("pk", flat=True) if ids else []
    return sorted(found, reverse=True)[: SHOWN + 1]


def _find_by_numbers(visible: QuerySet[Job], term: str) -> list[int]:
    numbers = sorted(set(re.findall("[0-9]+", term)))
    if not numbers:
        return []
    words = [word.casefold() for word in re.findall(r"[^\W_]+", term)]
    # Without an order: PostgreSQL then stops at the last row that is asked for.
    rows = visible.filter(HoldsNumbers(numbers), key__isnull=False).order_by().values_list("pk", "key")[:LOOKED_AT]
    found = [pk for pk, key in rows if all(word in str(key).casefold() for word in words)]
    return sorted(found, reverse=True)[: SHOWN + 1]
