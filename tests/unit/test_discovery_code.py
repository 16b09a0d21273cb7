"""From dotted paths to classes, and reloading what a running process holds."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from django_wfe.discovery import reload_definitions, reload_if_changed, reloading
from django_wfe.engine import code
from django_wfe.engine.code import hold_definition, load_node, load_workflow
from django_wfe.exceptions import CodeNotLoaded
from django_wfe.workflows import compile_graph
from tests.definition_files import ANOTHER_WORKFLOW, TWO_STEPS, Project, open_project

pytestmark = pytest.mark.unit

SLOWLY_TO_NOTHING = "import time\ntime.sleep(0.05)\n"


@pytest.fixture
def project(tmp_path: Path, settings) -> Iterator[Project]:
    with open_project(tmp_path) as opened:
        settings.WFE_WORKFLOWS = [opened.flows]
        forget_reloads()
        yield opened
        forget_reloads()


def forget_reloads() -> None:
    reloading._seen = None
    reloading._failure = ""
    reloading._failed_files = set()


@pytest.fixture
def count_reloads(monkeypatch) -> list[str]:
    reloads = []
    reload = reloading.reload_definitions

    def counted() -> None:
        reloads.append("reload")
        reload()

    monkeypatch.setattr(reloading, "reload_definitions", counted)
    # One second for each try; the tests that need the child itself do without this fixture.
    monkeypatch.setattr(reloading, "_try_in_child", lambda names: None)
    return reloads


def test_a_nested_class_is_loaded_by_its_qualified_name(project):
    project.write(
        "flows", TWO_STEPS + "\nclass Outer:\n    class Inner(Step):\n        def execute(self): return 'inner'\n"
    )
    assert load_node(f"{project.flows}.Outer.Inner").__qualname__ == "Outer.Inner"


def test_a_path_to_something_else_is_refused_with_what_it_is(project):
    project.write("flows", TWO_STEPS)
    with pytest.raises(CodeNotLoaded, match="is no Step or Decision"):
        load_node(f"{project.flows}.Flow")
    with pytest.raises(CodeNotLoaded, match="is no Workflow"):
        load_workflow(f"{project.flows}.Fetch")
    load_node(f"{project.flows}.Fetch")
    with pytest.raises(CodeNotLoaded, match="is no Workflow"):
        load_workflow(f"{project.flows}.Fetch")


def test_a_missing_library_is_told_as_such_and_not_as_a_missing_class(project):
    project.write("flows", "import nowhere_at_all")
    with pytest.raises(CodeNotLoaded, match="nowhere_at_all"):
        load_node(f"{project.flows}.Fetch")


@pytest.mark.parametrize("path", ["", ".", "nowhere_at_all.Fetch", "a..b"])
def test_a_path_that_names_nothing_is_refused(project, path):
    project.write("flows", TWO_STEPS)
    with pytest.raises(CodeNotLoaded):
        load_node(path)


def test_a_class_that_was_added_to_the_file_is_found_without_a_restart(project, count_reloads):
    project.write("flows", TWO_STEPS)
    old = load_node(f"{project.flows}.Fetch")
    project.write("flows", TWO_STEPS + ANOTHER_WORKFLOW)
    assert load_workflow(f"{project.flows}.Another").__name__ == "Another"
    assert load_node(f"{project.flows}.Fetch") is not old
    assert count_reloads == ["reload"]


def test_a_class_that_is_nowhere_reloads_once_and_not_with_every_message(project, count_reloads):
    project.write("flows", TWO_STEPS)
    for _ in range(3):
        for name in ("Gone", "Lost"):
            with pytest.raises(CodeNotLoaded, match=f"has no {name}"):
                load_node(f"{project.flows}.{name}")
    assert count_reloads == ["reload"]


def test_files_older_than_the_process_are_not_reloaded_for_a_class_that_is_nowhere(project, count_reloads, monkeypatch):
    project.write("flows", TWO_STEPS)
    monkeypatch.setattr(reloading, "_STARTED", time.time_ns() + 10**9)
    flow = load_workflow(f"{project.flows}.Flow")
    for _ in range(2):
        with pytest.raises(CodeNotLoaded, match="has no Gone"):
            load_node(f"{project.flows}.Gone")
    assert count_reloads == []
    assert load_workflow(f"{project.flows}.Flow") is flow
    project.write("flows", TWO_STEPS + ANOTHER_WORKFLOW)
    assert load_workflow(f"{project.flows}.Another")
    assert count_reloads == ["reload"]


def test_after_the_file_changed_again_a_missing_class_is_looked_for_again(project, count_reloads):
    project.write("flows", TWO_STEPS)
    with pytest.raises(CodeNotLoaded):
        load_node(f"{project.flows}.Another")
    project.write("flows", TWO_STEPS + ANOTHER_WORKFLOW)
    assert load_workflow(f"{project.flows}.Another")
    assert count_reloads == ["reload", "reload"]


def test_two_edits_within_a_second_that_keep_the_size_are_both_seen(project):
    second = 1_700_000_000
    for number in range(1, 6):
        file = project.write("flows", TWO_STEPS.replace("return 1", f"return {number}"))
        os.utime(file, ns=(second * 10**9 + number, second * 10**9 + number))
        reload_definitions()
        assert load_node(f"{project.flows}.Fetch")().execute() == number


def test_a_stale_bytecode_file_is_not_believed(project):
    file = project.write("flows", TWO_STEPS)
    os.utime(file, (1_700_000_000, 1_700_000_000))
    load_node(f"{project.flows}.Fetch")
    file.write_text(TWO_STEPS.replace("return 1", "return 9"))
    os.utime(file, (1_700_000_000, 1_700_000_000))
    reload_definitions()
    assert load_node(f"{project.flows}.Fetch")().execute() == 9


@pytest.mark.parametrize("broken", ["1 / 0", "def (", "import nowhere_at_all", "import sys; sys.exit(1)"])
def test_a_broken_file_leaves_the_process_with_what_it_had(project, broken):
    project.write("steps", "from django_wfe.steps import *\nclass Fetch(Step):\n    def execute(self): return 1")
    good = (
        "from django_wfe.workflows import *\nfrom PACKAGE.steps import Fetch, __start__\n"
        "class Flow(Workflow):\n    DIGRAPH = {__start__: [Fetch]}\n"
    )
    project.write("flows", good)
    fetch = load_node(f"{project.package}.steps.Fetch")
    flow = load_workflow(f"{project.flows}.Flow")
    before = {name: module for name, module in sys.modules.items() if name.startswith(project.package)}
    project.write("extra", "from PACKAGE.steps import Fetch")
    project.write("flows", f"import PACKAGE.extra\n{good}{broken}\n")
    with pytest.raises(CodeNotLoaded, match="flows"):
        reload_definitions()
    after = {name: module for name, module in sys.modules.items() if name.startswith(project.package)}
    assert after == before
    assert sys.modules[project.package].flows is before[project.flows]
    assert sys.modules[project.package].steps is before[f"{project.package}.steps"]
    assert load_node(f"{project.package}.steps.Fetch") is fetch
    assert load_workflow(f"{project.flows}.Flow") is flow


def test_a_reload_that_failed_is_not_repeated_until_a_file_changes(project, count_reloads):
    project.write("flows", TWO_STEPS)
    load_workflow(f"{project.flows}.Flow")
    project.write("flows", "1 / 0")
    for _ in range(3):
        with pytest.raises(CodeNotLoaded, match="ZeroDivisionError"):
            load_node(f"{project.flows}.New")
    assert count_reloads == ["reload"]
    project.write("flows", TWO_STEPS + ANOTHER_WORKFLOW)
    assert load_workflow(f"{project.flows}.Another")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import os; os._exit(3)", "it ended its process with exit code 3"),
        ("import time; time.sleep(600)", "it took longer than 2 seconds"),
    ],
)
def test_a_file_that_would_end_or_hold_up_a_worker_is_only_tried_by_a_child_of_it(project, settings, source, told):
    settings.WFE_DISCOVERY_TIMEOUT = 2
    project.write("flows", TWO_STEPS)
    flow = load_workflow(f"{project.flows}.Flow")
    project.write("flows", source)
    for _ in range(2):
        with pytest.raises(CodeNotLoaded, match=told):
            load_workflow(f"{project.flows}.Another")
    assert load_workflow(f"{project.flows}.Flow") is flow
    project.write("flows", TWO_STEPS + ANOTHER_WORKFLOW)
    assert load_workflow(f"{project.flows}.Another")


def test_a_module_that_failed_because_another_was_missing_is_tried_again_when_that_appears(project):
    project.write("flows", TWO_STEPS)
    load_workflow(f"{project.flows}.Flow")
    project.write("flows", TWO_STEPS + "from PACKAGE.late import helper\n" + ANOTHER_WORKFLOW)
    with pytest.raises(CodeNotLoaded, match="late"):
        reload_if_changed()
    project.write("late", "helper = 1")
    assert load_workflow(f"{project.flows}.Another")


def test_a_reload_leaves_libraries_the_engine_and_other_project_modules_alone(project):
    project.write("helpers", "import object_of_this_test\n")
    project.write("flows", TWO_STEPS + "from PACKAGE import helpers\n")
    marker = type(sys)("object_of_this_test")
    sys.modules["object_of_this_test"] = marker
    try:
        load_workflow(f"{project.flows}.Flow")
        names = ["django_wfe.steps", "django_wfe.workflows", "pydantic", f"{project.package}.helpers"]
        before = [sys.modules[name] for name in names]
        flows = sys.modules[project.flows]
        reload_definitions()
        assert [sys.modules[name] for name in names] == before
        assert sys.modules[project.flows] is not flows
    finally:
        del sys.modules["object_of_this_test"]


def test_a_package_that_is_reloaded_still_knows_the_submodules_that_stayed(project, settings):
    settings.WFE_WORKFLOWS = [f"{project.package}.orders"]
    project.write("orders.helpers", "value = 7")
    project.write(
        "orders.__init__",
        f"import PACKAGE.orders.helpers\n{TWO_STEPS}\nseen = helpers.value\n",
    )
    load_workflow(f"{project.package}.orders.Flow")
    reload_definitions()
    assert sys.modules[f"{project.package}.orders"].seen == 7


def test_a_module_that_defines_django_models_is_never_imported_anew(project):
    project.write(
        "base",
        "from django.db import models\nfrom django_wfe.steps import Step\n"
        "class Common(models.Model):\n    class Meta: abstract = True\n"
        "class Fetch(Step):\n    def execute(self): return 1\n",
    )
    project.write(
        "flows",
        "from django_wfe.workflows import *\nfrom django_wfe.steps import __start__\nfrom PACKAGE.base import Fetch\n"
        "class Flow(Workflow):\n    DIGRAPH = {__start__: [Fetch]}\n",
    )
    load_workflow(f"{project.flows}.Flow")
    base, flows = sys.modules[f"{project.package}.base"], sys.modules[project.flows]
    reload_definitions()
    assert sys.modules[f"{project.package}.base"] is base
    assert sys.modules[project.flows] is not flows


def test_many_threads_that_lack_a_class_reload_once_and_all_find_it(project, count_reloads):
    project.write("flows", TWO_STEPS)
    load_workflow(f"{project.flows}.Flow")
    project.write("flows", SLOWLY_TO_NOTHING + TWO_STEPS + ANOTHER_WORKFLOW)
    found, barrier = [], threading.Barrier(8)

    def look() -> None:
        barrier.wait()
        found.append(load_workflow(f"{project.flows}.Another"))

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(found) == 8
    assert len(set(found)) == 1
    assert count_reloads == ["reload"]


def test_a_worker_takes_up_a_newer_definition_of_a_workflow_it_holds(project, count_reloads):
    project.write("flows", TWO_STEPS)
    flow = load_workflow(f"{project.flows}.Flow")
    old = compile_graph(flow).fingerprint
    assert hold_definition(f"{project.flows}.Flow", old)
    assert count_reloads == []
    project.write("flows", TWO_STEPS.replace("Fetch: [Store]", "Fetch: []"))
    code.clear()  # only to know the new fingerprint
    reload_definitions()
    new = compile_graph(load_workflow(f"{project.flows}.Flow")).fingerprint
    project.write("flows", TWO_STEPS)
    reload_definitions()
    del count_reloads[:]
    project.write("flows", TWO_STEPS.replace("Fetch: [Store]", "Fetch: []"))
    assert hold_definition(f"{project.flows}.Flow", new)
    assert not hold_definition(f"{project.flows}.Flow", old)
    assert not hold_definition(f"{project.flows}.Flow", old)
    assert count_reloads == ["reload"]
