"""A node that stands twice as a key of a DIGRAPH is found in the source: Python keeps the last and says nothing."""

from pathlib import Path

import pytest

from django_wfe import steps, workflows
from django_wfe.definition.near_misses import find_repeated_keys
from django_wfe.engine.project_code.recording import describe_workflow
from tests.definition_files import open_project

pytestmark = pytest.mark.unit

FILE = """
from django_wfe import steps, workflows
from django_wfe.steps import __start__

class A(steps.Step):
    def execute(self): return 1

class B(A): pass
class C(A): pass
Other = A

class Flow(workflows.Workflow):
    DIGRAPH = {BODY}

class Heir(Flow):
    pass
"""


def find(tmp_path: Path, body: str, name: str = "Flow") -> list[str]:
    with open_project(tmp_path) as project:
        project.write("flows", FILE.replace("BODY", body))
        module = __import__(project.flows, fromlist=["Flow"])
        return [problem.message for problem in find_repeated_keys(getattr(module, name))]


def test_a_node_that_is_written_twice_is_named_with_both_lists(tmp_path: Path) -> None:
    body = "steps.__start__: [A], A: [B], A: [C]"
    for name in ("Flow", "Heir"):
        assert find(tmp_path, body, name) == [
            "A appears 2 times as a key of DIGRAPH, with [B] and [C]; Python keeps only the last."
        ]


def test_two_spellings_of_one_class_are_one_key(tmp_path: Path) -> None:
    (message,) = find(tmp_path, "steps.__start__: [A], __start__: [B], B: [A]")
    assert "appears 2 times" in message
    (message,) = find(tmp_path, "steps.__start__: [A], A: [B], Other: [C]")
    assert "A appears 2 times" in message


def test_it_keeps_the_workflow_from_being_taken_over(tmp_path: Path) -> None:
    with open_project(tmp_path) as project:
        project.write("flows", FILE.replace("BODY", "steps.__start__: [A], A: [B], A: [C], C: [B]"))
        module = __import__(project.flows, fromlist=["Flow"])
        (problem,) = describe_workflow(module.Flow).problems
    assert problem.code == "repeated"
    assert problem.cure == "Write it once, with all its edges in one list."


@pytest.mark.parametrize(
    "body",
    [
        "steps.__start__: [A], A: [B], B: [C]",
        "steps.__start__: [A], A: [B], A: [B]",  # the same twice loses nothing
        "**dict([(steps.__start__, [A])]), A: [B]",
    ],
)
def test_sound_graphs_are_left_alone(tmp_path: Path, body: str) -> None:
    assert find(tmp_path, body) == []


def test_a_graph_without_a_source_or_that_is_put_together_elsewhere_is_left_alone() -> None:
    class A(steps.Step):
        def execute(self) -> None: ...

    made = type("Made", (workflows.Workflow,), {"DIGRAPH": {steps.__start__: [A]}})
    assert list(find_repeated_keys(made)) == []
    names: dict[str, type] = {}
    exec("from django_wfe import workflows\nclass Typed(workflows.Workflow):\n    DIGRAPH = {}", names)
    assert list(find_repeated_keys(names["Typed"])) == []
