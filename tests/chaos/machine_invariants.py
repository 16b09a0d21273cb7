"""What design promises at every moment, looked up in the database after each move."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import Group

from django_wfe.models import Job, JobEvent, JobState, StepRun, StepRunState

ENDED = {"FINISHED", "SKIPPED", "FAILED", "LOST", "CANCELED"}
RESULTS = {"FINISHED", "SKIPPED"}
LIVE = {"READY", "RUNNING", "INPUT_REQUIRED"}
LIVE_RUNS_OF = {
    JobState.PENDING: {"READY"},
    JobState.ONGOING: {"READY", "RUNNING"},
    JobState.WAITING: {"READY"},
    JobState.INPUT_REQUIRED: {"INPUT_REQUIRED"},
    JobState.INPUT_RECEIVED: {"READY"},
    JobState.PAUSED: LIVE,
}


@dataclass
class Watched:
    """What was seen so far: it may grow, and nothing in it may change."""

    rows: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    events: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    committed: set[tuple[int, int]] = field(default_factory=set)
    executed: Counter[int] = field(default_factory=Counter)
    repeated: list[str] = field(default_factory=list)
    max_lost: int = 3

    def note_execution(self, job_id: int, number: int, step_run_id: int) -> None:
        """Keep that ``execute`` begins."""
        self.executed[step_run_id] += 1
        if self.executed[step_run_id] > 1:
            self.repeated.append(f"step run {step_run_id} of job {job_id} is executed again")

    def check(self) -> None:
        """Raise AssertionError where a promise is broken now."""
        assert not self.repeated, self.repeated
        runs_of: dict[int, list[StepRun]] = {}
        for run in StepRun.objects.order_by("job_id", "number", "attempt"):
            runs_of.setdefault(run.job_id, []).append(run)
        for job in Job.objects.order_by("pk"):
            self._check_job(job, runs_of[job.pk])
        self._check_rows([run for runs in runs_of.values() for run in runs])
        self._check_events()
        self._check_side_rows(runs_of)

    def _check_job(self, job: Job, runs: list[StepRun]) -> None:
        said = f"job {job.pk} {job.state}: {[(r.number, r.attempt, r.state, r.superseded) for r in runs]}"
        live = [run for run in runs if run.state in LIVE]
        assert len(live) <= 1, said
        if job.state in LIVE_RUNS_OF:
            assert len(live) == 1, said
            assert live[0].state in LIVE_RUNS_OF[job.state], said
            assert not live[0].superseded, said
            assert (live[0].step, live[0].number) == (job.current_step, job.current_step_number), said
            assert job.finished_at is None, said
        else:
            # A canceled job's step runs on until its worker notices, or is found dead.
            assert not [run for run in live if run.state != "RUNNING" or job.state != JobState.CANCELED], said
            assert job.finished_at is not None, said
        self._check_numbers(job, runs, said)

    def _check_numbers(self, job: Job, runs: list[StepRun], said: str) -> None:
        standing = [run for run in runs if not run.superseded]
        results = Counter(run.number for run in standing if run.state in RESULTS)
        assert all(count == 1 for count in results.values()), said
        last = max(run.number for run in standing)
        numbers = {run.number for run in standing}
        assert all(results[number] == 1 for number in numbers if number < last), said
        for number in {run.number for run in runs}:
            attempts = [run for run in runs if run.number == number]
            assert [run.attempt for run in attempts] == list(range(1, len(attempts) + 1)), said
            assert not [run for run in attempts[:-1] if run.state in RESULTS], said
        assert all(run.lost_before < self.max_lost for run in runs), said
        assert (job.state == JobState.FINISHED) <= (results[last] == 1), said

    def _check_rows(self, runs: list[StepRun]) -> None:
        now = {
            run.pk: (
                run.job_id,
                run.number,
                run.attempt,
                run.step,
                run.state,
                run.result,
                run.external_data,
                run.transition,
                run.error,
                run.previous_id,
                run.worker_id,
                run.epoch,
                run.finished_at,
                run.due_at,
            )
            for run in runs
            if run.state in ENDED
        }
        for pk, before in self.rows.items():
            assert now.get(pk) == before, f"step run {pk} was {before} and is {now.get(pk)}"
        self.rows = now

    def _check_events(self) -> None:
        columns = ("job_id", "step_run_id", "kind", "actor_name", "source", "data", "created_at")
        now = {row[0]: row[1:] for row in JobEvent.objects.values_list("pk", *columns)}
        for pk, before in self.events.items():
            assert now.get(pk) == before, f"event {pk} was {before} and is {now.get(pk)}"
        lost = Counter(event[0] for event in now.values() if event[2] == JobEvent.Kind.STEP_LOST)
        for job_id, count in lost.items():
            assert count <= StepRun.objects.filter(job_id=job_id, state=StepRunState.LOST).count()
        self.events = now

    def _check_side_rows(self, runs_of: dict[int, list[StepRun]]) -> None:
        rows = Counter(name.split("#")[0] for name in Group.objects.values_list("name", flat=True))
        for job in Job.objects.filter(workflow__name="Writes"):
            for run in runs_of[job.pk]:
                if run.step.endswith(".WriteRow"):
                    key = f"{job.uuid}:{run.number}"
                    finished = [
                        other.state == "FINISHED" for other in runs_of[job.pk] if other.number == run.number
                    ].count(True)
                    assert rows[key] == finished, f"{rows[key]} rows of {key} for {finished} finished runs"
