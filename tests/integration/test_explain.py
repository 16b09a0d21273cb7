"""Why is it here? Each cause is made to happen, and each names a way out."""

import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from django_wfe import order_workflow_execution, provide_external_input, run_workflow, steps
from django_wfe import workflows as wfe_workflows
from django_wfe.engine import code
from django_wfe.engine.claims import claim_step_run
from django_wfe.engine.definitions import record_deleted
from django_wfe.engine.executor import run_step_run
from django_wfe.engine.explain import Explanation, explain_job
from django_wfe.engine.heartbeat import get_worker, stop_worker
from django_wfe.engine.lifecycle import cancel_job, list_verbs, pause_job, pause_workflow, retry_job
from django_wfe.engine.recovery import sweep
from django_wfe.models import Job, JobState, StepRun, StepRunState, Worker, Workflow
from django_wfe.retry import Retry
from tests import workflows
from tests.engine_helpers import RecordingDispatcher, recording_dispatcher, run_ready

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

MOST_QUERIES = 4


class Stumble(steps.Step):
    retry = Retry(max_attempts=5, backoff=3600, jitter=0)

    def execute(self) -> Any:
        raise ConnectionError("the bank is away, secret-4711")


class Stumbling(wfe_workflows.Workflow):
    DIGRAPH = {steps.__start__: [Stumble]}


class GiveUp(steps.Step):
    retry = Retry(max_attempts=2, backoff=0, jitter=0)

    def execute(self) -> Any:
        raise ConnectionError("the bank is gone, secret-4711")


class GivingUp(wfe_workflows.Workflow):
    DIGRAPH = {steps.__start__: [GiveUp]}


class Hesitate(steps.Step):
    label = "Hear\nthe bank"
    retry = Retry(max_attempts=2, backoff=3600, jitter=0)

    class UserInputSchema(workflows.BaseModel):
        some_data: int

    def execute(self, external_input: Any) -> Any:
        raise ConnectionError("the bank is away")


class Hesitating(wfe_workflows.Workflow):
    DIGRAPH = {steps.__start__: [Hesitate]}


class Vanish(steps.Step):
    def execute(self) -> Any:
        return "here"


class Vanishing(wfe_workflows.Workflow):
    DIGRAPH = {steps.__start__: [Vanish]}


@pytest.fixture(autouse=True)
def sent() -> Iterator[RecordingDispatcher]:
    with recording_dispatcher() as dispatcher:
        yield dispatcher
    stop_worker()


@pytest.fixture
def clerk() -> User:
    return User.objects.create_superuser("Clerk Kent")


def explain(job_id: int, **options: Any) -> Explanation:
    """Explain a Job as it is read from the database, and count the queries."""
    job = Job.objects.get(pk=job_id)
    with CaptureQueriesContext(connection) as queries:
        explanation = explain_job(job, **options)
    assert len(queries) <= MOST_QUERIES, [query["sql"] for query in queries.captured_queries]
    assert explanation.sentence
    return explanation


def order(workflow: Any = workflows.Linear) -> int:
    return order_workflow_execution(workflow)


def get_run(job_id: int, **fields: Any) -> StepRun:
    return StepRun.objects.get(job_id=job_id, state__in=["READY", "RUNNING", "INPUT_REQUIRED"], **fields)


def start_worker(seconds_silent: float = 0, **fields: Any) -> Worker:
    seen = Now() - timedelta(seconds=seconds_silent)
    return Worker.objects.create(hostname="barn", pid=17, last_seen=seen, **fields)


def set_back(job_id: int, seconds: float) -> None:
    """Let a ready run have become so some time ago."""
    ago = timedelta(seconds=seconds)
    StepRun.objects.filter(job_id=job_id, state=StepRunState.READY).update(
        due_at=F("due_at") - ago, dispatched_at=F("dispatched_at") - ago, created_at=F("created_at") - ago
    )


def lose_worker(job_id: int) -> None:
    """Have a worker claim the ready run and die."""
    worker = start_worker(seconds_silent=31)
    assert claim_step_run(get_run(job_id).pk, worker.pk) is not None
    assert sweep().lost == 1


def hide(step: type[steps.Step]) -> None:
    delattr(sys.modules[step.__module__], step.__name__)
    code.clear()


