"""What a step sees, says and returns, and what comes of each way in which it can go wrong."""

import asyncio
import logging
import threading
from contextlib import nullcontext

import pytest
from django.contrib.auth.models import Group
from django.db import DataError, connection, connections, transaction

from django_wfe import provide_external_input, run_workflow
from django_wfe.engine import output
from django_wfe.engine.heartbeat import stop_worker
from django_wfe.engine.output import capture_output, flush_capture, read_log, read_step_run_log
from django_wfe.models import Job, JobState, StepRun
from tests import interface_workflows as declared
from tests import workflows
from tests.engine_helpers import get_last_run, list_events, recording_dispatcher, run_ready

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def dispatcher():
    declared.GIVEN.clear()
    workflows.EXECUTED.clear()
    with recording_dispatcher() as recording:
        yield recording
    stop_worker()


def run(workflow):
    return Job.objects.get(pk=run_workflow(workflow))


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
    assert (job.state, job.current_step) == (JobState.FAILED, "tests.interface_workflows.Give")
    assert declared.GIVEN == [], "the next step has not run"
    failed = get_last_run(job.pk)
    assert (failed.state, failed.result) == ("FAILED", None)
    assert "the result of tests.interface_workflows.Give" in failed.error.replace("The result", "the result")
    return failed


def pick(monkeypatch, edge):
    """Give the job whose decision returns ``edge``."""
    monkeypatch.setattr(declared.Give, "RESULT", {"n": 1})
    monkeypatch.setattr(declared.Pick, "EDGE", edge)
    return run(declared.Choosing)


# What a step sees


def test_self_job_storage_key_attempt_and_log_inside_a_step(monkeypatch, settings, tmp_path):
    settings.WFE_LOG_DIR = str(tmp_path)
    monkeypatch.setattr(declared.Give, "RESULT", [1])
    job = run(declared.Looking)
    seen = job.storage["data"][-1]["result"]
    assert seen == {
        "job": job.pk,
        "name": f"Looking:{job.pk}",
        "storage": [
            {"step": "django_wfe.steps.__start__", "result": None},
            {"step": "tests.interface_workflows.Give", "result": [1]},
        ],
        "key": f"{job.uuid}:2",
        "attempt": 1,
        "logfile": job.logfile,
        "model": None,
        "logger": "django_wfe.step.tests.interface_workflows.LookAround",
    }
    assert job.logfile.endswith(f"Looking_{job.uuid}.log")
    assert "INFO django_wfe.step.tests.interface_workflows.LookAround: looking around" in read_log(job)


def test_idempotency_key_is_stable_over_retries_and_differs_from_step_to_step():
    job_id = run_workflow(declared.FailingTwice)
    job = run_ready(job_id)
    assert job.state == JobState.FINISHED
    expected = [(attempt, f"{job.uuid}:1") for attempt in (1, 2, 3)]
    assert expected == declared.GIVEN
    assert job.storage["data"][-1]["result"]["key"] == f"{job.uuid}:2"
    assert job.step_runs.get(number=1, attempt=3).idempotency_key == f"{job.uuid}:1"


def test_a_step_without_a_job_says_what_it_lacks():
    with pytest.raises(RuntimeError, match=r"LookAround was created without a job\. Give it a StepContext"):
        _ = declared.LookAround().job


def test_label_and_labels_reach_the_definition(monkeypatch):
    monkeypatch.setattr(declared.Give, "RESULT", 0)
    looking, choosing = run(declared.Looking), pick(monkeypatch, 0)
    assert looking.definition.load_graph().get_node("tests.interface_workflows.LookAround").label == "Look around"
    edges = choosing.definition.load_graph().list_edges_from("tests.interface_workflows.Pick")
    assert [edge.label for edge in edges] == ["left", "right"]


# What it says


