"""The pytest plugin's fixtures and the broker's double, and the page that documents them."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from django_wfe import order_workflow_execution
from django_wfe.engine.bulk.runs import start_bulk
from django_wfe.engine.delivery.dispatcher import install_dispatcher
from django_wfe.engine.lifecycle import start_job
from django_wfe.models import Job, JobState, StepRun
from django_wfe.testing import RecordingDispatcher
from tests import workflows as samples

pytestmark = pytest.mark.integration

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"


def test_the_fixture_runs_a_workflow_without_any_mark(wfe: Any) -> None:
    assert wfe.run_to_end(samples.Linear).state == JobState.FINISHED


@pytest.mark.django_db(transaction=True)
def test_the_fixture_gives_real_commits_where_the_mark_asks_for_them(wfe: Any) -> None:
    wfe.assert_survives_crashes(samples.Writing)


@pytest.mark.django_db(transaction=True)
def test_messages_may_come_twice_late_out_of_order_or_never(wfe: Any, wfe_dispatcher: RecordingDispatcher) -> None:
    samples.EXECUTED.clear()
    jobs = [order_workflow_execution(samples.Linear) for _ in range(3)]
    wfe_dispatcher.duplicate_all()
    wfe_dispatcher.shuffle(seed=1)
    lost = wfe_dispatcher.messages.pop()
    assert wfe_dispatcher.deliver_all() == 5
    assert len(samples.EXECUTED) == 9
    assert Job.objects.filter(state=JobState.FINISHED).count() == 3
    lost.deliver()
    assert (len(samples.EXECUTED), wfe_dispatcher.sent) == (9, 3)
    order_workflow_execution(samples.Linear)
    assert wfe_dispatcher.drop_all() == 1
    assert wfe_dispatcher.deliver_all() == 0
    assert wfe.work() == 1
    assert Job.objects.filter(state=JobState.FINISHED).count() == len(jobs) + 1


@pytest.mark.django_db(transaction=True)
def test_the_double_also_delivers_bulk_runs(wfe_dispatcher: RecordingDispatcher) -> None:
    order_workflow_execution(samples.Linear)
    start_bulk("cancel", Job.objects.all())
    assert wfe_dispatcher.deliver_all() >= 1
    wfe_dispatcher.deliver_all()
    assert set(Job.objects.values_list("state", flat=True)) <= {JobState.CANCELED, JobState.FINISHED}
    assert StepRun.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_messages_without_end_are_an_error() -> None:
    class Echo(RecordingDispatcher):
        def deliver_next(self) -> bool:
            return True

    with Echo() as broker:
        start_job(samples.Linear)
        with pytest.raises(AssertionError, match="limit="):
            broker.deliver_all(limit=5)


@pytest.mark.django_db
def test_the_dispatcher_before_is_back_after_the_block() -> None:
    outer, inner = RecordingDispatcher(), RecordingDispatcher()
    with outer:
        with inner:
            pass
        assert install_dispatcher(outer) is outer


def test_the_plugin_loads_without_django_and_a_project_without_the_app_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "bare_settings.py").write_text('DATABASES = {}\nINSTALLED_APPS = []\nSECRET_KEY = "x"\n')
    (tmp_path / "test_bare.py").write_text(
        "import sys\nimport pytest\n\n"
        "def test_nothing_is_imported():\n"
        "    assert not [name for name in sys.modules if name.startswith('django_wfe.models')]\n\n"
        "@pytest.fixture\ndef db():\n    pass\n\n"
        "def test_asks(wfe):\n    pass\n"
    )
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--ds=bare_settings", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "1 passed, 1 error" in ran.stdout, ran.stdout + ran.stderr
    assert 'This fixture needs "django_wfe" in INSTALLED_APPS.' in ran.stdout


def test_the_page_shows_the_example_that_is_tested() -> None:
    blocks = re.findall(r"```python\n(# orders/.*?)```", PAGE.read_text(), re.DOTALL)
    tested = _list_definitions((Path(__file__).parent / "test_testing_example.py").read_text())
    shown = [definition for block in blocks for definition in _list_definitions(block)]
    assert len(shown) >= 8
    assert not set(shown) - set(tested)


def _list_definitions(source: str) -> list[str]:
    kinds = (ast.ClassDef, ast.FunctionDef)
    return [ast.unparse(node) for node in ast.parse(source).body if isinstance(node, kinds)]