@pytest.fixture
def without_vanish() -> Iterator[None]:
    """The code of one step is gone, as in a process of another version."""
    yield
    sys.modules[__name__].Vanish = Vanish_kept  # type: ignore[attr-defined]
    code.clear()


Vanish_kept = Vanish


def test_a_job_that_has_run_to_its_end() -> None:
    explanation = explain(run_workflow(workflows.Linear))
    assert (explanation.code, explanation.way_out) == ("finished", "")


def test_a_canceled_job_names_who_canceled_it_and_why(clerk: User) -> None:
    job_id = order()
    cancel_job(job_id, actor=clerk, reason="ordered twice")
    explanation = explain(job_id)
    assert explanation.code == "canceled"
    assert "by Clerk Kent" in explanation.sentence
    assert "ordered twice" in explanation.sentence


def test_a_paused_job_names_who_paused_it(clerk: User) -> None:
    job_id = order()
    pause_job(job_id, actor=clerk, reason="stocktaking")
    explanation = explain(job_id)
    assert explanation.code == "paused"
    assert "by Clerk Kent" in explanation.sentence
    assert "stocktaking" in explanation.sentence
    assert explanation.way_out == "Resume the job."


def test_a_job_paused_by_code_names_the_source_where_there_is_no_person() -> None:
    job_id = order()
    pause_job(job_id)
    assert "(Python)" in explain(job_id).sentence


def test_a_paused_workflow_names_who_paused_it_and_why(clerk: User) -> None:
    start_worker()
    job_id = order()
    pause_workflow(Workflow.objects.get(jobs=job_id).pk, actor=clerk, reason="the warehouse is down")
    explanation = explain(job_id)
    assert explanation.code == "workflow_paused"
    assert "by Clerk Kent. the warehouse is down" in explanation.sentence
    assert explanation.way_out == "Resume the workflow."


def test_what_a_paused_workflow_does_not_hold_back_is_not_blamed_on_it() -> None:
    job_id = run_workflow(workflows.Asking)
    pause_workflow(Workflow.objects.get(jobs=job_id).pk)
    assert explain(job_id).code == "waiting_for_input"


def test_a_step_that_waits_for_input_says_since_when_and_from_whom() -> None:
    job_id = run_workflow(workflows.Asking)
    explanation = explain(job_id)
    assert explanation.code == "waiting_for_input"
    assert f"since {_date(timezone.localtime(get_run(job_id).created_at))}" in explanation.sentence
    assert "permission “Can provide input to a job”" in explanation.way_out


def test_a_workflow_for_some_groups_says_that_they_are_asked() -> None:
    job_id = run_workflow(workflows.Asking)
    Workflow.objects.update(groups=["Bookkeeping"])
    assert "Members of “Bookkeeping”" in explain(job_id).way_out


def test_input_that_is_claimed_is_waited_for_from_the_one_who_claimed_it(clerk: User) -> None:
    from django_wfe.models import InputClaim

    job_id = run_workflow(workflows.Asking)
    InputClaim.objects.create(step_run=get_run(job_id), user=clerk, claimed_at=Now())
    assert "from Clerk Kent" in explain(job_id).sentence


def test_stored_input_that_no_longer_validates_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = run_workflow(workflows.Asking)
    provide_external_input(job_id, {"some_data": 1})
    monkeypatch.setattr(workflows.Ask, "UserInputSchema", _Stricter)
    run_ready(job_id)
    explanation = explain(job_id)
    assert explanation.code == "input_refused"
    assert "no longer valid" in explanation.sentence
    assert "no longer validates" not in explain(job_id, with_data=False).sentence


def test_a_retry_says_which_attempt_of_how_many_is_due_when() -> None:
    start_worker()
    job_id = order(Stumbling)
    run_step_run(get_run(job_id).pk)
    explanation = explain(job_id)
    assert explanation.code == "retry_due"
    assert "Attempt 2 of 5 at “Stumble”" in explanation.sentence
    assert f"{timezone.localtime(get_run(job_id).due_at):%H:%M:%S}" in explanation.sentence
    assert "secret-4711" in explanation.sentence
    assert explanation.way_out


def test_errors_are_not_quoted_to_those_who_may_not_see_data() -> None:
    job_id = order(Stumbling)
    run_step_run(get_run(job_id).pk)
    assert "secret-4711" not in explain(job_id, with_data=False).sentence
    failed = run_workflow(GivingUp)
    run_ready(failed)
    assert "secret-4711" not in explain(failed, with_data=False).sentence
    assert "ConnectionError" in explain(failed, with_data=False).sentence


