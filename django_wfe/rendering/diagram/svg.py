"""Geometry as SVG writes it: paths, points and numbers, as texts that no locale changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import hypot

from django_wfe.rendering.diagram.layout import NodeBox, Point


def format_number(value: float) -> str:
    """Return a number for an SVG attribute. Templates would write 0,5 in some languages, and 1,200 in others."""
    return f"{round(value, 1):g}" if abs(value) < 100_000 else str(round(value))


def build_shape(box: NodeBox, *, grow: float = 0.0) -> str:
    """Return the outline of a node, ``grow`` pixels outside its box, as the ``d`` of a path."""
    half_width, half_height = box.width / 2 + grow, box.height / 2 + grow
    if box.form in {"start", "end"}:
        return build_circle((box.x, box.y), half_width)
    if box.form == "decision":
        # Grown by its sides, not by its corners.
        slope = hypot(box.width, box.height) / min(box.width, box.height)
        half_width = box.width / 2 + grow * slope * box.width / max(box.width, box.height)
        half_height = half_width * box.height / box.width
        corners = [
            (box.x, box.y - half_height),
            (box.x + half_width, box.y),
            (box.x, box.y + half_height),
            (box.x - half_width, box.y),
        ]
        return build_rounded_polygon(corners, 5)
    corners = [
        (box.x - half_width, box.y - half_height),
        (box.x + half_width, box.y - half_height),
        (box.x + half_width, box.y + half_height),
        (box.x - half_width, box.y + half_height),
    ]
    return build_rounded_polygon(corners, 10 + grow)


def build_circle(centre: Point, radius: float) -> str:
    """Return a circle as the ``d`` of a path."""
    x, y = centre
    arc = f"a{format_number(radius)} {format_number(radius)} 0 1 0"
    double = format_number(2 * radius)
    return f"M{_pair((x - radius, y))}{arc} {double} 0{arc} -{double} 0Z"


def build_rounded_polygon(corners: Sequence[Point], radius: float) -> str:
    """Return a closed polygon with rounded corners as the ``d`` of a path."""
    pieces: list[str] = []
    for index, corner in enumerate(corners):
        before = _move_towards(corner, corners[index - 1], radius)
        after = _move_towards(corner, corners[(index + 1) % len(corners)], radius)
        pieces.append(f"{'L' if pieces else 'M'}{_pair(before)}Q{_pair(corner)} {_pair(after)}")
    return "".join(pieces) + "Z"


def build_spline(points: Sequence[Point]) -> str:
    """Return Graphviz's cubic spline as the ``d`` of a path."""
    rest = " ".join(_pair(point) for point in points[1:])
    return f"M{_pair(points[0])}C{rest}" if rest else f"M{_pair(points[0])}"


def build_arrow(base: Point, tip: Point, *, half_width: float = 4.0) -> str:
    """Return the triangle from ``base`` to ``tip`` as the ``points`` of a polygon."""
    length = hypot(tip[0] - base[0], tip[1] - base[1]) or 1.0
    across_x, across_y = (tip[1] - base[1]) / length * half_width, (base[0] - tip[0]) / length * half_width
    corners = [tip, (base[0] + across_x, base[1] + across_y), (base[0] - across_x, base[1] - across_y)]
    return " ".join(_pair(corner) for corner in corners)


def find_place_beside(points: Sequence[Point], across: float, above: float) -> Point:
    """Return a place beside a cubic spline's middle: ``across`` pixels away, or ``above`` where it is level.

    On the left where the spline goes down, on the right where it goes up: so the two edges of a loop between two nodes,
    which lie side by side, keep clear of each other.
    """
    (x, y), (along_x, along_y) = _find_middle(points)
    length = hypot(along_x, along_y) or 1.0
    return x - along_y / length * across, y - abs(along_x) / length * above


def trace_spline(points: Sequence[Point], *, pieces: int = 12) -> Iterator[Point]:
    """Yield points along a cubic spline, ``pieces`` for each of its curves."""
    yield points[0]
    for first in range(0, len(points) - 3, 3):
        start, one, two, end = points[first : first + 4]
        for step in range(1, pieces + 1):
            share = step / pieces
            rest = 1 - share
            weights = (rest**3, 3 * rest**2 * share, 3 * rest * share**2, share**3)
            x, y = (
                sum(weight * point[axis] for weight, point in zip(weights, (start, one, two, end), strict=True))
                for axis in (0, 1)
            )
            yield x, y


def _find_middle(points: Sequence[Point]) -> tuple[Point, Point]:
    """Return a point about halfway on a cubic spline, and the direction there."""
    pieces = (len(points) - 1) // 3
    if pieces < 1:
        return points[0], (points[-1][0] - points[0][0], points[-1][1] - points[0][1])
    if pieces % 2 == 0:
        middle = pieces // 2 * 3
        before, after = points[middle - 1], points[middle + 1]
        return points[middle], (after[0] - before[0], after[1] - before[1])
    start, one, two, end = points[pieces // 2 * 3 : pieces // 2 * 3 + 4]
    x, y = ((start[axis] + 3 * one[axis] + 3 * two[axis] + end[axis]) / 8 for axis in (0, 1))
    along_x, along_y = (end[axis] + two[axis] - one[axis] - start[axis] for axis in (0, 1))
    return (x, y), (along_x, along_y)


def _move_towards(start: Point, end: Point, distance: float) -> Point:
    length = hypot(end[0] - start[0], end[1] - start[1]) or 1.0
    share = min(distance / length, 0.5)
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share


def _pair(point: Point) -> str:
    return f"{format_number(point[0])} {format_number(point[1])}"
