"""Why is it here? Each cause is made to happen, and each names a way out."""

import inspect
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.formats import date_format

from django_wfe import provide_external_input, run_workflow
from django_wfe.engine.lifecycle import list_verbs, pause_job, pause_workflow, resume_job, retry_job
from django_wfe.engine.project_code import classes
from django_wfe.engine.project_code.recording import record_deleted
from django_wfe.engine.queries import situation as explain_module
from django_wfe.engine.queries.situation import explain_job
from django_wfe.engine.recovery.sweeping import sweep
from django_wfe.engine.rules import explanations, obstacles
from django_wfe.engine.rules.explanations import Explanation
from django_wfe.engine.store.claims import claim_step_run
from django_wfe.engine.worker.heartbeat import get_worker, stop_worker
from django_wfe.engine.worker.loop import run_step_run
from django_wfe.models import Job, JobState, StepRun, Worker, Workflow
from tests import workflows
from tests.declared import causes
from tests.declared.causes import (
    CAUSES,
    Cause,
    GivingUp,
    Hesitating,
    Stumbling,
    Vanishing,
    get_run,
    lose_worker,
    order,
    run_without_code,
    set_back,
    start,
    start_worker,
)
from tests.support.doors.console import read_page, sign_in, sign_in_superuser
from tests.support.running.engine_helpers import RecordingDispatcher, recording_dispatcher, run_ready

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

MOST_QUERIES = 4


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


@pytest.fixture(autouse=True)
def vanish_comes_back() -> Iterator[None]:
    with causes.keeping_vanish():
        yield


@pytest.mark.parametrize("cause", CAUSES, ids=str)
def test_each_cause_and_its_way_out_stand_on_the_jobs_page_and_in_wfe_doctor(cause: Cause, clerk: User) -> None:
    job_id = cause.make(clerk)
    assert explain(job_id).code == cause.code
    text = read_page(sign_in_superuser().get(reverse("admin:django_wfe_job_change", args=[job_id]))).text
    head = text[: text.index("Facts")]
    assert cause.says in head
    assert cause.way_out in head
    output, exit_code = consult(str(job_id))
    assert cause.says in output
    assert ("Way out: " in output) == bool(cause.way_out)
    assert cause.way_out in output
    assert exit_code == int(cause.stands_still)


def test_every_cause_that_can_be_named_is_made_to_happen() -> None:
    source = "\n".join(inspect.getsource(module) for module in (explain_module, explanations, obstacles))
    named = set(re.findall(r'Explanation\(\s*.*"(\w+)"\s*\)', source))
    assert len(named) > 15
    assert named == {cause.code for cause in CAUSES}


def consult(job_id: str) -> tuple[str, int]:
    output = StringIO()
    try:
        call_command("wfe_doctor", job_id, stdout=output, no_color=True)
    except CommandError as error:
        return output.getvalue(), error.returncode
    return output.getvalue(), 0


def test_the_page_quotes_errors_only_to_those_who_may_see_data(clerk: User) -> None:
    path = reverse("admin:django_wfe_job_change", args=[run_workflow(GivingUp)])
    assert "secret-4711" in sign_in("view_job", "view_job_data").get(path).content.decode()
    assert "secret-4711" not in sign_in("view_job").get(path).content.decode()


def test_a_job_paused_by_code_names_the_source_where_there_is_no_person() -> None:
    job_id = order()
    pause_job(job_id)
    assert "(Python)" in explain(job_id).sentence


def test_a_paused_job_says_which_step_still_runs() -> None:
    job_id, _worker = start(workflows.Linear)
    pause_job(job_id, reason="stocktaking")
    sentence = explain(job_id).sentence
    assert sentence.endswith(". “Fetch” still runs, to its end. stocktaking")
    resume_job(job_id)
    assert explain(job_id).code == "running"


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


def test_stored_input_that_no_longer_validates_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = run_workflow(workflows.Asking)
    provide_external_input(job_id, {"some_data": 1})
    monkeypatch.setattr(workflows.Ask, "UserInputSchema", causes.StricterInput)
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


def test_a_failed_step_says_its_error_and_at_which_attempt() -> None:
    job_id = run_workflow(GivingUp)
    run_ready(job_id)
    explanation = explain(job_id)
    assert explanation.code == "failed"
    assert (
        "failed at attempt 2, and is not tried again by itself: ConnectionError: the bank is gone"
        in explanation.sentence
    )
    assert "retry it" in explanation.way_out


def test_a_failed_step_without_retries_failed_at_its_only_attempt() -> None:
    assert "failed at its only attempt: ValueError" in explain(run_workflow(workflows.Failing)).sentence


def test_a_worker_that_was_stopped_is_not_alive() -> None:
    start_worker(stopped_at=Now())
    assert explain(order()).code == "no_worker"


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


def test_code_that_one_worker_lacks_is_named_with_the_worker_and_the_definition() -> None:
    job_id = order(Vanishing)
    run_without_code(job_id)
    explanation = explain(job_id)
    assert explanation.code == "code_lacking"
    worker, fingerprint = Worker.objects.get(), Job.objects.get(pk=job_id).definition.fingerprint[:12]
    assert (
        f"Worker {worker} does not have the code of “tests.declared.causes.Vanish” of definition {fingerprint}"
        in explanation.sentence
    )
    assert "Deploy" in explanation.way_out
    classes.clear()
    set_back(job_id, 60)
    assert explain(job_id).code == "code_lacking", "until a worker has it"
    causes.Vanish = causes.VANISH  # type: ignore[misc]
    assert run_ready(job_id).state == JobState.FINISHED


def test_a_node_that_no_longer_exists_in_the_code_is_told_from_a_worker_that_lacks_it() -> None:
    job_id = order(Vanishing)
    run_without_code(job_id)
    record_deleted(set())
    explanation = explain(job_id)
    assert explanation.code == "node_gone"
    assert "no longer exists in the code" in explanation.sentence
    assert "Restore the class" in explanation.way_out


def test_a_running_step_says_on_which_worker_and_since_when() -> None:
    job_id, _worker = start(workflows.Linear)
    explanation = explain(job_id)
    assert (explanation.code, explanation.way_out) == ("running", "")
    assert "on barn:17" in explanation.sentence
    assert _date(timezone.localtime(get_run(job_id).started_at)) in explanation.sentence


def test_a_running_step_whose_worker_falls_silent_says_when_that_is_declared_dead() -> None:
    job_id, worker = start(workflows.Linear, seconds_silent=20)
    explanation = explain(job_id)
    assert explanation.code == "worker_silent"
    worker.refresh_from_db()
    assert "silent for 20 s" in explanation.sentence
    assert f"declared dead at {_date(timezone.localtime(worker.last_seen + timedelta(seconds=30)))}" in (
        explanation.sentence
    )


def test_a_run_of_a_worker_that_nobody_knows_says_so() -> None:
    job_id, worker = start(workflows.Linear)
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
    assert explain(job_id).sentence.startswith(f"{label} has been running")
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


def _date(moment: datetime) -> str:
    return f"{date_format(moment, 'DATE_FORMAT')}, {moment:%H:%M:%S}"
