"""A process that runs steps is as it was before: its streams, its logging. And nobody waits for anybody's output."""

import io
import logging
import logging.config
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from unittest import mock

import pytest
from django.contrib.auth.models import Group
from django.db import connection, connections

from django_wfe import run_workflow
from django_wfe.engine.output import capture as capturing
from django_wfe.engine.output import step_logs
from django_wfe.engine.output.step_logs import capture_output, flush_capture
from django_wfe.engine.project_code import classes
from django_wfe.exceptions import InvalidWorkflow
from django_wfe.models import JobState
from django_wfe.steps import Step
from tests.declared import interface_workflows as declared
from tests.support.running.engine_helpers import read_log, run

pytestmark = [pytest.mark.integration, pytest.mark.django_db, pytest.mark.usefixtures("fresh_engine", "sent")]


def let(monkeypatch, execute, **options):
    """Let the first step of ``Passing`` do this."""
    monkeypatch.setattr(declared.Give, "execute", execute)
    for name, value in options.items():
        monkeypatch.setattr(declared.Give, name, value)


SCRIPT = """
import logging, sys
import django
django.setup()
before = (sys.stdout, sys.stderr, list(logging.root.handlers), logging.root.level)
from django_wfe import run_workflow, signals
from django_wfe.models import Job
from tests.declared import interface_workflows as declared

def break_down(**named):
    raise RuntimeError("the mail server is away")

signals.job_finished.connect(break_down)

def execute(self, _input=None):
    print("printed by the step")
    logging.getLogger("shop").warning("logged by the step")

declared.Give.execute = execute
job = Job.objects.get(pk=run_workflow(declared.Passing))
assert (sys.stdout, sys.stderr, list(logging.root.handlers), logging.root.level) == before
print("state", job.state)
logging.getLogger("shop").warning("by the last resort")
logging.basicConfig(format="configured %(message)s")
assert len(logging.root.handlers) == 1
logging.getLogger("shop").warning("by the root logger")
run_workflow(declared.Passing)
"""


@pytest.mark.django_db(transaction=True)
def test_after_run_workflow_a_script_has_its_own_streams_and_its_logging_is_not_configured(child_environment):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=child_environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "state FINISHED\n"
    first, _, second = done.stderr.partition("configured by the root logger\n")
    assert first.splitlines()[0] == "logged by the step", "as without django-wfe, by Python's last resort"
    assert "break_down raised RuntimeError: the mail server is away\n" in first
    assert first.endswith("\nby the last resort\n")
    assert "configured logged by the step\n" in second
    assert "configured The signal receiver __main__.break_down raised" in second


def test_a_step_that_configures_logging_anew_is_heard_before_and_after(monkeypatch):
    def execute(self, _input=None):
        log = logging.getLogger("shop.anew")
        log.warning("before")
        logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, "root": {"handlers": []}})
        log.warning("between")
        logging.basicConfig(force=True, stream=io.StringIO())
        log.warning("after")

    handlers, level = list(logging.root.handlers), logging.root.level
    let(monkeypatch, execute)
    try:
        lines = read_log(run(declared.Passing)).splitlines()
    finally:
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
    assert [line.partition("shop.anew: ")[2] for line in lines] == ["before", "between", "after"]


def test_a_record_is_in_the_log_once_whatever_stream_a_handler_writes_to(monkeypatch, capfd):
    class OwnHandler(logging.Handler):
        def emit(self, record):
            print("by a handler:", record.getMessage(), file=sys.stderr)

    log = logging.getLogger("shop.own")
    handler = OwnHandler()
    monkeypatch.setattr(log, "handlers", [handler])
    monkeypatch.setattr(log, "propagate", False)
    let(monkeypatch, lambda self, _input=None: log.warning("once"))
    assert read_log(run(declared.Passing)).count("once") == 1
    assert capfd.readouterr().err == "by a handler: once\n"


def test_a_handlers_filter_that_takes_a_secret_out_has_its_turn_before_the_log(monkeypatch):
    class Redacting(logging.Handler):
        def handle(self, record):
            record.msg = record.msg.replace("hunter2", "***")
            return True

    log = logging.getLogger("shop.secret")
    monkeypatch.setattr(log, "handlers", [Redacting()])
    let(monkeypatch, lambda self, _input=None: log.warning("the password is hunter2"))
    assert "the password is ***" in read_log(run(declared.Passing))


