"""Kills the engine at every point between two of its statements, and sees whether recovery ends each Job alike."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connections

from django_wfe.conf import DATABASE, settings
from django_wfe.engine.delivery.dispatcher import install_dispatcher
from django_wfe.engine.lifecycle import NOT_GIVEN, order_workflow_execution
from django_wfe.engine.operations.workflow_lookup import forget_workflows
from django_wfe.engine.recovery.sweeping import LONGEST_REDISPATCH_FACTOR, sweep
from django_wfe.engine.store.crash_points import Death, watch_boundaries
from django_wfe.engine.worker.heartbeat import install_worker
from django_wfe.models import Job, LargeValue, StepRunState
from django_wfe.testing.answers import Answers, Inputs
from django_wfe.testing.clock import advance_time
from django_wfe.testing.convergence import Equal, find_difference, take_record
from django_wfe.testing.dispatchers import RecordingDispatcher
from django_wfe.testing.running import find_live, give_answer, skip_wait
from django_wfe.testing.workers import SimulatedWorker

MAX_CRASHES = 2
PATIENCE = 5
"""How many times in a row recovery may find nothing to do before a Job counts as stuck."""


@dataclass(frozen=True, slots=True)
class Point:
    """A point that the engine passed: the ``occurrence``-th time (from 1) since the start, or since the last death."""

    name: str
    occurrence: int

    def __str__(self) -> str:
        return f"{self.name} (time {self.occurrence})"


def assert_survives_crashes(
    workflow: Any,
    *,
    job_input: Any = NOT_GIVEN,
    inputs: Inputs | None = None,
    check: Callable[[Job], None] | None = None,
    equal: Equal | None = None,
    crashes: int = 1,
) -> None:
    """Assert that a Workflow comes to the same end wherever the process that runs it is killed.

    A first Job runs without a crash, and the points that the engine passes are kept: before and after each statement,
    each message, each ``execute``. Then, for each of them, another Job is killed there as by kill -9. Its messages are
    lost, its worker is declared dead, another one goes on. The Job must end in the same state with the same storage,
    no committed step may have run again, no interrupted one more often than it was killed, nothing may be left running
    or ready, and no attempt and no event may be lacking. So each step is run many times, its effects outside of the
    database included.

    Args:
        workflow: a Workflow class, its dotted path, id or row.
        job_input, inputs: as of ``run_to_end``. A Job that asks for more than they have counts as at its end.
        check: an assertion of yours, called with the first Job and with each one that was killed.
        equal: compares the data of two storages, the undisturbed one first. Default: ``==``. Give one where results
            hold times, random values or the Job's own id.
        crashes: 1, or 2 to kill what recovers as well, at each of its points: thorough, and slow for long workflows.

    Raises:
        AssertionError: if it does not; the message names the points.
        RuntimeError: inside a transaction, such as that of Django's ``TestCase``: a crash needs real commits.
        ValueError: for arguments out of their range.
    """
    _check_arguments(crashes)
    answers = Answers(inputs)
    undisturbed = _Trial(workflow, job_input, answers, ())
    with undisturbed.explain():
        job = undisturbed.run()
        answers.check(job)
        if check is not None:
            check(job)
    expected = take_record(job)

    def explore(deaths: tuple[Point, ...], points: list[Point]) -> None:
        for point in points:
            trial = _Trial(workflow, job_input, answers, (*deaths, point))
            with trial.explain():
                killed = trial.run()
                difference = find_difference(
                    expected, take_record(killed), trial.executed, deaths=len(trial.deaths), equal=equal
                )
                if difference:
                    raise AssertionError(difference)
                if check is not None:
                    check(killed)
            if len(trial.deaths) < crashes:
                explore(trial.deaths, trial.points)

    explore((), undisturbed.points)


def _check_arguments(crashes: int) -> None:
    if not 1 <= crashes <= MAX_CRASHES:
        raise ValueError(f"crashes={crashes!r}: give a number from 1 to {MAX_CRASHES}.")
    if crashes >= settings.max_lost_runs:
        raise ValueError(
            f"crashes={crashes} with WFE_MAX_LOST_RUNS = {settings.max_lost_runs}: a step that is killed so often "
            "fails its job, as it should. Raise the setting for this test."
        )
    if connections[DATABASE].in_atomic_block:
        raise RuntimeError(
            "assert_survives_crashes() needs real commits, and this test runs inside a transaction. Use Django's "
            "TransactionTestCase, or @pytest.mark.django_db(transaction=True)."
        )


@dataclass(eq=False)
class _Trial:
    """One Job from its start to its end, with a death at each of some points."""

    workflow: Any
    job_input: Any
    answers: Answers
    deaths: tuple[Point, ...]
    points: list[Point] = field(default_factory=list)
    """What was passed since the last death."""
    executed: Counter[int] = field(default_factory=Counter)
    """How often ``execute`` was called, by the id of the step run."""
    died: int = 0
    place: str = ""
    worker: SimulatedWorker = field(default_factory=SimulatedWorker)
    broker: RecordingDispatcher = field(default_factory=RecordingDispatcher)
    key: str = field(default_factory=lambda: f"crash-{uuid.uuid4()}")
    _counts: Counter[str] = field(default_factory=Counter)
    _thread: int = field(default_factory=threading.get_ident)

    def run(self) -> Job:
        """Run the Job to its end, through all the deaths; give it as it is then."""
        worker_before = install_worker(self.worker)
        dispatcher_before = install_dispatcher(self.broker)
        watcher_before = watch_boundaries(self._watch)
        # What another trial has written must not save this one the writing, at which it may be killed.
        LargeValue.objects.update(stored_at=None)
        forget_workflows()
        try:
            go_on = self._start
            while True:
                try:
                    go_on()
                    job = self._drive()
                    break
                except Death:
                    self._replace_worker()
                    go_on = self._recover
        finally:
            watch_boundaries(watcher_before)
            install_dispatcher(dispatcher_before)
            install_worker(worker_before)
            self.worker.stop()
        if self.died < len(self.deaths):
            raise AssertionError(
                f"the workflow does not pass {self.deaths[self.died]} each time: its way is left to chance"
            )
        return job

    @contextmanager
    def explain(self) -> Iterator[None]:
        """Have an error name the workflow and where it was killed."""
        try:
            yield
        except Exception as error:
            path = (
                self.workflow if isinstance(self.workflow, str) else getattr(self.workflow, "__name__", self.workflow)
            )
            killed = ", and then ".join(str(death) for death in self.deaths[: self.died])
            where = f"killed {killed}{self.place}" if killed else "that nobody killed"
            what = error if isinstance(error, AssertionError) else repr(error)
            raise AssertionError(f"{path}, {where}: {what}") from error

    def _watch(self, name: str) -> None:
        if threading.get_ident() != self._thread:
            return
        self._counts[name] += 1
        point = Point(name, self._counts[name])
        self.points.append(point)
        if self.died < len(self.deaths) and point == self.deaths[self.died]:
            self.died += 1
            self.place = f" at {self.worker.claim.step}" if self.worker.claim is not None else ""
            raise Death(str(point))
        if name == "before execute" and self.worker.claim is not None:
            self.executed[self.worker.claim.step_run_id] += 1

    def _start(self) -> None:
        # With a key, as a caller does who does not know whether his first call arrived.
        self.job_id = order_workflow_execution(self.workflow, key=self.key, input=self.job_input)

    def _replace_worker(self) -> None:
        self.worker.die()
        self.broker.drop_all()
        forget_workflows()
        self.points.clear()
        self._counts.clear()
        self.worker = SimulatedWorker()
        install_worker(self.worker)

    def _recover(self) -> None:
        self._start()
        self._sweep()

    def _sweep(self) -> None:
        """Let so much time pass that each lost message is overdue, and sweep."""
        job = Job.objects.get(pk=self.job_id)
        advance_time(settings.redispatch_after * (LONGEST_REDISPATCH_FACTOR + 1), job=job)
        sweep()

    def _drive(self) -> Job:
        idle = 0
        progress: Any = None
        while idle < PATIENCE:
            self.broker.deliver_all()
            job = Job.objects.select_related("workflow").get(pk=self.job_id)
            run = find_live(job)
            if run is None:
                return job
            run.job = job
            if run.state == StepRunState.INPUT_REQUIRED:
                if not give_answer(job, run, self.answers):
                    return job
                continue
            reached = (run.pk, run.epoch)
            idle = idle + 1 if reached == progress else 0
            progress = reached
            skip_wait(run)
            if not self.broker.messages:
                self._sweep()
        raise AssertionError(f"job {job.pk} is stuck in {job.state} at {job.current_step}. {job.error}".rstrip())
