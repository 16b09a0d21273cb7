"""The view-model that the diagram's template draws: a layout, with a Job's or a Workflow's live state put on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _

from django_wfe.definition.graph import Graph
from django_wfe.engine.rules.node_names import name_node
from django_wfe.rendering.diagram.badges import (
    BADGE_GAP,
    Badge,
    Text,
    build_badge,
    find_corners,
    keep_inside,
    measure_badge,
)
from django_wfe.rendering.diagram.heat import Heat
from django_wfe.rendering.diagram.layout import (
    EDGE_FONT_SIZE,
    LINE_HEIGHT,
    MARK_WIDTH,
    EdgeLine,
    Layout,
    NodeBox,
    Point,
    wrap_edge_label,
)
from django_wfe.rendering.diagram.overlay import JobOverlay, NodeCounts, NodeState, describe_counts
from django_wfe.rendering.diagram.svg import build_arrow, build_shape, build_spline, find_place_beside, format_number
from django_wfe.wording import states
from django_wfe.wording.node_kinds import describe_kind
from django_wfe.wording.states import Look

_SMALLEST_SCALE = 0.75
_SAFE_STARTS = ("/", "?", "#", "http://", "https://")


@dataclass(frozen=True, slots=True)
class DrawnNode:
    """One node of the picture."""

    url: str
    css_class: str
    label: str
    title: str
    is_current: bool
    shape: str
    inner_shape: str
    halo: str
    lines: tuple[Text, ...]
    badges: tuple[Badge, ...]
    mark: Badge | None


@dataclass(frozen=True, slots=True)
class DrawnEdge:
    """One edge of the picture."""

    css_class: str
    spline: str
    arrow: str
    lines: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture, ready for ``django_wfe/diagram.html``. ``floor`` is the width below which it scrolls, in pixels."""

    label: str
    kind: str
    width: str
    height: str
    floor: str
    nodes: tuple[DrawnNode, ...]
    edges: tuple[DrawnEdge, ...]
    legend: tuple[Look, ...]
    has_marks: bool
    input_icon: str = states.INPUT_ICON


def draw(
    graph: Graph,
    layout: Layout,
    *,
    node_urls: Mapping[str, str],
    overlay: JobOverlay | None = None,
    counts: Mapping[str, NodeCounts] | None = None,
    heat: Heat | None = None,
) -> Drawing:
    """Put live state on a layout: that of one Job (``overlay``) or of all live Jobs (``counts``); or ``heat``."""
    nodes = [_draw_node(graph, box, node_urls, overlay, counts or {}, layout.width) for box in layout.nodes]
    if heat is not None:
        levels = heat.list_levels()
        nodes = [
            _warm(node, box, heat, levels.get(box.path, 0), layout.width)
            for node, box in zip(nodes, layout.nodes, strict=True)
        ]
    edges = [_draw_edge(line, overlay) for line in layout.edges]
    # Edges taken lie above the others where they cross.
    edges.sort(key=lambda edge: edge.css_class.endswith("--taken"))
    label = _("Graph of the workflow, showing where the job is") if overlay else _("Graph of the workflow")
    return Drawing(
        label=label,
        kind="job" if overlay else "workflow",
        width=format_number(layout.width),
        height=format_number(layout.height),
        floor=format_number(round(layout.width * _SMALLEST_SCALE)),
        nodes=tuple(nodes),
        edges=tuple(edges),
        legend=_build_legend(layout, overlay, counts or {}),
        has_marks=any(node.mark for node in nodes),
    )


def _draw_node(
    graph: Graph,
    box: NodeBox,
    node_urls: Mapping[str, str],
    overlay: JobOverlay | None,
    counts: Mapping[str, NodeCounts],
    width: float,
) -> DrawnNode:
    if box.form == "end":
        return _draw_end(box, overlay)
    node = graph.get_node(box.path)
    name = name_node(graph, box.path)
    state = overlay.get_node(box.path) if overlay else None
    of_node = counts.get(box.path, NodeCounts())
    facts = [state.describe() if state else describe_counts(of_node)]
    facts.append(describe_kind(node.kind) if node else "")
    asks_input = node is not None and node.asks_input
    if asks_input:
        facts.append(_("asks for input"))
    words = "; ".join(fact for fact in facts if fact)
    url = node_urls.get(box.path, "")
    classes = ["wfe-node", f"wfe-node--{box.form}"]
    if state:
        classes.append(state.look.css_class)
        classes += ["wfe-node--current"] if state.is_current else []
    return DrawnNode(
        url=url if url.startswith(_SAFE_STARTS) else "",
        css_class=" ".join(classes),
        label=f"{name}: {words}" if words else name,
        title="\n".join(part for part in (name, words, box.path) if part),
        is_current=bool(state and state.is_current),
        shape=build_shape(box),
        inner_shape="",
        halo=build_shape(box, grow=5),
        lines=_place_lines(box, asks_input=asks_input),
        badges=_build_job_badges(box, state) if state else _build_count_badges(box, of_node, width),
        mark=_build_mark(box) if asks_input else None,
    )


def _warm(node: DrawnNode, box: NodeBox, heat: Heat, level: int, width: float) -> DrawnNode:
    """Put heat on a node. The start and the end stay cold: nothing runs there."""
    if box.form in {"start", "end"}:
        return node
    css_class = f"{node.css_class} wfe-heat wfe-heat--{level}"
    found = heat.nodes.get(box.path)
    if found is None:
        return replace(node, css_class=css_class)
    _left, right, top = find_corners(box)
    size = measure_badge(found.badge, "")
    badge = build_badge("wfe-badge--heat", keep_inside(right + 10 - size, size, width), top, text=found.badge)
    name, _separator, facts = node.label.partition(": ")
    return replace(
        node,
        css_class=css_class,
        label=f"{name}: {'; '.join(part for part in (found.words, facts) if part)}",
        title=f"{node.title}\n{found.words}",
        badges=(badge,),
    )


