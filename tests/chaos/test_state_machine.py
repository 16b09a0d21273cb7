"""Everything that can happen, in any order, on real PostgreSQL; the promises are checked after each move.

``WFE_STATE_MACHINE_EXAMPLES`` and ``WFE_STATE_MACHINE_STEPS`` make it larger: 20 and 30 unless they say otherwise.
"""

import os
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from pydantic import ValidationError

from django_wfe import order_workflow_execution, provide_external_input
from django_wfe.engine.lifecycle import VERBS, get_open_question, list_verbs, pause_workflow, resume_workflow
from django_wfe.engine.recovery.sweeping import sweep
from django_wfe.engine.store.claims import Claim
from django_wfe.engine.worker.loop import run_step_run
from django_wfe.exceptions import WFEException, WrongState
from django_wfe.models import Job, JobEvent, JobState, StepRun, StepRunState, Workflow
from django_wfe.testing import RecordingDispatcher, advance_time
from django_wfe.testing.workers import SimulatedWorker
from tests.chaos.machine_invariants import Watched
from tests.chaos.machine_workers import Slice, Stage
from tests.chaos.machine_workflows import ALL

pytestmark = [pytest.mark.chaos, pytest.mark.django_db(transaction=True)]

EXAMPLES = int(os.environ.get("WFE_STATE_MACHINE_EXAMPLES", "20"))
STEPS = int(os.environ.get("WFE_STATE_MACHINE_STEPS", "30"))
WORKERS = 3
MOST_FROZEN = 2

# Most moves bring nobody down, so that jobs get somewhere.
fatal_points = st.one_of(st.just(0), st.just(0), st.integers(1, 14))
picks = st.integers(0, 1000)
results = st.one_of(st.none(), st.integers(0, 5), st.just("by hand"), st.just(float("nan")))


