"""Claims, drafts and the list of what waits, as the engine keeps them."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_wfe import provide_external_input
from django_wfe.engine.lifecycle import (
    assign_input,
    cancel_job,
    find_next,
    get_assignment,
    get_due,
    list_waiting,
    load_draft,
    pause_job,
    release_input,
    rerun_job,
    save_draft,
    skip_step,
)
from django_wfe.exceptions import NotEncodable, PermissionRequired, UnknownJob, WrongState
from django_wfe.models import Assignment, JobEvent, StepRun
from tests.declared.inbox_workflows import Guarded, Ordering
from tests.support.running.engine_helpers import create_user, list_events
from tests.support.running.questions import make_waiting
from tests.workflows import Asking

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

RIGHTS = ("view_job", "provide_input_job")


@pytest.fixture
def ann() -> User:
    return create_user("ann", *RIGHTS)


@pytest.fixture
def bob() -> User:
    return create_user("bob", *RIGHTS)


def get_last(run: StepRun) -> tuple[str, str, Any]:
    event = JobEvent.objects.filter(job_id=run.job_id).latest("pk")
    return event.kind, event.actor_name, event.data


def test_who_claims_first_has_it_and_the_other_is_told_who(ann: User, bob: User) -> None:
    run = make_waiting()
    assign_input(run.pk, ann)
    assign_input(run.pk, ann)  # once more changes nothing
    with pytest.raises(WrongState, match=f"“Give a number” of job {run.job_id} is assigned to ann"):
        assign_input(run.pk, bob)
    assignment = get_assignment(run.pk)
    assert assignment is not None
    assert assignment.user == ann
    assert list_events(run.job_id) == ["started", "claimed"]
    assert get_last(run) == ("claimed", "ann", {"step": "tests.declared.inbox_workflows.AskAtOnce"})


def test_a_claim_can_be_taken_over_by_who_saw_whose_it_is(ann: User, bob: User) -> None:
    run = make_waiting()
    assign_input(run.pk, ann)
    with pytest.raises(WrongState, match="assigned to ann"):
        assign_input(run.pk, bob, take_over_from=bob.pk)
    assign_input(run.pk, bob, take_over_from=ann.pk)
    with pytest.raises(WrongState, match="assigned to bob"):
        release_input(run.pk, ann)
    assert get_last(run) == ("taken_over", "bob", {"step": run.step, "from": "ann"})


def test_what_was_released_is_free_again_and_keeps_its_draft(ann: User, bob: User) -> None:
    run = make_waiting()
    with pytest.raises(WrongState, match="is not assigned"):
        release_input(run.pk, ann)
    assign_input(run.pk, ann)
    release_input(run.pk, ann)
    assert not Assignment.objects.exists()
    save_draft(run.pk, {"some_data": ["12"]}, ann)
    release_input(run.pk, None)
    assert get_last(run) == ("released", "", {"step": run.step, "from": "ann"})
    assert get_assignment(run.pk) is None
    assign_input(run.pk, bob)
    draft = load_draft(run.pk, ann)
    assert draft is not None
    assert (draft.data, draft.saved_by) == ({"some_data": ["12"]}, ann)


def test_a_draft_claims_and_the_last_one_counts(ann: User, bob: User) -> None:
    run = make_waiting()
    assert load_draft(run.pk, ann) is None
    save_draft(run.pk, ["first"], ann)
    save_draft(run.pk, {"anything": [1, None, "é"]}, ann)
    with pytest.raises(WrongState, match="assigned to ann"):
        save_draft(run.pk, ["mine"], bob)
    draft = load_draft(run.pk, ann)
    assert draft is not None
    assert draft.data == {"anything": [1, None, "é"]}
    assert list_events(run.job_id) == ["started", "claimed"]  # drafts are not events


def test_anothers_draft_is_data_of_the_job(ann: User, bob: User) -> None:
    run = make_waiting()
    save_draft(run.pk, {"some_data": ["12"]}, ann)
    assert load_draft(run.pk, bob) is None
    seer = create_user("seer", *RIGHTS, "view_job_data")
    draft = load_draft(run.pk, seer)
    assert draft is not None
    assert draft.saved_by == ann
    ann.delete()
    draft = load_draft(run.pk, seer)
    assert draft is not None
    assert draft.saved_by is None
    assert get_assignment(run.pk) is None


@pytest.mark.parametrize("data", [{"text": "a\0b"}, float("nan"), object()])
def test_what_json_cannot_hold_is_no_draft(data: Any, ann: User) -> None:
    run = make_waiting()
    with pytest.raises(NotEncodable, match="The draft"):
        save_draft(run.pk, data, ann)
    assert not Assignment.objects.exists()


def test_the_answer_ends_claim_and_draft(ann: User, bob: User) -> None:
    run = make_waiting()
    save_draft(run.pk, {"some_data": ["12"]}, ann)
    other = make_waiting()
    assign_input(other.pk, ann)
    provide_external_input(run.job_id, {"some_data": 1}, actor=bob)  # an assignment locks nobody out
    assert [assignment.step_run_id for assignment in Assignment.objects.all()] == [other.pk]
    for change in (
        lambda: assign_input(run.pk, ann),
        lambda: save_draft(run.pk, 1, ann),
        lambda: release_input(run.pk, ann),
    ):
        with pytest.raises(WrongState, match="no longer waits for input"):
            change()


def test_a_wrong_answer_leaves_claim_and_draft(ann: User) -> None:
    run = make_waiting()
    save_draft(run.pk, {"some_data": ["12"]}, ann)
    with pytest.raises(ValueError, match="some_data"):
        provide_external_input(run.job_id, {"some_data": "x"}, actor=ann)
    assert load_draft(run.pk, ann) is not None


@pytest.mark.parametrize(
    "end",
    [
        lambda job: cancel_job(job),
        lambda job: skip_step(job, 1),
        lambda job: rerun_job(job, 1),
    ],
)
def test_a_verb_that_ends_the_question_ends_its_claim(end: Any, ann: User) -> None:
    run = make_waiting()
    assign_input(run.pk, ann)
    end(run.job_id)
    assert not Assignment.objects.exists()


def test_a_paused_job_keeps_its_claim_and_leaves_the_list(ann: User) -> None:
    run = make_waiting()
    assign_input(run.pk, ann)
    pause_job(run.job_id)
    assert get_assignment(run.pk) is not None
    assert not list_waiting(ann).exists()


def test_who_may_not_answer_may_not_claim(ann: User) -> None:
    run, viewer = make_waiting(), create_user("viewer", "view_job")
    guarded = make_waiting(Guarded)
    for call in (
        lambda pk: assign_input(pk, viewer),
        lambda pk: release_input(pk, viewer),
        lambda pk: save_draft(pk, 1, viewer),
        lambda pk: load_draft(pk, viewer),
    ):
        with pytest.raises(PermissionRequired, match="provide_input_job"):
            call(run.pk)
        with pytest.raises(UnknownJob):
            call(10**9)
    for asking in (ann, viewer):
        with pytest.raises(UnknownJob):
            assign_input(guarded.pk, asking)
        with pytest.raises(UnknownJob):
            load_draft(guarded.pk, asking)
    assert not list_waiting(viewer).exists()
    assert [found.pk for found in list_waiting(ann)] == [run.pk]
    ann.groups.add(Group.objects.create(name="auditors"))
    member = User.objects.get(pk=ann.pk)
    assert [found.pk for found in list_waiting(member)] == [run.pk, guarded.pk]
    assign_input(guarded.pk, member)


def test_a_claim_needs_a_person() -> None:
    run = make_waiting()
    with pytest.raises(ValueError, match="actor=None"):
        assign_input(run.pk, None)


def test_what_waits_is_listed_oldest_first_by_whose_it_is_and_by_workflow(ann: User, bob: User) -> None:
    first, second, third = make_waiting(), make_waiting(Asking), make_waiting()
    StepRun.objects.filter(pk=third.pk).update(created_at=timezone.now() - timedelta(days=1))
    assign_input(first.pk, ann)
    assign_input(second.pk, bob)

    def listed(**options: Any) -> list[int]:
        return [run.pk for run in list_waiting(ann, **options)]

    assert listed() == [third.pk, first.pk, second.pk]
    assert listed(assigned="mine") == [first.pk]
    assert listed(assigned="unassigned") == [third.pk]
    assert listed(workflow=second.job.workflow) == [second.pk]
    assert listed(assigned="mine", workflow=second.job.workflow_id) == []
    assert list(list_waiting(None, assigned="mine")) == []
    assert list_waiting(None).count() == 3


def test_the_next_one_is_ones_own_then_one_that_nobody_has(ann: User, bob: User) -> None:
    runs = [make_waiting() for _ in range(4)]
    assign_input(runs[0].pk, bob)
    assign_input(runs[2].pk, ann)

    def next_of(user: User, **options: Any) -> int | None:
        found = find_next(user, **options)
        return found.pk if found is not None else None

    assert next_of(ann) == runs[2].pk
    assert next_of(ann, after_job=runs[2].job_id) == runs[1].pk
    assert next_of(bob, after_job=runs[0].job_id) == runs[1].pk
    for run in runs[1:]:
        provide_external_input(run.job_id, {"some_data": 1})
    assert next_of(ann) is None  # bob's is not pushed to others


def test_the_list_is_read_from_the_index_of_what_waits_and_without_payloads(ann: User) -> None:
    run = make_waiting()
    assign_input(run.pk, ann)
    with CaptureQueriesContext(connection) as captured:
        found = list(list_waiting(ann)[:50])
        assert [str(item.job.workflow) for item in found] == ["Numbering"]
        assert found[0].assignment.user == ann
    [sql] = [query["sql"] for query in captured if "steprun" in query["sql"]]
    selected = sql.partition(" FROM ")[0]
    assert not any(name in selected for name in ('"result"', '"external_data"', '"draft"', '"traceback"', '"error"'))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute(f"EXPLAIN {list_waiting(None)[:50].query}".replace("INPUT_REQUIRED", "'INPUT_REQUIRED'"))
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "wfe_run_due" in plan


def test_a_step_says_by_when_its_input_is_expected(ann: User) -> None:
    within, whenever = make_waiting(Ordering), make_waiting()
    assert get_due(within) == within.created_at + timedelta(hours=4)
    assert get_due(whenever) is None