def test_a_failed_step_says_its_error_and_that_its_attempts_are_used_up() -> None:
    job_id = run_workflow(GivingUp)
    run_ready(job_id)
    explanation = explain(job_id)
    assert explanation.code == "failed"
    assert "2 attempts are used up: ConnectionError: the bank is gone" in explanation.sentence
    assert "retry it" in explanation.way_out


def test_a_failed_step_without_retries_failed_at_its_only_attempt() -> None:
    assert "failed at its only attempt: ValueError" in explain(run_workflow(workflows.Failing)).sentence


def test_no_worker_was_ever_started() -> None:
    explanation = explain(order())
    assert explanation.code == "no_worker"
    assert "no worker was ever started" in explanation.sentence
    assert "rundramatiq" in explanation.way_out


def test_no_worker_is_alive_for_some_seconds() -> None:
    start_worker(seconds_silent=1000)
    explanation = explain(order())
    assert explanation.code == "no_worker"
    assert "1,000 s ago" in explanation.sentence


def test_a_worker_that_was_stopped_is_not_alive() -> None:
    start_worker(stopped_at=Now())
    assert explain(order()).code == "no_worker"


def test_what_has_just_become_ready_waits_for_a_worker() -> None:
    start_worker()
    assert explain(order()).code == "ready"


def test_a_lost_message_is_overdue_and_says_when_it_is_sent_again() -> None:
    start_worker()
    job_id = order()
    set_back(job_id, 7)
    explanation = explain(job_id)
    assert explanation.code == "message_overdue"
    run = get_run(job_id)
    again = timezone.localtime(run.dispatched_at + timedelta(seconds=10))
    assert f"will be sent again at {_date(again)}" in explanation.sentence
    set_back(job_id, 20)
    assert "should have been sent again" in explain(job_id).sentence
    assert sweep().redispatched == 1
    again = timezone.localtime(get_run(job_id).dispatched_at + timedelta(seconds=20))
    assert f"will be sent again at {_date(again)}" in explain(job_id).sentence


def test_code_that_one_worker_lacks_is_named_with_the_worker_and_the_definition(without_vanish: None) -> None:
    job_id = order(Vanishing)
    hide(Vanish)
    run_step_run(get_run(job_id).pk)
    explanation = explain(job_id)
    assert explanation.code == "code_lacking"
    worker, fingerprint = Worker.objects.get(), Job.objects.get(pk=job_id).definition.fingerprint[:12]
    assert f"Worker {worker} lacks “{__name__}.Vanish” of definition {fingerprint}" in explanation.sentence
    assert "Deploy" in explanation.way_out
    code.clear()
    set_back(job_id, 60)
    assert explain(job_id).code == "code_lacking", "until a worker has it"
    sys.modules[__name__].Vanish = Vanish_kept  # type: ignore[attr-defined]
    assert run_ready(job_id).state == JobState.FINISHED


def test_a_node_that_no_longer_exists_in_the_code_is_told_from_a_worker_that_lacks_it(without_vanish: None) -> None:
    job_id = order(Vanishing)
    hide(Vanish)
    run_step_run(get_run(job_id).pk)
    record_deleted(set())
    explanation = explain(job_id)
    assert explanation.code == "node_gone"
    assert "no longer exists in the code" in explanation.sentence
    assert "Put the class back" in explanation.way_out


def test_a_running_step_says_on_which_worker_and_since_when() -> None:
    job_id = order()
    assert claim_step_run(get_run(job_id).pk, start_worker().pk)
    explanation = explain(job_id)
    assert (explanation.code, explanation.way_out) == ("running", "")
    assert "on barn:17" in explanation.sentence
    assert _date(timezone.localtime(get_run(job_id).started_at)) in explanation.sentence


def test_a_running_step_whose_worker_falls_silent_says_when_that_is_declared_dead() -> None:
    job_id = order()
    worker = start_worker(seconds_silent=20)
    claim_step_run(get_run(job_id).pk, worker.pk)
    explanation = explain(job_id)
    assert explanation.code == "worker_silent"
    worker.refresh_from_db()
    assert "silent for 20 s" in explanation.sentence
    assert f"declared dead at {_date(timezone.localtime(worker.last_seen + timedelta(seconds=30)))}" in (
        explanation.sentence
    )


