"""Starting many jobs in one go, as the engine does it."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, User

from django_wfe import signals
from django_wfe.engine.lifecycle import StartRow, plan_starts, start_many
from django_wfe.engine.operations import starting, starting_many
from django_wfe.exceptions import CodeNotLoaded, InvalidWorkflow, PermissionRequired, UnknownWorkflow, WorkflowDeleted
from django_wfe.models import Job, JobEvent, JobState, StepRun, Workflow
from tests.declared.inbox_workflows import Guarded, Numbering, Ordering
from tests.declared.input_workflows import MOODS, Moody
from tests.support.doors.console import record
from tests.support.running.engine_helpers import create_user, list_events, recording_dispatcher
from tests.workflows import Linear

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


def build_rows(*rows: tuple[str | None, dict[str, Any]]) -> list[StartRow]:
    return [StartRow(number, key, values) for number, (key, values) in enumerate(rows, start=2)]


def outcomes(planned: Any) -> list[tuple[int, str, Any]]:
    return [(row.row.number, row.outcome, row.errors or row.job_id) for row in planned]


@pytest.fixture
def numbering() -> Workflow:
    return record(Numbering)


def test_the_plan_tells_what_would_become_of_each_row_and_changes_nothing(numbering: Workflow) -> None:
    [before] = start_many(numbering, build_rows(("a", {"some_data": 1})))
    rows = build_rows(
        ("a", {"some_data": 2}),
        ("b", {"some_data": 3}),
        ("b", {"some_data": 4}),
        (None, {"some_data": "x"}),
        (None, {}),
        ("c" * 256, {"some_data": 5}),
        ("", {"some_data": 5}),
        (None, {"some_data": 6, "day": "2026-02-30"}),
        (None, {"some_data": "7", "day": "2026-02-28"}),
    )
    planned = outcomes(plan_starts(numbering, rows))
    assert planned[:2] == [(2, "known", before.job_id), (3, "start", None)]
    assert planned[2] == (4, "refused", ("key: row 3 has the same key.",))
    assert planned[3][2][0].startswith("some_data: Input should be a valid integer")
    assert planned[4] == (6, "refused", ("some_data: Field required",))
    assert planned[5][2][0].startswith("key: use a text of 1 to 255 characters")
    assert planned[6][1] == "refused"
    assert planned[7][2][0].startswith("day: Input should be a valid date")
    assert planned[8] == (10, "start", None)
    assert Job.objects.count() == 1


@pytest.mark.parametrize("is_deleted", [True, False])
def test_the_right_to_start_is_asked_for_each_row(
    numbering: Workflow, monkeypatch: pytest.MonkeyPatch, is_deleted: bool
) -> None:
    starter = create_user("starter", "add_job", "provide_input_job")

    def start_and_lose(*args: Any, **options: Any) -> Any:
        started = starting.start_job(*args, **options)
        rows = User.objects.filter(pk=starter.pk)
        _ = rows.delete() if is_deleted else rows.update(is_active=False)
        return started

    monkeypatch.setattr(starting_many, "start_job", start_and_lose)
    rows = build_rows(*((str(number), {"some_data": number}) for number in range(3)))
    started = start_many(numbering, rows, actor=User.objects.get(pk=starter.pk))
    assert [row.outcome for row in started] == ["start", "refused", "refused"]
    assert "starter may not do this" in started[1].errors[0]


def test_each_row_that_can_starts_a_job_with_its_input(numbering: Workflow) -> None:
    actor = create_user("ann", "add_job", "provide_input_job")
    with recording_dispatcher() as dispatcher:
        done = start_many(
            numbering.pk,
            build_rows(("a", {"some_data": 1}), (None, {"some_data": "x"}), (None, {"some_data": 3})),
            actor=actor,
            source="admin",
        )
    assert [row.outcome for row in done] == ["start", "refused", "start"]
    assert len(dispatcher.sent) in (0, 2)  # inside the test's transaction nothing is sent yet
    jobs = list(Job.objects.order_by("pk"))
    assert [(job.key, job.state, job.created_by) for job in jobs] == [
        ("a", JobState.INPUT_RECEIVED, actor),
        (None, JobState.INPUT_RECEIVED, actor),
    ]
    assert list_events(jobs[0].pk) == ["started", "input_provided"]
    assert set(JobEvent.objects.values_list("source", "actor_name")) == {("admin", "ann")}
    assert StepRun.objects.get(job=jobs[1], number=1).external_data == {"some_data": 3, "day": None}


@pytest.mark.django_db(transaction=True)
def test_no_job_of_a_file_is_announced_as_waiting(numbering: Workflow) -> None:
    heard: list[str] = []

    def note_start(**named: Any) -> None:
        heard.append("job_started")

    def note_question(**named: Any) -> None:
        heard.append("input_required")

    signals.job_started.connect(note_start)
    signals.input_required.connect(note_question)
    try:
        with recording_dispatcher() as dispatcher:
            start_many(numbering, build_rows(("a", {"some_data": 1}), ("b", {"some_data": 2})))
    finally:
        signals.job_started.disconnect(note_start)
        signals.input_required.disconnect(note_question)
    assert heard == ["job_started", "job_started"]
    assert len(dispatcher.sent) == 2


def test_the_same_call_again_starts_nothing_twice(numbering: Workflow) -> None:
    rows = build_rows((None, {"some_data": 1}), ("b", {"some_data": 2}))
    first = start_many(numbering, rows, batch="file 1 row")
    second = start_many(numbering, rows, batch="file 1 row")
    assert [row.outcome for row in second] == ["known", "known"]
    assert [row.job_id for row in second] == [row.job_id for row in first]
    assert set(Job.objects.values_list("key", flat=True)) == {"file 1 row 2", "b"}
    assert [row.outcome for row in start_many(numbering, rows)] == ["start", "known"]


def test_a_workflow_whose_first_step_asks_nothing_starts_from_keys_alone() -> None:
    workflow = record(Linear)
    done = start_many(workflow, build_rows(("a", {"unused": 1}), (None, {})))
    assert [row.outcome for row in done] == ["start", "start"]
    assert set(Job.objects.values_list("state", flat=True)) == {JobState.PENDING}


def test_a_validator_with_a_defect_refuses_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    workflow = record(Moody)
    MOODS.append(RuntimeError("out of order"))
    try:
        [row] = plan_starts(workflow, build_rows((None, {"amount": 1})))
    finally:
        MOODS.clear()
    assert row.outcome == "refused"
    assert "raised RuntimeError: out of order" in row.errors[0]


def test_what_is_refused_when_it_is_done_leaves_no_job_without_its_input(
    numbering: Workflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **options: Any) -> None:
        raise CodeNotLoaded("gone meanwhile")

    monkeypatch.setattr(starting, "load_node", refuse)
    [row] = start_many(numbering, build_rows(("a", {"some_data": 1})))
    assert (row.outcome, row.errors) == ("refused", ("gone meanwhile",))
    assert not Job.objects.exists()


def test_errors_tell_no_values(numbering: Workflow) -> None:
    workflow = record(Ordering)
    [row] = plan_starts(workflow, build_rows((None, {"customer": "kept to itself" * 9, "address": {"city": 1}})))
    assert [error.partition(":")[0] for error in row.errors] == ["customer", "address.city"]
    assert "kept to itself" not in " ".join(row.errors)


def test_who_may_not_start_or_answer_starts_nothing(numbering: Workflow) -> None:
    rows = build_rows((None, {"some_data": 1}))
    with pytest.raises(PermissionRequired, match="add_job"):
        start_many(numbering, rows, actor=create_user("a", "provide_input_job"))
    with pytest.raises(PermissionRequired, match="provide_input_job"):
        start_many(numbering, rows, actor=create_user("b", "add_job"))
    guarded, both = record(Guarded), create_user("c", "add_job", "provide_input_job")
    with pytest.raises(UnknownWorkflow) as raised:
        start_many(guarded, rows, actor=both)
    assert "Guarded" not in str(raised.value)
    assert not Job.objects.exists()
    both.groups.add(Group.objects.create(name="auditors"))
    assert start_many(guarded, rows, actor=User.objects.get(pk=both.pk))[0].outcome == "start"


def test_a_workflow_that_cannot_start_says_so(numbering: Workflow, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = build_rows((None, {"some_data": 1}))
    monkeypatch.setattr(starting_many, "MAX_ROWS", 0)
    with pytest.raises(ValueError, match="1 rows are too many: at most 0"):
        plan_starts(numbering, rows)
    monkeypatch.undo()
    Workflow.objects.filter(pk=numbering.pk).update(current_definition=None)
    with pytest.raises(InvalidWorkflow):
        start_many(numbering.pk, rows)
    Workflow.objects.filter(pk=numbering.pk).update(deleted=True)
    with pytest.raises(WorkflowDeleted):
        start_many(numbering.pk, rows)
    assert not Job.objects.exists()
