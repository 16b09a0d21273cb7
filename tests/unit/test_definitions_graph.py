"""A graph as data: what it holds, that it survives JSON, and when its fingerprint changes."""

import json
import os
import subprocess
import sys
from datetime import timedelta

import pytest
from pydantic import BaseModel

from django_wfe import steps
from django_wfe.definition.graph import START, Graph, build_graph, get_label, split_words
from tests import workflows
from tests.declared import input_workflows as asking
from tests.declared import interface_workflows as declared

pytestmark = pytest.mark.unit

start = steps.__start__


def build(digraph):
    return build_graph(digraph)


class One(steps.Step):
    """Does one thing.

    And says more about it.
    """

    def execute(self, _input=None):
        return 1


class Two(steps.Step):
    label = "The second"

    def execute(self, _input=None):
        return 2


class Choose(steps.Decision):
    labels = ("again", "on")

    def transition(self, _input):
        return 1


DIGRAPH = {start: [One], One: [Choose], Choose: [One, Two]}


def make_asking(**fields):
    schema = type("UserInputSchema", (BaseModel,), {"__annotations__": fields, "__module__": __name__})
    return type("Asks", (One,), {"UserInputSchema": schema, "__module__": __name__, "__qualname__": "Asks"})


def test_nodes_come_in_the_order_of_the_declaration_with_kind_label_and_description():
    graph = build(DIGRAPH)
    assert [(node.name, node.kind, node.label) for node in graph.nodes] == [
        ("__start__", "start", "Start"),
        ("One", "step", "One"),
        ("Choose", "decision", "Choose"),
        ("Two", "step", "The second"),
    ]
    assert graph.nodes[1].description == "Does one thing.\n\nAnd says more about it."
    assert graph.nodes[3].description == "", "the docstring of a base class is not the node's own"


def test_edges_carry_their_index_and_label():
    graph = build(DIGRAPH)
    path = f"{__name__}.Choose"
    assert [(edge.index, edge.target, edge.label) for edge in graph.list_edges_from(path)] == [
        (0, f"{__name__}.One", "again"),
        (1, f"{__name__}.Two", "on"),
    ]
    assert graph.list_edges_from(f"{__name__}.Two") == ()
    assert [edge.target for edge in graph.list_edges_from(START)] == [graph.first.path]


def test_an_input_schema_is_kept_as_json_schema():
    node = build({start: [asking.AskOrder]}).first
    assert node.asks_input
    assert node.input_schema["properties"]["day"]["format"] == "date"
    assert build({start: [One]}).first.input_schema is None


@pytest.mark.parametrize("workflow", [workflows.Asking, workflows.Looping, asking.Ordering, declared.Choosing])
def test_a_graph_survives_json(workflow):
    graph = build(workflow.DIGRAPH)
    again = Graph.from_json(json.loads(json.dumps(graph.to_json())))
    assert again == graph
    assert again.fingerprint == graph.fingerprint
    assert again.first == graph.first
    assert again.list_edges_from(graph.first.path) == graph.list_edges_from(graph.first.path)


def test_the_fingerprint_is_the_same_in_other_processes():
    """Sets, with their order that differs from process to process, are the trap."""
    code = (
        "from django_wfe.definition.graph import build_graph; from tests.declared import input_workflows as asking; "
        "print(*[build_graph(flow.DIGRAPH).fingerprint for flow in (asking.Ordering, asking.SetDefaults)])"
    )
    printed = set()
    for seed in ("1", "2", "3"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
        assert child.returncode == 0, child.stderr
        printed.add(tuple(child.stdout.split()))
    here = tuple(build(flow.DIGRAPH).fingerprint for flow in (asking.Ordering, asking.SetDefaults))
    assert printed == {here}


def test_the_fingerprint_changes_with_edges():
    first = build({start: [One], One: [Two]}).fingerprint
    assert build({start: [Two], Two: [One]}).fingerprint != first
    assert build({start: [One], One: [Choose], Choose: [Two, One]}).fingerprint != build(DIGRAPH).fingerprint
    assert build({start: [One], One: [Two]}).fingerprint == first


def test_the_fingerprint_changes_with_the_schema_of_an_input():
    fingerprints = {
        build({start: [node]}).fingerprint
        for node in (
            make_asking(),
            make_asking(amount=int),
            make_asking(amount=str),
            make_asking(amount=int, day=str),
        )
    }
    assert len(fingerprints) == 4
    assert build({start: [make_asking(amount=int)]}).fingerprint in fingerprints


def test_the_fingerprint_changes_with_a_label():
    renamed = type("Two", (Two,), {"label": "Another", "__module__": __name__, "__qualname__": "Two"})
    assert build({start: [renamed]}).fingerprint != build({start: [Two]}).fingerprint


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Fetch", "Fetch"),
        ("FetchOrder", "Fetch order"),
        ("CheckHTTPStatus", "Check HTTP status"),
        ("check_status", "Check status"),
        ("HTTPServer", "HTTP server"),
        ("Step2Retry", "Step2 retry"),
        ("A", "A"),
        ("_Hidden", "Hidden"),
        ("__start__", "Start"),
        ("", ""),
    ],
)
def test_split_words(name, words):
    assert split_words(name) == words


def test_a_label_is_the_class_name_in_words_unless_one_is_given():
    assert get_label(asking.AskOrder) == "Ask order"
    assert get_label(Two) == "The second"


def test_by_when_input_is_expected_belongs_to_the_definition_and_old_definitions_stay_as_they_are():
    plain, hurried = make_asking(number=int), make_asking(number=int)
    hurried.input_within = timedelta(hours=2)
    graph, before = build({start: [hurried]}), build({start: [plain]})
    assert graph.first.input_within == 7200
    assert Graph.from_json(json.loads(json.dumps(graph.to_json()))) == graph
    assert graph.fingerprint != before.fingerprint
    # What was recorded before there was such a thing is read, and has the fingerprint that it had.
    assert all("input_within" not in node for node in before.to_json()["nodes"])
    assert Graph.from_json(before.to_json()).first.input_within is None


def test_without_input_there_is_nothing_to_be_expected():
    idle = type("Idle", (One,), {"input_within": 60, "__module__": __name__, "__qualname__": "Idle"})
    assert build({start: [idle]}).first.input_within is None
