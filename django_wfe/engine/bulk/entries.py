"""The list of a bulk run: its Jobs, and entries that have options of their own or no Job yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import QuerySet

from django_wfe.conf import DATABASE
from django_wfe.engine.inputs.secret_schemas import find_places_of_options
from django_wfe.engine.operations.verbs.base import BulkVerb, Verb
from django_wfe.exceptions import UnknownJob
from django_wfe.models import BulkItem, BulkRun, Job
from django_wfe.values.sealing import seal, seal_places
from django_wfe.values.sentences import gettext as _

BATCH = 1000
"""How many entries are stored with one statement."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a bulk run: a Job by its id, or a ``key`` that names what has no Job yet.

    ``options`` are what the verb takes for this entry alone; what JSON can hold.
    """

    job_id: int | None = None
    key: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.job_id is None) != bool(self.key):
            raise ValueError(f"Entry(job_id={self.job_id!r}, key={self.key!r}): give one of them.")


def insert_jobs(bulk: BulkRun, jobs: QuerySet[Job]) -> int:
    """Insert an item for each Job in one statement, and return their number."""
    try:
        sql, parameters = jobs.order_by().values_list("pk").query.sql_with_params()
    except EmptyResultSet:  # what Django sees without asking, such as ``Job.objects.none()``
        return 0
    with connections[DATABASE].cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_wfe_bulkitem (bulk_run_id, job_id, state, message)"  # noqa: S608  (Django's own SQL)
            f" SELECT %s, chosen.id, 'PENDING', '' FROM ({sql}) AS chosen (id) ORDER BY chosen.id",
            [bulk.pk, *parameters],
        )
        number: int = cursor.rowcount
    return number


def insert_entries(bulk: BulkRun, entries: Iterable[Entry], verb: BulkVerb) -> int:
    """Insert an item for each entry, in batches, and return their number.

    Raises:
        ValueError: an entry without a Job, for a verb that is for Jobs.
        UnknownJob: an entry names a Job that is not there.
    """
    places = find_places_of_options(verb.Options)
    number, left = 0, iter(entries)
    while batch := list(islice(left, BATCH)):
        if isinstance(verb, Verb) and any(entry.job_id is None for entry in batch):
            raise ValueError(f"{verb.name!r} is a verb for jobs: give each Entry a job_id.")
        _check_jobs(batch)
        options = [_seal(seal_places(dict(entry.options), places)) for entry in batch]
        BulkItem.objects.bulk_create(
            BulkItem(bulk_run=bulk, job_id=entry.job_id, key=entry.key, options=sealed)
            for entry, sealed in zip(batch, options, strict=True)
        )
        number += len(batch)
    return number


def _check_jobs(entries: list[Entry]) -> None:
    ids = {entry.job_id for entry in entries if entry.job_id is not None}
    missing = sorted(ids.difference(Job.objects.filter(pk__in=ids).values_list("pk", flat=True)))
    if missing:
        raise UnknownJob(_("There is no job %(id)s.") % {"id": missing[0]})


def _seal(options: dict[str, Any]) -> dict[str, Any]:
    """Seal an external input as a whole: which places of it hold secrets depends on its Job."""
    return {**options, "external_data": seal(options["external_data"])} if "external_data" in options else options