@pytest.mark.django_db(transaction=True)
def test_eight_threads_in_one_process_each_have_their_own_log(capfd):
    job_ids, failures = [], []
    barrier = threading.Barrier(8)

    def work():
        try:
            barrier.wait(10)
            for _ in range(3):
                job_ids.append(run_workflow(declared.Speaking))
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    run_workflow(declared.Speaking)
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert len(set(job_ids)) == 24
    for step_run in StepRun.objects.filter(job_id__in=job_ids, number__gt=0).select_related("job"):
        lines = read_step_run_log(step_run).splitlines()
        assert len(lines) == 80
        assert {line.split()[-1] for line in lines} == {step_run.idempotency_key}
        for number in range(20):
            kinds = [line for line in lines if f" {number} {step_run.idempotency_key}" in line]
            assert [kind.split(" ")[0] for kind in kinds[:2]] == ["printed", "wrote"]
            assert ["WARNING shop: logged" in kinds[2], "INFO django_wfe.step." in kinds[3]] == [True, True]
    assert "printed" not in capfd.readouterr().out


def test_what_is_printed_outside_of_a_step_goes_where_it_went_before(capsys):
    run(declared.Speaking)
    print("from outside")
    assert capsys.readouterr().out == "from outside\n"


def test_what_an_asyncio_task_of_a_step_prints_is_in_its_log_too(monkeypatch):
    async def tell():
        print("from a task")

    def execute(self, _input=None):
        asyncio.run(tell())

    monkeypatch.setattr(declared.Give, "execute", execute)
    assert read_log(run(declared.Passing)) == "from a task\n"


def test_nul_and_surrogates_in_a_log_become_what_a_reader_sees():
    job = run(declared.SayingOddThings)
    assert job.state == JobState.FINISHED
    assert read_log(job) == "a NUL \\x00 and a surrogate \\ud800.\n"


def test_a_log_beyond_its_limit_is_cut_and_says_so(settings):
    settings.WFE_MAX_LOG_BYTES = 100
    log = read_step_run_log(run(declared.Speaking).step_runs.get(number=1))
    assert log.endswith("\n[log cut here: it is longer than WFE_MAX_LOG_BYTES = 100]\n")
    assert len(log.partition("\n[log cut")[0]) == 100


@pytest.mark.django_db(transaction=True)
def test_what_was_flushed_while_a_step_ran_is_in_its_log_once_even_if_its_transaction_rolls_back(monkeypatch):
    def execute(self, _input=None):
        print("flushed")
        capture = output._current.get()
        flusher = threading.Thread(target=flush_elsewhere, args=[capture])
        flusher.start()
        flusher.join(10)
        print("after it")
        raise ValueError("rolled back")

    def flush_elsewhere(capture):
        flush_capture(capture)
        connections.close_all()

    monkeypatch.setattr(declared.Give, "execute", execute)
    monkeypatch.setattr(declared.Give, "atomic", True)
    job = run(declared.Passing)
    assert job.state == JobState.FAILED
    assert read_log(job) == "flushed\nafter it\n"


def test_a_step_logger_formats_a_wrong_record_without_harm(monkeypatch, capsys):
    def execute(self, _input=None):
        logging.getLogger("shop").warning("%d is no number", "one")
        return "on"

    monkeypatch.setattr(logging, "raiseExceptions", False)
    monkeypatch.setattr(declared.Give, "execute", execute)
    assert run(declared.Passing).state == JobState.FINISHED


def test_a_logger_that_does_not_propagate_is_in_the_log_too_and_once(monkeypatch):
    closed = logging.getLogger("shop.closed")
    below = logging.getLogger("shop.closed.below")
    monkeypatch.setattr(closed, "propagate", False)
    monkeypatch.setattr(below, "propagate", True)

    def execute(self, _input=None):
        closed.warning("from the closed one")
        below.warning("from below it")

    monkeypatch.setattr(declared.Give, "execute", execute)
    lines = read_log(run(declared.Passing)).splitlines()
    assert [line.partition("WARNING ")[2] for line in lines] == [
        "shop.closed: from the closed one",
        "shop.closed.below: from below it",
    ]


