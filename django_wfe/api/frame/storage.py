"""The storages of a page of jobs, in two queries, and no more of them than one answer may hold."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

from django.db.models import Case, F, Func, IntegerField, Q, QuerySet, Sum, TextField, Value, When, Window
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.functions import Cast, Coalesce, Lead

from django_wfe.conf import settings
from django_wfe.definition.graph import START
from django_wfe.models import StepRun
from django_wfe.states import RESULT_STEP_RUN_STATES
from django_wfe.values.encoding import REFERENCE_MARK
from django_wfe.values.large_values import resolve
from django_wfe.values.sealing import cover_sealed

ENTRY_BYTES = 100
"""What an entry takes besides its result and input."""

COMPRESSED = 8
"""PostgreSQL keeps values compressed. Of so many answers in that form at most, the true size is worked out."""

Place = tuple[int, int]
"""The number and the attempt of a step run."""


class _Ran(TypedDict):
    step: str
    result: Any


class StorageEntry(_Ran, total=False):
    """One step that has run; "external_data" only where it was given any."""

    external_data: Any


class Storage(TypedDict):
    """What has run, in order; the same as ``Job.storage``, unless there is a "next": the address of the rest."""

    data: list[StorageEntry]
    next: NotRequired[str]


@dataclass(slots=True)
class Part:
    """A storage as far as it fits into the answer, and the place after which the rest of it begins, if any is left."""

    storage: Storage
    rest_after: Place | None = None


@dataclass(frozen=True, slots=True)
class _Size:
    pk: int
    place: Place
    bytes: int
    is_last: bool


def load_storages(job_ids: Collection[int], *, after: Place = (-1, 0)) -> dict[int, Part]:
    """Return what ``Job.storage`` would, for each of these jobs, as far as ``WFE_MAX_ANSWER_BYTES`` lets them.

    Small storages are whole before a large one takes the room. Of a single job there is one entry at least.

    Args:
        after: the place in each job after which to begin. Default: at its start.
    """
    parts = {job_id: Part({"data": []}, None) for job_id in job_ids}
    if not parts:
        return parts
    runs = StepRun.objects.filter(job_id__in=list(parts), state__in=sorted(RESULT_STEP_RUN_STATES), superseded=False)
    runs = runs.filter(Q(number__gt=after[0]) | Q(number=after[0], attempt__gt=after[1]))
    chosen: list[int] = []
    for job_id, sizes, is_whole in _choose(_measure(runs, len(parts))):
        chosen.extend(size.pk for size in sizes)
        if not is_whole:
            parts[job_id].rest_after = sizes[-1].place if sizes else after
    entries = StepRun.objects.filter(pk__in=chosen).order_by("job_id", "number", "attempt")
    for job_id, step, result, external_data in entries.values_list("job_id", "step", "result", "external_data"):
        found = resolve(result)
        entry: StorageEntry = {"step": step, "result": cover_sealed(found) if step == START else found}
        if external_data is not None:
            entry["external_data"] = cover_sealed(resolve(external_data))
        parts[job_id].storage["data"].append(entry)
    return parts


def _measure(runs: QuerySet[StepRun], jobs: int) -> dict[int, list[_Size]]:
    """Return the sizes of each job's step runs in their order, without reading them, up to where they are too much."""
    # A reference is small; what it stands for comes into the answer.
    in_files = [_measure_file(column) for column in ("result", "external_data")]
    stored: Any = _sum_up("pg_column_size", F("result"), F("external_data")) + _sum(in_files)
    order: Any = {"partition_by": F("job_id"), "order_by": [F("number"), F("attempt")]}
    gate = COMPRESSED * settings.max_answer_bytes // jobs
    written = _sum_up("octet_length", Cast("result", TextField()), Cast("external_data", TextField())) + _sum(in_files)
    rows: Any = (
        runs.annotate(stored=stored)
        .annotate(before=Window(Sum("stored"), **order) - F("stored"))
        .annotate(
            size=Case(When(before__lt=gate, then=written), output_field=IntegerField()),
            later=Window(Lead("pk"), **order),
        )
        .filter(before__lt=gate)
        .order_by("job_id", "number", "attempt")
        .values_list("job_id", "pk", "number", "attempt", "size", "later")
    )
    sizes: dict[int, list[_Size]] = {}
    for job_id, pk, number, attempt, size, later in rows:
        sizes.setdefault(job_id, []).append(_Size(pk, (number, attempt), size, later is None))
    return sizes


def _measure_file(column: str) -> Any:
    return Cast(KeyTextTransform("bytes", KeyTransform(REFERENCE_MARK, column)), IntegerField())


def _sum(sizes: list[Any]) -> Any:
    return sum((Coalesce(size, Value(0)) for size in sizes), start=Value(0, output_field=IntegerField()))


def _sum_up(function: str, *columns: Any) -> Any:
    sizes = (Func(column, function=function, output_field=IntegerField()) for column in columns)
    return sum((Coalesce(size, Value(0)) for size in sizes), start=Value(ENTRY_BYTES, output_field=IntegerField()))


def _choose(sizes: dict[int, list[_Size]]) -> list[tuple[int, list[_Size], bool]]:
    """Return, for each job, the step runs that fit into the answer, and whether these are all of them."""
    chosen = []
    left = settings.max_answer_bytes
    smallest_first = sorted(sizes.items(), key=lambda item: sum(size.bytes for size in item[1]))
    for position, (job_id, measured) in enumerate(smallest_first):
        # What is left is shared by the jobs that are left: one that needs less leaves more to the larger ones.
        share = left // (len(smallest_first) - position)
        taken: list[_Size] = []
        for size in measured:
            if size.bytes > share and (taken or len(smallest_first) > 1):
                break
            share -= size.bytes
            left -= size.bytes
            taken.append(size)
        chosen.append((job_id, taken, bool(taken) and taken[-1].is_last))
    return chosen
