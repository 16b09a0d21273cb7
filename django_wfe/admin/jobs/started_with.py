"""What a Job started with, for its page."""

from __future__ import annotations

from dataclasses import dataclass

from django_wfe.admin.elements.payloads import Preview, load_json_previews
from django_wfe.admin.elements.readable import read_schema_order
from django_wfe.definition.graph import Graph
from django_wfe.models import Job, StepRun


@dataclass(frozen=True, slots=True)
class StartedWith:
    """What a Job started with, its secrets masked, and the id of the step run that keeps it."""

    step_run: int
    preview: Preview


def load_started_with(job: Job, graph: Graph, characters: int) -> StartedWith | None:
    """Return what the Job started with, by the titles of its schema; None if it started without data.

    The caller asks whether the user may see the data. Costs nothing where the definition asks for no data.
    """
    if graph.input_schema is None:
        return None
    start = StepRun.objects.filter(job=job, number=0).order_by("-attempt").values_list("pk", flat=True).first()
    if start is None:
        return None
    previews = load_json_previews([start], characters, read_schema_order(graph.input_schema))
    preview = previews.get(start, {}).get("result")
    return StartedWith(start, preview) if preview is not None else None
