"""The graph as an SVG file of its own: every colour in an attribute, so that any program draws it alike."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import django_wfe
from django_wfe.models import Definition
from django_wfe.rendering.diagram.drawing import Drawing, DrawnEdge, DrawnNode, draw
from django_wfe.rendering.diagram.layout import require_layout
from django_wfe.rendering.diagram.overlay import JobFacts, RunFacts, build_job_overlay
from django_wfe.rendering.templates import render_with_plain_numbers

TEMPLATE = "django_wfe/diagram_file.svg"

_STATES = "static/django_wfe/states.css"
_COLOUR = re.compile(r"--wfe-([a-z-]+):\s*(?:var\([^,]+,\s*)?(#[0-9a-fA-F]{3,6})")
# As states.css has them: two states share the colours of another.
_SHARED = {"paused": "queued", "canceled": "skipped"}
_DASHES = {"unreached": "4 3", "skipped": "7 3", "canceled": "7 3"}


@dataclass(frozen=True, slots=True)
class Paint:
    """The colours of one node or badge."""

    stroke: str
    ground: str
    text: str
    width: str = "1.6"
    dashes: str = ""


def write_workflow_svg(definition: Definition) -> str:
    """Write a definition's graph as an SVG file.

    Raises:
        DotFailed: there is no ``dot`` or it failed.
    """
    return _write(draw(definition.load_graph(), require_layout(definition), node_urls={}))


def write_job_svg(definition: Definition, step_runs: Iterable[RunFacts], *, job: JobFacts) -> str:
    """Write a Job on its graph as an SVG file.

    Raises:
        DotFailed: there is no ``dot`` or it failed.
    """
    layout = require_layout(definition)
    graph = definition.load_graph()
    return _write(draw(graph, layout, node_urls={}, overlay=build_job_overlay(graph, step_runs, job=job)))


def _write(drawing: Drawing) -> str:
    colours = load_colours()
    return render_with_plain_numbers(
        TEMPLATE,
        {
            "drawing": drawing,
            "surface": colours["surface"],
            "ink": colours["ink"],
            "quiet": colours["quiet"],
            "on_state": colours["on-state"],
            "nodes": [
                (node, _paint(node), [(badge, _paint_badge(badge.css_class)) for badge in node.badges])
                for node in drawing.nodes
            ],
            "edges": [(edge, _paint_edge(edge)) for edge in drawing.edges],
        },
    )


@cache
def load_colours() -> dict[str, str]:
    """Return the colours of the light theme by name, as ``states.css`` has them."""
    text = (Path(django_wfe.__file__).parent / _STATES).read_text(encoding="utf-8")
    return dict(_COLOUR.findall(text.partition("@media")[0]))


def _paint(node: DrawnNode) -> Paint:
    colours, state = load_colours(), _find_state(node.css_class)
    text = colours["quiet"] if state == "unreached" else colours["ink"]
    if state in ("", "unreached"):
        ground = colours["raised"] if not state else colours["surface"]
        return Paint(colours["line"], ground, text, "1.2" if state else "1.6", _DASHES.get(state, ""))
    name = _SHARED.get(state, state)
    width = "2.6" if node.is_current else "1.6"
    return Paint(colours[name], colours[f"{name}-ground"], text, width, _DASHES.get(state, ""))


def _paint_badge(css_class: str) -> Paint:
    colours, state = load_colours(), _find_state(css_class)
    if not state:
        return Paint(colours["taken"], colours["surface"], colours["taken"])
    return Paint(colours["surface"], colours[_SHARED.get(state, state)], colours["on-state"])


def _paint_edge(edge: DrawnEdge) -> Paint:
    colours = load_colours()
    if edge.css_class.endswith("--taken"):
        return Paint(colours["taken"], colours["taken"], colours["ink"], "2.6")
    dashes = "5 4" if edge.css_class.endswith("--untaken") else ""
    return Paint(colours["line"], colours["line"], colours["quiet"], "1.3", dashes)


def _find_state(css_class: str) -> str:
    return next((name.removeprefix("wfe-state--") for name in css_class.split() if name.startswith("wfe-state--")), "")
