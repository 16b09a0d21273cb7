"""What a step says becomes its log, whatever else goes on in the process."""

import asyncio
import logging
import threading

import pytest
from django.db import connections

from django_wfe import run_workflow
from django_wfe.engine.output import capture as capturing
from django_wfe.engine.output.step_logs import capture_output, flush_capture, read_step_run_log
from django_wfe.models import Job, JobState, StepRun
from tests import workflows
from tests.declared import interface_workflows as declared
from tests.support.running.engine_helpers import read_log, run

pytestmark = [pytest.mark.integration, pytest.mark.django_db, pytest.mark.usefixtures("fresh_engine", "sent")]


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
        capture = capturing.current.get()
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
        logging.getLogger("shop").warning("%d is not a number", "one")
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
            taken = [inner.drain()]
        print("three")
        taken.append(outer.drain())
    assert taken == ["two\n", "one\nthree\n"]
