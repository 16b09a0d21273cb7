"""Which code a worker holds: its hash, told once in its row, and compared with that of the definitions."""

import importlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from django_wfe.engine.project_code import classes
from django_wfe.engine.project_code.classes import load_workflow
from django_wfe.engine.project_code.code_versions import CodeNote, hash_code, hash_held_code
from django_wfe.engine.project_code.outdated_workers import list_outdated
from django_wfe.engine.project_code.recording import describe_workflow, record_workflow
from django_wfe.models import Definition, Worker, Workflow
from tests import workflows
from tests.definition_files import TWO_STEPS, Project, open_project
from tests.support.doors.console import read_page, record, sign_in, sign_in_superuser

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


@pytest.fixture
def project(tmp_path: Path, settings) -> Iterator[Project]:
    with open_project(tmp_path) as opened:
        settings.WFE_WORKFLOWS = [opened.flows]
        yield opened


def create_worker(**values: Any) -> Worker:
    return Worker.objects.create(**{"hostname": "barn", "pid": 7, "last_seen": Now(), **values})


def test_the_hash_covers_each_file_that_the_workflow_needs_and_is_the_same_for_code_that_is_held(project):
    project.write("rates", "RATE = 1")
    project.write("later", "LIMIT = 1")
    project.write("deep.__init__", "")
    project.write("deep.helper", "from ..rates import RATE")
    project.write("unrelated", "")
    project.write(
        "flows", TWO_STEPS + "from PACKAGE.deep.helper import RATE\ndef late():\n    from PACKAGE import later\n"
    )
    flow = load_workflow(f"{project.flows}.Flow")
    seen = [hash_code(flow)]
    assert hash_held_code(flow) == seen[0]
    for module, source in [("rates", "RATE = 2"), ("deep.__init__", "A = 1"), ("__init__", "A = 1")]:
        project.write(module, source)
        seen.append(hash_code(flow))
        assert hash_held_code(flow) == seen[0]
    project.write("later", "LIMIT = 2")  # nobody has imported it yet: it would be as it is now
    seen.append(hash_code(flow))
    assert hash_held_code(flow) != seen[0]
    assert len(set(seen)) == 5
    project.write("unrelated", "A = 1")
    assert hash_code(flow) == seen[-1]


def test_the_hash_covers_the_model_of_what_a_job_starts_with(project):
    project.write("schemas", "from pydantic import BaseModel\nclass Order(BaseModel): amount: int")
    given = "from PACKAGE.schemas import Order\nclass Flow(Workflow):\n    InputSchema = Order"
    project.write("flows", TWO_STEPS.replace("class Flow(Workflow):", given) + "\ndel Order\n")
    flow = load_workflow(f"{project.flows}.Flow")
    before = hash_code(flow)
    project.write("schemas", "from pydantic import BaseModel\nclass Order(BaseModel): total: int")
    assert hash_code(flow) != before


def test_code_whose_file_changed_before_anybody_looked_is_told_apart_from_that_of_the_file(project):
    project.write("flows", TWO_STEPS)
    flow = importlib.import_module(project.flows).Flow  # as a view would, behind the engine's back
    project.write("flows", TWO_STEPS.replace("return 1", "return 7"))
    assert hash_held_code(flow) == ""


@pytest.mark.django_db(transaction=True)
def test_a_worker_tells_its_code_once_and_again_when_it_has_a_new_row(project):
    classes.clear()  # what tests before it have loaded in this process
    project.write("flows", TWO_STEPS)
    flow = load_workflow(f"{project.flows}.Flow")
    worker, again = create_worker(), create_worker()
    note = CodeNote()
    note.tell(worker.pk).join()
    worker.refresh_from_db()
    assert worker.code == {f"{project.flows}.Flow": hash_code(flow)}
    with CaptureQueriesContext(
        connection,
    ) as captured:
        for _ in range(3):
            assert note.tell(worker.pk) is None
    assert len(captured) == 0
    note.tell(again.pk).join()
    again.refresh_from_db()
    assert again.code == worker.code


def test_a_worker_is_older_when_the_definition_was_read_after_it_started_and_other_when_not():
    row = record(workflows.Linear)
    definition = row.current_definition
    older = create_worker(code={row.path: "0" * 64}, started_at=Now() - timedelta(hours=1))
    other = create_worker(pid=8, code={row.path: ""}, started_at=Now() + timedelta(hours=1))
    same = create_worker(pid=9, code={row.path: definition.code_hash, "gone.Flow": "1"})
    first, second = list_outdated([older, other, same])
    assert (first.worker, first.is_older, first.workflows) == (older, True, (row,))
    assert str(first) == "Worker barn:7 runs older code than the definitions of Linear: restart it."
    assert (second.worker, second.is_older) == (other, False)
    assert "barn:8 runs other code" in str(second)
    assert "deploy the same code everywhere" in str(second)
    with translation.override("de"):
        assert "älter" in str(first)


def test_code_that_is_read_again_without_a_change_keeps_the_moment_of_its_first_reading():
    record(workflows.Linear)
    first = Definition.objects.get().code_read_at
    assert first is not None
    declared = describe_workflow(workflows.Linear)
    record_workflow(declared)
    assert Definition.objects.get().code_read_at == first
    Definition.objects.update(code_hash="1" * 64)
    record_workflow(declared)
    assert Definition.objects.get().code_read_at > first


def test_workflows_that_are_deleted_or_broken_make_no_worker_older():
    row = record(workflows.Linear)
    worker = create_worker(code={row.path: "0" * 64})
    Workflow.objects.update(load_error="broken")
    assert list_outdated([worker]) == []
    Workflow.objects.update(load_error="", deleted=True)
    assert list_outdated([worker]) == []
    assert len(list_outdated([])) == 0


def test_the_list_of_workers_asks_once_however_many_are_older():
    row = record(workflows.Linear)
    client = sign_in_superuser()
    counts = []
    for number in range(3):
        create_worker(pid=number + 1, code={row.path: "0" * 64})
        with CaptureQueriesContext(connection) as captured:
            page = read_page(client.get(reverse("admin:django_wfe_worker_changelist")))
        counts.append(len(captured))
        assert "older" in page.text or "different" in page.text
    assert counts[1] == counts[2]


def test_a_worker_that_has_stopped_is_not_asked_to_be_restarted():
    row = record(workflows.Linear)
    worker = create_worker(code={row.path: "0" * 64}, stopped_at=Now())
    page = read_page(sign_in_superuser().get(reverse("admin:django_wfe_worker_change", args=[worker.pk])))
    assert "restart it" not in page.text


def test_the_names_of_workflows_that_a_user_may_not_see_are_not_told():
    row = record(workflows.Linear)
    Workflow.objects.filter(pk=row.pk).update(groups=["board"])
    Group.objects.create(name="board")
    create_worker(code={row.path: "0" * 64})
    client = sign_in("view_job", "view_worker", "view_workflow")
    for name in ("admin:django_wfe_console", "admin:django_wfe_worker_changelist"):
        page = read_page(client.get(reverse(name)))
        assert "Linear" not in page.text
        assert "restart it" not in page.text
    assert "the definitions of Linear" in read_page(sign_in_superuser().get(reverse("admin:django_wfe_console"))).text
