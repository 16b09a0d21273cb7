"""Assigning what waits to somebody else: one question, or all that a colleague holds."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import override_settings

from django_wfe.engine.access import list_people
from django_wfe.engine.lifecycle import (
    assign_input,
    assign_to,
    get_assignment,
    hand_over,
    list_holders,
    load_draft,
    pause_job,
    save_draft,
)
from django_wfe.engine.operations import handing_over
from django_wfe.exceptions import PermissionRequired, UnknownJob, WrongState
from django_wfe.models import Job, JobEvent, StepRun
from django_wfe.policies import Policy
from tests.declared.inbox_workflows import Guarded
from tests.support.doors.api_calls import sign_in
from tests.support.running.engine_helpers import create_user
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


@pytest.fixture
def eve() -> User:
    return create_user("eve", *RIGHTS)


class NotForEve(Policy):
    """Eve answers no second question of a pair."""

    def may(self, actor: Any, verb: str, job: Job) -> bool:
        return not (actor.username == "eve" and verb == "answer" and job.pk % 2)


def get_holder(run: StepRun) -> str:
    assignment = get_assignment(run.pk)
    return assignment.user.get_username() if assignment is not None and assignment.user is not None else ""


def get_last(run: StepRun) -> tuple[str, str, Any]:
    event = JobEvent.objects.filter(job_id=run.job_id).latest("pk")
    return event.kind, event.actor_name, event.data


def test_a_question_is_assigned_to_somebody_else_by_who_saw_whose_it_is(ann: User, bob: User, eve: User) -> None:
    run = make_waiting()
    assign_to(run.pk, bob, ann)
    assert get_holder(run) == "bob"
    assert get_last(run) == ("handed_over", "ann", {"step": run.step, "to": "bob"})
    save_draft(run.pk, {"some_data": ["1"]}, bob)
    with pytest.raises(WrongState, match="assigned to bob"):
        assign_to(run.pk, eve, ann)
    with pytest.raises(WrongState, match="assigned to bob"):
        assign_to(run.pk, eve, ann, held_by=ann.pk)
    assign_to(run.pk, eve, ann, held_by=str(bob.pk))
    assert get_last(run) == ("handed_over", "ann", {"step": run.step, "from": "bob", "to": "eve"})
    before = JobEvent.objects.count()
    assign_to(run.pk, eve, ann)
    assert JobEvent.objects.count() == before
    assert load_draft(run.pk, bob) is not None


def test_nothing_is_assigned_to_who_may_not_answer_nor_by_them(ann: User, bob: User) -> None:
    run, guarded, outsider = make_waiting(), make_waiting(Guarded), create_user("outsider", "view_job")
    with pytest.raises(WrongState, match="outsider may not answer"):
        assign_to(run.pk, outsider, ann)
    with pytest.raises(PermissionRequired):
        assign_to(run.pk, bob, outsider)
    with pytest.raises(UnknownJob):
        assign_to(guarded.pk, bob, ann)
    ann.groups.add(Group.objects.create(name="auditors"))
    ann = User.objects.get(pk=ann.pk)
    with pytest.raises(WrongState, match="bob may not answer"):
        assign_to(guarded.pk, bob, ann)
    User.objects.filter(pk=bob.pk).update(is_active=False)
    with pytest.raises(WrongState, match="bob may not answer"):
        assign_to(run.pk, User.objects.get(pk=bob.pk), ann)
    assert [get_holder(run), get_holder(guarded)] == ["", ""]


def test_all_that_one_person_holds_goes_to_another_batch_by_batch(
    ann: User, bob: User, eve: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handing_over, "BATCH", 2)
    held, others = [make_waiting() for _ in range(5)], make_waiting(Asking)
    for run in held:
        assign_input(run.pk, bob)
    assign_input(others.pk, ann)
    pause_job(held[1].job_id)
    done = hand_over(bob, eve, ann, reason="On leave.")
    assert (done.moved, done.kept) == (5, 0)
    assert {get_holder(run) for run in held} == {"eve"}
    assert get_holder(others) == "ann"
    expected = {"step": held[0].step, "from": "bob", "to": "eve", "reason": "On leave."}
    assert get_last(held[0]) == ("handed_over", "ann", expected)
    assert hand_over(bob, eve, ann).moved == 0
    with pytest.raises(ValueError, match="bob has it already"):
        hand_over(bob, bob, ann)


def test_what_one_of_them_may_not_answer_stays_where_it_is(ann: User, bob: User, eve: User) -> None:
    auditors = Group.objects.create(name="auditors")
    bob.groups.add(auditors)
    bob = User.objects.get(pk=bob.pk)
    guarded, runs = make_waiting(Guarded), [make_waiting() for _ in range(4)]
    for run in (guarded, *runs):
        assign_input(run.pk, bob)
    with override_settings(WFE_POLICY="tests.integration.test_handing_over.NotForEve"):
        done = hand_over(bob, eve, ann)
    assert (done.moved, done.kept) == (2, 2)
    assert [get_holder(run) for run in runs] == ["bob" if run.job_id % 2 else "eve" for run in runs]
    assert get_holder(guarded) == "bob"  # ann does not even see it
    member = create_user("member", *RIGHTS)
    member.groups.add(auditors)
    assert hand_over(bob, eve, User.objects.get(pk=member.pk)).kept == 1
    with pytest.raises(PermissionRequired):
        hand_over(bob, eve, create_user("outsider", "view_job"))


def test_it_is_said_who_holds_how_much_of_what_one_may_answer(ann: User, bob: User, eve: User) -> None:
    bob.groups.add(Group.objects.create(name="auditors"))
    bob = User.objects.get(pk=bob.pk)
    for holder, count in ((bob, 3), (eve, 1)):
        for _ in range(count):
            assign_input(make_waiting().pk, holder)
    assign_input(make_waiting(Guarded).pk, bob)

    def told(user: User, most: int) -> list[tuple[str, int, bool]]:
        return [(holder.user.username, holder.count, holder.is_more) for holder in list_holders(user, most)]

    assert told(ann, 10) == [("bob", 3, False), ("eve", 1, False)]
    assert told(bob, 10) == [("bob", 4, False), ("eve", 1, False)]
    assert told(ann, 2) == [("bob", 2, True), ("eve", 1, False)]
    assert told(create_user("outsider", "view_job"), 10) == []


def test_those_are_offered_who_may_answer(ann: User) -> None:
    outsider = create_user("outsider", "view_job")
    group = Group.objects.create(name="clerks")
    group.permissions.set(ann.user_permissions.all())
    member = create_user("member")
    member.groups.add(group)
    root = User.objects.create_superuser("root")
    gone = create_user("gone", *RIGHTS)
    User.objects.filter(pk=gone.pk).update(is_active=False)
    assert list(list_people()) == [ann, member, root]
    assert outsider not in list_people()


def test_rest_assigns_and_hands_over(bob: User, eve: User) -> None:
    client, run, other = sign_in(*RIGHTS), make_waiting(), make_waiting()
    address = f"/wfe/jobs/{run.job_id}/assign/"
    assert client.post(address, {"person": "bob"}).json() == {"step_run": run.pk, "person": "bob"}
    refused = client.post(address, {"person": "eve"})
    assert refused.status_code == 409
    assert "assigned to bob" in refused.json()["detail"]
    assert client.post(address, {"person": "eve", "held_by": "bob"}).json()["person"] == "eve"
    unknown = client.post(address, {"person": "nobody"})
    assert (unknown.status_code, list(unknown.json()["errors"])) == (400, ["person"])
    own = client.post(address, {"person": None, "held_by": "eve"}, format="json")
    assert own.json()["person"] == get_holder(run) != "eve"
    assign_input(other.pk, bob)
    handed = client.post("/wfe/inbox/hand-over/", {"from": "bob", "to": "eve", "reason": "Ill."})
    assert handed.json() == {"moved": 1, "kept": 0}
    assert get_holder(other) == "eve"
    assert get_last(other)[2]["reason"] == "Ill."
    assert client.post("/wfe/inbox/hand-over/", {"from": "bob", "to": "bob"}).status_code == 400
