"""From dotted paths to classes, and reloading what a running process holds."""

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from django_wfe.discovery import reload_definitions, reload_if_changed, reloading
from django_wfe.engine.project_code.classes import RestartNeeded, hold_definition, load_node, load_workflow
from django_wfe.engine.project_code.code_versions import hash_held_code
from django_wfe.exceptions import CodeNotLoaded
from django_wfe.workflows import compile_graph
from tests.definition_files import ANOTHER_WORKFLOW, TWO_STEPS, Project, open_project

pytestmark = pytest.mark.integration


@pytest.fixture
def project(tmp_path: Path, settings) -> Iterator[Project]:
    with open_project(tmp_path) as opened:
        settings.WFE_WORKFLOWS = [opened.flows]
        forget_reloads()
        yield opened
        forget_reloads()


def forget_reloads() -> None:
    reloading._failures.clear()


@pytest.fixture
def count_reloads(monkeypatch) -> list[str]:
    reloads = []
    reload = reloading._import_anew

    def counted(names) -> None:
        reloads.append("reload")
        reload(names)

    monkeypatch.setattr(reloading, "_import_anew", counted)
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
    with pytest.raises(CodeNotLoaded, match="is not a Step or Decision"):
        load_node(f"{project.flows}.Flow")
    with pytest.raises(CodeNotLoaded, match="is not a Workflow"):
        load_workflow(f"{project.flows}.Fetch")
    load_node(f"{project.flows}.Fetch")
    with pytest.raises(CodeNotLoaded, match="is not a Workflow"):
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


def test_a_class_that_is_nowhere_reloads_nothing_that_has_not_changed(project, count_reloads):
    project.write("flows", TWO_STEPS)
    flow = load_workflow(f"{project.flows}.Flow")
    for _ in range(3):
        for name in ("Gone", "Lost"):
            with pytest.raises(CodeNotLoaded, match=f"has no {name}"):
                load_node(f"{project.flows}.{name}")
    assert count_reloads == []
    assert load_workflow(f"{project.flows}.Flow") is flow


def test_after_the_file_changed_again_a_missing_class_is_looked_for_again(project, count_reloads):
    project.write("flows", TWO_STEPS)
    with pytest.raises(CodeNotLoaded):
        load_workflow(f"{project.flows}.Another")
    project.write("flows", TWO_STEPS + ANOTHER_WORKFLOW)
    assert load_workflow(f"{project.flows}.Another")
    assert count_reloads == ["reload"]


def test_two_edits_within_a_second_that_keep_the_size_are_both_seen(project, count_reloads):
    second = 1_700_000_000
    for number in range(1, 6):
        file = project.write("flows", TWO_STEPS.replace("return 1", f"return {number}"))
        os.utime(file, ns=(second * 10**9 + number, second * 10**9 + number))
        reload_definitions()
        assert load_node(f"{project.flows}.Fetch")().execute() == number


def test_a_stale_bytecode_file_is_not_believed(project, count_reloads):
    file = project.write("flows", TWO_STEPS)
    os.utime(file, (1_700_000_000, 1_700_000_000))
    load_node(f"{project.flows}.Fetch")
    file.write_text(TWO_STEPS.replace("return 1", "return 9"))
    os.utime(file, (1_700_000_000, 1_700_000_000))
    reload_definitions()
    assert load_node(f"{project.flows}.Fetch")().execute() == 9


@pytest.mark.parametrize("broken", ["1 / 0", "def (", "import nowhere_at_all", "import sys; sys.exit(1)"])
def test_a_broken_file_leaves_the_process_with_what_it_had(project, broken, monkeypatch):
    monkeypatch.setattr(reloading, "_try_in_child", lambda names: None)
    project.write("steps", "from django_wfe.steps import *\nclass Fetch(Step):\n    def execute(self): return 1")
    good = (
        "from django_wfe.workflows import *\nfrom PACKAGE.steps import Fetch, __start__\n"
        "class Flow(Workflow):\n    DIGRAPH = {__start__: [Fetch]}\n"
    )
    project.write("flows", good)
    fetch = load_node(f"{project.package}.steps.Fetch")
    flow = load_workflow(f"{project.flows}.Flow")
    before = {name: module for name, module in sys.modules.items() if name.startswith(project.package)}
    project.write("extra", f"from PACKAGE.steps import Fetch\n{broken}\n")
    project.write("flows", f"import PACKAGE.extra\n{good}\n")
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
    project.write("flows", "import nowhere_at_all")
    for _ in range(3):
        with pytest.raises(CodeNotLoaded, match="nowhere_at_all"):
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
    project.write("helper", source)
    project.write("flows", "import PACKAGE.helper\n" + TWO_STEPS)
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


