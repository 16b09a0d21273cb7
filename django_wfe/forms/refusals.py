"""What is wrong in a form that was refused, as a list that leads to each place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django_wfe.forms.layout import Node


@dataclass(frozen=True, slots=True)
class Refusal:
    """One place: its label with those of the groups around it, the id of its input, and what is wrong there."""

    label: str
    anchor: str
    text: str


def list_refusals(layout: Node) -> list[Refusal]:
    """Return what is wrong in a form, in the order of its inputs."""
    return [
        Refusal(label, bound.id_for_label or f"{bound.auto_id}_error", " ".join(map(str, bound.errors)))
        for label, bound in _walk(layout, "")
    ]


def _walk(node: Node, above: str) -> Iterator[tuple[str, Any]]:
    for child in node.children_nodes:
        own = child.label if child.number is None else f"{child.label} {child.number}"
        label = f"{above} › {own}" if above else own
        if child.bound is not None and child.bound.errors:
            yield label, child.bound
        yield from _walk(child, label)
