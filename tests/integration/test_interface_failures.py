"""What comes of each way in which a step can go wrong."""

import asyncio
from contextlib import nullcontext

import pytest
from django.contrib.auth.models import Group
from django.db import DataError, connection, transaction

from django_wfe import run_workflow
from django_wfe.engine.output.step_logs import read_step_run_log
from django_wfe.models import Job, JobState
from django_wfe.retry import Retry
from tests import workflows
from tests.declared import interface_workflows as declared
from tests.support.running.engine_helpers import get_last_run, list_events, read_log, run, run_ready

pytestmark = [pytest.mark.integration, pytest.mark.django_db, pytest.mark.usefixtures("fresh_engine", "sent")]


def fail(monkeypatch, error):
    """Give the failed job and step run of a step that raises ``error``."""
    monkeypatch.setattr(declared.Raise, "ERROR", error)
    job = run(declared.Raising)
    assert job.state == JobState.FAILED
    return job, get_last_run(job.pk)


def give(monkeypatch, result):
    """Give the failed step run of a step that returns what cannot be kept."""
    monkeypatch.setattr(declared.Give, "RESULT", result)
    job = run(declared.Passing)
    assert (job.state, job.current_step) == (JobState.FAILED, "tests.declared.interface_workflows.Give")
    assert declared.GIVEN == [], "the next step has not run"
    failed = get_last_run(job.pk)
    assert (failed.state, failed.result) == ("FAILED", None)
    assert "the result of tests.declared.interface_workflows.Give" in failed.error.replace("The result", "the result")
    return failed


def test_retry_tries_again_and_keeps_every_attempt():
    job = run_ready(run_workflow(declared.FailingTwice))
    assert job.state == JobState.FINISHED
    runs = job.step_runs.filter(number=1).order_by("attempt")
    assert [(one.attempt, one.state, one.error) for one in runs] == [
        (1, "FAILED", "not yet"),
        (2, "FAILED", "not yet"),
        (3, "FINISHED", ""),
    ]
    assert [read_step_run_log(one) for one in runs] == ["attempt 1\n", "attempt 2\n", "attempt 3\n"]
    assert list_events(job.pk) == ["started", "retry_scheduled", "retry_scheduled", "finished"]
    assert job.error == ""


def test_retry_waits_for_its_backoff(django_capture_on_commit_callbacks, sent):
    with django_capture_on_commit_callbacks(execute=True):
        job = run(declared.FailingLater)
    assert job.state == JobState.WAITING
    waiting = get_last_run(job.pk)
    assert (waiting.state, waiting.attempt) == ("READY", 2)
    assert 3590 < (waiting.due_at - waiting.created_at).total_seconds() <= 3600
    assert (sent.sent, sent.delays) == ([waiting.pk], [3600])
    assert run_ready(job.pk).state == JobState.WAITING, "a message that comes too early is put aside"


def test_retry_gives_up_on_what_it_names():
    job = run(declared.GivingUp)
    assert (job.state, job.step_runs.filter(number=1).count()) == (JobState.FAILED, 1)


@pytest.mark.parametrize("timeout", [0.1, None])
def test_timeout_in_seconds_and_as_timedelta_ends_a_step(timeout, monkeypatch):
    if timeout is not None:
        monkeypatch.setattr(declared.Hang, "timeout", timeout)
    job = run(declared.Hanging)
    failed = get_last_run(job.pk)
    assert (job.state, failed.error_type) == (JobState.FAILED, "TimeoutError")
    assert failed.error == "tests.declared.interface_workflows.Hang ran longer than its timeout of 0.1 s."
    assert (failed.finished_at - failed.started_at).total_seconds() < 5


def test_timeout_is_tried_again_as_the_retry_policy_says(monkeypatch):
    monkeypatch.setattr(declared.Hang, "retry", Retry(max_attempts=2, backoff=0, on=TimeoutError))
    job_id = run_workflow(declared.Hanging)
    assert Job.objects.get(pk=job_id).state == JobState.WAITING
    job = run_ready(job_id)
    assert (job.state, job.step_runs.filter(number=1, error_type="TimeoutError").count()) == (JobState.FAILED, 2)


def test_timeout_is_not_swallowed_by_except_exception():
    job = run(workflows.TimingOut)
    assert (job.state, get_last_run(job.pk).error_type) == (JobState.FAILED, "TimeoutError")


@pytest.mark.django_db(transaction=True)
def test_atomic_keeps_the_writes_of_the_attempt_that_succeeded_only():
    job = run_ready(run_workflow(workflows.Writing))
    assert job.state == JobState.FINISHED
    assert [group.name for group in Group.objects.all()] == [f"{job.uuid}:1"]
    assert read_log(job) == "attempt 1\nattempt 2\n"


@pytest.mark.django_db(transaction=True)
def test_without_atomic_the_writes_of_a_failed_attempt_stay(monkeypatch):
    monkeypatch.setattr(workflows.WriteAtomically, "atomic", False)
    monkeypatch.setattr(workflows.WriteAtomically, "retry", None)
    assert run(workflows.Writing).state == JobState.FAILED
    assert Group.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("atomic", [False, True])