def _draw_end(box: NodeBox, overlay: JobOverlay | None) -> DrawnNode:
    is_reached = bool(overlay and overlay.taken.get((box.after, -1)))
    words = ""
    classes = "wfe-node wfe-node--end"
    if overlay:
        look = states.DONE if is_reached else states.UNREACHED
        words = _("reached") if is_reached else str(look.words)
        classes = f"{classes} {look.css_class}"
    name = _("End")
    return DrawnNode(
        url="",
        css_class=classes,
        label=f"{name}: {words}" if words else name,
        title=f"{name}\n{words}" if words else name,
        is_current=False,
        shape=build_shape(box),
        inner_shape=build_shape(box, grow=-5),
        halo="",
        lines=(),
        badges=(),
        mark=None,
    )


def _draw_edge(line: EdgeLine, overlay: JobOverlay | None) -> DrawnEdge:
    times = overlay.taken.get((line.source, line.index), 0) if overlay else 0
    modifier = ("taken" if times else "untaken") if overlay else "plain"
    count = f"×{times}" if times > 1 else ""
    words = list(wrap_edge_label(line.label))
    middle = line.label_at
    if count and words:
        words[-1] = f"{words[-1]} {count}"
    elif count:
        words = [count]
        middle = find_place_beside(line.spline, 9 + len(count) * 3.5, 11)
    return DrawnEdge(
        css_class=f"wfe-edge wfe-edge--{modifier}",
        spline=build_spline(line.spline),
        arrow=build_arrow(line.spline[-1], line.tip, half_width=4.5 if times else 4),
        lines=_stack(words, middle, LINE_HEIGHT - 2, EDGE_FONT_SIZE) if middle else (),
    )


def _place_lines(box: NodeBox, *, asks_input: bool) -> tuple[Text, ...]:
    shift = MARK_WIDTH / 2 if asks_input and box.form == "step" else 0
    return _stack(list(box.lines), (box.x + shift, box.y), LINE_HEIGHT, 13)


def _stack(words: list[str], middle: Point, line_height: float, font_size: float) -> tuple[Text, ...]:
    # The baseline lies about a third of the letters' size under the middle of a line.
    first = middle[1] - (len(words) - 1) * line_height / 2 + font_size * 0.35
    return tuple(
        Text(format_number(middle[0]), format_number(first + index * line_height), line)
        for index, line in enumerate(words)
    )


def _build_job_badges(box: NodeBox, state: NodeState) -> tuple[Badge, ...]:
    if box.form == "start":
        return ()
    left, right, top = find_corners(box)
    badges = []
    if state.look.icon:
        badges.append(build_badge(state.look.css_class, left - 10, top, icon=state.look.icon))
    if state.visits > 1:
        text = f"×{state.visits}"
        badges.append(build_badge("wfe-badge--count", right + 10 - measure_badge(text, ""), top, text=text))
    return tuple(badges)


def _build_count_badges(box: NodeBox, counts: NodeCounts, width: float) -> tuple[Badge, ...]:
    """Put the counts on the node's upper edge and, where they are too many for it, on its lower edge too.

    None reaches beyond the picture, which is ``width`` wide.
    """
    shown = [(look, _shorten_count(count) + plus) for look, count, plus in counts.list_looks()]
    _left, right, top = find_corners(box)
    bottom = 2 * box.y - top
    if box.form == "decision":
        # Beside its corners, clear of its text and of the edge that comes in there.
        top, bottom = box.y - box.height / 2 + 5, box.y + box.height / 2 - 5
    badges = []
    for row, middle in zip(_split_row(shown, box.width + 20), (top, bottom), strict=False):
        x = right + 10 - _measure_row(row)
        if box.form == "decision":
            x = max(x, box.x + 9)
        x = keep_inside(x, _measure_row(row), width)
        for look, text in row:
            badges.append(build_badge(look.css_class, x, middle, icon=look.icon, text=text))
            x += measure_badge(text, look.icon) + BADGE_GAP
    return tuple(badges)


def _split_row(shown: list[tuple[Look, str]], room: float) -> list[list[tuple[Look, str]]]:
    """Return one row, or two where one would be wider than ``room``."""
    if len(shown) < 2 or _measure_row(shown) <= room:
        return [shown]
    half = (len(shown) + 1) // 2
    return [shown[:half], shown[half:]]


def _measure_row(row: list[tuple[Look, str]]) -> float:
    return sum(measure_badge(text, look.icon) + BADGE_GAP for look, text in row)


def _build_mark(box: NodeBox) -> Badge:
    if box.form == "decision":
        x, y = box.x - 8, box.y + box.height / 2 - 24
    else:
        x, y = box.x - box.width / 2 + 12, box.y - 8
    title = _("Asks for input")
    return Badge("wfe-mark", format_number(x), format_number(y), "16", icon=states.INPUT_ICON, title=title)


def _shorten_count(count: int) -> str:
    if count < 10_000:
        return str(count)
    return f"{count // 1000}k" if count < 1_000_000 else f"{count / 1_000_000:.1f}M"


def _build_legend(layout: Layout, overlay: JobOverlay | None, counts: Mapping[str, NodeCounts]) -> tuple[Look, ...]:
    if overlay:
        names = {overlay.get_node(box.path).look.name for box in layout.nodes if box.path}
        return tuple(look for look in states.LOOKS if look.name in names)
    shown = (counts[box.path] for box in layout.nodes if box.path in counts)
    present = {look for of_node in shown for look, *_count in of_node.list_looks()}
    return tuple(look for look in states.LOOKS if look in present)
