"""Each problem of a declaration: named with workflow, node and cure, and never an exception of the checker's own."""

import functools
import json
from abc import ABC, ABCMeta, abstractmethod
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

import pytest
from django.utils.translation import gettext_lazy
from pydantic import BaseModel

from django_wfe import steps
from django_wfe.definition.graph import has_input
from django_wfe.definition.problems import find_problems
from django_wfe.engine.project_code.recording import DeclaredWorkflow, describe_workflow
from django_wfe.exceptions import InvalidWorkflow
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
    assert "is not a node" in problem.message
    assert "Step or Decision" in problem.cure


def test_an_unreachable_node():
    unreachable = [p for p in list_all({start: [One], Two: [Three]}) if p.code == "unreachable"]
    assert [p.node for p in unreachable] == [f"{HERE}.Two", f"{HERE}.Three"]
    assert all("it cannot be reached" in p.message and p.cure for p in unreachable)


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


def test_async_methods_are_sound():
    async def method(self, _input=None):
        return 0

    node = declare("Later", Choose, execute=method, transition=method, on_cancel=method, atomic=True, timeout=5)
    assert list_all({start: [node], node: [One]}) == []


def test_an_async_generator_is_none():
    async def transition(self, _input):
        yield 0

    node = declare("Later", Choose, transition=transition)
    assert "transition() uses 'yield'" in find({start: [node], node: [One]}, "signature").message


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


class Contextless(One):
    def __init__(self):
        pass


class NeedsAClient(One):
    def __init__(self, context, client):
        super().__init__(context)


class NewWithoutContext(One):
    def __new__(cls):
        return super().__new__(cls)


@dataclass
class WithFields(One):
    amount: int = 5


@dataclass
class WithoutFields(One):
    pass


class UnderADataclass(WithFields):
    pass


class AlsoAModel(One, BaseModel):
    pass


class WithoutArguments(type):
    def __call__(cls):
        return super().__call__()


class Narrow(One, metaclass=WithoutArguments):
    pass


@pytest.mark.parametrize(
    ("node", "told"),
    [
        (Contextless, "does not take the context"),
        (NeedsAClient, "does not take the context"),
        (NewWithoutContext, "does not take the context"),
        (WithFields, "it is a dataclass"),
        (WithoutFields, "it is a dataclass"),
        (UnderADataclass, f"it is a dataclass by {HERE}.WithFields"),
        (AlsoAModel, "also a pydantic model"),
        (Narrow, f"its metaclass {HERE}.WithoutArguments takes no context"),
    ],
)
def test_a_step_that_the_engine_cannot_make_is_told_with_the_reason(node, told):
    assert told in find({start: [node]}, "init").message


class OldStyle(One):
    def __init__(self, job, *args, **kwargs):
        super().__init__(job, *args, **kwargs)


class Singleton(One, metaclass=ABCMeta):
    __slots__ = ("client",)

    def __new__(cls, *args):
        return super().__new__(cls)


@dataclass(init=False)
class Compared(One):
    amount: ClassVar[int] = 5


@pytest.mark.parametrize("node", [OldStyle, Singleton, Compared])
def test_other_ways_to_make_a_step_are_sound(node):
    assert list_all({start: [node]}) == []
    assert node(steps.StepContext(load_job=lambda: None, idempotency_key="", attempt=1)).attempt == 1


class Unfinished(steps.Step, ABC):
    def execute(self, _input=None):
        return self.prepare()

    @abstractmethod
    def prepare(self): ...


class Complete(Unfinished):
    def prepare(self):
        return 1


def test_an_abstract_step_is_told_with_what_it_lacks():
    problem = find({start: [Unfinished]}, "abstract")
    assert "it lacks prepare" in problem.message
    assert list_all({start: [Complete]}) == []


@pytest.mark.parametrize(
    "execute",
    [property(lambda self: 1), None, 5, "text", functools.partial(print), One, classmethod(lambda cls: 1), print],
)
def test_an_execute_that_is_no_method(execute):
    assert "execute()" in find({start: [declare("Odd", execute=execute)]}, "signature").message


