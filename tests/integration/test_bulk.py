"""One verb over many Jobs."""

import pytest
from django.contrib.auth.models import Permission, User

from django_wfe import order_workflow_execution, run_workflow
from django_wfe.engine.bulk import preview_bulk, resume_bulk, start_bulk, stop_bulk, work_on_bulk
from django_wfe.engine.dispatcher import install_dispatcher
from django_wfe.engine.executor import run_step_run
from django_wfe.exceptions import PermissionRequired, WrongState
from django_wfe.models import BulkItem, BulkRun, Job, JobEvent, JobState, StepRun, StepRunState
from tests import workflows
from tests.engine_helpers import run_ready

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


class Sent:
    def __init__(self) -> None:
        self.bulk: list[int] = []
        self.delays: list[float] = []

    def dispatch(self, step_run_id: int, *, delay_seconds: float = 0) -> None:
        pass

    def dispatch_bulk(self, bulk_run_id: int, *, delay_seconds: float = 0) -> None:
        self.bulk.append(bulk_run_id)
        self.delays.append(delay_seconds)


@pytest.fixture(autouse=True)
def sent():
    sent = Sent()
    before = install_dispatcher(sent)
    yield sent
    install_dispatcher(before)


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
    assert (bulk.state, bulk.stop_reason) == (BulkRun.State.STOPPED, "leaver is no user any more")
    assert bulk.items.filter(state=BulkItem.State.PENDING).count() == 6
    assert not Job.objects.filter(state=JobState.CANCELED).exists()


@pytest.mark.usefixtures("jobs")
def test_a_slice_ends_by_time_and_hands_the_rest_on(settings, sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django_wfe.engine.bulk.BATCH", 2)
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
def test_a_bulk_run_whose_worker_died_is_taken_up_again(sent: Sent) -> None:
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
    work_on_bulk(bulk.pk)
    bulk.refresh_from_db()
    assert bulk.state == BulkRun.State.STOPPED
    assert f"came back in job {first.pk}" in bulk.stop_reason
    assert bulk.items.filter(state=BulkItem.State.PENDING).count() == 3


def test_a_repair_goes_on_with_as_many_jobs_as_went_well_and_waits_for_them_meanwhile(sent: Sent) -> None:
    jobs = [run_workflow(workflows.Failing) for _ in range(12)]
    fingerprint = StepRun.objects.filter(state=StepRunState.FAILED).values_list("fingerprint", flat=True)[0]
    bulk = start_bulk("retry", Job.objects.all(), stop_on_fingerprint=fingerprint)
    taken = bulk.items.filter(state=BulkItem.State.DONE)
    counts = []
    while BulkRun.objects.get(pk=bulk.pk).state != BulkRun.State.FINISHED:
        work_on_bulk(bulk.pk)
        before = taken.count()
        work_on_bulk(bulk.pk)  # a message that comes twice, while what was begun is still under way
        assert taken.count() == before
        assert sent.bulk[-1] == bulk.pk
        assert sent.delays[-1] > 0, "it waits at the broker, not in a worker's thread"
        counts.append(before)
        for job_id in taken.values_list("job", flat=True):
            run_ready(job_id)
    assert counts == [1, 2, 4, 8, 12]
    assert set(Job.objects.filter(pk__in=jobs).values_list("state", flat=True)) == {JobState.FINISHED}


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
