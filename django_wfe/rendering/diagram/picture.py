"""A workflow's graph as an accessible SVG, with the live state of one Job or of all its Jobs on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.utils.safestring import SafeString

from django_wfe.models import Definition
from django_wfe.rendering.diagram.dot import build_dot, is_dot_available
from django_wfe.rendering.diagram.drawing import draw
from django_wfe.rendering.diagram.heat import Heat
from django_wfe.rendering.diagram.layout import get_layout
from django_wfe.rendering.diagram.overlay import (
    RUN_FIELDS,
    JobFacts,
    JobOverlay,
    NodeCounts,
    RunFacts,
    build_job_overlay,
)
from django_wfe.rendering.templates import render_with_plain_numbers

__all__ = [
    "RUN_FIELDS",
    "NodeCounts",
    "build_dot",
    "is_dot_available",
    "render_job_diagram",
    "render_job_overlay",
    "render_workflow_diagram",
]

TEMPLATE = "django_wfe/diagram.html"


def render_workflow_diagram(
    definition: Definition,
    *,
    counts: Mapping[str, NodeCounts] | None = None,
    node_urls: Mapping[str, str] | None = None,
    heat: Heat | None = None,
) -> SafeString | None:
    """Draw a definition, with a badge of ``counts`` on each node, or ``heat``; the mappings go by the node's path.

    ``node_urls`` are addresses of this site (``reverse()``); a node without one is not a link. The page includes
    ``django_wfe/diagram.css``. Gives None if there is no ``dot`` (see ``is_dot_available``) or it failed.
    """
    layout = get_layout(definition)
    if layout is None:
        return None
    drawing = draw(definition.load_graph(), layout, node_urls=node_urls or {}, counts=counts or {}, heat=heat)
    return render_with_plain_numbers(TEMPLATE, {"drawing": drawing})


def render_job_diagram(
    definition: Definition,
    step_runs: Iterable[RunFacts],
    *,
    job: JobFacts,
    node_urls: Mapping[str, str] | None = None,
) -> SafeString | None:
    """Draw a definition with a Job on it: node states, edges taken, visits, and the node it is at.

    ``step_runs`` may be StepRuns or rows of ``values_list(*RUN_FIELDS, named=True)``, which is several times faster
    for a Job of thousands. For the rest see ``render_workflow_diagram``.
    """
    overlay = build_job_overlay(definition.load_graph(), step_runs, job=job)
    return render_job_overlay(definition, overlay, node_urls=node_urls)


def render_job_overlay(
    definition: Definition, overlay: JobOverlay, *, node_urls: Mapping[str, str] | None = None
) -> SafeString | None:
    """Draw a definition with what is known of a Job. For the rest see ``render_workflow_diagram``."""
    layout = get_layout(definition)
    if layout is None:
        return None
    drawing = draw(definition.load_graph(), layout, node_urls=node_urls or {}, overlay=overlay)
    return render_with_plain_numbers(TEMPLATE, {"drawing": drawing})
