"""A workflow's graph as frozen data: its nodes and edges, its problems, its fingerprint."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any, Literal, cast

from pydantic import BaseModel
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError
from pydantic.json_schema import GenerateJsonSchema

from django_wfe.retry import Retry
from django_wfe.steps import Decision, Step, __start__, dotted_path, plan_execute, plan_transition

NodeKind = Literal["start", "step", "decision"]
START = dotted_path(__start__)


@dataclass(frozen=True, slots=True)
class Node:
    """One Step or Decision of a graph.

    ``input_schema`` is its JSON Schema, or None where it asks for no input; ``input_within`` the seconds in which the
    input is expected, or None.
    """

    path: str
    name: str
    kind: NodeKind
    label: str
    description: str
    input_schema: dict[str, Any] | None
    input_within: float | None = None

    @property
    def asks_input(self) -> bool:
        """Tell whether a step run at this node waits for external input first."""
        return self.input_schema is not None


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

    ``is_history`` if it was drawn up from the paths of Jobs of django-wfe 1.x: nothing goes on by it.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    is_history: bool = False

    def get_node(self, path: str) -> Node | None:
        """Give the node of this path, or None."""
        return self._nodes_by_path.get(path)

    def get_label(self, path: str) -> str:
        """Give the name for people of a node, on one line; for a path that is not in this graph, words made from it."""
        node = self.get_node(path)
        return " ".join(node.label.split()) if node is not None else guess_label(path)

    def list_edges_from(self, path: str) -> tuple[Edge, ...]:
        """Give the outgoing edges of a node, by their index."""
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
        """Give the graph as data that ``from_json`` reads."""
        written: dict[str, Any] = {
            "nodes": [_write_node(node) for node in self.nodes],
            "edges": [asdict(edge) for edge in self.edges],
        }
        # Left out where it is not so, so that definitions keep the fingerprints that they were recorded under.
        return {**written, "is_history": True} if self.is_history else written

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Graph:
        """Read what ``to_json`` gave."""
        return cls(
            nodes=tuple(Node(**node) for node in data["nodes"]),
            edges=tuple(Edge(**edge) for edge in data["edges"]),
            is_history=data.get("is_history", False),
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


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that keeps a workflow from running. ``code`` is stable; ``node`` is "" for the graph as a whole."""

    code: str
    workflow: str
    node: str
    message: str
    cure: str

    def __str__(self) -> str:
        place = f"{self.workflow}, node {self.node}" if self.node else self.workflow
        return f"{place}: {self.message} {self.cure}"


def _write_node(node: Node) -> dict[str, Any]:
    written = asdict(node)
    if node.input_within is None:
        # Left out, so that a definition without it keeps the fingerprint that it was recorded under.
        del written["input_within"]
    return written


def build_graph(digraph: Mapping[type[Step], Sequence[type[Step]]]) -> Graph:
    """Compile a DIGRAPH in which ``find_problems`` found nothing."""
    nodes = [__start__, *(node for node in _iterate_nodes(digraph) if node is not __start__)]
    edges = []
    for source in nodes:
        labels = list(getattr(source, "labels", ()))
        for index, target in enumerate(digraph.get(source, ())):
            label = str(labels[index]) if index < len(labels) else ""
            edges.append(Edge(dotted_path(source), dotted_path(target), index, label))
    return Graph(nodes=tuple(_describe_node(node) for node in nodes), edges=tuple(edges))


