"""Giving a Job its external input: who may, when, and what is refused."""

import pytest
from django.db import transaction
from pydantic import ValidationError

from django_wfe import exceptions, order_workflow_execution, provide_external_input
from django_wfe.engine.lifecycle import cancel_job
from django_wfe.exceptions import FinishedWorkflow, NotEncodable, UnknownJob, WrongState
from django_wfe.models import JobState
from tests import workflows
from tests.support.running.engine_helpers import (
    create_user,
    get_job,
    get_last_event,
    list_events,
    recording_dispatcher,
    run_ready,
    start_asking,
)

pytestmark = [pytest.mark.integration, pytest.mark.django_db, pytest.mark.usefixtures("fresh_engine")]


def test_provide_external_input_validates_and_resumes(sent, commit):
    job_id = start_asking()
    with commit():
        provide_external_input(job_id=job_id, external_data={"some_data": 1})
    job = get_job(job_id)
    assert job.state == JobState.INPUT_RECEIVED
    assert sent.sent == [job.step_runs.get(number=2).pk]
    assert run_ready(job_id).state == JobState.FINISHED
    assert list_events(job_id) == ["started", "input_provided", "finished"]


@pytest.mark.django_db(transaction=True)
def test_input_inside_atomic_that_rolls_back_is_neither_taken_nor_sent():
    with recording_dispatcher() as dispatcher:
        job_id = start_asking()
        with transaction.atomic():
            provide_external_input(job_id, {"some_data": 1})
            transaction.set_rollback(True)
        assert dispatcher.sent == []
        assert get_job(job_id).state == JobState.INPUT_REQUIRED
        with transaction.atomic():
            provide_external_input(job_id, {"some_data": 2})
            assert dispatcher.sent == []
        assert dispatcher.sent == [get_job(job_id).step_runs.get(number=2).pk]
        assert run_ready(job_id).storage["data"][-1]["result"] == "left 2"


@pytest.mark.parametrize("wrong", [{}, {"some_data": "many"}, {"some_data": None}, [], None, "text", 5])
def test_invalid_input_raises_and_the_job_goes_on_waiting(wrong, sent, commit):
    job_id = start_asking()
    with commit(), pytest.raises(ValidationError):
        provide_external_input(job_id, wrong)
    job = get_job(job_id)
    assert (job.state, job.step_runs.get(number=2).state) == (JobState.INPUT_REQUIRED, "INPUT_REQUIRED")
    assert job.step_runs.get(number=2).external_data is None
    assert sent.sent == []
    assert list_events(job_id) == ["started"]
    provide_external_input(job_id, {"some_data": 1})


@pytest.mark.parametrize("wrong", [{"some_data": float("nan")}, {"some_data": 1, "x": "\0"}, {"some_data": object()}])
def test_input_that_cannot_be_kept_raises_and_the_job_goes_on_waiting(wrong):
    job_id = start_asking()
    with pytest.raises(NotEncodable, match=r"input for tests\.workflows\.Ask"):
        provide_external_input(job_id, wrong)
    assert get_job(job_id).state == JobState.INPUT_REQUIRED


def test_input_for_a_job_that_does_not_wait_is_wrong_state(sent):
    job_id = order_workflow_execution(workflows.Linear)
    with pytest.raises(WrongState, match="is “pending” and does not wait"):
        provide_external_input(job_id, {"some_data": 1})


def test_a_second_input_is_wrong_state_and_changes_nothing(sent):
    job_id = start_asking()
    provide_external_input(job_id, {"some_data": 1})
    with pytest.raises(WrongState, match="is “input received”"):
        provide_external_input(job_id, {"some_data": 2})
    assert get_job(job_id).step_runs.get(number=2).external_data["some_data"] == 1


def provide_and_run(job_id):
    provide_external_input(job_id, {"some_data": 1})
    run_ready(job_id)


@pytest.mark.parametrize("ending", [provide_and_run, cancel_job])
def test_input_after_the_end_is_finished_workflow(ending):
    job_id = start_asking()
    ending(job_id)
    with pytest.raises(FinishedWorkflow, match="takes no more input"):
        provide_external_input(job_id, {"some_data": 1})


def test_input_for_an_unknown_job(sent):
    with pytest.raises(UnknownJob, match="no job 12345"):
        provide_external_input(12345, {})


def test_input_for_the_step_run_that_was_seen_only():
    job_id = start_asking()
    seen = get_job(job_id).step_runs.get(number=2).pk
    with pytest.raises(WrongState):
        provide_external_input(job_id, {"some_data": 1}, step_run_id=seen - 1)
    provide_external_input(job_id, {"some_data": 1}, step_run_id=seen)


def test_actor_of_an_input_needs_the_permission_and_stands_in_the_history():
    job_id = start_asking()
    with pytest.raises(exceptions.PermissionRequired, match="provide_input_job"):
        provide_external_input(job_id, {"some_data": 1}, actor=create_user("nobody"))
    clerk = create_user("clerk", "provide_input_job")
    provide_external_input(job_id, {"some_data": 1}, actor=clerk, source="rest")
    event = get_last_event(job_id)
    assert (event.kind, event.actor, event.source) == ("input_provided", clerk, "rest")
