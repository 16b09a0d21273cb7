"""What belongs to a step beside its own thread: processes that it forks, receivers, what waits for the commit."""

import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

import pytest
from django.contrib.auth.models import Group
from django.db import transaction

from django_wfe import order_workflow_execution, provide_external_input, run_workflow, signals
from django_wfe.engine.output.step_logs import read_step_run_log
from django_wfe.engine.worker.loop import run_step_run
from django_wfe.models import Job, JobLog, JobState
from tests import workflows
from tests.declared import interface_workflows as declared
from tests.support.running.engine_helpers import get_last_run, read_log, run
from tests.support.running.waiting import wait_until

pytestmark = [
    pytest.mark.integration,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("fresh_engine", "sent"),
    # The interpreter warns of forks in processes with threads; steps do it all the same.
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

FORK = multiprocessing.get_context("fork")


def let(monkeypatch, execute, **options):
    """Let the first step of ``Passing`` do this."""
    monkeypatch.setattr(declared.Give, "execute", execute)
    for name, value in options.items():
        monkeypatch.setattr(declared.Give, name, value)


def tell(text):
    print(f"{text} printed")
    sys.stderr.write(f"{text} wrote\n")
    logging.getLogger("shop").warning("%s logged", text)
    return text


def last_words(log):
    return [line.partition("shop: ")[2] or line for line in log.splitlines()]


def fork(work):
    """Do the work in a child, which ends as os.fork()'s children do."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return child


def test_what_a_forked_child_prints_writes_and_logs_is_in_its_place_in_the_log(monkeypatch):
    def execute(self, _input=None):
        print("before")
        os.waitpid(fork(lambda: tell("the child ä")), 0)
        print("between")
        process = FORK.Process(target=tell, args=["the process"])
        process.start()
        process.join(30)
        print("after")

    let(monkeypatch, execute)
    assert last_words(read_log(run(declared.Passing))) == [
        "before",
        "the child ä printed",
        "the child ä wrote",
        "the child ä logged",
        "between",
        "the process printed",
        "the process wrote",
        "the process logged",
        "after",
    ]


def test_the_workers_of_a_pool_and_a_childs_child_belong_to_it_too(monkeypatch):
    def grandchild():
        os.waitpid(fork(lambda: tell("the grandchild")), 0)

    def execute(self, _input=None):
        with ProcessPoolExecutor(2, mp_context=FORK) as pool:
            list(pool.map(tell, ["one", "two", "three"]))
        os.waitpid(fork(grandchild), 0)

    let(monkeypatch, execute)
    lines = last_words(read_log(run(declared.Passing)))
    assert len(lines) == 12
    assert {f"{name} {how}" for name in ("one", "the grandchild") for how in ("printed", "wrote", "logged")} < set(
        lines
    )


def test_lines_of_children_that_print_at_once_are_not_mixed(monkeypatch):
    def chatter(name):
        for _ in range(300):
            print(name, name)

    def execute(self, _input=None):
        children = [fork(lambda name=name: chatter(name)) for name in ("one", "two", "three")]
        for child in children:
            os.waitpid(child, 0)

    let(monkeypatch, execute)
    lines = Counter(read_log(run(declared.Passing)).splitlines())
    assert lines == {"one one": 300, "two two": 300, "three three": 300}


def test_what_a_child_has_begun_to_write_is_kept_when_it_flushes_or_ends(monkeypatch):
    def begin_and_exit():
        print("no end of the line", end="")

    def begin_and_be_killed():
        print(", flushed", end="", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

    def execute(self, _input=None):
        process = FORK.Process(target=begin_and_exit)
        process.start()
        process.join(30)
        os.waitpid(fork(begin_and_be_killed), 0)

    let(monkeypatch, execute)
    assert read_log(run(declared.Passing)) == "no end of the line, flushed"


def test_a_child_that_is_killed_leaves_what_it_has_put_out(monkeypatch):
    def die():
        print("last words")
        os.kill(os.getpid(), signal.SIGKILL)

    def execute(self, _input=None):
        os.waitpid(fork(die), 0)

    let(monkeypatch, execute)
    assert read_log(run(declared.Passing)) == "last words\n"


def test_a_child_that_writes_too_much_fills_no_memory(monkeypatch, settings):
    settings.WFE_MAX_LOG_BYTES = 1000

    def flood():
        for _ in range(10_000):
            print("x" * 99)

    def execute(self, _input=None):
        os.waitpid(fork(flood), 0)
        return os.fstat(capture_of_step()._spool._file).st_size

    def capture_of_step():
        from django_wfe.engine.output.capture import current

        return current.get()

    let(monkeypatch, execute)
    job = run(declared.Passing)
    log = read_log(job)
    assert log.endswith("\n[log cut here: it is longer than WFE_MAX_LOG_BYTES = 1,000]\n")
    assert len(log) < 1100
    assert job.storage["data"][1]["result"] < 1200


def test_a_child_that_outlives_its_step_writes_to_the_process_and_leaves_no_open_file(monkeypatch, capfd):
    reader, writer = os.pipe()
    children = []

    def wait_and_tell():
        print("early")
        os.close(writer)
        os.read(reader, 1)
        sys.stdout.write("late\n")
        sys.stdout.flush()

    def execute(self, _input=None):
        children.append(fork(wait_and_tell))

    run(declared.Speaking)
    let(monkeypatch, execute)
    files = len(os.listdir("/proc/self/fd"))
    job = run(declared.Passing)
    assert len(os.listdir("/proc/self/fd")) == files
    os.close(writer)
    os.waitpid(children[0], 0)
    os.close(reader)
    assert "late" not in read_log(job)


@pytest.mark.parametrize("is_atomic", [False, True])
@pytest.mark.parametrize(
    ("leave", "code"),
    [(lambda: None, 0), (lambda: sys.exit(3), 3), (lambda: sys.exit(), 0), (lambda: 1 / 0, 1)],
    ids=["returns", "exits", "exits well", "raises"],
)
def test_a_child_that_comes_back_from_the_steps_code_ends_there_and_harms_nothing(leave, code, is_atomic, monkeypatch):
    def execute(self, _input=None):
        Group.objects.create(name=f"of {self.idempotency_key}")
        child = os.fork()
        if child == 0:
            print("in the child")
            return leave()
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    parent = os.getpid()
    let(monkeypatch, execute, atomic=is_atomic)
    job = run(declared.Passing)
    assert os.getpid() == parent
    assert (job.state, job.storage["data"][1]["result"]) == (JobState.FINISHED, code)
    assert Group.objects.count() == 1
    log = read_log(job)
    assert log.startswith("in the child\n")
    assert ("ZeroDivisionError" in log) == (code == 1)


@pytest.fixture
def telling():
    """Receivers that put something out."""
    received = []

    def receive(*, job, step_run=None, **named):
        received.append(job.pk)
        tell(f"receiver of {step_run.step.rpartition('.')[2] if step_run else 'the job'}")

    chosen = (signals.step_finished, signals.job_finished, signals.input_required, signals.job_failed)
    for one in chosen:
        one.connect(receive, dispatch_uid="telling")
    yield received
    for one in chosen:
        one.disconnect(dispatch_uid="telling")


def say(name):
    return [f"{name} {how}" for how in ("printed", "wrote", "logged")]


@pytest.mark.parametrize("is_atomic", [False, True])
def test_what_receivers_put_out_after_the_commit_follows_in_the_log_of_the_step_run(is_atomic, monkeypatch, telling):
    let(monkeypatch, lambda self, _input=None: print("the step"), atomic=is_atomic)
    job = run(declared.Passing)
    first, second = job.step_runs.filter(number__gt=0).order_by("number")
    assert last_words(read_step_run_log(first)) == ["the step", *say("receiver of Give")]
    assert last_words(read_step_run_log(second)) == [*say("receiver of Take"), *say("receiver of the job")]


def test_receivers_of_a_run_that_fails_or_asks_are_in_a_log_too(monkeypatch, telling):
    def execute(self, _input=None):
        raise ValueError("broken")

    let(monkeypatch, execute)
    assert last_words(read_log(run(declared.Passing))) == say("receiver of the job")
    job = run(workflows.Asking)
    fetch = job.step_runs.get(number=1)
    assert last_words(read_step_run_log(fetch)) == ["fetched", *say("receiver of Fetch"), *say("receiver of Ask")]


def test_receivers_of_a_job_that_is_run_within_a_transaction_are_heard_at_its_commit(monkeypatch, telling):
    let(monkeypatch, lambda self, _input=None: print("the step"))
    before = (sys.stdout, sys.stderr)
    with transaction.atomic():
        job = run(declared.Passing)
        assert telling == []
        assert read_log(job) == "the step\n"
    assert last_words(read_step_run_log(job.step_runs.get(number=1))) == ["the step", *say("receiver of Give")]
    assert (sys.stdout, sys.stderr) == before
    assert last_words(read_step_run_log(job.step_runs.get(number=2))) == [
        *say("receiver of Take"),
        *say("receiver of the job"),
    ]


def test_callbacks_that_an_atomic_step_has_left_for_the_commit_are_heard(monkeypatch):
    def execute(self, _input=None):
        print("the step")
        transaction.on_commit(lambda: print("after the commit"))

    let(monkeypatch, execute, atomic=True)
    assert read_log(run(declared.Passing)) == "the step\nafter the commit\n"


@pytest.mark.parametrize("error", [SystemExit(3), SyntaxError("odd", ("a", 1, 1, 42))])
def test_a_receiver_that_raises_what_is_no_exception_or_cannot_be_formatted_is_heard(error, telling, caplog):
    def break_down(**named):
        raise error

    signals.step_finished.connect(break_down, dispatch_uid="breaks")
    try:
        job = run(declared.Passing)
    finally:
        signals.step_finished.disconnect(dispatch_uid="breaks")
    assert job.state == JobState.FINISHED
    assert f"break_down raised {type(error).__name__}" in caplog.text
    assert f"break_down raised {type(error).__name__}" in read_log(job)
    assert telling, "other receivers are told all the same"


def test_a_job_that_is_deleted_before_its_receivers_are_told_harms_nothing(telling):
    def delete(**named):
        Job.objects.all().delete()

    signals.job_started.connect(delete, dispatch_uid="deletes")
    try:
        with transaction.atomic():
            order_workflow_execution(workflows.Asking)
            run_workflow(declared.Passing)
    finally:
        signals.job_started.disconnect(dispatch_uid="deletes")
    assert (Job.objects.count(), JobLog.objects.count()) == (0, 0)


def test_what_a_validator_prints_when_it_refuses_stored_input_does_not_stand_in_the_way_later(monkeypatch, telling):
    job = run(workflows.Asking)
    provide_external_input(job.pk, {"some_data": 1})
    waiting = get_last_run(job.pk)
    valid = workflows.Ask.UserInputSchema

    class Refusing(valid):
        def __init__(self, **data):
            super().__init__(**data)

        @classmethod
        def model_validate_json(cls, *args, **kwargs):
            print("refused")
            return valid.model_validate_json('{"some_data": "no number"}')

    with monkeypatch.context() as patched:
        patched.setattr(workflows.Ask, "UserInputSchema", Refusing)
        run_step_run(waiting.pk)
    assert get_last_run(job.pk).state == "INPUT_REQUIRED"
    assert last_words(read_step_run_log(waiting)) == ["refused", *say("receiver of Ask")]
    provide_external_input(job.pk, {"some_data": 1})
    run_step_run(waiting.pk)
    waiting.refresh_from_db()
    assert waiting.state == "FINISHED"
    assert last_words(read_step_run_log(waiting))[:4] == ["refused", *say("receiver of Ask")]
    assert "receiver of Ask printed" in read_step_run_log(waiting)[60:]


def test_a_fork_while_another_thread_writes_leaves_the_child_no_held_lock(monkeypatch):
    def execute(self, _input=None):
        import contextvars

        is_over = threading.Event()

        def write():
            while not is_over.is_set():
                sys.stdout.write("")

        thread = threading.Thread(target=contextvars.copy_context().run, args=[write])
        thread.start()
        for number in range(20):
            child = fork(lambda number=number: print(f"child {number}"))
            wait_until(lambda child=child: os.waitpid(child, os.WNOHANG) != (0, 0), timeout=30)
        is_over.set()
        thread.join(30)

    let(monkeypatch, execute)
    assert read_log(run(declared.Passing)) == "".join(f"child {number}\n" for number in range(20))
