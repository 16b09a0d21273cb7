"""Where everything of a graph lies: laid out by Graphviz once per definition, and free of any state."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import asdict, dataclass
from typing import Any

from django_wfe.definition.graph import Graph, Node
from django_wfe.definition.kinds import get_kind
from django_wfe.models import Definition
from django_wfe.rendering.diagram.dot import DotFailed, describe_missing_dot, find_dot, run_dot
from django_wfe.rendering.text import measure_text, wrap_text

logger = logging.getLogger(__name__)

LAYOUT_VERSION = 2
"""Raise it when shapes, sizes or wrapping change: layouts kept by older versions are then made anew."""

RETRY_FAILED_AFTER = 300.0
"""Seconds for which a graph that ``dot`` could not lay out is not tried again in this process."""

NODE_FONT_SIZE = 13.0
EDGE_FONT_SIZE = 11.5
LINE_HEIGHT = 17.0
MARK_WIDTH = 20.0
"""Pixels that the mark "asks for input" takes beside the text of a step."""

_POINTS_AN_INCH = 72
_MARGIN = 16.0
_failures: dict[tuple[str, str], tuple[float, str]] = {}

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class NodeBox:
    """A node's place: its centre and size in pixels, y downwards. ``path`` is "" for the end after a last node.

    ``form`` is that of its kind, or "end".
    """

    path: str
    form: str
    after: str
    x: float
    y: float
    width: float
    height: float
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EdgeLine:
    """An edge's way: a cubic spline (first point, then three for each piece), the arrow's tip, and the label's middle.

    ``index`` counts the source's edges; the edge to an end has -1.
    """

    source: str
    index: int
    spline: tuple[Point, ...]
    tip: Point
    label: str
    label_at: Point | None


@dataclass(frozen=True, slots=True)
class Layout:
    """A graph's drawing without any state; sizes in pixels."""

    width: float
    height: float
    nodes: tuple[NodeBox, ...]
    edges: tuple[EdgeLine, ...]

    def to_json(self) -> str:
        """Return what ``from_json`` reads, stamped with the version of this renderer."""
        return json.dumps({"version": LAYOUT_VERSION, **asdict(self)}, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Layout | None:
        """Read a kept layout, or None if there is none or another version made it."""
        try:
            data = json.loads(text)
            if data.pop("version") != LAYOUT_VERSION:
                return None
            nodes = tuple(NodeBox(**{**node, "lines": tuple(node["lines"])}) for node in data["nodes"])
            edges = tuple(_read_edge(edge) for edge in data["edges"])
            return cls(float(data["width"]), float(data["height"]), nodes, edges)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None


def get_layout(definition: Definition) -> Layout | None:
    """Return the layout of a definition: the kept one, else a new one, which is then kept.

    Gives None if there is no ``dot`` or it failed; see ``require_layout``.
    """
    try:
        return require_layout(definition)
    except DotFailed:
        return None


def require_layout(definition: Definition) -> Layout:
    """Return the layout of a definition: the kept one, else a new one, which is then kept.

    Raises:
        DotFailed: there is no ``dot`` or it failed; that is logged, and not tried again for ``RETRY_FAILED_AFTER``
            seconds.
    """
    layout = Layout.from_json(definition.layout)
    if layout is not None:
        return layout
    executable = find_dot()
    if executable is None:
        raise DotFailed(describe_missing_dot())
    failure = (executable, definition.fingerprint)
    failed_at, reason = _failures.get(failure, (float("-inf"), ""))
    if time.monotonic() - failed_at < RETRY_FAILED_AFTER:
        raise DotFailed(reason)
    try:
        layout = compute_layout(definition.load_graph(), executable=executable)
    except DotFailed as error:
        _failures[failure] = (time.monotonic(), str(error))
        logger.warning("The graph of definition %s could not be laid out: %s", definition.fingerprint[:12], error)
        raise
    definition.layout = layout.to_json()
    if definition.pk is not None:
        Definition.objects.filter(pk=definition.pk).update(layout=definition.layout)
    return layout


def compute_layout(graph: Graph, *, executable: str | None = None) -> Layout:
    """Lay a graph out with ``dot``.

    Raises:
        DotFailed: see ``run_dot``; also where its answer cannot be understood.
    """
    boxes = [_measure_node(node) for node in graph.nodes]
    boxes += [_measure_end(node) for node in graph.nodes if not graph.list_edges_from(node.path)]
    edges = [(edge.source, edge.target, edge.index, edge.label) for edge in graph.edges]
    names = {box.path or f"end of {box.after}": f"n{number}" for number, box in enumerate(boxes)}
    edges += [(box.after, f"end of {box.after}", -1, "") for box in boxes if not box.path]
    answer = run_dot(_write_source(boxes, edges, names), "json0", executable=executable)
    try:
        return _read_answer(json.loads(answer), boxes, edges)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise DotFailed(f"dot's answer cannot be understood: {error!r}") from error


def _measure_node(node: Node) -> NodeBox:
    form = get_kind(node.kind).form
    if form == "start":
        return NodeBox(node.path, "start", "", 0, 0, 22, 22, ())
    is_decision = form == "decision"
    lines = wrap_text(node.label, NODE_FONT_SIZE, width=120 if is_decision else 170, lines=3)
    # The node that a Job is at is set in bold.
    text_width = max((measure_text(line, NODE_FONT_SIZE) for line in lines), default=0.0) * 1.06
    text_height = LINE_HEIGHT * max(len(lines), 1)
    if is_decision:
        # A text of w by h fits a diamond of W by H where w/W + h/H <= 1.
        height = text_height * 1.9 + 26
        width = (text_width + 12) / (1 - text_height / height)
        return NodeBox(node.path, "decision", "", 0, 0, max(round(width), 110), round(height), lines)
    width = text_width + 36 + (MARK_WIDTH if node.asks_input else 0)
    return NodeBox(node.path, "step", "", 0, 0, max(round(width), 96), round(text_height + 22), lines)


def _measure_end(node: Node) -> NodeBox:
    return NodeBox("", "end", node.path, 0, 0, 26, 26, ())


def _write_source(boxes: list[NodeBox], edges: list[tuple[str, str, int, str]], names: dict[str, str]) -> str:
    # Nothing that a developer wrote is in here: texts come in as empty boxes of their measure.
    shapes = {"start": "circle", "end": "circle", "decision": "diamond", "step": "box"}
    rows = [
        "digraph {",
        "graph [rankdir=TB, ranksep=0.42, nodesep=0.45];",
        'node [fixedsize=true, label=""];',
        "edge [arrowsize=0.8];",
    ]
    for number, box in enumerate(boxes):
        width, height = box.width / _POINTS_AN_INCH, box.height / _POINTS_AN_INCH
        rows.append(f"n{number} [shape={shapes[box.form]}, width={width:.4f}, height={height:.4f}];")
    weights = _weigh_edges(edges)
    for number, (source, target, _index, label) in enumerate(edges):
        attributes = f"id={number}, weight={weights[number]}"
        lines = wrap_edge_label(label)
        if lines:
            # Room for "×12" is kept in each label, since the layout knows no state.
            width = round(max(measure_text(line, EDGE_FONT_SIZE) for line in lines) + 40)
            height = round(len(lines) * (LINE_HEIGHT - 2) + 4)
            table = f'<table border="0" cellborder="0" fixedsize="true" width="{width}" height="{height}">'
            attributes += f", label=<{table}<tr><td></td></tr></table>>"
        rows.append(f"{names[source]} -> {names[target]} [{attributes}];")
    rows.append("}")
    return "\n".join(rows)


def _weigh_edges(edges: list[tuple[str, str, int, str]]) -> list[int]:
    """Return each edge the weight with which it is kept straight: the way forward more than the ways back."""
    targets: dict[str, list[tuple[int, str]]] = {}
    for number, (source, target, _index, _label) in enumerate(edges):
        targets.setdefault(source, []).append((number, target))
    weights = [1] * len(edges)
    seen: set[str] = set()
    for root in targets:
        if root in seen:
            continue
        seen.add(root)
        # A depth-first walk: an edge to a node that is still open leads back.
        stack = [(root, iter(targets[root]))]
        is_open = {root}
        while stack:
            source, rest = stack[-1]
            for number, target in rest:
                if target in is_open:
                    continue
                weights[number] = _weigh_edge_forward(number, [of_source for of_source, _target in targets[source]])
                if target not in seen:
                    seen.add(target)
                    is_open.add(target)
                    stack.append((target, iter(targets.get(target, ()))))
                    break
            else:
                is_open.discard(source)
                stack.pop()
    return weights


def _weigh_edge_forward(number: int, of_source: list[int]) -> int:
    if len(of_source) == 1:
        return 6
    # Of two ways the first goes straight on; three and more fan out evenly.
    if len(of_source) == 2:
        return 3 if number == of_source[0] else 1
    return 2


def wrap_edge_label(label: str) -> tuple[str, ...]:
    """Return the lines of an edge's label."""
    return wrap_text(label, EDGE_FONT_SIZE, width=110, lines=2)


def _read_answer(answer: Any, boxes: list[NodeBox], edges: list[tuple[str, str, int, str]]) -> Layout:
    left, bottom, right, top = (float(value) for value in answer["bb"].split(","))

    def place(x: str, y: str) -> Point:
        return round(float(x) - left + _MARGIN, 1), round(top - float(y) + _MARGIN, 1)

    places = {item["name"]: place(*item["pos"].split(",")) for item in answer.get("objects", ())}
    placed = []
    for number, box in enumerate(boxes):
        x, y = places[f"n{number}"]
        placed.append(NodeBox(box.path, box.form, box.after, x, y, float(box.width), float(box.height), box.lines))
    lines: dict[int, EdgeLine] = {}
    for item in answer.get("edges", ()):
        number = int(item["id"])
        source, _target, index, label = edges[number]
        tip, spline = None, []
        for word in item["pos"].split(";")[0].split():
            numbers = word.split(",")
            if numbers[0] == "e":
                tip = place(numbers[1], numbers[2])
            elif numbers[0] != "s":
                spline.append(place(numbers[0], numbers[1]))
        label_at = place(*item["lp"].split(",")) if "lp" in item else None
        lines[number] = EdgeLine(source, index, tuple(spline), tip or spline[-1], label, label_at)
    ordered = tuple(lines[number] for number in sorted(lines))
    return Layout(round(right - left + 2 * _MARGIN), round(top - bottom + 2 * _MARGIN), tuple(placed), ordered)


def _read_edge(data: dict[str, Any]) -> EdgeLine:
    return EdgeLine(
        source=data["source"],
        index=data["index"],
        spline=tuple(_read_point(point) for point in data["spline"]),
        tip=_read_point(data["tip"]),
        label=data["label"],
        label_at=_read_point(data["label_at"]) if data["label_at"] is not None else None,
    )


def _read_point(point: Any) -> Point:
    return float(point[0]), float(point[1])