def test_a_reload_leaves_libraries_the_engine_and_other_project_modules_alone(project, count_reloads):
    project.write("helpers", "import object_of_this_test\n")
    project.write("flows", TWO_STEPS + "from PACKAGE import helpers\n")
    marker = type(sys)("object_of_this_test")
    sys.modules["object_of_this_test"] = marker
    try:
        load_workflow(f"{project.flows}.Flow")
        names = ["django_wfe.steps", "django_wfe.workflows", "pydantic", f"{project.package}.helpers"]
        before = [sys.modules[name] for name in names]
        flows = sys.modules[project.flows]
        project.write("flows", TWO_STEPS + "from PACKAGE import helpers\nFIVE = 5\n")
        reload_definitions()
        assert [sys.modules[name] for name in names] == before
        assert sys.modules[project.flows] is not flows
    finally:
        del sys.modules["object_of_this_test"]


def test_a_package_that_is_reloaded_still_knows_the_submodules_that_stayed(project, settings, count_reloads):
    settings.WFE_WORKFLOWS = [f"{project.package}.orders"]
    project.write("orders.helpers", "value = 7")
    project.write(
        "orders.__init__",
        f"import PACKAGE.orders.helpers\n{TWO_STEPS}\nseen = helpers.value\n",
    )
    load_workflow(f"{project.package}.orders.Flow")
    project.write("orders.__init__", f"import PACKAGE.orders.helpers\n{TWO_STEPS}\nseen = helpers.value, 1\n")
    reload_definitions()
    assert sys.modules[f"{project.package}.orders"].seen == (7, 1)


def test_a_changed_module_is_loaded_anew_without_the_models_that_it_imports(project, count_reloads):
    project.write(
        "base",
        "from django.db import models\nfrom django_wfe.steps import Step\n"
        "class Common(models.Model):\n    class Meta: abstract = True\n"
        "class Fetch(Step):\n    def execute(self): return 1\n",
    )
    source = (
        "from django_wfe.workflows import *\nfrom django_wfe.steps import __start__\nfrom PACKAGE.base import Fetch\n"
        "class Flow(Workflow):\n    DIGRAPH = {__start__: [Fetch]}\n"
    )
    project.write("flows", source)
    load_workflow(f"{project.flows}.Flow")
    base, flows = sys.modules[f"{project.package}.base"], sys.modules[project.flows]
    project.write("flows", source + "FIVE = 5\n")
    reload_definitions()
    assert sys.modules[f"{project.package}.base"] is base
    assert sys.modules[project.flows] is not flows


def test_many_threads_that_lack_a_class_reload_once_and_all_find_it(project, count_reloads):
    project.write("flows", TWO_STEPS)
    load_workflow(f"{project.flows}.Flow")
    project.write("flows", TWO_STEPS + ANOTHER_WORKFLOW)
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


REGISTERING = """
from django_wfe.steps import *
from django_wfe.workflows import *
from PACKAGE.helper import RATE
from PACKAGE.counting import seen

seen.append("flows")

class Fetch(Step):
    def execute(self): return RATE

class Flow(Workflow):
    DIGRAPH = {__start__: [Fetch]}
"""


@pytest.fixture
def with_helper(project, count_reloads) -> Project:
    """A workflow that only declares, and needs a number of a helper."""
    project.write("helper", "RATE = 1")
    project.write("flows", REGISTERING.replace('from PACKAGE.counting import seen\n\nseen.append("flows")\n', ""))
    return project


def test_a_changed_helper_is_loaded_anew_with_the_module_that_needs_it(with_helper, count_reloads):
    assert load_node(f"{with_helper.flows}.Fetch")().execute() == 1
    with_helper.write("helper", "RATE = 2")
    with_helper.write("flows", with_helper.path("flows").read_text() + ANOTHER_WORKFLOW.replace("Store", "Fetch"))
    assert load_workflow(f"{with_helper.flows}.Another")
    assert load_node(f"{with_helper.flows}.Fetch")().execute() == 2
    assert count_reloads == ["reload"]


