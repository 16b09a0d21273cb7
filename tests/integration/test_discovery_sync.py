"""Syncing the database with the workflows files: good, broken, missing, empty, slow, gone and back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from django_wfe import order_workflow_execution, run_workflow
from django_wfe.discovery import DefinitionSync, steadiness, sync, sync_definitions
from django_wfe.exceptions import WorkflowDeleted
from django_wfe.models import DefinitionModule, Job, Step, Workflow
from tests.definition_files import ANOTHER_WORKFLOW, TWO_STEPS, UNREACHABLE, Project, open_project

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


@pytest.fixture
def project(tmp_path: Path, settings) -> Iterator[Project]:
    with open_project(tmp_path) as opened:
        settings.WFE_WORKFLOWS = [opened.flows]
        yield opened


@pytest.fixture(autouse=True)
def read_here(project, monkeypatch):
    """Read in this process. The child process that stands between is another file's subject, and takes a second."""
    monkeypatch.setattr(sync, "read_modules", project.read_here)
    monkeypatch.setattr(steadiness, "read_modules", project.read_here)


@pytest.fixture
def count_readings(read_here, monkeypatch) -> list[object]:
    readings: list[object] = []
    read = sync.read_modules

    def counted(*args, **kwargs):
        readings.append(args)
        return read(*args, **kwargs)

    monkeypatch.setattr(sync, "read_modules", counted)
    return readings


def list_workflows() -> dict[str, bool]:
    """Give each recorded workflow's name and whether it is marked deleted."""
    return dict(Workflow.objects.values_list("name", "deleted"))


def get_error(project: Project) -> str:
    return DefinitionModule.objects.get(path=project.flows).error


def test_a_sync_records_what_is_declared(project):
    project.write("flows", TWO_STEPS)
    report = sync_definitions()
    assert report.workflows == (f"{project.flows}.Flow",)
    assert (report.deleted, report.errors) == ((), {})
    assert list_workflows() == {"Flow": False}
    assert (get_error(project), DefinitionModule.objects.get().workflows) == ("", [f"{project.flows}.Flow"])


def test_as_long_as_no_file_changes_a_look_costs_no_query_and_no_process(
    project, count_readings, django_assert_num_queries
):
    project.write("flows", TWO_STEPS)
    definitions = DefinitionSync()
    assert definitions.run_if_changed() is not None
    with django_assert_num_queries(0):
        for _ in range(5):
            assert definitions.run_if_changed() is None
    assert len(count_readings) == 1


def test_a_file_that_was_just_written_is_read_once_more_at_the_most(project, count_readings):
    project.write("flows", TWO_STEPS)
    definitions = DefinitionSync()
    for _ in range(4):
        definitions.run_if_changed()
    assert len(count_readings) <= 2


def test_a_change_in_any_module_that_the_definitions_reach_is_seen(project, count_readings):
    project.write("schemas", "from pydantic import BaseModel\nclass Answer(BaseModel): amount: int")
    project.write(
        "flows",
        TWO_STEPS.replace(
            "class Store(Step):", "from PACKAGE.schemas import Answer\nclass Store(Step):\n    UserInputSchema = Answer"
        ),
    )
    definitions = DefinitionSync()
    definitions.run()
    first = Workflow.objects.get().current_definition_id
    project.write("schemas", "from pydantic import BaseModel\nclass Answer(BaseModel): total: int")
    assert definitions.run_if_changed() is not None
    assert Workflow.objects.get().current_definition_id != first
    assert "total" in Step.objects.get(name="Store").input_schema["properties"]


def test_what_a_job_starts_with_is_a_part_of_the_definition_wherever_its_model_stands(project):
    project.write("schemas", "from pydantic import BaseModel\nclass Order(BaseModel): amount: int")
    given = "from PACKAGE.schemas import Order\nclass Flow(Workflow):\n    InputSchema = Order"
    project.write("flows", TWO_STEPS.replace("class Flow(Workflow):", given) + "\ndel Order\n")
    definitions = DefinitionSync()
    definitions.run()
    first = Workflow.objects.get().current_definition
    assert "amount" in first.load_graph().input_schema["properties"]
    project.write("schemas", "from pydantic import BaseModel\nclass Order(BaseModel): total: int")
    assert definitions.run_if_changed() is not None
    second = Workflow.objects.get().current_definition
    assert second.pk != first.pk
    assert "total" in second.load_graph().input_schema["properties"]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("def (", "SyntaxError"),
        ("import nowhere_at_all", "nowhere_at_all"),
        (None, "No module named"),
    ],
)
def test_a_file_that_cannot_be_read_deletes_nothing_and_heals_by_itself(project, source, told):
    project.write("flows", TWO_STEPS)
    definitions = DefinitionSync()
    definitions.run()
    definition = Workflow.objects.get().current_definition_id
    if source is None:
        project.path("flows").unlink()
    else:
        project.write("flows", source)
    report = definitions.run_if_changed()
    assert told in report.errors[project.flows]
    workflow = Workflow.objects.get()
    assert (workflow.deleted, workflow.current_definition_id) == (False, definition)
    assert told in workflow.load_error
    assert told in get_error(project)
    assert not Step.objects.filter(deleted=True).exists()
    project.write("flows", TWO_STEPS)
    assert definitions.run_if_changed().errors == {}
    assert Workflow.objects.get().load_error == ""
    assert get_error(project) == ""


def test_an_error_that_belongs_to_no_known_workflow_is_kept_with_its_module(project):
    project.write("flows", "1 / 0")
    sync_definitions()
    assert not Workflow.objects.exists()
    assert "ZeroDivisionError" in get_error(project)


