"""Bulk runs that were started before their rows said whose they are, and of which workflows."""

from importlib import import_module

import pytest
from django.contrib.auth.models import User
from django.db import connection

from django_wfe.engine.bulk.runs import start_bulk
from django_wfe.engine.lifecycle import run_workflow
from django_wfe.models import BulkRun, Job, Workflow
from tests.support.doors.console import record
from tests.workflows import Failing, Linear

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


@pytest.mark.parametrize(
    ("has_user", "name", "source", "is_trusted"),
    [
        (True, "ann", "admin", False),
        (False, "ann", "python", False),
        (False, "", "python", True),
        (False, "", "command", True),
        (False, "", "rest", False),
        (False, "", "admin", False),
    ],
)
def test_only_what_code_started_is_taken_for_trusted(has_user: bool, name: str, source: str, is_trusted: bool) -> None:
    user = User.objects.create_user("ann") if has_user else None
    run = BulkRun.objects.create(verb="retry", actor=user, actor_name=name, source=source)
    migrate_rows()
    run.refresh_from_db()
    assert run.is_trusted is is_trusted


def test_the_jobs_of_each_workflow_are_counted_as_a_start_counts_them() -> None:
    record(Failing)
    for workflow in (Failing, Failing, record(Linear)):
        run_workflow(workflow)
    run, none = start_bulk("retry", Job.objects.all()), start_bulk("retry", Job.objects.none())
    failing, linear = (str(Workflow.objects.get(name=name).pk) for name in ("Failing", "Linear"))
    assert (run.shares, none.shares) == ({failing: 2, linear: 1}, {})
    BulkRun.objects.update(shares={})
    migrate_rows()
    assert list(BulkRun.objects.order_by("pk").values_list("shares", flat=True)) == [run.shares, {}]


def migrate_rows() -> None:
    migration = import_module("django_wfe.migrations.0009_rights")
    with connection.cursor() as cursor:
        cursor.execute(migration.FIND_TRUSTED)
        cursor.execute(migration.COUNT_SHARES)