class Engine(RuleBasedStateMachine):
    """Users, operators, workers, a broker, a watchdog and a clock."""

    def __init__(self) -> None:
        super().__init__()
        self.watched = Watched()
        self.stage = Stage(self._note_execution)
        self.broker = RecordingDispatcher()
        self.broker.__enter__()
        self.workers = [SimulatedWorker() for _ in range(WORKERS)]
        self.frozen: list[Slice] = []
        self.keys: dict[tuple[str, str], int] = {}
        self.held: set[int] = set()

    @initialize(chosen=st.lists(st.sampled_from(range(len(ALL))), min_size=2, max_size=4, unique=True))
    def begin(self, chosen: list[int]) -> None:
        for index in chosen:
            self.start(index, None, 0)

    @rule(pick=picks, key=st.sampled_from([None, None, "a", "b"]), fatal=fatal_points)
    def start(self, pick: int, key: str | None, fatal: int) -> None:
        workflow = ALL[pick % len(ALL)]
        done = self._act(lambda: order_workflow_execution(workflow, key=key), fatal)
        if done and key is not None:
            job = Job.objects.get(workflow__name=workflow.__name__, key=key)
            assert self.keys.setdefault((workflow.__name__, key), job.pk) == job.pk

    @rule(picked=st.lists(st.tuples(picks, picks, fatal_points), min_size=1, max_size=3))
    def run_ready(self, picked: list[tuple[int, int, int]]) -> None:
        for pick, worker, fatal in picked:
            ready = list(StepRun.objects.filter(state=StepRunState.READY).order_by("pk"))
            if ready:
                self._run(ready[pick % len(ready)].pk, worker % WORKERS, fatal=fatal)

    @precondition(lambda self: len(self.frozen) < MOST_FROZEN)
    @rule(pick=picks, worker=picks, cold=st.integers(1, 10))
    def freeze_while_running(self, pick: int, worker: int, cold: int) -> None:
        ready = list(StepRun.objects.filter(state=StepRunState.READY).order_by("pk"))
        if ready:
            self._run(ready[pick % len(ready)].pk, worker % WORKERS, cold=cold)

    @precondition(lambda self: self.frozen)
    @rule(pick=picks)
    def wake(self, pick: int) -> None:
        slice_ = self.frozen.pop(pick % len(self.frozen))
        self.stage.wake(slice_)

    @precondition(lambda self: self.frozen)
    @rule(pick=picks, fatal=fatal_points)
    def overtake_frozen(self, pick: int, fatal: int) -> None:
        """The frozen worker is declared dead, another one takes on its run, and then it wakes up."""
        slice_ = self.frozen.pop(pick % len(self.frozen))
        self._let_pass(31)
        sweep()
        claim = slice_.worker.claim
        if claim is not None:
            for run in StepRun.objects.filter(job_id=claim.job_id, state=StepRunState.READY):
                self._run(run.pk, 0, fatal=fatal)
        self.watched.check()
        self.stage.wake(slice_)

    @precondition(lambda self: self.broker.messages)
    @rule(pick=picks, worker=picks, fatal=fatal_points, keep=st.booleans())
    def deliver_message(self, pick: int, worker: int, fatal: int, keep: bool) -> None:
        message = self.broker.messages[pick % len(self.broker.messages)]
        if not keep:
            self.broker.messages.remove(message)
        self._run(message.number, worker % WORKERS, fatal=fatal)

    @rule()
    def lose_messages(self) -> None:
        self.broker.drop_all()

    @rule(pick=picks)
    def deliver_stale_message(self, pick: int) -> None:
        runs = list(StepRun.objects.exclude(state=StepRunState.READY).order_by("pk"))
        if runs:
            before = _take_picture()
            self._run(runs[pick % len(runs)].pk, 0)
            assert _take_picture() == before

    @rule(
        pick=picks, data=st.sampled_from([{"number": 1}, {"number": 2}, {"number": "x"}, {}, None]), fatal=fatal_points
    )
    def provide(self, pick: int, data: Any, fatal: int) -> None:
        job = self._choose_job(pick)
        if job is None:
            return
        asked = get_open_question(job) is not None
        valid = bool(data) and data["number"] != "x"
        before = _take_picture()
        try:
            self._act(lambda: provide_external_input(job.pk, data), fatal)
        except (ValidationError, WrongState) as error:
            refused_by_schema = isinstance(error, ValidationError)
            assert refused_by_schema == asked
            assert not (asked and valid)
            assert _take_picture() == before
        else:
            assert asked

    @rule(
        pick=picks,
        name=st.sampled_from(sorted(VERBS)),
        result=results,
        transition=st.sampled_from([None, 0, 1, 7]),
        number=st.integers(-1, 8),
        edit=st.booleans(),
        fatal=fatal_points,
    )
    def use_verb(
        self, pick: int, name: str, result: Any, transition: int | None, number: int, edit: bool, fatal: int
    ) -> None:
        job = self._choose_job(pick)
        if job is None:
            return
        arguments: dict[str, Any] = {}
        if name == "skip":
            arguments = {"result": result, "transition": transition}
        elif name == "rerun":
            arguments = {"number": number}
        elif name == "retry" and edit:
            arguments = {"value": result}
        status = next(status for status in list_verbs(job, None) if status.verb.name == name)
        before, events = _take_picture(), JobEvent.objects.count()
        try:
            self._act(lambda: VERBS[name].apply(job.pk, **arguments), fatal)
        except WFEException:
            assert _take_picture() == before
            assert not status.allowed or arguments, status
        else:
            assert status.allowed, status.reason
            assert JobEvent.objects.count() > events

    @rule(pick=picks, pause=st.booleans())
    def hold_or_release_workflow(self, pick: int, pause: bool) -> None:
        workflows = list(Workflow.objects.order_by("pk"))
        if workflows:
            chosen = workflows[pick % len(workflows)]
            if chosen.paused == pause:
                with pytest.raises(WrongState):
                    (pause_workflow if pause else resume_workflow)(chosen.pk)
            else:
                (pause_workflow if pause else resume_workflow)(chosen.pk)

    @rule(fatal=fatal_points)
    def sweep(self, fatal: int) -> None:
        self._act(sweep, fatal)

    @rule(seconds=st.sampled_from([1, 11, 29, 31, 200, 4000]))
    def let_time_pass(self, seconds: int) -> None:
        self._let_pass(seconds)

    @rule(worker=picks)
    def kill_worker(self, worker: int) -> None:
        self._replace(worker % WORKERS)

    @invariant()
    def promises_hold(self) -> None:
        self.watched.check()

    def teardown(self) -> None:
        """Whatever has happened: enough time, sweeps and work end every job that waits for nobody."""
        try:
            while self.frozen:
                self.stage.wake(self.frozen.pop())
            for workflow in Workflow.objects.filter(paused=True):
                resume_workflow(workflow.pk)
            for index in range(WORKERS):
                self._replace(index)
            for _ in range(12):
                self._let_pass(4000)
                sweep()
                for run in StepRun.objects.filter(state=StepRunState.READY).order_by("pk"):
                    self._run(run.pk, 0)
            self.watched.check()
            left = StepRun.objects.filter(state__in=[StepRunState.READY, StepRunState.RUNNING])
            assert not left.exclude(job__state=JobState.PAUSED).exists(), list(left.values())
            resting = {"FINISHED", "CANCELED", "FAILED", "INPUT_REQUIRED", "PAUSED"}
            assert set(Job.objects.values_list("state", flat=True)) <= resting
        finally:
            self._clean_up()

    def _run(self, step_run_id: int, index: int, *, fatal: int = 0, cold: int = 0) -> None:
        before = dict(Job.objects.values_list("pk", "state"))
        stopped = set(Job.objects.filter(workflow__paused=True).values_list("pk", flat=True))
        self.held = stopped | {pk for pk, state in before.items() if state in (JobState.PAUSED, JobState.CANCELED)}
        slice_ = self.stage.run(lambda: run_step_run(step_run_id), self.workers[index], fatal=fatal, cold=cold)
        self.held = set()
        if slice_.died:
            self._replace(index)
        elif slice_.is_frozen:
            # It does not beat any more; the next clock jump makes it look dead.
            self.frozen.append(slice_)
            self.workers[index] = SimulatedWorker()

    def _act(self, work: Callable[[], object], fatal: int) -> bool:
        """Do what a process without steps does, such as a web process; give False where it was killed."""
        return not self.stage.run(work, SimulatedWorker(), fatal=fatal).died

    def _replace(self, index: int) -> None:
        self.workers[index].die()
        self.workers[index] = SimulatedWorker()

    def _let_pass(self, seconds: float) -> None:
        advance_time(seconds)
        # The workers that live go on beating.
        for worker in self.workers:
            worker._beat()

    def _choose_job(self, pick: int) -> Job | None:
        jobs = list(Job.objects.select_related("workflow").order_by("pk"))
        return jobs[pick % len(jobs)] if jobs else None

    def _note_execution(self, claim: Claim) -> None:
        self.watched.note_execution(claim.job_id, claim.number, claim.step_run_id)
        if claim.job_id in self.held:
            self.watched.repeated.append(f"job {claim.job_id} is held, and {claim.step} began all the same")

    def _clean_up(self) -> None:
        self.stage.close()
        self.broker.__exit__(None, None, None)
        for slice_ in self.frozen:
            slice_.thaw.set()
        for worker in self.workers:
            worker.end_thread()
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM django_wfe_jobevent")
            cursor.execute("DELETE FROM django_wfe_joblog")
            cursor.execute("DELETE FROM django_wfe_steprun")
            cursor.execute("DELETE FROM django_wfe_job")
            cursor.execute("DELETE FROM django_wfe_worker")
            cursor.execute("UPDATE django_wfe_workflow SET paused = FALSE")
        Group.objects.all().delete()


def _take_picture() -> list[Any]:
    """All that a refused move must leave as it is."""
    runs = StepRun.objects.order_by("pk").values_list("pk", "state", "superseded", "result", "external_data", "epoch")
    jobs = Job.objects.order_by("pk").values_list("pk", "state", "current_step_number", "error")
    return [list(runs), list(jobs), list(JobEvent.objects.order_by("pk").values_list("pk", "kind"))]


def test_the_promises_hold_whatever_happens_in_whatever_order() -> None:
    run_state_machine_as_test(
        Engine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
            database=None,
        ),
    )