def test_a_broken_module_hides_nothing_of_the_others(project, settings):
    settings.WFE_WORKFLOWS = [project.flows, f"{project.package}.more"]
    project.write("flows", "1 / 0")
    project.write("more", TWO_STEPS)
    report = sync_definitions()
    assert report.workflows == (f"{project.package}.more.Flow",)
    assert list(report.errors) == [project.flows]


def test_while_a_module_that_was_never_good_is_broken_nothing_is_deleted(project, settings):
    project.write("flows", TWO_STEPS)
    sync_definitions()
    settings.WFE_WORKFLOWS = [f"{project.package}.renamed"]
    project.write("renamed", "1 / 0")
    assert sync_definitions().deleted == ()
    assert list_workflows() == {"Flow": False}


def test_an_empty_file_declares_nothing_and_says_so(project):
    project.write("flows", TWO_STEPS)
    sync_definitions()
    project.write("flows", "")
    report = sync_definitions()
    assert report.deleted == (f"{project.flows}.Flow",)
    assert "names no Workflow" in get_error(project)


def test_a_workflow_with_problems_is_told_and_keeps_its_last_good_definition(project):
    project.write("flows", TWO_STEPS)
    sync_definitions()
    project.write("flows", UNREACHABLE)
    report = sync_definitions()
    assert "Lonely" in report.errors[f"{project.flows}.Flow"]
    workflow = Workflow.objects.get()
    assert workflow.current_definition.load_graph().get_node(f"{project.flows}.Store")
    assert "Lonely" in workflow.load_error
    assert "Lonely" in get_error(project)


def test_what_the_database_cannot_keep_is_told_and_stops_nothing_else(project):
    project.write("flows", TWO_STEPS + "\nclass Odd(Flow):\n    label = 'a\\0b'\n")
    report = sync_definitions()
    assert list_workflows() == {"Flow": False, "Odd": False}
    assert "its label holds a NUL character" in Workflow.objects.get(name="Odd").load_error
    assert "its label holds a NUL character" in report.errors[f"{project.flows}.Odd"]
    assert "Odd" in get_error(project)


def test_a_removed_workflow_is_marked_deleted_its_jobs_keep_their_history_and_it_can_come_back(project):
    project.write("flows", TWO_STEPS + ANOTHER_WORKFLOW)
    sync_definitions()
    job = Job.objects.get(pk=run_workflow(f"{project.flows}.Another"))
    history = job.storage
    assert history["data"][1] == {"step": f"{project.flows}.Store", "result": 2}
    project.write("flows", TWO_STEPS)
    assert sync_definitions().deleted == (f"{project.flows}.Another",)
    with pytest.raises(WorkflowDeleted):
        order_workflow_execution(f"{project.flows}.Another")
    assert Job.objects.get().storage == history
    project.write("flows", TWO_STEPS + ANOTHER_WORKFLOW)
    sync_definitions()
    assert list_workflows() == {"Flow": False, "Another": False}
    assert order_workflow_execution(f"{project.flows}.Another") > job.pk


def test_a_module_that_is_no_longer_named_in_the_settings_goes_with_its_workflows(project, settings):
    settings.WFE_WORKFLOWS = [project.flows, f"{project.package}.more"]
    project.write("flows", TWO_STEPS)
    project.write("more", TWO_STEPS)
    sync_definitions()
    settings.WFE_WORKFLOWS = [project.flows]
    assert sync_definitions().deleted == (f"{project.package}.more.Flow",)
    assert [module.path for module in DefinitionModule.objects.all()] == [project.flows]


def test_a_file_is_read_when_it_is_written_to_its_end(project, monkeypatch):
    project.write("flows", TWO_STEPS)
    definitions = DefinitionSync()
    definitions.run()
    writes = iter(["\n# half", "\n# more", "\n# all"])

    class Writer:
        """Stands in for the wait between two looks: the editor writes on meanwhile."""

        def is_set(self) -> bool:
            return False

        def wait(self, seconds: float) -> bool:
            if addition := next(writes, ""):
                with project.path("flows").open("a") as file:
                    file.write(addition)
            return False

    project.write("flows", "")
    with project.path("flows").open("a") as file:
        file.write(TWO_STEPS)
    assert definitions.run_if_changed(stop=Writer()).deleted == ()
    assert next(writes, None) is None


CHANGING = """
import itertools, sys
from pydantic import BaseModel
from django_wfe.steps import *
from django_wfe.workflows import *
counter = sys.__dict__.setdefault("PACKAGE_counter", itertools.count())

class Fetch(Step):
    class UserInputSchema(BaseModel):
        number: int = next(counter)
    def execute(self): return 1

class Flow(Workflow):
    DIGRAPH = {__start__: [Fetch]}
"""


def test_a_definition_that_each_process_has_anew_is_refused_and_the_last_good_one_stays(project, count_readings):
    project.write("flows", TWO_STEPS)
    definitions = DefinitionSync()
    definitions.run()
    good = Workflow.objects.get().current_definition_id
    project.write("flows", CHANGING)
    for _ in range(2):
        report = definitions.run()
        assert "default of the field number of its input" in report.errors[f"{project.flows}.Flow"]
        workflow = Workflow.objects.get()
        assert workflow.current_definition_id == good
        assert workflow.definitions.count() == 1
        assert "default_factory" in workflow.load_error


def test_a_definition_that_is_known_is_not_read_twice(project, monkeypatch):
    project.write("flows", TWO_STEPS)
    sync_definitions()
    monkeypatch.setattr(steadiness, "read_modules", lambda names, **options: pytest.fail("read again"))
    assert sync_definitions().errors == {}
