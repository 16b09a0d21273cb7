"""What the database keeps of a declared Workflow, and what it keeps of one that is gone or broken."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from django_wfe import steps
from django_wfe.engine.project_code.classes import load_workflow
from django_wfe.engine.project_code.recording import (
    DeclaredWorkflow,
    describe_workflow,
    record_deleted,
    record_workflow,
)
from django_wfe.models import Definition, Step, Workflow
from django_wfe.workflows import Workflow as WorkflowClass
from tests.definition_files import ANOTHER_WORKFLOW, TWO_STEPS, UNREACHABLE, Project, open_project

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with open_project(tmp_path) as opened:
        yield opened


def describe(project: Project, source: str, name: str = "Flow", module: str = "flows") -> DeclaredWorkflow:
    project.write(module, source)
    return describe_workflow(load_workflow(f"{project.package}.{module}.{name}"))


def test_a_description_survives_the_way_between_two_processes(project):
    for module, source in (("flows", TWO_STEPS), ("broken", UNREACHABLE)):
        declared = describe(project, source, module=module)
        assert DeclaredWorkflow.from_json(declared.to_json()) == declared


def test_a_new_workflow_is_recorded_with_its_definition_and_its_steps(project):
    declared = describe(project, TWO_STEPS)
    workflow = record_workflow(declared)
    workflow.refresh_from_db()
    assert (workflow.path, workflow.name, workflow.label) == (f"{project.flows}.Flow", "Flow", "Flow")
    assert (workflow.description, workflow.deleted, workflow.load_error) == ("Moves one thing.", False, "")
    assert workflow.current_definition.load_graph() == declared.graph
    assert workflow.current_definition.code_hash == declared.code_hash
    assert list(Step.objects.order_by("path").values_list("path", "kind")) == [
        (f"{project.flows}.Fetch", "step"),
        (f"{project.flows}.Store", "step"),
    ]


def test_recording_the_same_again_adds_nothing(project):
    declared = describe(project, TWO_STEPS)
    first = record_workflow(declared)
    again = record_workflow(declared)
    assert (again.pk, again.current_definition_id) == (first.pk, first.current_definition_id)
    assert (Workflow.objects.count(), Definition.objects.count(), Step.objects.count()) == (1, 1, 2)


def test_another_graph_is_another_definition_and_the_old_one_stays_as_it_was(project):
    first = describe(project, TWO_STEPS)
    workflow = record_workflow(first)
    old = workflow.current_definition
    longer = DeclaredWorkflow.from_json(
        {**first.to_json(), "graph": describe(project, TWO_STEPS, module="b").graph.to_json()}
    )
    workflow = record_workflow(longer)
    assert workflow.current_definition_id != old.pk
    old.refresh_from_db()
    assert old.load_graph() == first.graph
    assert record_workflow(first).current_definition_id == old.pk


def test_other_code_for_the_same_graph_is_noted_at_its_definition(project):
    first = describe(project, TWO_STEPS)
    workflow = record_workflow(first)
    second = describe(project, TWO_STEPS.replace("return 1", "return 100"), module="flows2")
    changed = DeclaredWorkflow.from_json({**first.to_json(), "code_hash": second.code_hash})
    assert changed.code_hash != first.code_hash
    assert record_workflow(changed).current_definition_id == workflow.current_definition_id
    assert Definition.objects.get().code_hash == second.code_hash


def test_a_workflow_that_was_never_good_has_its_problems_and_no_definition(project):
    workflow = record_workflow(describe(project, UNREACHABLE))
    assert workflow.current_definition is None
    assert "Lonely: it cannot be reached from the start. Add an edge to it, or remove it." in workflow.load_error
    assert not Step.objects.exists()


def test_a_workflow_that_turned_bad_keeps_its_last_good_definition(project):
    good = describe(project, TWO_STEPS)
    definition = record_workflow(good).current_definition_id
    bad = describe(project, UNREACHABLE, module="bad")
    broken = DeclaredWorkflow.from_json(
        {**good.to_json(), "graph": None, "problems": bad.to_json()["problems"], "description": "Broken now."}
    )
    workflow = record_workflow(broken)
    assert workflow.current_definition_id == definition
    assert "Lonely" in workflow.load_error
    assert record_workflow(good).load_error == ""


def test_what_is_no_longer_declared_is_marked_deleted_and_comes_back_when_it_is(project):
    both = TWO_STEPS + ANOTHER_WORKFLOW
    flow, another = describe(project, both), describe(project, both, "Another")
    for declared in (flow, another):
        record_workflow(declared)
    assert record_deleted({another.path}) == [flow.path]
    assert record_deleted({another.path}) == []
    assert dict(Workflow.objects.values_list("name", "deleted")) == {"Flow": True, "Another": False}
    # Another still has Store; nothing has Fetch.
    assert dict(Step.objects.values_list("name", "deleted")) == {"Fetch": True, "Store": False}
    record_workflow(flow)
    assert not Workflow.objects.filter(deleted=True).exists()
    assert not Step.objects.filter(deleted=True).exists()


def test_a_path_or_label_that_cannot_be_kept_is_a_problem(project):
    source = TWO_STEPS + f"\nclass {'L' * 300}(Flow): pass\nclass Labeled(Flow): label = 'x' * 256\n"
    (problem,) = describe(project, source, "Labeled").problems
    assert (problem.code, problem.message) == ("length", "its label has 256 characters; 255 can be kept.")
    assert {problem.code for problem in describe(project, source, "L" * 300).problems} == {"length"}


def test_a_node_that_no_worker_could_import_is_a_problem(project):
    source = TWO_STEPS + (
        "\nclass Real(Step):\n    def execute(self): pass\nHidden = Real\ndel Real\n"
        "class Blind(Workflow):\n    DIGRAPH = {__start__: [Hidden]}\n"
    )
    (problem,) = describe(project, source, "Blind").problems
    assert (problem.code, problem.node) == ("import", f"{project.flows}.Real")


def test_a_schema_whose_own_hook_raises_is_a_problem_and_no_crash(project):
    source = """
    from pydantic import BaseModel
    from django_wfe.steps import *
    from django_wfe.workflows import *
    class Ask(Step):
        class UserInputSchema(BaseModel):
            number: int
            @classmethod
            def __get_pydantic_json_schema__(cls, core_schema, handler):
                raise RuntimeError("the hook broke")
        def execute(self, external_input): pass
    class Flow(Workflow):
        DIGRAPH = {__start__: [Ask]}
    """
    (problem,) = describe(project, source).problems
    assert "RuntimeError: the hook broke" in problem.message


def test_the_code_hash_covers_the_files_of_the_nodes_and_of_their_bases(project):
    project.write("base", "from django_wfe.steps import *\nclass Base(Step):\n    def execute(self): return 1")
    project.write("nodes", "from PACKAGE.base import Base\nclass Fetch(Base): pass")
    flows = (
        "from django_wfe.workflows import *\nfrom django_wfe.steps import __start__\nfrom PACKAGE.nodes import Fetch\n"
        "class Flow(Workflow):\n    DIGRAPH = {__start__: [Fetch]}\n"
    )
    seen = {describe(project, flows).code_hash}
    assert describe(project, flows).code_hash in seen
    for module in ("base", "nodes", "flows"):
        with project.path(module).open("a") as file:
            file.write("\n# another line\n")
        project.unload()
        seen.add(describe_workflow(load_workflow(f"{project.flows}.Flow")).code_hash)
    assert len(seen) == 4


class LocalFetch(steps.Step):
    def execute(self):
        return 1


def test_a_workflow_without_a_file_behind_it_has_a_code_hash_too():
    made = type(
        "Made", (WorkflowClass,), {"DIGRAPH": {steps.__start__: [LocalFetch]}, "__module__": "typed_in_a_shell"}
    )
    assert len(describe_workflow(made).code_hash) == 64
