"""One verb over many Jobs."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone

from django_wfe import order_workflow_execution, run_workflow
from django_wfe.engine.access import list_visible_bulk_runs
from django_wfe.engine.bulk.runs import preview_bulk, resume_bulk, start_bulk, stop_bulk, work_on_bulk
from django_wfe.engine.bulk.stages import LOOK_AGAIN_SECONDS
from django_wfe.engine.lifecycle import VERBS
from django_wfe.engine.worker.loop import run_step_run
from django_wfe.exceptions import PermissionRequired, WrongState
from django_wfe.models import BulkEvent, BulkItem, BulkRun, Job, JobEvent, JobState, StepRun, StepRunState, Workflow
from django_wfe.wording.bulk_stops import explain_stop
from tests import workflows
from tests.support.running.engine_helpers import RecordingDispatcher, look_again, recording_dispatcher, run_ready

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def sent():
    with recording_dispatcher() as dispatcher:
        yield dispatcher


@pytest.fixture
def jobs() -> None:
    for _ in range(4):
        run_workflow(workflows.Failing)
    run_workflow(workflows.Linear)
    run_workflow(workflows.Asking)


@pytest.mark.usefixtures("jobs")
@pytest.mark.parametrize("verb", ["retry", "cancel", "pause", "resume", "skip", "rerun"])
def test_the_preview_of_each_verb_equals_what_it_then_does(verb: str) -> None:
    options = {"skip": {"result": "by hand"}, "rerun": {"number": 1}}.get(verb, {})
    before = dict(Job.objects.values_list("pk", "state"))
    preview = preview_bulk(verb, Job.objects.all())
    assert dict(Job.objects.values_list("pk", "state")) == before, "a preview changes nothing"
    bulk = start_bulk(verb, Job.objects.all(), options=options)
    work_on_bulk(bulk.pk)
    bulk.refresh_from_db()
    assert bulk.state == BulkRun.State.FINISHED
    assert bulk.total == preview.total == 6
    assert bulk.items.filter(state=BulkItem.State.DONE).count() == preview.allowed
    refused = bulk.items.filter(state=BulkItem.State.REFUSED).values_list("message", flat=True)
    assert {message: list(refused).count(message) for message in refused} == preview.left_alone


@pytest.mark.usefixtures("jobs")
def test_each_job_gets_its_own_event_with_actor_source_and_reason() -> None:
    operator = User.objects.create_superuser("operator")
    bulk = start_bulk("retry", Job.objects.all(), actor=operator, source="admin", reason="upstream is back")
    work_on_bulk(bulk.pk)
    events = JobEvent.objects.filter(kind=JobEvent.Kind.RETRIED)
    assert events.count() == 4
    assert set(events.values_list("actor", "actor_name", "source", "data__reason")) == {
        (operator.pk, "operator", "admin", "upstream is back")
    }


@pytest.mark.usefixtures("jobs")
def test_it_asks_for_the_permission_when_started_and_again_for_each_job() -> None:
    clerk = User.objects.create_user("clerk")
    with pytest.raises(PermissionRequired):
        start_bulk("retry", Job.objects.all(), actor=clerk)
    clerk.user_permissions.add(Permission.objects.get(codename="retry_job"))
    clerk = User.objects.get(pk=clerk.pk)
    bulk = start_bulk("retry", Job.objects.filter(state=JobState.FAILED), actor=clerk)
    clerk.user_permissions.clear()
    work_on_bulk(bulk.pk)
    assert bulk.items.filter(state=BulkItem.State.REFUSED, message__contains="retry_job").count() == 4


@pytest.mark.usefixtures("jobs")
def test_it_stops_when_whoever_started_it_is_deleted_and_does_not_go_on_as_trusted_code() -> None:
    leaver = User.objects.create_superuser("leaver")
    bulk = start_bulk("cancel", Job.objects.all(), actor=leaver)
    leaver.delete()
    work_on_bulk(bulk.pk)
    bulk.refresh_from_db()
    assert (bulk.state, explain_stop(list_visible_bulk_runs(None).get(pk=bulk.pk))) == (
        BulkRun.State.STOPPED,
        "leaver is no longer a user",
    )
    assert bulk.items.filter(state=BulkItem.State.PENDING).count() == 6
    assert not Job.objects.filter(state=JobState.CANCELED).exists()


@pytest.mark.usefixtures("jobs")
@pytest.mark.parametrize("kept_name", ["#", ""])
def test_a_user_without_a_name_is_no_trusted_code_either(monkeypatch: pytest.MonkeyPatch, kept_name: str) -> None:
    monkeypatch.setattr(User, "__str__", lambda user: " ")
    nobody = User.objects.create_superuser("nobody")
    bulk = start_bulk("cancel", Job.objects.all(), actor=nobody)
    assert bulk.actor_name == f"#{nobody.pk}"
    nobody.delete()
    BulkRun.objects.update(actor_name=kept_name)  # "" as it was kept before, too
    work_on_bulk(bulk.pk)
    bulk.refresh_from_db()
    assert (bulk.state, bulk.is_trusted) == (BulkRun.State.STOPPED, False)
    assert not Job.objects.filter(state=JobState.CANCELED).exists()


@pytest.mark.usefixtures("jobs")
@pytest.mark.parametrize(
    ("change", "state", "left"),
    [
        (lambda user: User.objects.filter(pk=user.pk).update(is_active=False), BulkRun.State.STOPPED, "PENDING"),
        (lambda user: User.objects.filter(pk=user.pk).delete(), BulkRun.State.STOPPED, "PENDING"),
        (lambda user: user.user_permissions.clear(), BulkRun.State.FINISHED, "REFUSED"),
        (lambda user: Workflow.objects.update(groups=["auditors"]), BulkRun.State.FINISHED, "REFUSED"),
        (lambda user: stop_bulk(BulkRun.objects.get().pk), BulkRun.State.STOPPED, "PENDING"),
    ],
    ids=["deactivated", "deleted", "without the permission", "out of the group", "stopped"],
)
def test_who_may_not_go_on_does_not_go_on_with_the_next_job(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[User], object], state: str, left: str
) -> None:
    user = User.objects.create_user("operator")
    user.user_permissions.add(Permission.objects.get(codename="cancel_job"))
    apply = VERBS["cancel"].apply

    def cancel(*args: object, **options: object) -> None:
        apply(*args, **options)
        change(user)

    monkeypatch.setattr(VERBS["cancel"], "apply", cancel)
    open_jobs = Job.objects.exclude(state=JobState.FINISHED)
    bulk = start_bulk("cancel", open_jobs, actor=User.objects.get(pk=user.pk))
    work_on_bulk(bulk.pk)
    bulk.refresh_from_db()
    assert (bulk.state, bulk.items.filter(state=BulkItem.State.DONE).count()) == (state, 1)
    assert bulk.items.filter(state=left).count() == bulk.total - 1 == 4
    assert Job.objects.filter(state=JobState.CANCELED).count() == 1


@pytest.mark.usefixtures("jobs")
def test_each_end_before_the_last_job_leaves_a_line_in_its_history(monkeypatch: pytest.MonkeyPatch) -> None:
    operator = User.objects.create_superuser("operator")
    stopped = start_bulk("cancel", Job.objects.all(), actor=operator)
    stop_bulk(stopped.pk, actor=operator, source="rest", reason="the wrong filter")
    with pytest.raises(WrongState):
        stop_bulk(stopped.pk, actor=operator)
    left = start_bulk("cancel", Job.objects.all(), actor=User.objects.create_superuser("leaver"))
    User.objects.filter(username="leaver").update(is_active=False)
    work_on_bulk(left.pk)
    finished = start_bulk("pause", Job.objects.all())
    work_on_bulk(finished.pk)
    lines = BulkEvent.objects.values_list("bulk_run", "kind", "actor", "actor_name", "source", "reason")
    assert list(lines) == [
        (stopped.pk, "stopped", operator.pk, "operator", "rest", "the wrong filter"),
        (left.pk, "actor_inactive", None, "", "engine", ""),
    ]


@pytest.mark.usefixtures("jobs")
def test_a_slice_ends_by_time_and_hands_the_rest_on(
    settings, sent: RecordingDispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django_wfe.engine.bulk.runs.BATCH", 2)
    settings.WFE_SLICE_SECONDS = 0.000001
    bulk = start_bulk("cancel", Job.objects.all())
    assert sent.bulk == [bulk.pk]
    slices = 0
    while sent.bulk:
        work_on_bulk(sent.bulk.pop())
        slices += 1
    bulk.refresh_from_db()
    assert (bulk.state, slices) == (BulkRun.State.FINISHED, 3)


@pytest.mark.usefixtures("jobs")
def test_a_bulk_run_whose_worker_died_is_taken_up_again(sent: RecordingDispatcher) -> None:
    bulk = start_bulk("cancel", Job.objects.all())
    sent.bulk.clear()
    assert resume_bulk() == 0
    BulkRun.objects.update(touched_at="2020-01-01T00:00:00Z")
    assert resume_bulk() == 1
    assert sent.bulk == [bulk.pk]


@pytest.mark.usefixtures("jobs")
def test_it_stops_by_itself_when_the_failure_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workflows.Fail, "FAILURES", 5)
    fingerprint = StepRun.objects.filter(state=StepRunState.FAILED).values_list("fingerprint", flat=True)[0]
    bulk = start_bulk("retry", Job.objects.filter(state=JobState.FAILED), stop_on_fingerprint=fingerprint)
    work_on_bulk(bulk.pk)
    first = bulk.items.get(state=BulkItem.State.DONE).job
    run_step_run(first.step_runs.get(state=StepRunState.READY).pk)
    look_again(bulk)
    bulk.refresh_from_db()
    assert bulk.state == BulkRun.State.STOPPED
    assert f"came back in job {first.pk}" in explain_stop(list_visible_bulk_runs(None).get(pk=bulk.pk))
    assert [event.kind for event in bulk.events.all()] == [BulkEvent.Kind.RETURNED]
    assert bulk.items.filter(state=BulkItem.State.PENDING).count() == 3


def test_a_repair_goes_on_with_as_many_jobs_as_went_well_and_waits_for_them_meanwhile(
    sent: RecordingDispatcher,
) -> None:
    jobs = [run_workflow(workflows.Failing) for _ in range(12)]
    fingerprint = StepRun.objects.filter(state=StepRunState.FAILED).values_list("fingerprint", flat=True)[0]
    bulk = start_bulk("retry", Job.objects.all(), stop_on_fingerprint=fingerprint)
    taken = bulk.items.filter(state=BulkItem.State.DONE)
    counts = []
    while BulkRun.objects.get(pk=bulk.pk).state != BulkRun.State.FINISHED:
        look_again(bulk)
        before = taken.count()
        look_again(bulk)  # while what was begun is still under way
        assert taken.count() == before
        assert sent.bulk[-1] == bulk.pk
        assert sent.bulk_delays[-1] > 0, "it waits at the broker, not in a worker's thread"
        counts.append(before)
        for job_id in taken.values_list("job", flat=True):
            run_ready(job_id)
    assert counts == [1, 2, 4, 8, 12]
    assert set(Job.objects.filter(pk__in=jobs).values_list("state", flat=True)) == {JobState.FINISHED}


def test_a_second_message_neither_takes_jobs_beside_the_first_nor_goes_on_beside_it(sent: RecordingDispatcher) -> None:
    for _ in range(3):
        run_workflow(workflows.Failing)
    bulk = start_bulk("retry", Job.objects.all(), stop_on_fingerprint=find_fingerprint())
    work_on_bulk(bulk.pk)
    run_ready(bulk.items.get(state=BulkItem.State.DONE).job_id)
    sent.bulk.clear()
    work_on_bulk(bulk.pk)
    assert (bulk.items.filter(state=BulkItem.State.DONE).count(), sent.bulk) == (1, [])
    BulkRun.objects.update(touched_at="2020-01-01T00:00:00Z")
    assert resume_bulk() == 1
    assert sent.bulk_delays[-1] >= LOOK_AGAIN_SECONDS, "its own touch would have the message do nothing"


def test_jobs_that_fail_in_another_way_do_not_count_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(8):
        run_workflow(workflows.Failing)
    bulk = start_bulk("retry", Job.objects.all(), stop_on_fingerprint=find_fingerprint())

    def fail(self: object) -> None:
        raise KeyError("the mend has a fault of its own")

    monkeypatch.setattr(workflows.Fail, "execute", fail)
    for taken in (1, 2, 3):
        look_again(bulk)
        done = bulk.items.filter(state=BulkItem.State.DONE)
        assert done.count() == taken, "one at a time, as long as none went well"
        for job_id in done.values_list("job", flat=True):
            run_ready(job_id)


def test_it_stops_when_a_step_kills_its_workers_again() -> None:
    jobs = [run_workflow(workflows.Failing) for _ in range(4)]
    StepRun.objects.filter(state=StepRunState.FAILED).update(state=StepRunState.LOST, error_type="LostTooOften")
    bulk = start_bulk("retry", Job.objects.all(), stop_on_fingerprint=find_fingerprint())
    work_on_bulk(bulk.pk)
    retried = StepRun.objects.filter(job=jobs[0], state=StepRunState.READY)
    retried.update(state=StepRunState.LOST, fingerprint=bulk.stop_on_fingerprint)
    Job.objects.filter(pk=jobs[0]).update(state=JobState.FAILED)
    look_again(bulk)
    bulk.refresh_from_db()
    assert (bulk.state, bulk.items.filter(state=BulkItem.State.PENDING).count()) == (BulkRun.State.STOPPED, 3)


def test_a_failure_from_before_the_jobs_turn_does_not_stop_it() -> None:
    first, second = run_workflow(workflows.Failing), run_workflow(workflows.Failing)
    bulk = start_bulk("retry", Job.objects.filter(pk__in=[first, second]), stop_on_fingerprint=find_fingerprint())
    work_on_bulk(bulk.pk)
    # Meanwhile somebody retries the second by hand, and it fails once more.
    attempt = StepRun.objects.filter(job=second, state=StepRunState.FAILED).get()
    attempt.pk, attempt.attempt, attempt.created_at = None, 2, timezone.now()
    attempt.save()
    run_ready(first)
    look_again(bulk)
    assert bulk.items.filter(state=BulkItem.State.DONE).count() == 2
    look_again(bulk)
    bulk.refresh_from_db()
    assert bulk.state == BulkRun.State.FINISHED


def test_jobs_that_run_again_from_an_earlier_step_are_under_way_until_they_are_past_it() -> None:
    jobs = [run_workflow(workflows.Failing) for _ in range(3)]
    fingerprint = find_fingerprint()
    bulk = start_bulk("rerun", Job.objects.all(), options={"number": 1}, stop_on_fingerprint=fingerprint)
    work_on_bulk(bulk.pk)
    StepRun.objects.filter(job=jobs[0], state=StepRunState.READY).update(step="tests.workflows.Fetch")
    look_again(bulk)
    assert bulk.items.filter(state=BulkItem.State.DONE).count() == 1


def find_fingerprint() -> str:
    return StepRun.objects.exclude(fingerprint="").values_list("fingerprint", flat=True)[0]


@pytest.mark.usefixtures("jobs")
def test_an_operator_stops_it_and_what_is_done_stays_done() -> None:
    bulk = start_bulk("cancel", Job.objects.all())
    stop_bulk(bulk.pk, reason="wrong filter")
    work_on_bulk(bulk.pk)
    assert bulk.items.filter(state=BulkItem.State.PENDING).count() == 6
    with pytest.raises(WrongState):
        stop_bulk(bulk.pk)


def test_a_wrong_option_is_refused_job_by_job_and_no_worker_dies_of_it() -> None:
    job_id = run_workflow(workflows.Failing)
    bulk = start_bulk("skip", Job.objects.filter(pk=job_id), options={"result": 1, "transition": 7})
    work_on_bulk(bulk.pk)
    item = bulk.items.get()
    assert (item.state, "edges" in item.message) == (BulkItem.State.REFUSED, True)


def test_two_thousand_jobs_are_listed_in_one_statement(django_assert_max_num_queries) -> None:
    first = order_workflow_execution(workflows.Linear)
    job = Job.objects.get(pk=first)
    Job.objects.bulk_create(
        Job(workflow_id=job.workflow_id, definition_id=job.definition_id, state=JobState.FAILED) for _ in range(2000)
    )
    with django_assert_max_num_queries(6):
        bulk = start_bulk("retry", Job.objects.filter(state=JobState.FAILED))
    assert bulk.total == 2000
    with django_assert_max_num_queries(1):
        assert preview_bulk("retry", Job.objects.all()).allowed == 2000
