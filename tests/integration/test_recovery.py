"""What a sweep does, and what it must not be misled by."""

import uuid
from datetime import timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now

from django_wfe import order_workflow_execution
from django_wfe.engine.delivery.dispatcher import Message
from django_wfe.engine.lifecycle import pause_job, pause_workflow, resume_job, resume_workflow
from django_wfe.engine.recovery import sweeping
from django_wfe.engine.recovery.sweeping import Observer, sweep
from django_wfe.engine.store.claims import claim_step_run
from django_wfe.engine.worker.loop import run_step_run
from django_wfe.exceptions import WrongState
from django_wfe.models import Job, JobState, StepRun, StepRunState, Worker, Workflow
from tests import workflows
from tests.support.running.engine_helpers import RecordingDispatcher, recording_dispatcher

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def sent():
    with recording_dispatcher() as dispatcher:
        yield dispatcher


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch):
    """The sweeping process's own clock, to be set by the test."""

    class Clock:
        now = 1000.0

        def monotonic(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr(sweeping, "time", clock)
    return clock


def _make_worker(seconds_silent: float) -> Worker:
    return Worker.objects.create(hostname="elsewhere", pid=1, last_seen=Now() - timedelta(seconds=seconds_silent))


def _claim_by(worker: Worker) -> Job:
    job_id = order_workflow_execution(workflows.Linear)
    run = StepRun.objects.get(job_id=job_id, state=StepRunState.READY)
    assert claim_step_run(run.pk, worker.pk) is not None
    return Job.objects.get(pk=job_id)


def _is_dead(worker: Worker) -> bool:
    return Worker.objects.exclude(declared_dead_at=None).filter(pk=worker.pk).exists()


def test_what_a_silent_worker_held_is_given_to_others(sent: RecordingDispatcher) -> None:
    worker = _make_worker(31)
    job = _claim_by(worker)
    report = sweep()
    assert (report.dead_workers, report.lost) == (1, 1)
    lost, following = job.step_runs.filter(number=1).order_by("attempt")
    assert (lost.state, following.state, following.lost_before) == (StepRunState.LOST, StepRunState.READY, 1)
    assert following.pk in sent.sent
    run_step_run(following.pk)
    job.refresh_from_db()
    assert job.state == JobState.FINISHED


def test_a_run_of_a_worker_that_nobody_knows_is_lost(sent: RecordingDispatcher) -> None:
    job_id = order_workflow_execution(workflows.Linear)
    run = StepRun.objects.get(job_id=job_id, state=StepRunState.READY)
    claim_step_run(run.pk, uuid.uuid4())
    assert sweep().lost == 1


def test_a_live_worker_keeps_what_it_holds(sent: RecordingDispatcher) -> None:
    _claim_by(_make_worker(5))
    assert not sweep()


def test_a_clock_set_forward_declares_nobody_dead(clock, sent: RecordingDispatcher) -> None:
    """The database's clock says that the worker is silent for an hour; this process has not seen it silent."""
    observer = Observer()
    worker = _make_worker(3600)
    sweep(observer)
    clock.now += 5
    Worker.objects.update(last_seen=F("last_seen") + timedelta(seconds=5))  # it beats
    sweep(observer)
    clock.now += 14
    Worker.objects.update(last_seen=F("last_seen") + timedelta(seconds=5))
    sweep(observer)
    assert not _is_dead(worker)


def test_a_clock_set_back_does_not_hide_a_dead_worker(clock, sent: RecordingDispatcher) -> None:
    observer = Observer()
    worker = _make_worker(-3600)
    job = _claim_by(worker)
    for _ in range(7):
        sweep(observer)
        clock.now += 5
    assert _is_dead(worker)
    assert job.step_runs.filter(state=StepRunState.LOST).count() == 1


def test_an_outage_of_the_database_does_not_make_every_worker_dead(clock, sent: RecordingDispatcher) -> None:
    observer = Observer()
    worker = _make_worker(0)
    sweep(observer)
    clock.now += 120  # no sweep and no heartbeat came through
    Worker.objects.update(last_seen=Now() - timedelta(seconds=120))
    sweep(observer)
    assert not _is_dead(worker)
    clock.now += 10
    sweep(observer)
    assert not _is_dead(worker)
    clock.now += 10
    sweep(observer)
    assert _is_dead(worker)


def test_a_worker_that_beats_between_the_look_and_the_verdict_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = _make_worker(31)
    look = sweeping._fetch_all

    def beat_after_look(statement, parameters):
        rows = look(statement, parameters)
        if statement is sweeping._LIST_LIVE:
            Worker.objects.update(last_seen=Now())
        return rows

    monkeypatch.setattr(sweeping, "_fetch_all", beat_after_look)
    sweep()
    assert not _is_dead(worker)


def test_a_lost_message_is_sent_again_less_and_less_often(sent: RecordingDispatcher) -> None:
    job_id = order_workflow_execution(workflows.Linear)
    run = StepRun.objects.get(job_id=job_id, state=StepRunState.READY)
    sent.sent.clear()
    gaps = []
    for _ in range(5):
        gap = 0
        while not sweep().redispatched:
            gap += 1
            assert gap < 100
            StepRun.objects.filter(pk=run.pk).update(
                dispatched_at=F("dispatched_at") - timedelta(seconds=5), due_at=F("due_at") - timedelta(seconds=5)
            )
        gaps.append(gap)
    assert set(sent.sent) == {run.pk}
    assert gaps == sorted(gaps)
    assert gaps[0] <= 3
    assert gaps[-1] >= 16


def test_what_is_not_due_or_held_back_is_not_sent(sent: RecordingDispatcher) -> None:
    due_later = order_workflow_execution(workflows.Linear)
    paused = order_workflow_execution(workflows.Linear)
    StepRun.objects.update(dispatched_at=Now() - timedelta(hours=1), created_at=Now() - timedelta(hours=1))
    StepRun.objects.filter(job_id=due_later).update(due_at=Now() + timedelta(minutes=5))
    pause_job(paused)
    sent.sent.clear()
    assert sweep().redispatched == 0
    resume_job(paused)
    assert len(sent.sent) == 1


def test_a_message_sent_before_the_clock_was_set_back_is_sent_again(sent: RecordingDispatcher) -> None:
    job_id = order_workflow_execution(workflows.Linear)
    hour = timedelta(hours=1)
    StepRun.objects.update(dispatched_at=Now() + hour, due_at=F("due_at") + hour, created_at=F("created_at") + hour)
    assert sweep().redispatched == 1
    run_step_run(StepRun.objects.get(job_id=job_id, state=StepRunState.READY).pk)
    assert Job.objects.get(pk=job_id).state == JobState.FINISHED


def test_a_paused_workflow_starts_nothing_and_resumes_in_order(sent: RecordingDispatcher) -> None:
    first = order_workflow_execution(workflows.Linear)
    workflow = Workflow.objects.get(jobs=first)
    pause_workflow(workflow.pk, reason="the warehouse is down")
    with pytest.raises(WrongState):
        pause_workflow(workflow.pk)
    jobs = [first, *(order_workflow_execution(workflow.pk) for _ in range(3))]
    ready = list(StepRun.objects.filter(state=StepRunState.READY).order_by("id").values_list("pk", flat=True))
    for run in ready:
        run_step_run(run)
    assert set(Job.objects.values_list("state", flat=True)) == {JobState.PENDING}
    sent.sent.clear()
    StepRun.objects.update(dispatched_at=Now() - timedelta(hours=1))
    assert sweep().redispatched == 0
    resume_workflow(workflow.pk)
    assert sent.sent == ready
    for run in sent.sent:
        run_step_run(run)
    assert set(Job.objects.filter(pk__in=jobs).values_list("state", flat=True)) == {JobState.FINISHED}


def test_a_worker_takes_one_suspect_at_a_time_and_sends_the_other_on(sent: RecordingDispatcher) -> None:
    from django_wfe.engine.worker.heartbeat import get_worker

    job_id = order_workflow_execution(workflows.Linear)
    run = StepRun.objects.get(job_id=job_id, state=StepRunState.READY)
    StepRun.objects.filter(pk=run.pk).update(lost_before=1)
    sent.sent.clear()
    with get_worker().offer_suspect_slot() as is_free:
        assert is_free
        run_step_run(run.pk)
        assert Job.objects.get(pk=job_id).state == JobState.PENDING
        assert sent.sent == [run.pk]
    run_step_run(run.pk)
    assert Job.objects.get(pk=job_id).state == JobState.FINISHED


def test_workers_that_ended_long_ago_are_forgotten(sent: RecordingDispatcher) -> None:
    old, recent, holding = (_make_worker(0) for _ in range(3))
    _claim_by(holding)
    month = timedelta(days=31)
    Worker.objects.filter(pk__in=[old.pk]).update(stopped_at=Now() - month)
    Worker.objects.filter(pk=holding.pk).update(declared_dead_at=Now() - month)
    Worker.objects.filter(pk=recent.pk).update(stopped_at=Now() - timedelta(days=1))
    sweep()
    assert set(Worker.objects.values_list("pk", flat=True)) == {recent.pk, holding.pk}
    sweep()
    assert set(Worker.objects.values_list("pk", flat=True)) == {recent.pk}, "what it held has been given back by then"


def test_a_worker_that_gets_the_code_it_lacked_says_so(
    sent: RecordingDispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django_wfe.engine.project_code import classes
    from django_wfe.engine.worker.heartbeat import get_worker, stop_worker

    stop_worker()
    job_id = order_workflow_execution(workflows.Linear)
    run = StepRun.objects.get(job_id=job_id, state=StepRunState.READY)
    before = workflows.Fetch
    monkeypatch.delattr(workflows, "Fetch")
    classes.clear()
    try:
        run_step_run(run.pk)
        assert Job.objects.get(pk=job_id).state == JobState.WAITING
        assert list(Worker.objects.get(pk=get_worker().id).lacks) == ["tests.workflows.Fetch"]
        monkeypatch.setattr(workflows, "Fetch", before, raising=False)
        StepRun.objects.filter(pk=run.pk).update(due_at=Now())
        run_step_run(run.pk)
        assert Job.objects.get(pk=job_id).state == JobState.FINISHED
        assert Worker.objects.get(pk=get_worker().id).lacks == {}
    finally:
        classes.clear()
        stop_worker()


def test_a_broker_that_is_away_ends_the_round_and_the_wait_does_not_grow(
    sent: RecordingDispatcher, monkeypatch
) -> None:
    for _ in range(3):
        order_workflow_execution(workflows.Linear)
    ready = StepRun.objects.filter(state=StepRunState.READY)
    ready.update(dispatched_at=Now() - timedelta(hours=1), due_at=Now() - timedelta(hours=1))
    tried = []

    def refuse(message: Message) -> bool:
        tried.append(message.number)
        return False

    monkeypatch.setattr(sent, "send", refuse)
    assert sweep().redispatched == 0
    assert len(tried) == 1
    assert set(ready.values_list("dispatches", flat=True)) == {0}


def test_a_first_failure_after_lost_attempts_is_tried_again(
    sent: RecordingDispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self, _input=None):
        raise ConnectionError("not yet")

    monkeypatch.setattr(workflows.Flaky, "execute", fail)
    job_id = order_workflow_execution(workflows.Retrying)
    first = StepRun.objects.get(job_id=job_id, state=StepRunState.READY)
    StepRun.objects.filter(pk=first.pk).update(attempt=3, lost_before=2)
    run_step_run(first.pk)
    assert Job.objects.get(pk=job_id).state == JobState.WAITING, "this was the first of three attempts of its own"
