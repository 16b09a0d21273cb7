"""Graphs and step runs for the tests of ``django_wfe.rendering``, without a database."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from django_wfe.definition.graph import START, Edge, Graph, Node
from django_wfe.models import Definition

SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True)
class Run:
    """What an overlay asks of a step run."""

    number: int
    step: str
    state: str = "FINISHED"
    transition: int | None = None
    attempt: int = 1
    superseded: bool = False


@dataclass(frozen=True)
class JobStub:
    """What an overlay asks of a Job."""

    state: str
    current_step: str


def build_sample(
    edges: Mapping[str, Sequence[str]],
    *,
    labels: Mapping[str, str] | None = None,
    edge_labels: Mapping[tuple[str, int], str] | None = None,
    decisions: Collection[str] = (),
    inputs: Collection[str] = (),
) -> Graph:
    """Make a graph from plain names; the start leads to the first of them."""
    names: list[str] = [START]
    all_edges = {START: [next(iter(edges))], **edges}
    for source, targets in all_edges.items():
        names += [name for name in (source, *targets) if name not in names]

    def describe(name: str) -> Node:
        kind = "start" if name == START else "decision" if name in decisions else "step"
        schema = {"type": "object"} if name in inputs else None
        label = "Start" if name == START else (labels or {}).get(name, name)
        return Node(name, name, kind, label, "", schema)

    return Graph(
        nodes=tuple(describe(name) for name in names),
        edges=tuple(
            Edge(source, target, index, (edge_labels or {}).get((source, index), ""))
            for source, targets in all_edges.items()
            for index, target in enumerate(targets)
        ),
    )


def build_order() -> Graph:
    """A small workflow with a decision, a loop, an input and two ends."""
    return build_sample(
        {"ask": ["check"], "check": ["charge", "ask", "refuse"], "charge": ["ship"], "ship": [], "refuse": []},
        labels={"ask": "Ask the customer", "check": "Good?", "charge": "Charge card", "ship": "Ship it"},
        edge_labels={("check", 0): "yes", ("check", 1): "ask again", ("check", 2): "no"},
        decisions=["check"],
        inputs=["ask"],
    )


def build_long(count: int) -> Graph:
    """A workflow of ``count`` nodes with decisions and loops in it."""
    names = [f"node{index}" for index in range(count)]
    edges = {name: names[index + 1 : index + 2] for index, name in enumerate(names)}
    decisions = [names[index] for index in range(2, count - 4, 5)]
    for index in range(2, count - 4, 5):
        edges[names[index]] = [names[index + 1], names[index + 4], names[max(index - 6, 0)]]
    return build_sample(edges, decisions=decisions)


def build_definition(graph: Graph) -> Definition:
    """An unsaved definition of this graph."""
    return Definition(fingerprint=graph.fingerprint, graph=graph.to_json())


def parse_picture(html: str) -> ElementTree.Element:
    """Give the diagram's SVG as XML: a page that is not well-formed fails here."""
    found = re.search(r'<svg class="wfe-diagram__picture".*?</svg>', html, re.DOTALL)
    assert found, "there is no picture in the page"
    return ElementTree.fromstring(found.group())


def find_nodes(html: str) -> dict[str, ElementTree.Element]:
    """Give the nodes of a diagram by the part of their accessible name before the colon."""
    groups = [group for group in parse_picture(html).iter(f"{SVG}g") if "wfe-node" in group.get("class", "").split()]
    return {get_link(group).get("aria-label", "").split(":")[0]: group for group in groups}


def get_link(node: ElementTree.Element) -> ElementTree.Element:
    """Give the part of a node that has its name, and its address if it has one."""
    (link,) = [part for part in node if part.get("class") == "wfe-node__link"]
    return link


def find_edges(html: str, modifier: str) -> list[ElementTree.Element]:
    """Give the edges of a diagram that have the CSS class ``wfe-edge--<modifier>``."""
    wanted = f"wfe-edge--{modifier}"
    return [element for element in parse_picture(html).iter() if wanted in element.get("class", "").split()]


def read_texts(element: ElementTree.Element) -> list[str]:
    """Give the visible texts in an element."""
    return [text.text or "" for text in element.iter(f"{SVG}text")]
