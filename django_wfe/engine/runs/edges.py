"""The edge that a step run's transition leads along."""

from __future__ import annotations

from typing import Any

from django_wfe.definition.graph import Edge, Graph, Node
from django_wfe.definition.texts import name_value
from django_wfe.exceptions import InvalidTransition
from django_wfe.values.sentences import gettext as _


def choose_edge(node: str, transition: Any, outgoing: tuple[Edge, ...]) -> Edge:
    """Return the edge that a value from ``transition`` names.

    Raises:
        InvalidTransition: for anything but an int from 0 to the number of edges minus 1. A bool is not an index.
    """
    if isinstance(transition, int) and not isinstance(transition, bool) and 0 <= transition < len(outgoing):
        return outgoing[transition]
    edges = ", ".join(f"{edge.index}: {edge.target}" for edge in outgoing)
    raise InvalidTransition(
        _("transition() of %(step)s returned %(transition)s, which is not the index of one of its edges (%(edges)s).")
        % {"step": node, "transition": name_value(transition), "edges": edges}
    )


def find_target(graph: Graph, edge: Edge) -> Node:
    """Return the node that an edge leads to.

    Raises:
        InvalidTransition: if the graph has no such node.
    """
    node = graph.get_node(edge.target)
    if node is None:
        raise InvalidTransition(
            _("The edge %(index)s of %(source)s leads to %(target)s, which is not a node.")
            % {"index": edge.index, "source": edge.source, "target": edge.target}
        )
    return node