def test_a_helper_that_does_something_when_it_is_imported_asks_for_a_restart(with_helper, count_reloads):
    with_helper.write("helper", "import threading\nRATE = 1\nlock = threading.Lock()")
    fetch = load_node(f"{with_helper.flows}.Fetch")
    with_helper.write("helper", "import threading\nRATE = 2\nlock = threading.Lock()")
    with_helper.write("flows", with_helper.path("flows").read_text() + ANOTHER_WORKFLOW.replace("Store", "Fetch"))
    for _ in range(2):
        with pytest.raises(RestartNeeded, match="Restart the workers") as raised:
            load_workflow(f"{with_helper.flows}.Another")
        assert f"{with_helper.package}.helper" in str(raised.value)
        assert "line 3 calls threading.Lock()" in str(raised.value)
    assert count_reloads == []
    assert load_node(f"{with_helper.flows}.Fetch") is fetch


def test_a_module_that_registers_something_is_imported_once_however_often_it_changes(project, count_reloads):
    project.write("helper", "RATE = 1")
    project.write("counting", "seen = ['nothing yet']")
    project.write("flows", REGISTERING)
    load_node(f"{project.flows}.Fetch")
    seen = sys.modules[f"{project.package}.counting"].seen
    project.write("flows", REGISTERING + ANOTHER_WORKFLOW.replace("Store", "Fetch"))
    with pytest.raises(RestartNeeded, match=r"line 7 .*seen.append\('flows'\)"):
        load_workflow(f"{project.flows}.Another")
    assert seen == ["nothing yet", "flows"]


def test_a_new_module_is_not_run_with_an_older_helper(with_helper, count_reloads):
    """It would call what the helper has only in its file."""
    with_helper.write("helper", "import threading\nRATE = 1\nlock = threading.Lock()")
    load_node(f"{with_helper.flows}.Fetch")
    with_helper.write("helper", "import threading\nRATE = 1\nlock = threading.Lock()\ndef tax(): return 7")
    with_helper.write(
        "newer",
        "from django_wfe.steps import *\nfrom PACKAGE import helper\n"
        "class Tax(Step):\n    def execute(self): return helper.tax()\n",
    )
    with pytest.raises(RestartNeeded, match=f"{with_helper.package}.helper has changed"):
        load_node(f"{with_helper.package}.newer.Tax")
    assert f"{with_helper.package}.newer" not in sys.modules


def test_a_new_module_whose_helpers_are_as_they_were_is_just_imported(with_helper, count_reloads):
    load_node(f"{with_helper.flows}.Fetch")
    with_helper.write(
        "newer",
        "import threading\nfrom django_wfe.steps import *\nfrom PACKAGE import helper\nlock = threading.Lock()\n"
        "class Rate(Step):\n    def execute(self): return helper.RATE\n",
    )
    assert load_node(f"{with_helper.package}.newer.Rate")().execute() == 1
    assert count_reloads == []


def test_a_new_module_takes_a_declaring_helper_with_it_and_all_that_hold_the_old_one(with_helper, count_reloads):
    load_node(f"{with_helper.flows}.Fetch")
    with_helper.write("helper", "RATE = 3\ndef tax(): return 7")
    with_helper.write(
        "newer",
        "from django_wfe.steps import *\nfrom PACKAGE.helper import tax\n"
        "class Tax(Step):\n    def execute(self): return tax()\n",
    )
    assert load_node(f"{with_helper.package}.newer.Tax")().execute() == 7
    assert load_node(f"{with_helper.flows}.Fetch")().execute() == 3
    assert count_reloads == ["reload"]


def test_a_file_that_has_only_been_touched_is_not_loaded_anew(with_helper, count_reloads):
    load_node(f"{with_helper.flows}.Fetch")
    hash_held_code(load_workflow(f"{with_helper.flows}.Flow"))  # as a worker's heartbeat does
    source = with_helper.path("helper").read_text()
    with_helper.write("helper", source)
    with pytest.raises(CodeNotLoaded, match="has no Gone"):
        load_node(f"{with_helper.flows}.Gone")
    assert count_reloads == []


def test_modules_that_import_each_other_are_loaded_anew_in_the_order_of_the_first_time(project):
    flows = (
        "from django_wfe.steps import *\nfrom django_wfe.workflows import *\nRATE = {rate}\n"
        "from PACKAGE.parts import Fetch\nclass Flow(Workflow):\n    DIGRAPH = {{__start__: [Fetch]}}\n"
    )
    project.write("flows", flows.format(rate=1))
    parts = (
        "from django_wfe.steps import *\nfrom PACKAGE.flows import RATE\n"
        "class Fetch(Step):\n    def execute(self): return RATE\n"
    )
    project.write("parts", parts)
    load_workflow(f"{project.flows}.Flow")
    project.write("flows", flows.format(rate=2) + ANOTHER_WORKFLOW.replace("Store", "Fetch"))
    assert load_workflow(f"{project.flows}.Another")
    assert load_node(f"{project.package}.parts.Fetch")().execute() == 2
