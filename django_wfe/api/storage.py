"""The storages of a page of jobs, in one query."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypedDict

from django_wfe.models import StepRun
from django_wfe.sealing import cover_sealed
from django_wfe.states import RESULT_STEP_RUN_STATES


class _Ran(TypedDict):
    step: str
    result: Any


class StorageEntry(_Ran, total=False):
    """One step that has run; "external_data" only where it was given any."""

    external_data: Any


class Storage(TypedDict):
    """What has run, in order; the same as ``Job.storage``."""

    data: list[StorageEntry]


def load_storages(job_ids: Collection[int]) -> dict[int, Storage]:
    """Give what ``Job.storage`` would, for each of these jobs."""
    storages: dict[int, Storage] = {job_id: {"data": []} for job_id in job_ids}
    if not storages:
        return storages
    runs = (
        StepRun.objects.filter(job_id__in=list(storages), state__in=sorted(RESULT_STEP_RUN_STATES), superseded=False)
        .order_by("job_id", "number", "attempt")
        .values_list("job_id", "step", "result", "external_data")
    )
    for job_id, step, result, external_data in runs:
        entry: StorageEntry = {"step": step, "result": result}
        if external_data is not None:
            entry["external_data"] = cover_sealed(external_data)
        storages[job_id]["data"].append(entry)
    return storages