def test_the_engines_own_words_and_statements_are_not_in_a_steps_log(monkeypatch, caplog):
    caplog.set_level(logging.DEBUG, logger="django.db.backends")
    monkeypatch.setattr(connections["default"], "force_debug_cursor", True)

    def execute(self, _input=None):
        Group.objects.filter(name="of the step").exists()
        raise ValueError("broken")

    let(monkeypatch, execute)
    log = read_log(run(declared.Passing))
    assert "of the step" in log
    assert "django_wfe_steprun" not in log
    assert "django_wfe.engine" not in log
    assert "failed: ValueError" in caplog.text


def test_a_step_that_replaces_or_closes_the_streams_harms_nobody(monkeypatch, capsys):
    def wrap(self, _input=None):
        sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", write_through=True)
        print("wrapped ä")

    def detach(self, _input=None):
        sys.stdout = io.TextIOWrapper(sys.stdout.detach(), encoding="utf-8", write_through=True)
        print("detached ä")

    def close(self, _input=None):
        sys.stderr.close()
        sys.stdout.close()
        print("after a close")

    def replace(self, _input=None):
        sys.stdout = sys.stderr = None

    before = (sys.stdout, sys.stderr)
    logs = []
    for execute in (wrap, detach, close, replace):
        let(monkeypatch, execute)
        logs.append(read_log(run(declared.Passing)))
        assert (sys.stdout, sys.stderr) == before
    assert logs == ["wrapped ä\n", "detached ä\n", "after a close\n", ""]
    print("from outside")
    assert capsys.readouterr().out == "from outside\n"


def test_a_process_without_streams_runs_steps_that_print(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)

    def execute(self, _input=None):
        print("printed", flush=True)
        with capturing.Hearing(None):
            print("to nowhere", flush=True)

    let(monkeypatch, execute)
    assert read_log(run(declared.Passing)) == "printed\n"
    assert (sys.stdout, sys.stderr) == (None, None)


def test_a_thread_that_outlives_its_step_prints_to_the_process(monkeypatch, capsys):
    import contextvars

    go_on, threads = threading.Event(), []

    def late():
        print("early", flush=True)
        assert go_on.wait(30)
        print("late")

    def execute(self, _input=None):
        stream = sys.stdout
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=[late])
        threads.append(thread)
        thread.start()
        while not capturing.current.get()._parts:
            time.sleep(0.001)
        assert stream is sys.stdout

    let(monkeypatch, execute)
    log = read_log(run(declared.Passing))
    go_on.set()
    threads[0].join(30)
    assert log == "early\n"
    assert capsys.readouterr().out == "late\n"


@pytest.mark.django_db(transaction=True)
def test_a_step_prints_and_logs_while_the_statement_that_writes_its_log_hangs(monkeypatch):
    flushing, statement_may_end, failures = threading.Event(), threading.Event(), []

    def hang(execute, sql, params, many, context):
        if "django_wfe_joblog" in sql:
            flushing.set()
            assert statement_may_end.wait(30)
        return execute(sql, params, many, context)

    def flush_elsewhere(capture):
        try:
            with connections["default"].execute_wrapper(hang):
                flush_capture(capture)
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    def execute(self, _input=None):
        print("one")
        flusher = threading.Thread(target=flush_elsewhere, args=[capturing.current.get()])
        flusher.start()
        assert flushing.wait(30)
        print("two")
        logging.getLogger("shop").warning("three")
        statement_may_end.set()
        flusher.join(30)
        print("four")

    let(monkeypatch, execute)
    log = read_log(run(declared.Passing))
    assert failures == []
    assert [line.split()[-1] for line in log.splitlines()] == ["one", "two", "three", "four"]


@pytest.mark.django_db(transaction=True)
def test_a_flush_that_fails_after_its_step_is_over_is_made_up_for(monkeypatch):
    taken, may_fail, flushers = threading.Event(), threading.Event(), []

    def fail(execute, sql, params, many, context):
        taken.set()
        assert may_fail.wait(30)
        raise connection.Database.OperationalError("the network is away")

    def flush_elsewhere(capture):
        try:
            with connections["default"].execute_wrapper(fail), pytest.raises(Exception, match="network is away"):
                flush_capture(capture)
        finally:
            connections.close_all()

    def execute(self, _input=None):
        print("one")
        flusher = threading.Thread(target=flush_elsewhere, args=[capturing.current.get()])
        flusher.start()
        flushers.append(flusher)
        assert taken.wait(30)
        print("two")

    let(monkeypatch, execute)
    job = run(declared.Passing)
    assert read_log(job) == "two\n"
    may_fail.set()
    flushers[0].join(30)
    assert len(step_logs._left_over) == 1
    run(declared.Speaking)
    assert read_log(job) == "one\ntwo\n"


