"""Graphviz: finding a ``dot``, running it, and writing a graph as DOT."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import graphviz
from django.utils.translation import gettext as _

from django_wfe.definition.graph import Graph
from django_wfe.definition.kinds import get_kind
from django_wfe.definition.texts import flatten_text

DOT_TIMEOUT = 8.0
"""Seconds after which a ``dot`` is ended. A graph of 1000 nodes takes about a quarter of a second."""


class DotFailed(Exception):
    """Graphviz could not do it; the message says why."""


def is_dot_available() -> bool:
    """Return whether there is a ``dot`` to lay graphs out with."""
    return find_dot() is not None


def find_dot() -> str | None:
    """Return the path of Graphviz's ``dot``: the system's, else the one of the wheel ``graphviz-pure``, else None."""
    # The wheel calls its program "graphviz-pure", and puts it beside the interpreter, which need not be on PATH.
    beside_interpreter = str(Path(sys.executable).parent)
    return (
        shutil.which("dot") or shutil.which("graphviz-pure") or shutil.which("graphviz-pure", path=beside_interpreter)
    )


def describe_missing_dot() -> str:
    """Return a sentence on the missing ``dot``, and what to do."""
    return _("Graphviz (dot) is not installed. Install it, or: pip install graphviz-pure")


def run_dot(source: str, output_format: str, *, executable: str | None = None, timeout: float = DOT_TIMEOUT) -> bytes:
    """Pipe DOT through ``dot -T<output_format>``; ``timeout`` in seconds.

    Raises:
        DotFailed: there is no ``dot``, it could not be run, took too long, or ended with an error.
    """
    executable = executable or find_dot()
    if executable is None:
        raise DotFailed(describe_missing_dot())
    try:
        done = subprocess.run(  # noqa: S603  (no shell, our own arguments; the source goes through stdin)
            [executable, f"-T{output_format}"],
            input=source.encode("utf-8", "replace"),
            capture_output=True,
            timeout=timeout,
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        raise DotFailed(f"{executable} took longer than {timeout:g} s.") from error
    except subprocess.CalledProcessError as error:
        reason = error.stderr.decode("utf-8", "replace").strip()[:500] or f"exit code {error.returncode}"
        raise DotFailed(f"{executable} failed: {reason}") from error
    except OSError as error:
        raise DotFailed(f"{executable} could not be run: {error}") from error
    return done.stdout


def build_dot(graph: Graph, *, name: str = "workflow", dots_per_inch: int | None = None) -> str:
    """Write a graph as DOT for people to keep: labelled nodes and edges, plain shapes, an end after each last node.

    ``dots_per_inch`` is for pictures made of it; None leaves that to whoever makes them.
    """
    digraph = graphviz.Digraph(
        name=_escape(name),
        graph_attr={"rankdir": "TB"} | ({"dpi": str(dots_per_inch)} if dots_per_inch else {}),
        node_attr={"shape": "box", "style": "rounded", "fontname": "Helvetica", "fontsize": "11"},
        edge_attr={"fontname": "Helvetica", "fontsize": "10"},
    )
    names = {node.path: f"n{index}" for index, node in enumerate(graph.nodes)}
    for node in graph.nodes:
        attributes: dict[str, str] = {"tooltip": _escape(node.path)}
        form = get_kind(node.kind).form
        if form == "start":
            attributes |= {"shape": "circle", "style": "filled", "fillcolor": "#333333", "width": "0.25"}
            digraph.node(names[node.path], "", **attributes)
            continue
        if form == "decision":
            attributes |= {"shape": "diamond", "style": "solid"}
        if node.asks_input:
            attributes["peripheries"] = "2"
        digraph.node(names[node.path], _escape(node.label), **attributes)
    for edge in graph.edges:
        digraph.edge(names[edge.source], names[edge.target], label=_escape(edge.label) if edge.label else None)
    for node in graph.nodes:
        if not graph.list_edges_from(node.path):
            end = f"end_{names[node.path]}"
            digraph.node(end, "", shape="doublecircle", style="solid", width="0.2")
            digraph.edge(names[node.path], end)
    return str(digraph.source)


def _escape(text: str) -> str:
    # Keeps "\\N" and "<b>" from meaning something to Graphviz.
    escaped: str = graphviz.escape(flatten_text(text))
    return escaped
