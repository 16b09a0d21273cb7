"""Runs Jobs in the test's own process, one step at a time, until they end or wait for somebody."""

from __future__ import annotations

from typing import Any

from django.db import connections
from django.db.models.functions import Now

from django_wfe.conf import DATABASE
from django_wfe.engine.clock import read_clock
from django_wfe.engine.lifecycle import NOT_GIVEN, order_workflow_execution, provide_external_input
from django_wfe.engine.store.claims import claim_step_run
from django_wfe.engine.worker.loop import run_slice, run_step_run
from django_wfe.exceptions import CodeNotLoaded
from django_wfe.models import Job, StepRun, StepRunState
from django_wfe.testing.answers import NOTHING, Answers, Inputs
from django_wfe.testing.clock import advance_time
from django_wfe.testing.workers import SimulatedWorker, engine_in_process

MAX_STEPS = 1000
"""How many step runs a Job may take in one call, unless the caller says otherwise."""


def run_to_end(
    workflow_or_job: Any, *, job_input: Any = NOT_GIVEN, inputs: Inputs | None = None, max_steps: int = MAX_STEPS
) -> Job:
    """Run a Job until it ends, is paused, or asks for input that ``inputs`` does not have; give it as it is then.

    It runs in this process and in the caller's transaction, so it works in Django's ``TestCase`` too. Waits between
    attempts are skipped. It finds what is ready in the database and needs no message.

    Args:
        workflow_or_job: a Workflow class, its dotted path, id or row, of which a Job is started; or a Job.
        job_input: what a Job of the Workflow starts with, as ``input`` of ``order_workflow_execution``.
        inputs: by step class or dotted path, what the step is given when it asks: data, used each time it asks; a list
            of data, in the order in which it asks; or a callable that gets the Job and gives data.
        max_steps: how many step runs may be run before it counts as endless. Default 1,000.

    Raises:
        ValueError: if ``inputs`` names a step that never asks.
        pydantic.ValidationError: if an input does not fit; the Job goes on waiting.
        CodeNotLoaded: if the class of a step cannot be imported.
        AssertionError: if ``max_steps`` are not enough.
    """
    answers = Answers(inputs)
    with engine_in_process() as worker:
        if isinstance(workflow_or_job, Job):
            job_id = workflow_or_job.pk
        else:
            job_id = order_workflow_execution(workflow_or_job, input=job_input)
        return _run_on(_get_job(job_id), answers, worker, max_steps)


def provide(job: Job | int, data: Any, *, inputs: Inputs | None = None, max_steps: int = MAX_STEPS) -> Job:
    """Return a waiting Job its input and run it on; arguments and errors as of ``run_to_end``.

    Args:
        job: the Job or its id.
        data: what validates as the waiting step's ``UserInputSchema``.

    Raises:
        WrongState: if the Job waits for no input.
    """
    job_id = job.pk if isinstance(job, Job) else job
    with engine_in_process() as worker:
        provide_external_input(job_id, data)
        return _run_on(_get_job(job_id), Answers(inputs), worker, max_steps)


def work(limit: int | None = None) -> int:
    """Be a worker: run what is ready and due, of every Job, oldest first; return the number of slices that were run.

    A slice goes on with its Job as a worker does, for up to ``WFE_SLICE_SECONDS``.

    Args:
        limit: the most slices to run. Default None: until nothing is ready.
    """
    count = 0
    refused: set[tuple[int, int]] = set()
    with engine_in_process():
        while limit is None or count < limit:
            due = StepRun.objects.filter(state=StepRunState.READY, due_at__lte=Now()).order_by("due_at", "id")
            chosen = next((pair for pair in due.values_list("pk", "epoch") if pair not in refused), None)
            if chosen is None:
                break
            run_step_run(chosen[0])
            if StepRun.objects.filter(pk=chosen[0], state=StepRunState.READY, epoch=chosen[1]).exists():
                refused.add(chosen)
            else:
                count += 1
    return count


def skip_wait(run: StepRun) -> None:
    """Let time pass for a Job until its step run is due."""
    with connections[DATABASE].cursor() as cursor:
        cursor.execute(
            "SELECT EXTRACT(EPOCH FROM due_at - statement_timestamp()) FROM django_wfe_steprun WHERE id = %s", [run.pk]
        )
        row = cursor.fetchone()
    if row is not None and row[0] > 0:
        # One second more: the message's delay was measured a little earlier than the deadline.
        advance_time(float(row[0]) + 1, job=run.job)


def find_live(job: Job) -> StepRun | None:
    """Return the Job's step run that is ready, running or waiting, or None."""
    live = [StepRunState.READY, StepRunState.RUNNING, StepRunState.INPUT_REQUIRED]
    return job.step_runs.filter(state__in=live).order_by("number", "attempt").first()


def give_answer(job: Job, waiting: StepRun, answers: Answers) -> bool:
    """Provide what ``answers`` has for a waiting step run; give False if it has nothing."""
    data = answers.find(job, waiting)
    if data is NOTHING:
        return False
    provide_external_input(job.pk, data, step_run_id=waiting.pk)
    return True


def _run_on(job: Job, answers: Answers, worker: SimulatedWorker, max_steps: int) -> Job:
    answers.check(job)
    steps = 0
    while True:
        run = find_live(job)
        if run is None or run.state == StepRunState.RUNNING:
            return _get_job(job.pk)
        run.job = job
        if run.state == StepRunState.INPUT_REQUIRED:
            if not give_answer(job, run, answers):
                return _get_job(job.pk)
            continue
        if steps >= max_steps:
            raise AssertionError(
                f"Job {job.pk} of {job.workflow.path} has taken {steps} step runs in this call and is at "
                f"{run.step}. If that is not an endless loop, raise max_steps=."
            )
        steps += 1
        skip_wait(run)
        if not _run_one(run, worker):
            return _get_job(job.pk)


def _run_one(run: StepRun, worker: SimulatedWorker) -> bool:
    """Run one step run, and none after it; give False if it is held back, such as by a pause."""
    worker.enlist()
    claim = claim_step_run(run.pk, worker.id)
    if claim is None:
        return False
    run_slice(claim, worker, until=read_clock())
    after = StepRun.objects.select_related("job").get(pk=run.pk)
    if after.state == StepRunState.READY:
        raise CodeNotLoaded(f"Job {run.job_id} is parked at {run.step}: {after.job.error}")
    return True


def _get_job(job_id: int) -> Job:
    return Job.objects.select_related("workflow").get(pk=job_id)