def test_a_query_that_the_database_cuts_short_fails_the_step_like_any_error(atomic, monkeypatch):
    def execute(self, _input=None):
        # In an atomic step, the step's own transaction is left in its aborted state.
        with nullcontext() if atomic else transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 20")
            cursor.execute("SELECT pg_sleep(5)")

    monkeypatch.setattr(declared.Give, "execute", execute)
    monkeypatch.setattr(declared.Give, "atomic", atomic)
    job = run(declared.Passing)
    assert (job.state, get_last_run(job.pk).state) == (JobState.FAILED, "FAILED")
    assert "statement timeout" in job.error


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("atomic", [False, True])
def test_a_step_that_catches_its_own_database_error_goes_on(atomic, monkeypatch):
    def execute(self, _input=None):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT 1 / 0")
        except DataError:
            return "caught"

    monkeypatch.setattr(declared.Give, "execute", execute)
    monkeypatch.setattr(declared.Give, "atomic", atomic)
    job = run(declared.Passing)
    assert (job.state, job.storage["data"][-1]["result"]) == (JobState.FINISHED, "caught")


@pytest.mark.parametrize("code", [0, 1, "bye", None])
def test_sys_exit_in_a_step_fails_the_step_not_the_worker(code, monkeypatch):
    _, failed = fail(monkeypatch, SystemExit(code))
    assert failed.error_type == "SystemExit"
    assert run(workflows.Linear).state == JobState.FINISHED


class Unruly(BaseException):
    """No Exception, and no way out of the process either."""


@pytest.mark.parametrize("error", [asyncio.CancelledError(), Unruly("odd"), BaseExceptionGroup("g", [Unruly()])])
def test_what_is_no_exception_fails_the_step_and_frees_the_run(error, monkeypatch):
    _, failed = fail(monkeypatch, error)
    assert failed.state == "FAILED"
    assert failed.error_type.endswith(type(error).__qualname__)


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt(), GeneratorExit()])
def test_an_interrupt_of_the_process_leaves_the_run_to_be_run_again(interrupt, monkeypatch):
    monkeypatch.setattr(declared.Raise, "ERROR", interrupt)
    with pytest.raises(type(interrupt)):
        run_workflow(declared.Raising)
    job = Job.objects.get()
    states = list(job.step_runs.filter(number=1).order_by("attempt").values_list("state", flat=True))
    assert states == ["LOST", "READY"]
    monkeypatch.setattr(declared.Raise, "ERROR", None)
    assert run_ready(job.pk).state == JobState.FINISHED


class Speechless(Exception):
    def __str__(self):
        raise ValueError("no words")


class Wordless(Exception):
    def __str__(self):
        return None


@pytest.mark.parametrize("error", [Speechless(), Wordless()])
def test_an_exception_whose_text_raises_fails_the_step_like_any_other(error, monkeypatch):
    _, failed = fail(monkeypatch, error)
    assert failed.error_type == f"{__name__}.{type(error).__name__}"
    assert "its message could not be read" in failed.error
    assert type(error).__name__ in failed.traceback


def test_a_traceback_names_the_place_and_holds_no_local_variable(monkeypatch):
    _, failed = fail(monkeypatch, ValueError("broken"))
    assert "raise self.ERROR" in failed.traceback
    assert "interface_workflows.py" in failed.traceback
    assert "kept to itself" not in failed.traceback
    assert "django_wfe/engine" not in failed.traceback, "the engine's own frames are of no interest"
    assert len(failed.fingerprint) == 64


def test_nul_and_surrogates_in_the_text_of_an_exception(monkeypatch):
    job, failed = fail(monkeypatch, ValueError("a\0b \ud800"))
    assert failed.error == "a\\x00b \\ud800"
    assert "a\\x00b" in job.error
    assert "\0" not in failed.traceback


def test_a_very_long_exception_is_cut_in_the_middle(monkeypatch):
    _, failed = fail(monkeypatch, ValueError("begin" + "x" * 100_000 + "end"))
    assert failed.error.startswith("begin")
    assert failed.error.endswith("end")
    assert "characters left out" in failed.error
    assert len(failed.error) < 11_000


def test_a_step_that_cannot_be_made_fails_and_frees_the_run():
    job = run(declared.WronglyMade)
    assert job.state == JobState.FAILED
    assert "__init__" in get_last_run(job.pk).error


def test_a_result_that_is_no_json_fails_the_step_with_its_place(monkeypatch):
    assert "value['rows'][0]: Unable to serialize" in give(monkeypatch, {"rows": [object()]}).error


def test_a_result_with_nan_fails_the_step_with_its_place(monkeypatch):
    assert "value['x'] is NaN or Infinity" in give(monkeypatch, {"x": float("nan")}).error


def test_a_result_with_nul_fails_the_step_with_its_place(monkeypatch):
    assert "value['x'] holds a NUL character" in give(monkeypatch, {"x": "\0"}).error


def test_a_result_that_is_too_large_fails_the_step_with_its_size(monkeypatch, settings):
    settings.WFE_MAX_RESULT_BYTES = 100
    assert "takes 102 bytes as JSON; WFE_MAX_RESULT_BYTES is 100" in give(monkeypatch, "x" * 100).error


def test_wfe_max_steps_per_job_ends_an_endless_loop(settings):
    settings.WFE_MAX_STEPS_PER_JOB = 20
    job = run(declared.Endless)
    assert (job.state, job.current_step_number) == (JobState.FAILED, 21)
    assert "has taken 20 steps, the most that WFE_MAX_STEPS_PER_JOB allows" in job.error
    assert get_last_run(job.pk).error_type == "TooManySteps"


def test_a_loop_of_hundreds_of_rounds_ends():
    job = run(workflows.Looping)
    assert (job.state, job.current_step_number) == (JobState.FINISHED, 1001)