@pytest.mark.parametrize("name", ["_input", "result", "external_input", "logfile"])
def test_a_transition_that_forgets_self_is_told_instead_of_always_taking_one_edge(name):
    transition = eval(f"lambda {name}: 0")
    problem = find({start: [declare("Odd", Choose, transition=transition)]}, "signature")
    assert f"first parameter of transition() is {name}" in problem.message
    assert problem.cure == f"Write transition(self, {name})."


def test_an_on_cancel_that_cannot_be_called():
    def stepwise(self):
        yield

    async def later(self):
        yield

    for wrong in (None, lambda self, reason: None, stepwise, later):
        assert "on_cancel" in find({start: [declare("Odd", on_cancel=wrong)]}, "signature").message


@pytest.mark.parametrize("label", [b"bytes", 5, ["a"], True, One])
def test_a_label_that_is_no_text(label):
    assert "not a text" in find({start: [declare("Odd", label=label)]}, "label").message


def test_a_label_that_is_to_be_translated_is_a_text():
    assert list_all({start: [declare("Odd", label=gettext_lazy("Do it"))]}) == []


@pytest.mark.parametrize("options", [{"input_within": 10**12}, {"retry": Retry(max_backoff=1e18)}])
def test_a_wait_beyond_all_dates_is_told(options):
    assert "over a hundred years" in find({start: [declare("Odd", **options)]}, "wait").message


class EqualToAll(type):
    def __eq__(cls, other):
        return True


class Unhashable(One, metaclass=EqualToAll):
    pass


class Raising(type):
    @property
    def timeout(cls):
        raise RuntimeError("not today")


class Trapped(One, metaclass=Raising):
    pass


def test_a_metaclass_that_takes_the_hash_away_is_a_problem_and_no_crash():
    assert "unhashable" in find({start: [Unhashable]}, "node").message
    assert "unhashable" in find({start: [One], One: [Unhashable]}, "node").message


def test_a_class_that_raises_when_it_is_looked_at_is_a_problem_and_no_crash():
    assert "RuntimeError: not today" in find({start: [Trapped]}, "describe").message


class Hostile:
    def __repr__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("code", "digraph"),
    [("edges", {start: Hostile()}), ("node", {start: [Hostile()]}), ("digraph", Hostile())],
)
def test_a_value_whose_repr_raises_is_a_problem_and_no_crash(code, digraph):
    assert "Hostile" in find(digraph, code).message


class WrongGroups(Sound):
    groups = "accounting"


class OtherGroups(Sound):
    groups = 5


class WrongLabel(Sound):
    label = b"bytes"


@pytest.mark.parametrize(("flow", "code"), [(WrongGroups, "groups"), (OtherGroups, "groups"), (WrongLabel, "label")])
def test_an_option_of_the_workflow_of_the_wrong_kind_is_told(flow, code):
    [problem] = list_problems(flow)
    assert (problem.code, problem.node) == (code, "")
    described = describe_workflow(flow)
    assert described.graph is None
    assert described.problems == (problem,)


class NulInTheLabel(Sound):
    label = "a\0b"


class NulInTheDocstring(Sound):
    """Half of it\0."""


@pytest.mark.parametrize(
    ("flow", "node", "told"),
    [
        (NulInTheLabel, "", "its label holds a NUL character."),
        (NulInTheDocstring, "", "its description holds a NUL character."),
    ],
)
def test_a_text_that_the_database_refuses_is_told(flow, node, told):
    [problem] = describe_workflow(flow).problems
    assert (problem.code, problem.node, problem.message) == ("text", node, told)


def test_what_is_told_of_a_hostile_workflow_can_be_sent_between_processes_and_stored():
    for flow in (NulInTheLabel, WrongLabel, OtherGroups):
        data = json.loads(json.dumps(describe_workflow(flow).to_json()))
        assert DeclaredWorkflow.from_json(data).problems == describe_workflow(flow).problems
        assert "\0" not in data["label"]
