"""The tables of legal changes in ``states.py``, against what the engine changes: PostgreSQL itself notes it."""

from collections.abc import Callable

import pytest
from django.db import connection

from django_wfe.engine import lifecycle
from django_wfe.engine.recovery.sweeping import sweep
from django_wfe.engine.store.claims import claim_step_run
from django_wfe.models import StepRun, Worker
from django_wfe.states import JobState, StepRunState
from tests import workflows
from tests.support.running.engine_helpers import run, run_now, start_asking

pytestmark = [pytest.mark.integration, pytest.mark.django_db, pytest.mark.usefixtures("fresh_engine", "sent")]

_MOVING = frozenset(
    {
        JobState.ONGOING,
        JobState.INPUT_REQUIRED,
        JobState.INPUT_RECEIVED,
        JobState.WAITING,
        JobState.PAUSED,
        JobState.FAILED,
        JobState.FINISHED,
        JobState.CANCELED,
    }
)

JOB_TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.PENDING: _MOVING,
    JobState.ONGOING: _MOVING - {JobState.INPUT_RECEIVED},
    JobState.INPUT_REQUIRED: _MOVING - {JobState.FINISHED, JobState.INPUT_REQUIRED},
    JobState.INPUT_RECEIVED: _MOVING,
    JobState.WAITING: _MOVING - {JobState.INPUT_RECEIVED},
    JobState.PAUSED: (_MOVING | {JobState.PENDING}) - {JobState.PAUSED},
    JobState.FAILED: frozenset(
        {JobState.ONGOING, JobState.INPUT_REQUIRED, JobState.FINISHED, JobState.CANCELED, JobState.PAUSED}
    ),
    JobState.FINISHED: frozenset({JobState.ONGOING, JobState.INPUT_REQUIRED}),
    JobState.CANCELED: frozenset(),
}
"""Legal changes of a Job's state. FINISHED is left only by a rerun, FAILED only by a repair or a cancel."""

STEP_RUN_TRANSITIONS: dict[StepRunState, frozenset[StepRunState]] = {
    StepRunState.READY: frozenset(
        {StepRunState.RUNNING, StepRunState.CANCELED, StepRunState.SKIPPED, StepRunState.INPUT_REQUIRED}
    ),
    StepRunState.RUNNING: frozenset(
        {
            StepRunState.FINISHED,
            StepRunState.FAILED,
            StepRunState.LOST,
            StepRunState.CANCELED,
            StepRunState.READY,
            StepRunState.INPUT_REQUIRED,
        }
    ),
    StepRunState.INPUT_REQUIRED: frozenset({StepRunState.READY, StepRunState.CANCELED, StepRunState.SKIPPED}),
    StepRunState.FINISHED: frozenset(),
    StepRunState.SKIPPED: frozenset(),
    StepRunState.FAILED: frozenset(),
    StepRunState.LOST: frozenset(),
    StepRunState.CANCELED: frozenset(),
}
"""Legal changes of a step run's state. What has ended is never changed: a repair opens another attempt."""


NOTE = """
CREATE TABLE noted_change (of_table text, old text, new text);
CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO noted_change VALUES (TG_TABLE_NAME, OLD.state, NEW.state); RETURN NULL; END $$;
CREATE TRIGGER note_change AFTER UPDATE ON django_wfe_job
    FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION note_change();
CREATE TRIGGER note_change AFTER UPDATE ON django_wfe_steprun
    FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION note_change();
"""


def _finish_with_input() -> None:
    job_id = start_asking()
    lifecycle.provide_external_input(job_id, {"some_data": 1})
    run_now(job_id)


def _repair() -> None:
    retried, skipped, canceled = (run(workflows.Failing).pk for _ in range(3))
    lifecycle.retry_job(retried)
    run_now(retried)
    lifecycle.skip_step(skipped, "by hand")
    run_now(skipped)
    lifecycle.cancel_job(canceled)


def _rerun() -> None:
    finished, failed, waiting = run(workflows.Linear).pk, run(workflows.Failing).pk, start_asking()
    for job_id in (finished, failed, waiting):
        lifecycle.rerun_job(job_id, 1)
        run_now(job_id)


def _pause() -> None:
    waiting, ready, canceled = start_asking(), lifecycle.order_workflow_execution(workflows.Linear), start_asking()
    for job_id in (waiting, ready, canceled):
        lifecycle.pause_job(job_id)
    lifecycle.cancel_job(canceled)
    lifecycle.resume_job(ready)
    run_now(ready)
    lifecycle.provide_external_input(waiting, {"some_data": 1})
    lifecycle.resume_job(waiting)
    run_now(waiting)


def _wait_for_retry() -> None:
    job_id = run(workflows.Retrying).pk
    lifecycle.pause_job(job_id)
    lifecycle.resume_job(job_id)
    run_now(job_id)


def _lose() -> None:
    job_id = lifecycle.order_workflow_execution(workflows.Linear)
    for _ in range(3):
        worker = Worker.objects.create(hostname="gone", pid=1, last_seen="2020-01-01T00:00:00Z")
        claim_step_run(StepRun.objects.get(job_id=job_id, state=StepRunState.READY).pk, worker.pk)
        sweep()


def _skip_what_waits() -> None:
    waiting, ready = start_asking(), lifecycle.order_workflow_execution(workflows.Linear)
    lifecycle.skip_step(waiting, {"given": 1})
    lifecycle.skip_step(ready, {"rows": 1})
    run_now(waiting)
    lifecycle.cancel_job(ready)


STORIES = (_finish_with_input, _repair, _rerun, _pause, _wait_for_retry, _lose, _skip_what_waits)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__.strip("_"))
def test_each_change_that_the_engine_makes_is_in_the_table(story: Callable[[], None]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(NOTE)
        story()
        cursor.execute("SELECT DISTINCT of_table, old, new FROM noted_change")
        noted = cursor.fetchall()
    assert {table for table, _, _ in noted} == {"django_wfe_job", "django_wfe_steprun"}
    illegal = [
        (table, old, new)
        for table, old, new in noted
        if not (
            JobState(new) in JOB_TRANSITIONS[JobState(old)]
            if table == "django_wfe_job"
            else StepRunState(new) in STEP_RUN_TRANSITIONS[StepRunState(old)]
        )
    ]
    assert illegal == []


def test_the_tables_name_every_state() -> None:
    assert set(JOB_TRANSITIONS) == set(JobState)
    assert set(STEP_RUN_TRANSITIONS) == set(StepRunState)
    ended = {StepRunState.FINISHED, StepRunState.SKIPPED, StepRunState.FAILED, StepRunState.LOST, StepRunState.CANCELED}
    assert {state for state, following in STEP_RUN_TRANSITIONS.items() if not following} == ended
