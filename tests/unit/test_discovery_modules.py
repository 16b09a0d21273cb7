"""Which Workflows a module names, and which files stand behind them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from django_wfe.discovery import collect_workflows
from django_wfe.discovery.files import is_project_file, list_candidates, look_at
from django_wfe.discovery.modules import list_watched_files
from django_wfe.exceptions import CodeNotLoaded
from django_wfe.steps import dotted_path
from tests.definition_files import TWO_STEPS, Project, open_project

pytestmark = pytest.mark.unit


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with open_project(tmp_path) as opened:
        yield opened


def collect(settings, *modules: str) -> list[str]:
    settings.WFE_WORKFLOWS = modules[0] if len(modules) == 1 else modules
    return [dotted_path(workflow) for workflow in collect_workflows()]


def test_one_module_may_be_given_as_text(project, settings):
    project.write("flows", TWO_STEPS)
    assert collect(settings, project.flows) == [f"{project.flows}.Flow"]


def test_star_imports_aliases_and_reexports_count_under_the_path_of_the_class(project, settings):
    project.write("flows", TWO_STEPS)
    project.write("starred", "from PACKAGE.flows import *")
    project.write("aliased", "from PACKAGE.flows import Flow as Renamed\nSame = Renamed")
    for module in ("starred", "aliased"):
        assert collect(settings, f"{project.package}.{module}") == [f"{project.flows}.Flow"]


def test_a_workflow_named_by_two_modules_counts_once(project, settings):
    project.write("flows", TWO_STEPS)
    project.write("more", "from PACKAGE.flows import *")
    assert collect(settings, project.flows, f"{project.package}.more") == [f"{project.flows}.Flow"]


def test_a_package_counts_as_its_init_module(project, settings):
    project.write("orders.__init__", "from PACKAGE.orders.billing import Flow")
    project.write("orders.billing", TWO_STEPS)
    project.write("orders.hidden", TWO_STEPS)
    assert collect(settings, f"{project.package}.orders") == [f"{project.package}.orders.billing.Flow"]


def test_abstract_workflows_do_not_count(project, settings):
    project.write("flows", TWO_STEPS + "\nclass Base(Workflow): pass\nclass Concrete(Base): DIGRAPH = {}\n")
    assert collect(settings, project.flows) == [f"{project.flows}.Flow", f"{project.flows}.Concrete"]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import nowhere_at_all", "No module named 'nowhere_at_all'"),
        ("x = (", "SyntaxError: '(' was never closed"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(3)", "SystemExit: it calls for the end of the process (exit code 3)"),
    ],
)
def test_a_module_that_cannot_be_imported_is_named_with_file_and_line(project, settings, source, told):
    file = project.write("flows", "\n" + source)
    with pytest.raises(CodeNotLoaded) as raised:
        collect(settings, project.flows)
    assert told in str(raised.value)
    assert f"({file}, line {2 + source.count(chr(10))})" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_files_to_watch_are_all_that_the_definitions_reach_in_the_project(project, settings):
    project.write("schemas", "from pydantic import BaseModel\nclass Answer(BaseModel): amount: int")
    project.write("helpers", "def add(): pass")
    project.write("unrelated", "")
    project.write(
        "steps",
        """
        from django_wfe.steps import *
        import json
        from PACKAGE.schemas import Answer
        class Ask(Step):
            UserInputSchema = Answer
            def execute(self): pass
        """,
    )
    project.write(
        "flows",
        """
        from django_wfe.workflows import *
        from PACKAGE import steps
        from PACKAGE.helpers import add
        class Flow(Workflow):
            DIGRAPH = {steps.__start__: [steps.Ask]}
        """,
    )
    collect(settings, project.flows)
    names = ("__init__", "flows", "steps", "schemas", "helpers")
    assert list_watched_files([project.flows]) == {str(project.path(name)) for name in names}


def test_a_missing_module_is_watched_where_it_could_appear(project):
    candidates = list_candidates(project.flows)
    assert str(project.path("flows")) in candidates
    before = look_at(candidates)
    project.write("flows", TWO_STEPS)
    assert look_at(candidates) != before


def test_a_file_that_keeps_its_size_and_second_still_looks_changed(project):
    file = str(project.write("flows", "a = 1"))
    before = look_at([file])
    Path(file).write_text("a = 2")
    assert look_at([file]) != before
    assert look_at([file]) == look_at([file])


def test_libraries_and_the_engine_are_no_project_files_but_the_demo_is():
    import django

    import django_wfe.demo
    import django_wfe.steps

    assert not is_project_file(django.__file__)
    assert not is_project_file(django_wfe.steps.__file__)
    assert not is_project_file(sys.modules["json"].__file__)
    assert is_project_file(django_wfe.demo.__file__)
    assert is_project_file(__file__)