def find_problems(workflow: str, digraph: Any) -> Iterator[Problem]:
    """Yield every problem of a declaration, so that a developer can mend all in one go."""

    def problem(code: str, node: Any, message: str, cure: str) -> Problem:
        return Problem(code, workflow, _name(node) if node is not None else "", message, cure)

    if not isinstance(digraph, Mapping):
        yield problem(
            "digraph",
            None,
            f"DIGRAPH is {_article(digraph)}, not a dict.",
            "Write DIGRAPH = {steps.__start__: [FirstStep], ...}.",
        )
        return
    for source, targets in digraph.items():
        if not isinstance(targets, (list, tuple)):
            yield problem(
                "edges", source, f"its edges are {_article(targets)}, not a list.", "Write a list of nodes after it."
            )
    for node in _iterate_nodes(digraph):
        if not _is_node(node):
            yield problem(
                "node",
                node,
                f"{_name(node)} is no node: it is {_article(node)}.",
                "Name a class that inherits from Step or Decision.",
            )
    nodes = [node for node in _iterate_nodes(digraph) if _is_node(node)]
    for node in nodes:
        for code, message, cure in _find_node_problems(node, len(_targets(digraph, node))):
            yield problem(code, node, message, cure)
    paths: dict[str, type[Step]] = {}
    for node in nodes:
        if paths.setdefault(dotted_path(node), node) is not node:
            yield problem(
                "path", node, "two different classes have this path.", "Give one of them another name, or import one."
            )
    if __start__ not in digraph:
        yield problem("start", None, "DIGRAPH has no steps.__start__.", "Add steps.__start__: [FirstStep].")
        return
    count = len(_targets(digraph, __start__))
    if count != 1:
        yield problem(
            "start",
            __start__,
            f"it has {count} outgoing edges.",
            "Give it exactly one; a Decision after it can choose between several.",
        )
    if any(__start__ in _targets(digraph, node) for node in nodes):
        yield problem("start", __start__, "an edge leads back to it.", "Lead the edge to the first step.")
    reached = _reach(digraph)
    for node in nodes:
        if node is not __start__ and node not in reached:
            yield problem(
                "unreachable", node, "no way leads to it from the start.", "Add an edge to it, or take it out."
            )


def _find_node_problems(node: type[Step], edges: int) -> Iterator[tuple[str, str, str]]:
    if "<locals>" in node.__qualname__:
        yield "local", "it is defined inside a function.", "Move the class to the top of a module."
    if node is __start__:
        return
    schema = node.UserInputSchema
    if schema is not None and not _is_model_or_empty(schema):
        yield (
            "schema",
            f"UserInputSchema is {_article(schema)}, not a pydantic model.",
            "Let it inherit from pydantic.BaseModel.",
        )
    if node.execute is Step.execute:
        yield "execute", "it has no execute().", "Define execute(self, _input=None, ...)."
    for name, plan in (("execute", plan_execute), ("transition", plan_transition)):
        # Seen through the class, a staticmethod looks like a method.
        is_static = isinstance(inspect.getattr_static(node, name), staticmethod)
        message = "is a staticmethod; write a plain method" if is_static else plan(node).problem
        if message:
            yield "signature", f"{name}() {message}.", "Change its signature."
    yield from _find_wrong_options(node)
    if edges > 1 and node.transition is Step.transition:
        yield (
            "transition",
            f"it is a plain Step with {edges} outgoing edges, and would always take the first.",
            "Make it a Decision, or define transition().",
        )
    if issubclass(node, Decision):
        if edges == 0:
            yield "decision", "it is a Decision without an outgoing edge.", "Give it edges, or make it a Step."
        if node.transition is Decision.transition:
            yield "transition", "it is a Decision without transition().", "Return the index of an edge from it."
        labels = cast(Any, node.labels)
        if not isinstance(labels, (list, tuple)):
            yield "labels", f"its labels are {_article(labels)}, not a list.", "Give one label for each edge."
        elif node.labels and len(node.labels) != edges:
            yield (
                "labels",
                f"it has {len(node.labels)} labels for {edges} edges.",
                "Give one label for each edge, or none.",
            )


def _find_wrong_options(node: type[Step]) -> Iterator[tuple[str, str, str]]:
    retry, timeout, atomic = cast(Any, node.retry), cast(Any, node.timeout), cast(Any, node.atomic)
    if retry is not None and not isinstance(retry, Retry):
        yield "retry", f"its retry is {_article(retry)}, not a Retry.", "Write retry = Retry(max_attempts=3)."
    for name, value in (("timeout", timeout), ("input_within", cast(Any, node.input_within))):
        seconds = value.total_seconds() if isinstance(value, timedelta) else value
        if value is not None and not _is_time_above_zero(seconds):
            yield name, f"its {name} is {_article(value)}, not a time above 0.", "Give seconds, a timedelta, or None."
    if not isinstance(atomic, bool):
        yield "atomic", f"its atomic is {_article(atomic)}, not a bool.", "Write atomic = True, or take it out."


