"""By when an input is expected: a column that is written where a run opens that waits, and nowhere else."""

import importlib
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import F
from django.utils import timezone

from django_wfe import provide_external_input, run_workflow
from django_wfe.engine.lifecycle import find_next, get_due, list_waiting, rerun_job, skip_step
from django_wfe.engine.queries.inbox import list_page
from django_wfe.engine.recovery import sweep
from django_wfe.models import StepRun
from django_wfe.testing.clock import advance_time
from tests.declared import causes
from tests.declared.inbox_workflows import Approve, Approving, Numbering, Ordering
from tests.support.running import questions
from tests.support.running.engine_helpers import create_user, run_ready

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

TWO_DAYS = timedelta(days=2)
YES = {"answer": "approve"}


def make_waiting(workflow: Any = Approving, **options: Any) -> StepRun:
    return questions.make_waiting(workflow, **options)


def test_it_is_the_time_of_opening_and_what_the_step_says_however_the_run_opens() -> None:
    first = make_waiting()
    assert get_due(first) == first.created_at + TWO_DAYS
    provide_external_input(first.job_id, YES)
    run_ready(first.job_id)
    second = questions.get_waiting(first.job_id)
    assert second.number == 2
    assert get_due(second) == second.created_at + TWO_DAYS
    rerun_job(first.job_id, 1)
    again = questions.get_waiting(first.job_id)
    assert get_due(again) == again.created_at + TWO_DAYS
    skip_step(first.job_id, YES)
    skipped_to = questions.get_waiting(first.job_id)
    assert skipped_to.step == second.step
    assert get_due(skipped_to) == skipped_to.created_at + TWO_DAYS
    assert not StepRun.objects.filter(expires_at__isnull=False).exclude(step__contains="Approve").exists()


def test_what_is_asked_for_again_is_due_when_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_waiting()
    due = get_due(run)
    provide_external_input(run.job_id, YES)
    monkeypatch.setattr(Approve, "UserInputSchema", causes.StricterInput)
    run_ready(run.job_id)
    again = questions.get_waiting(run.job_id)
    assert (again.pk, get_due(again)) == (run.pk, due), "its first input no longer fits; the time goes on"


def test_what_is_asked_for_again_gets_the_time_that_a_worker_of_before_the_column_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = make_waiting()
    provide_external_input(run.job_id, YES)
    StepRun.objects.update(expires_at=None)
    monkeypatch.setattr(Approve, "UserInputSchema", causes.StricterInput)
    run_ready(run.job_id)
    again = questions.get_waiting(run.job_id)
    assert get_due(again) == again.created_at + TWO_DAYS


def test_a_step_that_names_no_time_and_a_run_that_does_not_wait_have_none() -> None:
    assert get_due(make_waiting(Numbering)) is None
    answered = run_workflow(Approving, first_input=YES)
    assert StepRun.objects.get(job_id=answered, number=1).expires_at is None


def test_it_comes_nearer_as_time_passes() -> None:
    run = make_waiting()
    advance_time(TWO_DAYS.total_seconds() + 60)
    run.refresh_from_db()
    assert run.expires_at is not None
    assert run.expires_at < timezone.now()


def forget_due_times() -> list[int]:
    """Have the rows as a worker of before the column leaves them."""
    StepRun.objects.update(expires_at=None)
    return list(StepRun.objects.filter(state="INPUT_REQUIRED").values_list("pk", flat=True))


def list_filled() -> list[int]:
    filled = StepRun.objects.filter(expires_at=F("created_at") + TWO_DAYS)
    return list(filled.order_by("pk").values_list("pk", flat=True))


def test_the_sweep_fills_in_what_a_worker_of_before_the_column_left_out() -> None:
    waiting = [make_waiting().pk, make_waiting().pk]
    undated, ended = make_waiting(Numbering), make_waiting()
    provide_external_input(ended.job_id, YES)
    forget_due_times()
    sweep()
    assert list_filled() == waiting
    undated.refresh_from_db()
    assert undated.expires_at is None


def test_the_migration_fills_it_for_what_waits_and_goes_on_where_it_was_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    migration = importlib.import_module("django_wfe.migrations.0018_expires_at")
    waiting = sorted(make_waiting().pk for _ in range(5))
    make_waiting(Numbering)
    forget_due_times()
    monkeypatch.setattr(migration, "BATCH", 2)
    monkeypatch.setattr(migration, "change_indexes", lambda *args: None)  # not inside of a test's transaction
    with connection.schema_editor() as editor:
        migration.add(apps, editor)
        migration.add(apps, editor)
    assert list_filled() == waiting


def test_the_most_urgent_comes_first_and_what_has_no_due_time_last_the_oldest_first() -> None:
    user = create_user("ann", "view_job", "provide_input_job")
    undated, dated = [make_waiting(Numbering) for _ in range(4)], [make_waiting() for _ in range(4)]
    moment = timezone.now()
    for run, hours in zip(dated, (5, -3, 5, 1), strict=True):
        # Two are due at one moment: then the older one comes first.
        StepRun.objects.filter(pk=run.pk).update(expires_at=moment + timedelta(hours=hours))
    expected = [dated[1], dated[3], dated[0], dated[2], *undated]
    assert list(list_waiting(user)) == expected
    for size in (1, 2, 3, 8, 20):
        assert walk(user, size) == expected, size
    assert find_next(user) == dated[1]


def walk(user: User, size: int) -> list[StepRun]:
    """Go from page to page to the end."""
    found: list[StepRun] = []
    while page := list_page(list_waiting(user), found[-1] if found else None, size):
        assert len(page) <= size
        found += page
    return found


@pytest.mark.parametrize("few", [1, 2_000])
def test_the_filters_hold_for_a_workflow_and_a_person_of_whom_few_or_many_wait(
    few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django_wfe.engine.lifecycle import assign_input
    from django_wfe.engine.queries import inbox

    monkeypatch.setattr(inbox, "FEW", few)
    ann, bob = (create_user(name, "view_job", "provide_input_job") for name in ("ann", "bob"))
    approvals = [make_waiting() for _ in range(3)]
    orders = [make_waiting(Ordering) for _ in range(2)]
    for run in (*approvals[:2], orders[0]):
        assign_input(run.pk, bob)
    approving = approvals[0].job.workflow
    assert set(list_waiting(ann, workflow=approving)) == set(approvals)
    assert set(list_waiting(ann, workflow=approving, person=bob.pk)) == set(approvals[:2])
    assert set(list_waiting(ann, person=bob)) == {*approvals[:2], orders[0]}
    assert set(list_waiting(bob, assigned="mine", step=orders[0].step)) == {orders[0]}
    assert set(list_waiting(ann, workflow=approving, assigned="unassigned")) == {approvals[2]}
    assert list(list_waiting(ann, person=bob, assigned="unassigned")) == []
    for options in ({"workflow": approving}, {"person": bob}, {"step": orders[0].step}, {"assigned": "unassigned"}):
        count, is_more = inbox.count_waiting(ann, 1_000, **options)
        wanted = list_waiting(ann, **options).count()
        assert count <= wanted
        assert is_more or count == wanted, options
        assert not is_more or few == 1
