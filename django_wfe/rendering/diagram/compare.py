"""What changed from one definition of a workflow to another: the nodes added, removed, rewired or changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_wfe.definition.graph import START, Graph, Node
from django_wfe.wording.durations import describe_duration
from django_wfe.wording.node_kinds import describe_kind
from django_wfe.wording.states import Look

ADDED = Look("added", gettext_lazy("added"), "M8 3.5v9M3.5 8h9")
REMOVED = Look("removed", gettext_lazy("removed"), "M3.5 8h9")
REWIRED = Look("rewired", gettext_lazy("rewired"), "M3.5 5.5h9M10 3 12.5 5.5 10 8M12.5 11h-9M6 8.5 3.5 11 6 13.5")
CHANGED = Look("changed", gettext_lazy("changed"), "M3.2 12.8 4 9.8 10.8 3 13 5.2 6.2 12Z")
LOOKS = (ADDED, REMOVED, REWIRED, CHANGED)

JsonSchema = dict[str, Any]

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
    """Return how ``new`` differs from ``old``. Nodes go by their path: one that was moved is removed and added."""
    before, after = ({node.path: node for node in graph.nodes} for graph in (old, new))
    found = [
        NodeDifference(node.path, node.label, ADDED, (_("It leads to %(now)s.") % {"now": _describe_ways(new, node)},))
        for node in new.nodes
        if node.path not in before
    ]
    found += [
        NodeDifference(node.path, node.label, REMOVED, (_("It led to %(was)s.") % {"was": _describe_ways(old, node)},))
        for node in old.nodes
        if node.path not in after
    ]
    for look in (REWIRED, CHANGED):
        for node in new.nodes:
            difference = _compare_node(old, new, before.get(node.path), node)
            if difference is not None and difference.look is look:
                found.append(difference)
    old_ways, new_ways = _list_ways(old), _list_ways(new)
    return GraphDifference(tuple(found), frozenset(new_ways - old_ways), frozenset(old_ways - new_ways))


def _compare_node(old: Graph, new: Graph, before: Node | None, after: Node) -> NodeDifference | None:
    if before is None:
        return None
    details = _describe_rewiring(old, new, before, after)
    look = REWIRED if details else CHANGED
    if after.is_start:
        details += _describe_job_input(old.input_schema, new.input_schema)
    if before.kind != after.kind:
        details += _describe_kinds(before.kind, after.kind)
    if before.asks_input != after.asks_input:
        details.append(_("It asks for input now.") if after.asks_input else _("It no longer asks for input."))
    elif before.input_schema != after.input_schema:
        details.append(_("It asks for other input."))
    if before.input_within != after.input_within and before.asks_input and after.asks_input:
        details.append(_describe_deadline(before.input_within, after.input_within))
    if before.label != after.label:
        details.append(_("It was called “%(label)s”.") % {"label": before.label})
    if before.description != after.description:
        details.append(_("Its description changed."))
    return NodeDifference(after.path, _name(after), look, tuple(details)) if details else None


def _describe_job_input(before: JsonSchema | None, after: JsonSchema | None) -> list[str]:
    """Describe how what a Job starts with changed: by the names of its fields, where they say it."""
    if before == after:
        return []
    if before is None or after is None:
        return [_("A job starts with input now.") if before is None else _("A job starts without input now.")]
    was, now = before.get("properties", {}), after.get("properties", {})
    required = [set(schema.get("required", ())) for schema in (before, after)]
    names = [*now, *(name for name in was if name not in now)]
    changed = [name for name in names if was.get(name) != now.get(name) or name in required[0] ^ required[1]]
    if not changed:
        return [_("A job starts with other input.")]
    return [_("A job starts with other input: %(fields)s.") % {"fields": ", ".join(changed)}]


def _describe_kinds(before: str, after: str) -> list[str]:
    became, was = describe_kind(after), describe_kind(before)
    told = [_("It became %(kind)s.") % {"kind": became}] if became else []
    return told or ([_("It is no longer %(kind)s.") % {"kind": was}] if was else [])


def _describe_rewiring(old: Graph, new: Graph, before: Node, after: Node) -> list[str]:
    """Describe which ways out of a node changed: each by its label where all have one, else all of them."""
    # By path: a node that only got another name has not rewired the one before it.
    was, now = ([(edge.label, edge.target) for edge in graph.list_edges_from(before.path)] for graph in (old, new))
    if was == now:
        return []
    if [label for label, _target in was] != [label for label, _target in now] or not _are_distinct(was):
        ways = {"now": _describe_ways(new, after), "was": _describe_ways(old, before)}
        return [_("It leads to %(now)s; it led to %(was)s.") % ways]
    return [
        _("“%(label)s” leads to %(now)s; it led to %(was)s.")
        % {"label": label, "now": _quote(new, target), "was": _quote(old, former)}
        for (label, target), (_label, former) in zip(now, was, strict=True)
        if target != former
    ]


def _are_distinct(ways: list[tuple[str, str]]) -> bool:
    labels = {label for label, _target in ways}
    return len(labels) == len(ways) and "" not in labels


def _describe_ways(graph: Graph, node: Node) -> str:
    words = []
    for edge in graph.list_edges_from(node.path):
        name = _quote(graph, edge.target)
        words.append(f"{edge.label} → {name}" if edge.label else name)
    return ", ".join(words) or _("the end")


def _quote(graph: Graph, path: str) -> str:
    node = graph.get_node(path)
    return f"“{_name(node)}”" if node is not None else path


def _describe_deadline(was: float | None, now: float | None) -> str:
    if now is None:
        return _("Its input no longer has a deadline.")
    if was is None:
        return _("Its input is due within %(now)s.") % {"now": describe_duration(now)}
    return _("Its input is due within %(now)s; it was within %(was)s.") % {
        "now": describe_duration(now),
        "was": describe_duration(was),
    }


def _name(node: Node) -> str:
    return _("the start") if node.path == START else node.label


def _list_ways(graph: Graph) -> set[Way]:
    ways = {(edge.source, edge.target) for edge in graph.edges}
    return ways | {(node.path, "") for node in graph.nodes if not graph.list_edges_from(node.path)}
