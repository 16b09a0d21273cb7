"""Two definitions of a workflow drawn side by side, with what changed marked on them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from django.utils.safestring import SafeString

from django_wfe.definition.graph import Graph
from django_wfe.models import Definition
from django_wfe.rendering.diagram.badges import build_badge, find_corners, keep_inside, measure_badge
from django_wfe.rendering.diagram.compare import ADDED, LOOKS, REMOVED, GraphDifference, Way
from django_wfe.rendering.diagram.drawing import DrawnNode, draw
from django_wfe.rendering.diagram.layout import EDGE_FONT_SIZE, Layout, NodeBox, Point, get_layout, wrap_edge_label
from django_wfe.rendering.diagram.svg import trace_spline
from django_wfe.rendering.templates import render_with_plain_numbers
from django_wfe.rendering.text import measure_text
from django_wfe.wording.states import Look

TEMPLATE = "django_wfe/diagram.html"

Mark = tuple[Point, int]
"""A point that a badge should not hide, and how much it matters."""

_WEIGHT_OF_TIP = 50
_WEIGHT_OF_LABEL = 5


def render_comparison(
    old: Definition, new: Definition, difference: GraphDifference
) -> tuple[SafeString | None, SafeString | None]:
    """Draw both definitions, with a badge on each node that changed; the old one's removed ways and the new one's
    added ones stand out.

    The page includes "django_wfe/compare.css". A drawing is None if there is no ``dot`` or it failed.
    """
    old_layout, new_layout = get_layout(old), get_layout(new)
    # As wide as each other, so that a page shows both at one scale.
    width = max((layout.width for layout in (old_layout, new_layout) if layout is not None), default=0.0)
    return (
        _render(old, old_layout, difference.looks, difference.removed_ways, look=REMOVED, width=width),
        _render(new, new_layout, difference.looks, difference.added_ways, look=ADDED, width=width),
    )


def _render(
    definition: Definition,
    layout: Layout | None,
    looks: Mapping[str, Look],
    ways: Collection[Way],
    *,
    look: Look,
    width: float,
) -> SafeString | None:
    if layout is None:
        return None
    graph = definition.load_graph()
    plain = draw(graph, replace(layout, width=width), node_urls={})
    marks = tuple(_list_marks(layout))
    nodes = tuple(
        _mark_node(node, box, looks.get(box.path), marks, width)
        for node, box in zip(plain.nodes, layout.nodes, strict=True)
    )
    edges = tuple(
        replace(edge, css_class=f"wfe-edge wfe-edge--{look.name}")
        if _read_way(graph, line.source, line.index) in ways
        else edge
        for edge, line in zip(plain.edges, layout.edges, strict=True)
    )
    present = {looks[box.path].name for box in layout.nodes if box.path in looks}
    legend = tuple(look for look in LOOKS if look.name in present)
    return render_with_plain_numbers(TEMPLATE, {"drawing": replace(plain, nodes=nodes, edges=edges, legend=legend)})


def _read_way(graph: Graph, source: str, index: int) -> Way:
    """Return the way that a line of a layout is drawn for; the one to an end has the index -1."""
    target = next((edge.target for edge in graph.list_edges_from(source) if edge.index == index), "")
    return source, target


def _mark_node(node: DrawnNode, box: NodeBox, look: Look | None, marks: Collection[Mark], picture: float) -> DrawnNode:
    if look is None:
        return node
    words = str(look.words)
    x, middle = _place_badge(box, measure_badge(words, look.icon), marks, picture)
    return replace(
        node,
        css_class=f"{node.css_class} {look.css_class}",
        label=f"{node.label}: {words}",
        title=f"{node.title}\n{words}",
        badges=(build_badge(look.css_class, x, middle, icon=look.icon, text=words),),
    )


def _place_badge(box: NodeBox, width: float, marks: Collection[Mark], picture: float) -> Point:
    """Find the corner of a node where a badge hides least: its left edge and the height of its middle.

    Both ``width``, the badge's, and ``picture``, that of the whole, are in the picture's units; none reaches beyond it.
    """
    left, right, top = find_corners(box)
    places = [(left - 10, top), (right + 10 - width, top)]
    if box.form == "decision":
        # Beside its upper corner, clear of its text.
        top = box.y - box.height / 2 + 5
        places = [(box.x - 9 - width, top), (box.x + 9, top)]
    places += [(x, 2 * box.y - above) for x, above in places]
    places = [(keep_inside(x, width, picture), middle) for x, middle in places]
    return min(places, key=lambda place: _weigh_hidden(place, width, marks))


def _weigh_hidden(place: Point, width: float, marks: Collection[Mark]) -> int:
    left, middle = place
    return sum(weight for (x, y), weight in marks if left - 4 < x < left + width + 4 and abs(y - middle) < 14)


def _list_marks(layout: Layout) -> Iterator[Mark]:
    """Yield points all along the edges, on their labels, and their tips."""
    for line in layout.edges:
        yield from ((point, 1) for point in trace_spline(line.spline))
        yield line.tip, _WEIGHT_OF_TIP
        if line.label_at is not None:
            words = wrap_edge_label(line.label)
            half = max((measure_text(word, EDGE_FONT_SIZE) for word in words), default=0.0) / 2
            yield from (
                ((line.label_at[0] + share * half, line.label_at[1]), _WEIGHT_OF_LABEL)
                for share in (-1, -0.5, 0, 0.5, 1)
            )
