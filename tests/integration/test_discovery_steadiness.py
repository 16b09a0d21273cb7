"""A definition that each process works out anew: found by two readings, and told with the field."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from django_wfe.discovery import steadiness
from django_wfe.discovery.reading import ModuleReading
from django_wfe.discovery.steadiness import confirm_readings, read_steadily
from tests.definition_files import TWO_STEPS, Project, open_project

pytestmark = pytest.mark.integration

ASKING = """
from datetime import datetime
from pydantic import BaseModel, Field
from django_wfe.steps import *
from django_wfe.workflows import *

{before}

class Ask(Step):
    class UserInputSchema(BaseModel):
        amount: int
        {field}
    def execute(self): return 1

class Store(Step):
    label = {label}
    def execute(self): return 1

class Flow(Workflow):
    DIGRAPH = {{__start__: [Ask], Ask: [Store]}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with open_project(tmp_path) as opened:
        yield opened


def write(project: Project, name: str, *, before: str = "", field: str = "", label: str = "''") -> None:
    project.write(name, ASKING.format(before=before, field=field, label=label))


CHANGING = {
    "constant": {"before": "NOW = datetime.now()", "field": "at: datetime = NOW"},
    "helper": {"before": "def make(): return datetime.now()", "field": "at: datetime = make()"},
    "hashed": {
        "before": "WAYS = list({f'way {n}' for n in range(50)})",
        "field": "way: str = Field('', examples=WAYS)",
    },
    "address": {"field": "any: int = Field(1, description=str(object()))"},
    "label": {"label": "str(datetime.now())"},
}

ORDERED = """
from django_wfe.steps import *
from django_wfe.workflows import *
{steps}
found = [value for name, value in list(globals().items()) if name.startswith("Do")]
found.sort(key=lambda step: hash(step.__name__))

class Flow(Workflow):
    DIGRAPH = {{__start__: [found[0]], **dict(zip(found, [[following] for following in found[1:]]))}}
"""

STARTING = """
from datetime import datetime
from pydantic import BaseModel
from django_wfe.steps import *
from django_wfe.workflows import *

def make(): return datetime.now()

class Store(Step):
    def execute(self): return 1

class Flow(Workflow):
    class InputSchema(BaseModel):
        at: datetime = make()
    DIGRAPH = {__start__: [Store]}
"""


@pytest.fixture(scope="module")
def read_twice(tmp_path_factory) -> Iterator[dict[str, ModuleReading]]:
    """Read all that changes in the same two processes, since each takes a second to start."""
    with open_project(tmp_path_factory.mktemp("project")) as project:
        for name, declared in CHANGING.items():
            write(project, name, **declared)
        project.write("starting", STARTING)
        steps = "".join(f"class Do{number}(Step):\n    def execute(self): return 1\n" for number in range(20))
        project.write("ordered", ORDERED.format(steps=steps))
        names = [*CHANGING, "ordered", "starting"]
        yield dict(zip(names, read_steadily([f"{project.package}.{name}" for name in names]), strict=True))


@pytest.mark.parametrize(
    ("name", "node", "told"),
    [
        ("constant", "Ask", "default of the field at of its input is '"),
        ("helper", "Ask", "default of the field at of its input is '"),
        ("hashed", "Ask", " of the field way of its input is 'way "),
        ("address", "Ask", "description of the field any of its input is '<object object at 0x"),
        ("label", "Store", "its label is '"),
    ],
)
def test_what_differs_between_two_processes_is_told_with_its_place_and_both_values(read_twice, name, node, told):
    reading = read_twice[name]
    [flow] = reading.workflows
    [problem] = flow.problems
    assert (problem.code, problem.node, flow.graph) == ("changing", f"{reading.module}.{node}", None)
    assert told in problem.message
    assert "in one process and" in problem.message
    assert "default_factory" in problem.cure


def test_nodes_whose_order_comes_from_a_hash_are_told(read_twice):
    [problem] = read_twice["ordered"].workflows[0].problems
    assert "another order in each process" in problem.message


def test_what_a_job_starts_with_is_looked_at_too(read_twice):
    [problem] = read_twice["starting"].workflows[0].problems
    assert "default of the field at of its input is '" in problem.message


def test_a_steady_definition_has_no_problem_and_each_module_is_read_twice(project, monkeypatch):
    project.write("flows", TWO_STEPS)
    project.write("broken", "1 / 0")
    calls = []

    def read(names, **options):
        calls.append(list(names))
        return project.read_here(names)

    monkeypatch.setattr(steadiness, "read_modules", read)
    good, broken = read_steadily([project.flows, f"{project.package}.broken"])
    assert good.workflows[0].problems == ()
    assert "ZeroDivisionError" in broken.error
    assert calls == [[project.flows, f"{project.package}.broken"], [project.flows]]


def test_a_file_that_is_edited_between_the_readings_accuses_nobody(project):
    write(project, "flows", label="'one'")
    first = project.read_here([project.flows])

    def edit_and_read(names):
        write(project, "flows", label="'two'")
        return project.read_here(names)

    [reading] = confirm_readings(first, edit_and_read)
    assert reading.workflows[0].problems == ()


def test_only_the_workflows_that_are_in_doubt_are_read_again(project):
    project.write("flows", TWO_STEPS)
    first = project.read_here([project.flows])
    assert confirm_readings(first, lambda names: pytest.fail("read"), only={"another.Flow"}) == first
