"""Each problem of a declaration: named with workflow, node and cure, and never an exception of the checker's own."""

from datetime import timedelta

import pytest
from pydantic import BaseModel

from django_wfe import steps
from django_wfe.exceptions import InvalidWorkflow
from django_wfe.graph import has_input
from django_wfe.problems import find_problems
from django_wfe.retry import Retry
from django_wfe.workflows import Workflow, compile_graph, is_abstract, list_problems

pytestmark = pytest.mark.unit

HERE = __name__
start = steps.__start__


class One(steps.Step):
    def execute(self, _input=None):
        return 1


class Two(steps.Step):
    def execute(self, _input=None):
        return 2


class Three(Two):
    pass


class Choose(steps.Decision):
    def transition(self, _input):
        return 0


class Chooser(steps.Step):
    """A plain Step that chooses all the same."""

    def execute(self, _input=None):
        return 1

    def transition(self, result):
        return result


class Undecided(steps.Decision):
    pass


class Labelled(Choose):
    labels = ("yes", "no", "maybe")


class Idle(steps.Step):
    pass


class NotAStep:
    pass


def declare(name, base=One, **attributes):
    """Make a node class that seems to stand at the top of this module."""
    return type(name, (base,), {"__module__": HERE, "__qualname__": name, **attributes})


def list_all(digraph):
    return list(find_problems("shop.Flow", digraph))


def find(digraph, code):
    """Give the only problem of this code, after proving that its text names workflow, node and a cure."""
    [problem] = [found for found in list_all(digraph) if found.code == code]
    assert problem.workflow == "shop.Flow"
    assert problem.cure
    assert problem.cure.endswith(".")
    assert str(problem).startswith(f"shop.Flow, node {problem.node}: " if problem.node else "shop.Flow: ")
    assert str(problem).endswith(problem.cure)
    return problem


def test_a_sound_graph_has_no_problem():
    digraph = {start: [One], One: [Choose], Choose: [Two, Three, One], Two: [], Three: (Chooser,), Chooser: [Two, Two]}
    assert list_all(digraph) == []


@pytest.mark.parametrize("digraph", [[One, Two], "One", 5, One])
def test_a_digraph_that_is_no_dict(digraph):
    problem = find(digraph, "digraph")
    assert "not a dict" in problem.message
    assert "steps.__start__" in problem.cure


@pytest.mark.parametrize("digraph", [{}, {One: [Two]}])
def test_no_start(digraph):
    assert "no steps.__start__" in find(digraph, "start").message


@pytest.mark.parametrize(("targets", "count"), [([], 0), ([One, Two], 2)])
def test_a_start_without_exactly_one_edge(targets, count):
    problem = find({start: targets, One: [Two]}, "start")
    assert problem.node == "django_wfe.steps.__start__"
    assert f"{count} outgoing edges" in problem.message
    assert "exactly one" in problem.cure


def test_an_edge_back_to_the_start():
    problem = find({start: [One], One: [start]}, "start")
    assert "leads back" in problem.message


@pytest.mark.parametrize("targets", [Two, None, "Two", {Two: 1}, 0, {Two}])
def test_edges_that_are_no_list(targets):
    problem = find({start: [One], One: targets}, "edges")
    assert problem.node == f"{HERE}.One"
    assert "not a list" in problem.message


@pytest.mark.parametrize(
    "wrong", [NotAStep, "tests.One", None, 7, One(), steps.Step, steps.Decision, [One], {}, lambda: One]
)
def test_a_node_that_is_no_step(wrong):
    problem = find({start: [One], One: [wrong]}, "node")
    assert "is no node" in problem.message
    assert "Step or Decision" in problem.cure


def test_an_unreachable_node():
    unreachable = [p for p in list_all({start: [One], Two: [Three]}) if p.code == "unreachable"]
    assert [p.node for p in unreachable] == [f"{HERE}.Two", f"{HERE}.Three"]
    assert all("no way leads to it" in p.message and p.cure for p in unreachable)


def test_a_loop_away_from_the_start_is_unreachable():
    assert len([p for p in list_all({start: [One], Two: [Three], Three: [Two]}) if p.code == "unreachable"]) == 2


def test_a_plain_step_with_several_edges():
    problem = find({start: [One], One: [Two, Three]}, "transition")
    assert problem.node == f"{HERE}.One"
    assert "2 outgoing edges" in problem.message
    assert "Decision" in problem.cure


def test_a_decision_without_an_edge():
    assert "without an outgoing edge" in find({start: [Choose]}, "decision").message


def test_a_decision_without_transition():
    problem = find({start: [Undecided], Undecided: [One]}, "transition")
    assert "without transition()" in problem.message
    assert problem.node == f"{HERE}.Undecided"


def test_labels_that_do_not_match_the_edges():
    assert "3 labels for 2 edges" in find({start: [Labelled], Labelled: [One, Two]}, "labels").message
    assert list_all({start: [Labelled], Labelled: [One, Two, One]}) == []