def _is_time_above_zero(seconds: Any) -> bool:
    return isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and 0 < seconds < float("inf")


def has_input(node: type[Step]) -> bool:
    """Tell whether the node asks for external input: a schema without fields means no."""
    schema = node.UserInputSchema
    return schema is not None and bool(getattr(schema, "model_fields", None))


def get_label(declared: Any) -> str:
    """Give the name for people of a node or workflow class: its ``label``, else its class name in words."""
    return str(declared.label) if declared.label else split_words(declared.__name__)


def guess_label(path: str) -> str:
    """Give a name for people of a class of which only the dotted path is known."""
    return split_words(path.rpartition(".")[2])


def split_words(name: str) -> str:
    """Turn ``CheckHTTPStatus`` or ``check_status`` into words."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name).replace("_", " ").split()
    rest = [word if word.isupper() and len(word) > 1 else word.lower() for word in words[1:]]
    return " ".join([*(word[0].upper() + word[1:] for word in words[:1]), *rest])


def get_input_within(node: type[Step]) -> float | None:
    """Give the seconds in which a node's input is expected, or None."""
    value = node.input_within
    return value.total_seconds() if isinstance(value, timedelta) else value


def get_description(declared: type) -> str:
    """Give the class's own docstring, or "" where it has none."""
    return inspect.cleandoc(declared.__dict__.get("__doc__") or "")


def describe_schema(schema: type[BaseModel]) -> dict[str, Any]:
    """Give a model's JSON Schema. A model with types that JSON Schema cannot express keeps its title and the reason."""
    try:
        return schema.model_json_schema(schema_generator=_StableJsonSchema)
    except (PydanticInvalidForJsonSchema, PydanticUserError) as error:
        return {"title": schema.__name__, "type": "object", "description": f"No JSON Schema: {error}"}


class _StableJsonSchema(GenerateJsonSchema):
    def encode_default(self, dft: Any) -> Any:
        """Write a set in one order: its own differs between processes, and the fingerprint must not."""
        encoded = super().encode_default(dft)
        if isinstance(dft, (set, frozenset)) and isinstance(encoded, list):
            return sorted(encoded, key=lambda item: json.dumps(item, sort_keys=True))
        return encoded


def _describe_node(node: type[Step]) -> Node:
    kind: NodeKind = "step"
    if node is __start__:
        kind = "start"
    elif issubclass(node, Decision):
        kind = "decision"
    schema = describe_schema(node.UserInputSchema) if has_input(node) else None
    within = get_input_within(node) if schema is not None else None
    return Node(dotted_path(node), node.__name__, kind, get_label(node), get_description(node), schema, within)


def _iterate_nodes(digraph: Mapping[Any, Any]) -> list[Any]:
    # By identity: what a wrong declaration names need not be hashable.
    seen: dict[int, Any] = {}
    for source in digraph:
        for node in (source, *_targets(digraph, source)):
            seen.setdefault(id(node), node)
    return list(seen.values())


def _targets(digraph: Mapping[Any, Any], source: Any) -> Sequence[Any]:
    targets = digraph.get(source, ())
    return targets if isinstance(targets, (list, tuple)) else ()


def _reach(digraph: Mapping[Any, Any]) -> set[Any]:
    reached: set[Any] = set()
    waiting: list[Any] = [__start__]
    while waiting:
        source = waiting.pop()
        for target in _targets(digraph, source):
            if _is_node(target) and target not in reached:
                reached.add(target)
                waiting.append(target)
    return reached


def _is_node(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Step) and value not in (Step, Decision)


def _is_model_or_empty(schema: Any) -> bool:
    if not isinstance(schema, type):
        return False
    # Upstream projects write "class UserInputSchema: pass" for "no input needed".
    has_fields = bool(getattr(schema, "__annotations__", {})) or any(not name.startswith("__") for name in vars(schema))
    return issubclass(schema, BaseModel) or not has_fields


def _name(value: Any) -> str:
    return dotted_path(value) if isinstance(value, type) else repr(value)


def _article(value: Any) -> str:
    return f"the class {_name(value)}" if isinstance(value, type) else f"{value!r} ({type(value).__name__})"