@contextmanager
def holding_a_lock(handler):
    handler.acquire()
    try:
        yield
    finally:
        handler.release()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_disk_full", [False, True])
def test_a_step_that_holds_a_handlers_lock_and_a_flush_that_logs_get_along(
    is_disk_full, monkeypatch, tmp_path, settings
):
    """The heartbeat logs its statement, or that the disk is full, while the step logs and prints."""
    if is_disk_full:
        settings.WFE_LOG_DIR = str(tmp_path)
        tmp_path.joinpath("Passing_x").touch()
        monkeypatch.setattr("builtins.open", mock.Mock(side_effect=OSError(28, "No space left on device")))
    handler = logging.Handler()
    handler.emit = lambda record: None
    flush_began = threading.Event()

    class Telling(logging.Filter):
        def filter(self, record):
            flush_began.set()
            return True

    handler.setLevel(logging.DEBUG)
    loggers = [logging.getLogger("django.db.backends"), logging.getLogger("django_wfe.engine")]
    for log in loggers:
        monkeypatch.setattr(log, "handlers", [handler])
        monkeypatch.setattr(log, "filters", [Telling()])
        monkeypatch.setattr(log, "level", logging.DEBUG)
        log.manager._clear_cache()

    def flush_elsewhere(capture):
        connections["default"].force_debug_cursor = True
        try:
            flush_capture(capture)
        finally:
            connections.close_all()

    def execute(self, _input=None):
        print("one")
        capture = capturing.current.get()
        flusher = threading.Thread(target=flush_elsewhere, args=[capture])
        with holding_a_lock(handler):
            flusher.start()
            assert flush_began.wait(30)
            # The flusher wants the handler's lock now, and would hold the capture's.
            writer = threading.Thread(target=capture.write, args=["two\n"])
            writer.start()
            writer.join(10)
            assert not writer.is_alive()
        flusher.join(30)
        assert not flusher.is_alive()

    let(monkeypatch, execute)
    job = run(declared.Passing)
    for log in loggers:
        log.manager._clear_cache()
    assert (job.state, read_log(job)) == (JobState.FINISHED, "one\ntwo\n")


def test_a_record_whose_text_takes_long_holds_up_no_other_threads_records(monkeypatch):
    asked, may_answer = threading.Event(), threading.Event()

    class Slow:
        def __str__(self):
            asked.set()
            assert may_answer.wait(30)
            return "slow"

    log = logging.getLogger("shop.slow")
    monkeypatch.setattr(log, "handlers", [logging.NullHandler()])
    monkeypatch.setattr(log, "propagate", False)
    captures = []

    def log_slowly():
        with capture_output(1) as capture:
            log.warning("%s", Slow())
            captures.append(capture.drain())

    slow = threading.Thread(target=log_slowly)
    slow.start()
    assert asked.wait(30)
    with capture_output(2) as capture:
        log.warning("quick")
        quick = capture.drain()
    may_answer.set()
    slow.join(30)
    assert "quick" in quick
    assert "slow" in captures[0]


def test_a_step_may_be_mocked_and_is_itself_again_afterwards():
    with mock.patch.object(declared.Give, "execute", return_value="mocked") as execute:
        job = run(declared.Passing)
    assert job.state == JobState.FINISHED
    assert job.storage["data"][1]["result"] == "mocked"
    execute.assert_called_once()
    job = run(declared.Passing)
    assert job.storage["data"][1]["result"] == declared.Give.RESULT


def test_a_mock_may_fail_and_may_have_the_steps_signature():
    with mock.patch.object(declared.Give, "execute", autospec=True, return_value="mocked"):
        assert run(declared.Passing).storage["data"][1]["result"] == "mocked"
    with mock.patch.object(declared.Give, "execute", side_effect=ValueError("mocked")):
        assert run(declared.Passing).state == JobState.FAILED
    assert run(declared.Passing).state == JobState.FINISHED


def test_what_was_wrong_with_a_step_while_it_was_patched_is_not_wrong_afterwards():
    classes.clear()
    with (
        mock.patch.object(declared.Give, "execute", new=5),
        pytest.raises(InvalidWorkflow, match="write a plain method"),
    ):
        run_workflow(declared.Passing)
    assert run(declared.Passing).state == JobState.FINISHED


def test_the_base_of_all_steps_may_be_mocked_and_only_steps_without_a_method_of_their_own_are():
    classes.clear()
    with mock.patch.object(Step, "execute", return_value="of the base") as execute:
        job = run(declared.Passing)
    assert (job.state, execute.call_count) == (JobState.FINISHED, 0)
