"""A workflow's graph as frozen data: its nodes and edges, and its fingerprint."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

from pydantic import BaseModel
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError

from django_wfe.definition.kinds import find_kind
from django_wfe.definition.secret_places import SecretMarkingJsonSchema, cover_defaults, find_secret_places
from django_wfe.steps import Step, __start__, dotted_path

START = dotted_path(__start__)


@dataclass(frozen=True, slots=True)
class Node:
    """One Step or Decision of a graph.

    ``kind`` is the code of its ``NodeKind``; ``input_schema`` its JSON Schema, or None if it asks for no input;
    ``input_within`` the seconds in which the input is expected, or None.
    """

    path: str
    name: str
    kind: str
    label: str
    description: str
    input_schema: dict[str, Any] | None
    input_within: float | None = None

    @property
    def asks_input(self) -> bool:
        """Return whether a step run at this node waits for external input first."""
        return self.input_schema is not None

    @property
    def is_start(self) -> bool:
        """Return whether it is where every Job begins; nothing runs at it."""
        return self.path == START


@dataclass(frozen=True, slots=True)
class Edge:
    """The way from one node to another. ``index`` counts the source's outgoing edges from 0."""

    source: str
    target: str
    index: int
    label: str


@dataclass(frozen=True)
class Graph:
    """A compiled DIGRAPH. Nodes come in the order of the declaration, the start first.

    ``input_schema`` is the JSON Schema of what a Job starts with, or None if it starts without data. ``is_history`` if
    it was drawn up from the paths of Jobs of django-wfe 1.x: nothing goes on by it.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    is_history: bool = False
    input_schema: dict[str, Any] | None = None

    def get_node(self, path: str) -> Node | None:
        """Return the node of this path, or None."""
        return self._nodes_by_path.get(path)

    def list_edges_from(self, path: str) -> tuple[Edge, ...]:
        """Return the outgoing edges of a node, by their index."""
        return self._edges_by_source.get(path, ())

    @property
    def first(self) -> Node:
        """The node after the start."""
        return self._nodes_by_path[self.list_edges_from(START)[0].target]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over nodes, input schemas and edges: equal for equal definitions, in any process."""
        canonical = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return the graph as data that ``from_json`` reads."""
        written: dict[str, Any] = {
            "nodes": [_write_node(node) for node in self.nodes],
            "edges": [asdict(edge) for edge in self.edges],
        }
        # Left out where it is not so, so that definitions keep the fingerprints that they were recorded under.
        if self.is_history:
            written["is_history"] = True
        if self.input_schema is not None:
            written["input_schema"] = self.input_schema
        return written

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Graph:
        """Read what ``to_json`` gave."""
        return cls(
            nodes=tuple(Node(**node) for node in data["nodes"]),
            edges=tuple(Edge(**edge) for edge in data["edges"]),
            is_history=data.get("is_history", False),
            input_schema=data.get("input_schema"),
        )

    @cached_property
    def _nodes_by_path(self) -> dict[str, Node]:
        return {node.path: node for node in self.nodes}

    @cached_property
    def _edges_by_source(self) -> dict[str, tuple[Edge, ...]]:
        edges: dict[str, list[Edge]] = {}
        for edge in self.edges:
            edges.setdefault(edge.source, []).append(edge)
        return {source: tuple(sorted(of_source, key=lambda edge: edge.index)) for source, of_source in edges.items()}


def _write_node(node: Node) -> dict[str, Any]:
    written = asdict(node)
    if node.input_within is None:
        # Left out, so that a definition without it keeps the fingerprint that it was recorded under.
        del written["input_within"]
    return written


def build_graph(digraph: Mapping[type[Step], Sequence[type[Step]]], input_schema: Any = None) -> Graph:
    """Compile a DIGRAPH in which ``problems.find_problems`` found nothing.

    Args:
        input_schema: the pydantic model of what a Job starts with. Default None: it starts without data.
    """
    nodes = [__start__, *(node for node in iterate_nodes(digraph) if node is not __start__)]
    edges = []
    for source in nodes:
        labels = list(getattr(source, "labels", ()))
        for index, target in enumerate(digraph.get(source, ())):
            label = str(labels[index]) if index < len(labels) else ""
            edges.append(Edge(dotted_path(source), dotted_path(target), index, label))
    return Graph(
        nodes=tuple(_describe_node(node) for node in nodes),
        edges=tuple(edges),
        input_schema=describe_schema(input_schema) if has_fields(input_schema) else None,
    )


def iterate_nodes(digraph: Mapping[Any, Any]) -> list[Any]:
    """Return each node that a DIGRAPH names, once, in the order of the declaration."""
    # By identity: what a wrong declaration names need not be hashable.
    seen: dict[int, Any] = {}
    for source in digraph:
        for node in (source, *list_targets(digraph, source)):
            seen.setdefault(id(node), node)
    return list(seen.values())


def list_targets(digraph: Mapping[Any, Any], source: Any) -> Sequence[Any]:
    """Return the nodes after ``source``; none where what is declared there is no list."""
    targets = digraph.get(source, ())
    return targets if isinstance(targets, (list, tuple)) else ()


def get_schema(declared: type) -> Any:
    """Return what a node or a Workflow declares as its schema, None for none: it may be nothing of the kind."""
    return getattr(declared, "UserInputSchema" if issubclass(declared, Step) else "InputSchema", None)


def has_input(node: type[Step]) -> bool:
    """Return whether the node asks for external input: a schema without fields means no."""
    return has_fields(node.UserInputSchema)


def has_fields(schema: Any) -> bool:
    """Return whether there is anything to give for a declared schema."""
    return schema is not None and bool(getattr(schema, "model_fields", None))


def get_label(declared: Any) -> str:
    """Return the name for people of a node or workflow class: its ``label``, else its class name in words."""
    return str(declared.label) if declared.label else split_words(declared.__name__)


def guess_label(path: str) -> str:
    """Return a name for people of a class of which only the dotted path is known."""
    return split_words(path.rpartition(".")[2])


def split_words(name: str) -> str:
    """Turn ``CheckHTTPStatus`` or ``check_status`` into words."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name).replace("_", " ").split()
    rest = [word if word.isupper() and len(word) > 1 else word.lower() for word in words[1:]]
    return " ".join([*(word[0].upper() + word[1:] for word in words[:1]), *rest])


