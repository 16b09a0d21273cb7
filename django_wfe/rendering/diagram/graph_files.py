"""A graph as a file to keep: SVG as the console draws it, PNG and DOT by Graphviz."""

from __future__ import annotations

from typing import Literal, get_args

from django.utils.translation import gettext as _

from django_wfe.models import Definition
from django_wfe.rendering.diagram.dot import DotFailed, build_dot, run_dot
from django_wfe.rendering.diagram.standalone import write_workflow_svg

GraphFormat = Literal["svg", "png", "dot"]
GRAPH_FORMATS: tuple[GraphFormat, ...] = get_args(GraphFormat)

PNG_DOTS_PER_INCH = 144
"""Twice what Graphviz's points are, so that the text is sharp in a document."""

_PNG_BEGINNING = b"\x89PNG\r\n\x1a\n"


def write_graph_file(definition: Definition, file_format: GraphFormat, *, name: str) -> bytes:
    """Return the content of a file with a definition's graph; ``name`` is that of the graph in DOT.

    The definition need not be saved. Only DOT can be written without Graphviz.

    Raises:
        DotFailed: there is no ``dot``, it failed, or it is one that writes no PNG.
    """
    if file_format == "svg":
        return write_workflow_svg(definition).encode()
    graph = definition.load_graph()
    if file_format == "dot":
        return build_dot(graph, name=name).encode()
    drawn = run_dot(build_dot(graph, name=name, dots_per_inch=PNG_DOTS_PER_INCH), "png")
    # Some builds of Graphviz answer with another format where they lack one.
    if not drawn.startswith(_PNG_BEGINNING):
        raise DotFailed(_("This dot writes no PNG. Install the system’s package graphviz, or take the SVG."))
    return drawn