@pytest.mark.parametrize(("seconds", "code_"), [(90, "worker_silent"), (0, "worker_gone")])
def test_a_running_step_whose_worker_is_dead_says_that_the_watchdog_must_run(seconds: int, code_: str) -> None:
    job_id = order()
    worker = start_worker(seconds_silent=seconds, declared_dead_at=None if seconds else Now())
    claim_step_run(get_run(job_id).pk, worker.pk)
    explanation = explain(job_id)
    assert explanation.code == code_
    assert "wfe_watchdog" in explanation.way_out


def test_a_run_of_a_worker_that_nobody_knows_says_so() -> None:
    job_id = order()
    worker = start_worker()
    claim_step_run(get_run(job_id).pk, worker.pk)
    worker.delete()
    assert explain(job_id).code == "worker_gone"


def test_a_suspect_says_how_often_it_lost_its_worker_and_what_it_waits_for() -> None:
    job_id = order()
    lose_worker(job_id)
    start_worker()
    explanation = explain(job_id)
    assert explanation.code == "suspect"
    assert "has lost its worker 1 time, and waits for a worker that runs no other such step" in explanation.sentence
    assert "at 3 it fails" in explanation.sentence


def test_a_suspect_that_runs_again_says_that_it_was_lost_before() -> None:
    job_id = order()
    lose_worker(job_id)
    claim_step_run(get_run(job_id).pk, start_worker().pk)
    explanation = explain(job_id)
    assert explanation.code == "running_after_loss"
    assert "lost its worker 1 time before" in explanation.sentence


def test_a_step_that_lost_its_worker_too_often_says_how_often() -> None:
    job_id = order()
    for _ in range(3):
        lose_worker(job_id)
    assert Job.objects.get(pk=job_id).state == JobState.FAILED
    explanation = explain(job_id)
    assert explanation.code == "lost_too_often"
    assert "it lost its worker 3 times" in explanation.sentence
    assert "log" in explanation.way_out


def test_a_step_is_called_by_its_label_wherever_it_is_named() -> None:
    job_id = run_workflow(Hesitating)
    label = "“Hear the bank”"

    def say() -> list[str]:
        job = Job.objects.get(pk=job_id)
        effects = {status.verb.name: status.effect for status in list_verbs(job, None)}
        return [explain(job_id).sentence, *(effects[name] for name in ("retry", "skip", "resume") if effects[name])]

    assert all(sentence.startswith(label) for sentence in say()), say()
    provide_external_input(job_id, {"some_data": 1})
    assert label in explain(job_id).sentence, "ready"
    run_ready(job_id)
    assert f"Attempt 2 of 2 at {label}" in explain(job_id).sentence
    set_back(job_id, 3601)
    claim_step_run(get_run(job_id).pk, start_worker().pk)
    assert explain(job_id).sentence.startswith(f"{label} runs")
    StepRun.objects.filter(job=job_id, state="RUNNING").update(state="FAILED")
    Job.objects.filter(pk=job_id).update(state="FAILED")
    assert len(say()) == 3
    assert all(sentence.startswith(label) for sentence in say()), say()
    retry_job(job_id)
    pause_job(job_id)
    assert f"goes on at {label}" in say()[-1]


def test_times_are_told_in_the_current_timezone() -> None:
    job_id = run_workflow(workflows.Asking)
    asked = get_run(job_id).created_at
    with timezone.override("Asia/Kathmandu"):
        assert f"{timezone.localtime(asked):%H:%M:%S}" in explain(job_id).sentence
        assert f"{asked:%H:%M:%S}" not in explain(job_id).sentence


def test_the_code_of_a_cause_does_not_depend_on_the_language() -> None:
    job_id = run_workflow(workflows.Asking)
    with translation.override("de"):
        assert explain(job_id).code == "waiting_for_input"


def test_this_process_as_a_worker_is_seen_alive() -> None:
    job_id = order()
    get_worker().enlist()
    assert explain(job_id).code == "ready"


class _Stricter(workflows.BaseModel):
    some_data: int
    signature: str


def _date(moment: datetime) -> str:
    from django.utils.formats import date_format

    return f"{date_format(moment, 'DATE_FORMAT')}, {moment:%H:%M:%S}"
