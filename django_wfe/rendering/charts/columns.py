"""A chart of stacked columns. The template draws it; all geometry lies in attributes, all colours in the stylesheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 720.0, 120.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One part of a column; ``kind`` names its colour."""

    kind: str
    x: str
    y: str
    width: str
    height: str


def stack_columns(columns: Sequence[Sequence[tuple[str, int]]]) -> tuple[list[Bar], int]:
    """Return the bars of a chart and the number that its top stands for.

    Args:
        columns: for each column its parts from the bottom up, each a kind and a count.
    """
    highest = max((sum(count for _kind, count in column) for column in columns), default=0)
    bars: list[Bar] = []
    if not highest:
        return bars, 0
    slot = WIDTH / len(columns)
    for index, column in enumerate(columns):
        top = HEIGHT
        for kind, count in column:
            height = count / highest * HEIGHT
            top -= height
            if count:
                numbers = (index * slot + slot * 0.1, top, slot * 0.8, height)
                bars.append(Bar(kind, *(f"{number:.2f}" for number in numbers)))
    return bars, highest
