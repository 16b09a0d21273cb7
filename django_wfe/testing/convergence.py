"""What is compared of two Jobs, one of which was killed on its way: all that its users can tell apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from django_wfe.models import Job, JobAttribute, JobEvent, StepRunState
from django_wfe.states import ENDED_JOB_STATES, RESULT_STEP_RUN_STATES

Equal = Callable[[list[dict[str, Any]], list[dict[str, Any]]], bool]
"""Compares the data of two storages."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One step run."""

    pk: int
    number: int
    attempt: int
    step: str
    state: str


@dataclass(frozen=True, slots=True)
class Record:
    """A Job as it was left. ``events`` are kinds, in their order, without those of lost workers and of retries."""

    state: str
    error: str
    storage: list[dict[str, Any]]
    attempts: list[Attempt]
    events: list[str]
    lost_events: int
    retry_events: int
    found_by: dict[str, str] = field(default_factory=dict)


def take_record(job: Job) -> Record:
    """Read from the database what is compared."""
    runs = job.step_runs.order_by("number", "attempt").values_list("pk", "number", "attempt", "step", "state")
    kinds = list(job.events.order_by("id").values_list("kind", flat=True))
    return Record(
        state=job.state,
        error=job.error,
        storage=job.storage["data"],
        attempts=[Attempt(*run) for run in runs],
        events=[kind for kind in kinds if kind not in (JobEvent.Kind.STEP_LOST, JobEvent.Kind.RETRY_SCHEDULED)],
        lost_events=kinds.count(JobEvent.Kind.STEP_LOST),
        retry_events=kinds.count(JobEvent.Kind.RETRY_SCHEDULED),
        found_by=dict(JobAttribute.objects.filter(job=job).values_list("name", "value")),
    )


def find_difference(
    expected: Record, found: Record, executed: Counter[int], *, deaths: int, equal: Equal | None = None
) -> str:
    """Describe what is wrong with a Job that was killed, or "".

    Args:
        expected: the Job that was not.
        executed: how often ``execute`` was called for each step run.
        deaths: how often it was killed.
    """
    return (
        _compare_end(expected, found, equal)
        or _find_repeated(found, executed, deaths)
        or _compare_history(expected, found)
    )


def _compare_end(expected: Record, found: Record, equal: Equal | None) -> str:
    if found.state != expected.state:
        return f"it ended {found.state} in place of {expected.state}. {found.error}".rstrip()
    if found.found_by != expected.found_by:
        return f"it is found by {found.found_by} in place of {expected.found_by}."
    same = equal(expected.storage, found.storage) if equal is not None else expected.storage == found.storage
    if not same:
        return (
            f"its storage differs.\nUndisturbed: {expected.storage}\nKilled: {found.storage}\n"
            "If results hold times, random values or the job's own id, give equal=."
        )
    for run in found.attempts:
        if run.state in (StepRunState.RUNNING, StepRunState.READY):
            return f"{run.step} (number {run.number}, attempt {run.attempt}) is left {run.state}."
    if found.state in ENDED_JOB_STATES and any(run.state == StepRunState.INPUT_REQUIRED for run in found.attempts):
        return f"it is {found.state} and still asks for input."
    return ""


def _find_repeated(found: Record, executed: Counter[int], deaths: int) -> str:
    by_number: dict[int, list[Attempt]] = {}
    for run in found.attempts:
        by_number.setdefault(run.number, []).append(run)
        if executed[run.pk] > 1:
            return f"{run.step} (number {run.number}) was executed {executed[run.pk]} times in one attempt."
    for number, runs in by_number.items():
        step = runs[0].step
        committed = [index for index, run in enumerate(runs) if run.state in RESULT_STEP_RUN_STATES]
        if len(committed) > 1 or (committed and committed[0] != len(runs) - 1):
            states = ", ".join(run.state for run in runs)
            return f"{step} (number {number}) was run again after its commit: {states}."
        if [run.attempt for run in runs] != list(range(1, len(runs) + 1)):
            return f"{step} (number {number}) lacks an attempt: it has {[run.attempt for run in runs]}."
    lost = sum(run.state == StepRunState.LOST for run in found.attempts)
    if lost > deaths:
        return f"{lost} step runs were lost in {deaths} deaths."
    if lost != found.lost_events:
        return f"{lost} step runs were lost, and {found.lost_events} events say so."
    return ""


def _compare_history(expected: Record, found: Record) -> str:
    if found.events != expected.events:
        return f"its events differ.\nUndisturbed: {', '.join(expected.events)}\nKilled: {', '.join(found.events)}"
    # How often a step failed on its way is up to the step, which may look at its attempt; that each is told of is not.
    retried = sum(
        run.state == StepRunState.FAILED and following.number == run.number
        for run, following in pairwise(found.attempts)
    )
    if retried != found.retry_events:
        return f"{retried} failed attempts were tried again, and {found.retry_events} events say so."
    before, after = _list_last(expected), _list_last(found)
    if before != after:
        return f"its step runs differ.\nUndisturbed: {before}\nKilled: {after}"
    return ""


def _list_last(record: Record) -> list[tuple[int, str, str]]:
    """List how each number ended."""
    last = {run.number: (run.number, run.step, run.state) for run in record.attempts}
    return list(last.values())
