"""What falls to each node of a graph, as heat on it: a colour of six, a badge with the number, and words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil

LEVELS = 5
"""The levels above none, each a fifth of the most that falls to one node."""


@dataclass(frozen=True, slots=True)
class NodeHeat:
    """What falls to one node: how much beside the others, the number on its badge, and the whole in words."""

    value: float
    badge: str
    words: str


@dataclass(frozen=True, slots=True)
class Heat:
    """What falls to each node that anything falls to, by its dotted path."""

    nodes: Mapping[str, NodeHeat] = field(default_factory=dict)

    def list_levels(self) -> dict[str, int]:
        """Return the level of each of these nodes, from 1 up to ``LEVELS`` for the one that most falls to."""
        most = max((node.value for node in self.nodes.values()), default=0)
        return {path: max(1, ceil(LEVELS * node.value / most)) if most else 0 for path, node in self.nodes.items()}
