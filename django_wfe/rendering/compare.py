"""Two definitions of a workflow side by side: the nodes added, removed, rewired or changed, and their drawings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_wfe.graph import START, Graph, Node
from django_wfe.models import Definition
from django_wfe.rendering.drawing import DrawnNode, build_badge, draw, find_corners
from django_wfe.rendering.layout import NodeBox, get_layout
from django_wfe.rendering.states import Look

TEMPLATE = "django_wfe/diagram.html"

ADDED = Look("added", gettext_lazy("added"), "M8 3.5v9M3.5 8h9")
REMOVED = Look("removed", gettext_lazy("removed"), "M3.5 8h9")
REWIRED = Look("rewired", gettext_lazy("rewired"), "M3.5 5.5h9M10 3 12.5 5.5 10 8M12.5 11h-9M6 8.5 3.5 11 6 13.5")
CHANGED = Look("changed", gettext_lazy("changed"), "M3.2 12.8 4 9.8 10.8 3 13 5.2 6.2 12Z")
LOOKS = (ADDED, REMOVED, REWIRED, CHANGED)

Way = tuple[str, str]
"""From the path of a node to the path of another; "" stands for the end."""


@dataclass(frozen=True, slots=True)
class NodeDifference:
    """What became of one node. ``details`` are sentences."""

    path: str
    label: str
    look: Look
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GraphDifference:
    """What changed from one graph to another, the added nodes first."""

    nodes: tuple[NodeDifference, ...]
    added_ways: frozenset[Way]
    removed_ways: frozenset[Way]

    @property
    def looks(self) -> dict[str, Look]:
        """The look of each node that changed, by path."""
        return {node.path: node.look for node in self.nodes}


def compare_graphs(old: Graph, new: Graph) -> GraphDifference:
    """Tell how ``new`` differs from ``old``. Nodes go by their path: one that was moved is removed and added."""
    before, after = ({node.path: node for node in graph.nodes} for graph in (old, new))
    found = [NodeDifference(node.path, node.label, ADDED) for node in new.nodes if node.path not in before]
    found += [NodeDifference(node.path, node.label, REMOVED) for node in old.nodes if node.path not in after]
    for look in (REWIRED, CHANGED):
        for node in new.nodes:
            difference = _compare_node(old, new, before.get(node.path), node)
            if difference is not None and difference.look is look:
                found.append(difference)
    old_ways, new_ways = _list_ways(old), _list_ways(new)
    return GraphDifference(tuple(found), frozenset(new_ways - old_ways), frozenset(old_ways - new_ways))


def render_compared_diagram(
    definition: Definition, looks: Mapping[str, Look], ways: Collection[Way], *, look: Look
) -> SafeString | None:
    """Draw a definition with a badge on each node of ``looks``, and ``ways`` drawn in ``look``.

    The page includes "django_wfe/compare.css". Gives None where there is no ``dot`` or it failed.
    """
    layout = get_layout(definition)
    if layout is None:
        return None
    graph = definition.load_graph()
    plain = draw(graph, layout, node_urls={})
    nodes = tuple(
        _mark_node(node, box, looks.get(box.path)) for node, box in zip(plain.nodes, layout.nodes, strict=True)
    )
    edges = tuple(
        replace(edge, css_class=f"wfe-edge wfe-edge--{look.name}")
        if _read_way(graph, line.source, line.index) in ways
        else edge
        for edge, line in zip(plain.edges, layout.edges, strict=True)
    )
    present = {looks[box.path].name for box in layout.nodes if box.path in looks}
    legend = tuple(look for look in LOOKS if look.name in present)
    return render_to_string(TEMPLATE, {"drawing": replace(plain, nodes=nodes, edges=edges, legend=legend)})


def _compare_node(old: Graph, new: Graph, before: Node | None, after: Node) -> NodeDifference | None:
    if before is None:
        return None
    details = []
    # By path: a node that only got another name has not rewired the one before it.
    if _list_targets(old, before.path) != _list_targets(new, after.path):
        ways = {"now": _describe_ways(new, after.path), "was": _describe_ways(old, before.path)}
        details.append(_("It leads to %(now)s; it led to %(was)s.") % ways)
    look = REWIRED if details else CHANGED
    if before.kind != after.kind:
        details.append(_("It became a decision.") if after.kind == "decision" else _("It is no decision any more."))
    if before.asks_input != after.asks_input:
        details.append(_("It asks for input now.") if after.asks_input else _("It asks for no input any more."))
    elif before.input_schema != after.input_schema:
        details.append(_("It asks for other input."))
    if before.label != after.label:
        details.append(_("It was called “%(label)s”.") % {"label": before.label})
    if before.description != after.description:
        details.append(_("Its description changed."))
    return NodeDifference(after.path, _name(after), look, tuple(details)) if details else None


def _list_targets(graph: Graph, path: str) -> list[tuple[str, str]]:
    return [(edge.label, edge.target) for edge in graph.list_edges_from(path)]


def _describe_ways(graph: Graph, path: str) -> str:
    words = []
    for edge in graph.list_edges_from(path):
        target = graph.get_node(edge.target)
        name = f"“{_name(target)}”" if target is not None else edge.target
        words.append(f"{edge.label} → {name}" if edge.label else name)
    return ", ".join(words) or _("the end")


def _name(node: Node) -> str:
    return _("the start") if node.path == START else node.label


def _list_ways(graph: Graph) -> set[Way]:
    ways = {(edge.source, edge.target) for edge in graph.edges}
    return ways | {(node.path, "") for node in graph.nodes if not graph.list_edges_from(node.path)}


def _read_way(graph: Graph, source: str, index: int) -> Way:
    """Give the way that a line of a layout is drawn for; the one to an end has the index -1."""
    target = next((edge.target for edge in graph.list_edges_from(source) if edge.index == index), "")
    return source, target


def _mark_node(node: DrawnNode, box: NodeBox, look: Look | None) -> DrawnNode:
    if look is None:
        return node
    left, _right, top = find_corners(box)
    words = str(look.words)
    return replace(
        node,
        css_class=f"{node.css_class} {look.css_class}",
        label=f"{node.label}: {words}",
        title=f"{node.title}\n{words}",
        badges=(build_badge(look.css_class, left - 10, top, icon=look.icon, text=words),),
    )
