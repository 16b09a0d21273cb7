"""A chart of lines over time, with gaps where nothing was measured. The template draws it, as it does columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django_wfe.rendering.charts.columns import HEIGHT, WIDTH


@dataclass(frozen=True, slots=True)
class Line:
    """One line; ``kind`` names its colour. ``path`` is the ``d`` of a path, ``dots`` the places of lone values."""

    kind: str
    path: str
    dots: tuple[tuple[str, str], ...]


def draw_lines(series: Sequence[tuple[str, Sequence[float | None]]]) -> tuple[list[Line], float]:
    """Return the lines of a chart and the value that its top stands for; none if nothing was measured.

    Args:
        series: each a kind and its values, one for each slot of time; None for no value. All are of one length.
    """
    highest = max((value for _kind, values in series for value in values if value is not None), default=0.0)
    if not highest:
        return [], 0.0
    return [_draw_line(kind, values, highest) for kind, values in series], highest


def _draw_line(kind: str, values: Sequence[float | None], highest: float) -> Line:
    slot = WIDTH / len(values)
    runs: list[list[tuple[str, str]]] = [[]]
    for index, value in enumerate(values):
        if value is None:
            runs.append([])
            continue
        # Within the picture by the width of the line.
        y = HEIGHT - 2 - value / highest * (HEIGHT - 4)
        runs[-1].append((f"{(index + 0.5) * slot:.2f}", f"{y:.2f}"))
    path = "".join("M" + "L".join(f"{x} {y}" for x, y in run) for run in runs if len(run) > 1)
    return Line(kind, path, tuple(run[0] for run in runs if len(run) == 1))