@pytest.mark.parametrize("labels", ["yn", 5, {"yes": 1, "no": 2}])
def test_labels_that_are_no_list(labels):
    node = declare("Wrong", Choose, labels=labels)
    assert "not a list" in find({start: [node], node: [One, Two]}, "labels").message


def test_a_step_without_execute():
    assert "no execute()" in find({start: [Idle]}, "execute").message


class FieldsButNoModel:
    amount: int


@pytest.mark.parametrize("schema", [FieldsButNoModel, {"amount": int}, "Schema", BaseModel.model_validate])
def test_a_schema_that_is_no_model(schema):
    node = declare("Asks", UserInputSchema=schema)
    problem = find({start: [node]}, "schema")
    assert "not a pydantic model" in problem.message
    assert "pydantic.BaseModel" in problem.cure


class NoFields(BaseModel):
    pass


class Empty:
    """No input needed."""


@pytest.mark.parametrize("schema", [NoFields, Empty, None])
def test_a_schema_without_fields_is_sound_and_asks_for_nothing(schema):
    node = declare("Asks", UserInputSchema=schema)
    assert list_all({start: [node]}) == []
    assert has_input(node) is False


def test_two_nodes_with_one_path():
    first, second = declare("Twin"), declare("Twin")
    problem = find({start: [first], first: [second]}, "path")
    assert "two different classes" in problem.message
    assert problem.node == f"{HERE}.Twin"


def test_a_class_inside_a_function():
    class Local(One):
        pass

    assert "top of a module" in find({start: [Local]}, "local").cure


def test_a_signature_that_nothing_can_serve():
    node = declare("Wants", execute=lambda self, _input, session: session)
    problem = find({start: [node]}, "signature")
    assert "execute() asks for session" in problem.message


def test_a_staticmethod():
    node = declare("Static", execute=staticmethod(lambda _input: _input))
    assert "execute() is a staticmethod" in find({start: [node]}, "signature").message


def test_an_async_transition():
    async def transition(self, _input):
        return 0

    node = declare("Later", Choose, transition=transition)
    assert "transition() is declared with 'async'" in find({start: [node], node: [One]}, "signature").message


@pytest.mark.parametrize(
    ("code", "options"),
    [
        ("retry", {"retry": 3}),
        ("retry", {"retry": Retry}),
        ("timeout", {"timeout": "5"}),
        ("timeout", {"timeout": 0}),
        ("timeout", {"timeout": -1.5}),
        ("timeout", {"timeout": True}),
        ("timeout", {"timeout": float("nan")}),
        ("timeout", {"timeout": timedelta(seconds=-1)}),
        ("input_within", {"input_within": "2 days"}),
        ("input_within", {"input_within": 0}),
        ("input_within", {"input_within": timedelta(0)}),
        ("input_within", {"input_within": float("inf")}),
        ("atomic", {"atomic": "yes"}),
        ("atomic", {"atomic": None}),
    ],
)
def test_an_option_of_the_wrong_kind_is_found_at_declaration_not_in_a_worker(code, options):
    node = declare("Optioned", **options)
    assert find({start: [node]}, code).node == f"{HERE}.Optioned"


def test_options_of_the_right_kind():
    node = declare("Optioned", retry=Retry(), timeout=timedelta(minutes=1), atomic=True, label="Do it")
    other = declare("Another", timeout=0.5, input_within=timedelta(days=2))
    assert list_all({start: [node], node: [other]}) == []


def test_all_problems_come_at_once():
    digraph = {One: [Two, Three], Idle: Two, "text": [Choose]}
    assert {"edges", "node", "execute", "transition", "decision", "start"} <= {p.code for p in list_all(digraph)}


class Broken(Workflow):
    DIGRAPH = {start: [One, Two], One: [Undecided], Undecided: [Two]}


class Sound(Workflow):
    DIGRAPH = {start: [One]}


class Base(Workflow):
    """Has no DIGRAPH: a base for others."""


def test_a_workflow_tells_all_its_problems_in_one_exception():
    assert [problem.code for problem in list_problems(Broken)] == ["transition", "start"]
    with pytest.raises(InvalidWorkflow) as raised:
        compile_graph(Broken)
    for problem in list_problems(Broken):
        assert str(problem) in str(raised.value)
    assert f"{HERE}.Broken, node {HERE}.Undecided" in str(raised.value)


def test_a_sound_workflow_compiles_and_a_base_is_abstract():
    assert [node.name for node in compile_graph(Sound).nodes] == ["__start__", "One"]
    assert compile_graph(Sound).first.name == "One"
    assert not is_abstract(Sound)
    assert is_abstract(Base)
    assert is_abstract(Workflow)


def test_star_imports_bring_what_a_workflows_file_needs():
    namespace = {}
    exec("from django_wfe.steps import *\nfrom django_wfe.workflows import *", namespace)
    assert namespace["__start__"] is steps.__start__
    assert {"Step", "Decision", "Retry", "Workflow"} <= set(namespace)
    flow = type("Flow", (namespace["Workflow"],), {"DIGRAPH": {namespace["__start__"]: [One]}})
    assert [problem.code for problem in list_problems(flow)] == []
