"""What differs between two graphs of a workflow."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from pydantic import BaseModel

from django_wfe import steps
from django_wfe.definition.graph import START, Graph, Node, build_graph
from django_wfe.rendering.diagram.compare import ADDED, CHANGED, REMOVED, REWIRED, GraphDifference, compare_graphs

pytestmark = pytest.mark.unit


class First(steps.Step):
    """Begins."""

    def execute(self, _input=None):
        return None


class Second(steps.Step):
    def execute(self, _input=None):
        return None


class Third(steps.Step):
    def execute(self, _input=None):
        return None


class Fork(steps.Decision):
    labels = ("left", "right")

    def transition(self, _input=None):
        return 0


CHAIN = build_graph({steps.__start__: [First], First: [Second]})


def change(graph: Graph, step: type[steps.Step], **changes: Any) -> Graph:
    """Give the graph with a node that declares something else."""
    return replace(graph, nodes=tuple(_change_node(node, step, changes) for node in graph.nodes))


def _change_node(node: Node, step: type[steps.Step], changes: dict[str, Any]) -> Node:
    return replace(node, **changes) if node.name == step.__name__ else node


def summarise(difference: GraphDifference) -> dict[str, str]:
    return {node.path.rpartition(".")[2]: node.look.name for node in difference.nodes}


def test_equal_graphs_differ_in_nothing() -> None:
    difference = compare_graphs(CHAIN, build_graph({steps.__start__: [First], First: [Second]}))
    assert difference == GraphDifference((), frozenset(), frozenset())


def test_a_node_put_between_two_is_added_and_the_one_before_it_rewired() -> None:
    difference = compare_graphs(CHAIN, build_graph({steps.__start__: [First], First: [Third], Third: [Second]}))
    assert summarise(difference) == {"Third": ADDED.name, "First": REWIRED.name}
    names = {(source.rpartition(".")[2], target.rpartition(".")[2]) for source, target in difference.added_ways}
    assert names == {("First", "Third"), ("Third", "Second")}
    assert len(difference.removed_ways) == 1


def test_the_same_seen_backwards_is_a_removal() -> None:
    difference = compare_graphs(build_graph({steps.__start__: [First], First: [Third], Third: [Second]}), CHAIN)
    assert summarise(difference) == {"Third": REMOVED.name, "First": REWIRED.name}


def test_another_beginning_rewires_the_start() -> None:
    difference = compare_graphs(CHAIN, build_graph({steps.__start__: [Second], Second: [First]}))
    [start] = [node for node in difference.nodes if node.path == START]
    assert (start.label, start.details) == ("the start", ("It leads to “Second”; it led to “First”.",))


def test_a_node_that_now_ends_the_workflow_says_so() -> None:
    difference = compare_graphs(CHAIN, build_graph({steps.__start__: [First]}))
    [first] = [node for node in difference.nodes if node.look is REWIRED]
    assert first.details == ("It leads to the end; it led to “Second”.",)
    assert (first.path, "") in difference.added_ways


def test_edges_in_another_order_rewire_a_decision() -> None:
    one = build_graph({steps.__start__: [Fork], Fork: [First, Second]})
    other = build_graph({steps.__start__: [Fork], Fork: [Second, First]})
    [fork] = compare_graphs(one, other).nodes
    assert fork.look is REWIRED
    assert fork.details == (
        "“left” leads to “Second”; it led to “First”.",
        "“right” leads to “First”; it led to “Second”.",
    )


def test_of_a_decision_only_the_way_that_changed_is_told() -> None:
    one = build_graph({steps.__start__: [Fork], Fork: [First, Second]})
    other = build_graph({steps.__start__: [Fork], Fork: [First, Third]})
    by_name = {node.label: node for node in compare_graphs(one, other).nodes}
    assert by_name["Fork"].details == ("“right” leads to “Third”; it led to “Second”.",)
    assert by_name["Third"].details == ("It leads to the end.",)
    assert by_name["Second"].details == ("It led to the end.",)


def test_ways_under_other_labels_are_told_whole() -> None:
    before = build_graph({steps.__start__: [Fork], Fork: [First, Second]})
    renamed = tuple(replace(edge, label=edge.label.replace("left", "port")) for edge in before.edges)
    [fork] = compare_graphs(before, replace(before, edges=renamed)).nodes
    assert fork.details == (
        "It leads to port → “First”, right → “Second”; it led to left → “First”, right → “Second”.",
    )


@pytest.mark.parametrize(
    ("was", "now", "sentence"),
    [
        (None, 3600.0, "Its input is due within 1 h."),
        (3600.0, 86400.0, "Its input is due within 1 d; it was within 1 h."),
        (3600.0, None, "Its input no longer has a deadline."),
    ],
)
def test_another_deadline_of_an_input_is_told(was: float | None, now: float | None, sentence: str) -> None:
    before = change(CHAIN, First, input_schema={"title": "A"}, input_within=was)
    [node] = compare_graphs(before, change(before, First, input_within=now)).nodes
    assert (node.look, node.details) == (CHANGED, (sentence,))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"label": "Begin"}, "It was called “First”."),
        ({"description": "Begins anew."}, "Its description changed."),
        ({"input_schema": {"type": "object"}}, "It asks for input now."),
        ({"kind": "decision"}, "It became a decision."),
    ],
)
def test_what_a_node_declares_otherwise_is_told(changes: dict[str, Any], sentence: str) -> None:
    [node] = compare_graphs(CHAIN, change(CHAIN, First, **changes)).nodes
    assert (node.look, node.details) == (CHANGED, (sentence,))


def test_other_input_and_no_input_any_more_are_told() -> None:
    asking = change(CHAIN, First, input_schema={"title": "A"})
    [node] = compare_graphs(asking, change(CHAIN, First, input_schema={"title": "B"})).nodes
    assert node.details == ("It asks for other input.",)
    [node] = compare_graphs(asking, CHAIN).nodes
    assert node.details == ("It no longer asks for input.",)


class Order(BaseModel):
    number: int
    note: str = ""


class OtherOrder(BaseModel):
    number: int
    note: str
    day: date


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (None, Order, "A job starts with input now."),
        (Order, None, "A job starts without input now."),
        (Order, OtherOrder, "A job starts with other input: note, day."),
    ],
)
def test_what_a_job_starts_with_is_a_change_of_the_start(old: Any, new: Any, told: str) -> None:
    digraph = {steps.__start__: [First]}
    [start] = compare_graphs(build_graph(digraph, old), build_graph(digraph, new)).nodes
    assert (start.path, start.look, start.details) == (START, CHANGED, (told,))