def test_a_step_may_run_another_workflow_and_the_logs_stay_apart(monkeypatch):
    def execute(self, _input=None):
        print("before")
        inner = run_workflow(workflows.Linear)
        print("after")
        return inner

    monkeypatch.setattr(declared.Give, "execute", execute)
    job = run(declared.Passing)
    assert read_log(job) == "before\nafter\n"
    inner = Job.objects.get(pk=job.storage["data"][1]["result"])
    assert inner.state == JobState.FINISHED
    assert "before" not in read_log(inner)
    assert "fetched" in read_log(inner)


def test_captures_nest():
    with capture_output(1) as outer:
        print("one")
        with capture_output(2) as inner:
            print("two")
        print("three")
    assert (outer.drain(), inner.drain()) == ("one\nthree\n", "two\n")


# Where it goes


@pytest.mark.parametrize("edge", [2, -1, True, False, None, 0.0, "0", [0], 10**30])
def test_a_transition_that_names_no_edge_fails_with_node_value_and_edges(edge, monkeypatch):
    job = pick(monkeypatch, edge)
    assert job.state == JobState.FAILED
    failed = get_last_run(job.pk)
    assert (failed.step, failed.error_type) == ("tests.interface_workflows.Pick", "InvalidTransition")
    assert f"transition() of tests.interface_workflows.Pick returned {edge!r}, which is not the index" in failed.error
    assert "(0: tests.interface_workflows.GoLeft, 1: tests.interface_workflows.GoRight)" in failed.error


@pytest.mark.parametrize(("edge", "target"), [(0, "GoLeft"), (1, "GoRight")])
def test_a_transition_takes_the_edge_of_its_index(edge, target, monkeypatch):
    job = pick(monkeypatch, edge)
    assert (job.state, job.current_step) == (JobState.FINISHED, f"tests.interface_workflows.{target}")
    assert job.step_runs.get(number=2).transition == edge


def test_a_decision_without_execute_passes_its_input_on(monkeypatch):
    job = pick(monkeypatch, 1)
    assert [entry["result"] for entry in job.storage["data"]] == [None, {"n": 1}, {"n": 1}, {"n": 1}]
    assert declared.GIVEN == [({"n": 1}, {"n": 1}, None), {"n": 1}]


@pytest.mark.parametrize(("right", "target"), [(False, "GoLeft"), (True, "GoRight")])
def test_a_decision_may_ask_and_execute_too(right, target, monkeypatch):
    monkeypatch.setattr(declared.Give, "RESULT", 0)
    job_id = run_workflow(declared.AskingDecision)
    assert Job.objects.get(pk=job_id).state == JobState.INPUT_REQUIRED
    provide_external_input(job_id, {"right": right})
    job = run_ready(job_id)
    assert job.current_step == f"tests.interface_workflows.{target}"
    assert job.storage["data"][2]["result"] == {"asked": right}
    [taken] = declared.GIVEN
    assert taken == {"asked": right}


def test_a_plain_step_takes_edge_zero_and_may_override_it(monkeypatch):
    monkeypatch.setattr(declared.Give, "RESULT", "x")
    assert run(declared.Passing).step_runs.get(number=1).transition == 0
    assert run(declared.ChoosingStep).current_step == "tests.interface_workflows.GoRight"


def test_a_node_without_edges_ends_the_job_and_its_transition_is_not_asked(monkeypatch):
    monkeypatch.setattr(declared.GoRight, "transition", lambda self: 1 / 0)
    assert pick(monkeypatch, 1).state == JobState.FINISHED


# How it fails


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


def test_retry_waits_for_its_backoff(django_capture_on_commit_callbacks, dispatcher):
    with django_capture_on_commit_callbacks(execute=True):
        job = run(declared.FailingLater)
    assert job.state == JobState.WAITING
    waiting = get_last_run(job.pk)
    assert (waiting.state, waiting.attempt) == ("READY", 2)
    assert 3590 < (waiting.due_at - waiting.created_at).total_seconds() <= 3600
    assert (dispatcher.sent, dispatcher.delays) == ([waiting.pk], [3600])
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
    assert failed.error == "tests.interface_workflows.Hang ran longer than its timeout of 0.1 s."
    assert (failed.finished_at - failed.started_at).total_seconds() < 5


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
