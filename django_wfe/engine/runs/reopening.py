"""The step runs that an operator's verb opens. The caller holds the locks of the Job and its live runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import JSONField, Max, TextField, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast, Now

from django_wfe.engine.delivery.signal_sending import notify_job_finished, notify_step_finished
from django_wfe.engine.large_values.keeping import hold_values
from django_wfe.engine.runs.edges import choose_edge, find_target
from django_wfe.engine.runs.opening import Opening, announce, choose_opening, get_deadline
from django_wfe.models import Job, JobEvent, JobState, StepRun, StepRunState
from django_wfe.models.workflows import load_graph

_STILL_OPEN = (StepRunState.READY, StepRunState.INPUT_REQUIRED)


def open_attempt(job: Job, failed: StepRun, edited: dict[str, str]) -> int:
    """Open another attempt at the node of a failed run, and return its id.

    Args:
        edited: JSON texts that replace the failed run's ``external_data`` or ``edited_input``, as ``keep_value``
            returns them.
    """
    run = StepRun.objects.create(
        job=job,
        number=failed.number,
        attempt=_count_attempts(job, failed.number) + 1,
        step=failed.step,
        state=StepRunState.READY,
        previous_id=failed.previous_id,
        external_data=_choose(edited, "external_data", failed),
        edited_input=_choose(edited, "edited_input", failed),
    )
    _let_go_on(job, JobState.ONGOING, failed.step, failed.number)
    announce(run.pk, run.state)
    return run.pk


def open_rerun(job: Job, chosen: StepRun, number: int) -> int:
    """Open a run of the chosen run's node under a new number, with the same input; return its id."""
    node = load_graph(job.definition_id).get_node(chosen.step)
    return _open_run(
        job,
        chosen.step,
        choose_opening(node) if node is not None else Opening(StepRunState.READY, JobState.ONGOING),
        within=get_deadline(node),
        number=number,
        previous_id=chosen.previous_id,
        edited_input=_copy(chosen, "edited_input"),
    )


def store_result(job: Job, run: StepRun, encoded: str) -> int:
    """Keep a result given by hand: in the run itself where it waits, else in another attempt. Give the row's id.

    Args:
        encoded: what ``keep_value`` returned.
    """
    hold_values(job.pk, encoded)
    result = _cast(encoded)
    if run.state in _STILL_OPEN:
        StepRun.objects.filter(pk=run.pk).update(state=StepRunState.SKIPPED, result=result, finished_at=Now())
        return run.pk
    return StepRun.objects.create(
        job=job,
        number=run.number,
        attempt=_count_attempts(job, run.number) + 1,
        step=run.step,
        state=StepRunState.SKIPPED,
        previous_id=run.previous_id,
        result=result,
        finished_at=Now(),
    ).pk


def advance_past(job: Job, run: StepRun, done_id: int, transition: int | None) -> None:
    """Go on after a run whose result was given: open the next run, or finish the Job.

    Raises:
        InvalidTransition: if several edges go out and ``transition`` names none of them.
    """
    notify_step_finished(done_id)
    graph = load_graph(job.definition_id)
    outgoing = graph.list_edges_from(run.step)
    if not outgoing:
        Job.objects.filter(pk=job.pk).update(
            state=JobState.FINISHED, finished_at=Now(), error="", current_step=run.step, current_step_number=run.number
        )
        JobEvent.objects.create(job=job, step_run_id=done_id, kind=JobEvent.Kind.FINISHED)
        notify_job_finished(job.pk)
        return
    if transition is None and len(outgoing) == 1:
        transition = 0
    edge = choose_edge(run.step, transition, outgoing)
    StepRun.objects.filter(pk=done_id).update(transition=edge.index)
    node = find_target(graph, edge)
    _open_run(
        job,
        node.path,
        choose_opening(node),
        within=get_deadline(node),
        number=run.number + 1,
        previous_id=done_id,
    )


def _open_run(
    job: Job,
    step: str,
    opening: Opening,
    *,
    within: float | None,
    number: int,
    previous_id: int | None,
    edited_input: Any = None,
) -> int:
    waits = opening.run_state == StepRunState.INPUT_REQUIRED
    run = StepRun.objects.create(
        job=job,
        number=number,
        step=step,
        state=opening.run_state,
        previous_id=previous_id,
        edited_input=edited_input,
        expires_at=Now() + timedelta(seconds=within) if waits and within is not None else None,
    )
    _let_go_on(job, opening.job_state, step, number)
    announce(run.pk, run.state)
    return run.pk


def _let_go_on(job: Job, state: JobState, step: str, number: int) -> None:
    if job.state == JobState.PAUSED:
        # A repair does not undo another operator's pause.
        state = JobState.PAUSED
    Job.objects.filter(pk=job.pk).update(
        state=state, error="", finished_at=None, current_step=step, current_step_number=number
    )


def _count_attempts(job: Job, number: int) -> int:
    highest: int = job.step_runs.filter(number=number).aggregate(Max("attempt"))["attempt__max"] or 0
    return highest


def _choose(edited: dict[str, str], name: str, before: StepRun) -> Any:
    return _cast(edited[name]) if name in edited else _copy(before, name)


def _copy(run: StepRun, column: str) -> Any:
    """Return what stands in a row, for another one: inside the database, whatever its size."""
    statement = f"(SELECT {column} FROM django_wfe_steprun WHERE id = %s)"  # noqa: S608  (a name of this module)
    return RawSQL(statement, [run.pk], output_field=JSONField())  # noqa: S611


def _cast(encoded: str) -> Any:
    # The text as it is: Django would write a large float so that jsonb gives it back as an int.
    return None if encoded == "null" else Cast(Value(encoded, output_field=TextField()), JSONField())
