"""Attributes that look like an option and are none are told of; those that people really define are not."""

from datetime import timedelta
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel

from django_wfe import steps, workflows
from django_wfe.definition.near_misses import find_near_misses
from django_wfe.definition.problems import Problem

pytestmark = pytest.mark.unit

_WORDS = (
    "url amount queue name title table model models template template_name subject sender schema_name "
    "entry entries max_amount session client timeout_message retry_url label_text_color topic order "
    "result results data path format timezone attempt_url currency retention atomicity_note log_level "
    "job_type account tablet library executed_at graph dag digraph_note execute_at transitions_seen "
    "permission groups_seen"
)
ORDINARY = _WORDS.split()


class Schema(BaseModel):
    amount: int


def make_step(base: type = steps.Step, **attributes: Any) -> type:
    methods: dict[str, Any] = {"execute": lambda self, _input=None: None}
    if base is steps.Decision:
        methods["transition"] = lambda self: 0
    return type("Node", (base,), {**methods, **attributes})


def look_at_step(base: type = steps.Step, **attributes: Any) -> list[Problem]:
    node = make_step(base, **attributes)
    return look_at_workflow(DIGRAPH={steps.__start__: [node], node: []})


def look_at_workflow(**attributes: Any) -> list[Problem]:
    return list(find_near_misses(type("Flow", (workflows.Workflow,), attributes)))


@pytest.mark.parametrize(
    ("name", "value", "option"),
    [
        ("retries", 3, "retry"),
        ("max_retries", 3, "retry"),
        ("Retry", steps.Retry(max_attempts=3), "retry"),
        ("rety", steps.Retry(max_attempts=3), "retry"),
        ("retry_policy", steps.Retry(max_attempts=3), "retry"),
        ("Timeout", 5, "timeout"),
        ("TIMEOUT", 5, "timeout"),
        ("time_out", timedelta(seconds=5), "timeout"),
        ("timeouts", 5, "timeout"),
        ("time_limit", 5, "timeout"),
        ("UserInput", Schema, "UserInputSchema"),
        ("UserInput", type("UserInput", (), {}), "UserInputSchema"),
        ("UserInputScheme", Schema, "UserInputSchema"),
        ("InputSchema", Schema, "UserInputSchema"),
        ("userInputSchema", Schema, "UserInputSchema"),
        ("user_input_schema", Schema, "UserInputSchema"),
        ("RefundInput", Schema, "UserInputSchema"),
        ("input_witin", timedelta(days=1), "input_within"),
        ("Atomic", True, "atomic"),
        ("is_atomic", True, "atomic"),
        ("lable", "Pay", "label"),
        ("labels", "Pay", "label"),
        ("verbose_name", "Pay", "label"),
        ("on_cancelled", lambda self: None, "on_cancel"),
        ("onCancel", lambda self: None, "on_cancel"),
        ("transitoin", lambda self: 0, "transition"),
    ],
)
def test_a_near_miss_on_a_step_names_the_option_that_was_meant(name: str, value: object, option: str) -> None:
    (problem,) = look_at_step(**{name: value})
    assert problem.message == f"it has {name!r}, which nothing reads. Did you mean {option!r}?"
    assert option in problem.cure
    assert problem.node.endswith("Node")


@pytest.mark.parametrize("name", ["lables", "Labels", "edge_labels"])
def test_labels_of_a_decision_are_looked_at_too(name: str) -> None:
    (problem,) = look_at_step(steps.Decision, **{name: ("yes", "no")})
    assert "'labels'" in problem.message


@pytest.mark.parametrize("name", ["DIAGRAPH", "digraph", "Digraph", "DIGRPAH", "GRAPH", "DAG"])
def test_a_workflow_whose_graph_has_another_name_is_told_so(name: str) -> None:
    (problem,) = look_at_workflow(**{name: {steps.__start__: [make_step()]}})
    assert (problem.node, "'DIGRAPH'" in problem.message) == ("", True)


@pytest.mark.parametrize(("name", "option"), [("group", "groups"), ("allowed_groups", "groups"), ("lable", "label")])
def test_other_options_of_a_workflow_are_looked_at_too(name: str, option: str) -> None:
    (problem,) = look_at_workflow(**{name: ["clerks"]})
    assert repr(option) in problem.message


@pytest.mark.parametrize("name", ORDINARY)
@pytest.mark.parametrize("value", [3, "text"])
def test_attributes_that_people_define_are_left_alone(name: str, value: object) -> None:
    assert look_at_step(**{name: value}) == []
    assert look_at_workflow(**{name: value}) == []


def test_methods_and_models_of_their_own_are_left_alone() -> None:
    helpers = {name: lambda self: None for name in ("run", "fetch", "retry_payment", "executed", "label_for", "send")}
    assert look_at_step(**helpers, Result=Schema, Meta=type("Meta", (), {})) == []


def test_an_own_name_beside_the_option_is_left_alone() -> None:
    assert look_at_step(retries=3, retry=steps.Retry(max_attempts=3)) == []
    assert look_at_step(InputSchema=Schema, UserInputSchema=Schema) == []


def test_a_plain_step_with_several_edges_may_label_them() -> None:
    left, right = make_step(), make_step()
    node = make_step(transition=lambda self: 0, labels=("left", "right"))
    assert look_at_workflow(DIGRAPH={steps.__start__: [node], node: [left, right]}) == []


def test_what_a_base_class_sets_is_told_once() -> None:
    class Base(steps.Step):
        retries: ClassVar[int] = 3

        def execute(self) -> None: ...

    first, second = type("First", (Base,), {}), type("Second", (Base,), {})
    (problem,) = look_at_workflow(DIGRAPH={steps.__start__: [first], first: [second]})
    assert problem.node.endswith("Base")


def test_the_options_themselves_are_no_near_misses() -> None:
    for base in (steps.Step, steps.Decision):
        names = [name for name in dir(base) if not name.startswith("_") and name not in ("execute", "transition")]
        assert look_at_step(base, **{name: getattr(base, name) for name in names}) == []


@pytest.mark.parametrize(
    "name",
    [
        "inputSchema",
        "Input_Schema",
        "InputShema",
        "JobInput",
        "job_input",
        "StartInput",
        "UserInputSchema",
        "OrderInput",
    ],
)
def test_a_model_of_a_workflow_under_another_name_is_told_of(name: str) -> None:
    (problem,) = look_at_workflow(**{name: Schema})
    assert "Did you mean 'InputSchema'?" in problem.message
    assert "InputSchema" in str(problem.cure)


def test_a_model_beside_the_input_schema_is_the_business_of_its_author() -> None:
    assert look_at_workflow(InputSchema=Schema, LineSchema=Schema) == []
