"""A process that starts Jobs does not read the Workflow's row each time, and never acts on an old one."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import ProtectedError
from django.test.utils import CaptureQueriesContext

from django_wfe import lifecycle, order_workflow_execution
from django_wfe.engine.operations import workflow_lookup
from django_wfe.engine.operations.workflow_lookup import forget_workflows
from django_wfe.engine.project_code.recording import describe_workflow, record_workflow
from django_wfe.exceptions import InputNotAsked, InvalidWorkflow, UnknownWorkflow, WorkflowDeleted
from django_wfe.models import Job, JobEvent, Workflow
from django_wfe.models.workflows import load_graph
from tests.declared.job_input_workflows import Shipping
from tests.support.running.engine_helpers import create_user
from tests.workflows import Linear

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def forgotten() -> None:
    forget_workflows()


@pytest.fixture
def row() -> Workflow:
    order_workflow_execution(Linear)
    return Workflow.objects.get(path="tests.workflows.Linear")


def count_queries(workflow: Any, **options: Any) -> int:
    with CaptureQueriesContext(connection) as captured:
        order_workflow_execution(workflow, **options)
    return len(captured)


def test_the_second_start_is_one_statement(row: Workflow) -> None:
    for name in (Linear, row.pk, str(row.pk), row.path, row):
        order_workflow_execution(name)
        assert count_queries(name) == 1


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"deleted": True}, WorkflowDeleted),
        ({"load_error": "broken"}, InvalidWorkflow),
        ({"current_definition": None}, InvalidWorkflow),
    ],
)
def test_a_workflow_that_may_start_no_longer_starts_nothing(row: Workflow, change: dict[str, Any], error: Any) -> None:
    order_workflow_execution(row.pk)
    Workflow.objects.filter(pk=row.pk).update(**change)
    jobs = Job.objects.count()
    with pytest.raises(error):
        order_workflow_execution(row.pk)
    assert Job.objects.count() == jobs


def test_a_refusal_that_is_out_of_date_is_not_told(row: Workflow) -> None:
    """The Workflow had no input when its row was read; it has by now."""
    shipping = record_workflow(describe_workflow(Shipping))
    Workflow.objects.filter(pk=shipping.pk).update(current_definition=row.current_definition_id)
    order_workflow_execution(shipping.pk)
    with pytest.raises(InputNotAsked):
        order_workflow_execution(shipping.pk, input={"order": 5})
    Workflow.objects.filter(pk=shipping.pk).update(current_definition=shipping.current_definition_id)
    job = Job.objects.get(pk=order_workflow_execution(shipping.pk, input={"order": 5}))
    assert job.definition_id == shipping.current_definition_id


def test_a_workflow_that_is_narrowed_to_groups_is_unknown_to_others_at_once(row: Workflow) -> None:
    user = create_user("ada", "add_job")
    order_workflow_execution(row.pk, created_by=user)
    lifecycle.start_job(row.pk, actor=user)
    Workflow.objects.filter(pk=row.pk).update(groups=["staff"])
    jobs = Job.objects.count()
    with pytest.raises(UnknownWorkflow):
        lifecycle.start_job(row.pk, actor=user)
    assert Job.objects.count() == jobs
    Workflow.objects.filter(pk=row.pk).update(groups=[])
    assert lifecycle.start_job(row.pk, actor=user).created


def test_a_known_key_gives_its_job_whatever_is_remembered(row: Workflow) -> None:
    first = order_workflow_execution(row.pk, key="one")
    assert order_workflow_execution(row.pk, key="one") == first
    Workflow.objects.filter(pk=row.pk).update(deleted=True)
    assert order_workflow_execution(row.pk, key="one") == first
    assert JobEvent.objects.filter(job=first).count() == 1


def test_rows_that_were_rolled_back_are_read_anew() -> None:
    """As between the tests of a project: the process remembers rows, and definitions, that never came to be."""
    with transaction.atomic():
        for _ in range(2):
            order_workflow_execution(Linear)
        transaction.set_rollback(True)
    load_graph.cache_clear()
    assert workflow_lookup.recall_workflow(Linear, None) is not None
    job = Job.objects.get(pk=order_workflow_execution(Linear))
    assert job.definition_id == Workflow.objects.get().current_definition_id


def test_a_row_that_is_gone_is_read_anew(row: Workflow) -> None:
    order_workflow_execution(row.pk)
    Job.objects.all().delete()
    Workflow.objects.filter(pk=row.pk).delete()
    with pytest.raises(UnknownWorkflow):
        order_workflow_execution(row.pk)
    new = Job.objects.get(pk=order_workflow_execution(Linear))
    assert new.workflow_id != row.pk


def test_what_one_caller_looks_up_on_a_row_another_does_not_find_there(row: Workflow) -> None:
    order_workflow_execution(row.pk)
    first = workflow_lookup.recall_workflow(row.pk, None)
    second = workflow_lookup.recall_workflow(row.pk, None)
    assert first == second
    assert first is not second


def test_no_more_rows_are_remembered_than_so_many(row: Workflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workflow_lookup, "MOST_REMEMBERED", 2)
    for name in (Linear, row.pk, row.path, str(row.pk)):
        order_workflow_execution(name)
    assert len(workflow_lookup._remembered) <= 2


def test_a_workflow_with_jobs_is_protected(row: Workflow) -> None:
    with pytest.raises(ProtectedError):
        row.delete()


@pytest.mark.django_db(transaction=True)
def test_nobody_deletes_a_workflow_of_which_a_job_is_being_started() -> None:
    """The database has no foreign key from Jobs to Workflows: the statement of a start holds the row in its place."""
    order_workflow_execution(Linear)
    Job.objects.all().delete()
    row = Workflow.objects.get()
    ends: list[Any] = []

    def delete() -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '300ms'")
                cursor.execute("DELETE FROM django_wfe_workflow WHERE id = %s", [row.pk])
            ends.append("deleted")
        except Exception as error:
            ends.append(error)
        finally:
            connection.close()

    with transaction.atomic():
        order_workflow_execution(row.pk)
        thread = threading.Thread(target=delete)
        thread.start()
        thread.join(20)
    assert "lock timeout" in str(ends[0])
    assert Job.objects.get().workflow == row


@pytest.mark.django_db(transaction=True)
def test_a_row_that_changes_while_starts_are_at_work_loses_none_and_starts_none_too_many() -> None:
    order_workflow_execution(Linear)
    row = Workflow.objects.get()
    stop = threading.Event()
    ends: list[Any] = []

    def start() -> None:
        try:
            ends.extend(order_workflow_execution(row.pk) for _ in range(40))
        except Exception as error:
            ends.append(error)
        finally:
            connection.close()

    def change() -> None:
        while not stop.is_set():
            Workflow.objects.filter(pk=row.pk).update(name=row.name)
        connection.close()

    threads = [threading.Thread(target=start) for _ in range(3)]
    changer = threading.Thread(target=change)
    for thread in (changer, *threads):
        thread.start()
    for thread in threads:
        thread.join(60)
    stop.set()
    changer.join(20)
    assert [end for end in ends if not isinstance(end, int)] == []
    assert len(set(ends)) == 120
    assert Job.objects.count() == 121