def get_input_within(node: type[Step]) -> float | None:
    """Return the seconds in which a node's input is expected, or None."""
    value = node.input_within
    return value.total_seconds() if isinstance(value, timedelta) else value


def get_description(declared: type) -> str:
    """Return the class's own docstring, or "" if it has none."""
    return inspect.cleandoc(declared.__dict__.get("__doc__") or "")


def describe_schema(schema: type[BaseModel]) -> dict[str, Any]:
    """Return a model's JSON Schema, with its secrets marked, and their defaults covered.

    A model with types that JSON Schema cannot express keeps its title and the reason.
    """
    try:
        return cover_defaults(schema.model_json_schema(schema_generator=_StableJsonSchema))
    except (PydanticInvalidForJsonSchema, PydanticUserError) as error:
        # Without addresses of objects, which differ between processes.
        reason = re.sub(r" at 0x[0-9a-f]+", "", str(error))
        described = {"title": schema.__name__, "type": "object", "description": f"No JSON Schema: {reason}"}
        return {**described, "writeOnly": True} if _holds_secret(schema) else described


def _holds_secret(schema: type[BaseModel]) -> bool:
    try:
        return bool(find_secret_places(schema))
    except PydanticUserError:
        return False  # pydantic cannot build it, so nothing is ever given for it


class _StableJsonSchema(SecretMarkingJsonSchema):
    def encode_default(self, dft: Any) -> Any:
        """Write a set in one order: its own differs between processes, and the fingerprint must not."""
        encoded = super().encode_default(dft)
        if isinstance(dft, (set, frozenset)) and isinstance(encoded, list):
            return sorted(encoded, key=lambda item: json.dumps(item, sort_keys=True))
        return encoded


def _describe_node(node: type[Step]) -> Node:
    schema = describe_schema(node.UserInputSchema) if has_input(node) else None
    within = get_input_within(node) if schema is not None else None
    kind = find_kind(node).code
    return Node(dotted_path(node), node.__name__, kind, get_label(node), get_description(node), schema, within)
