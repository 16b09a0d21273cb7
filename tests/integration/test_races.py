"""Two processes with connections of their own do the same thing at the same moment: exactly one wins, each time."""

import pytest
from django.contrib.auth.models import User

from django_wfe import order_workflow_execution, run_workflow
from django_wfe.engine.lifecycle import assign_input, cancel_job, list_waiting
from django_wfe.engine.project_code.recording import describe_workflow, record_workflow
from django_wfe.models import Assignment, Job, JobEvent, JobState, StepRun, StepRunState
from tests import workflows
from tests.support.running.contender import racing

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

ROUNDS = 25


def test_the_same_input_given_by_two_processes_is_taken_once(child_environment: dict[str, str]) -> None:
    jobs = [run_workflow(workflows.Asking) for _ in range(ROUNDS)]
    with racing(child_environment) as race:
        for job in jobs:
            assert sorted(race(do="provide", job=job, value=1)) == ["accepted", "refused"]
    for job in jobs:
        assert Job.objects.get(pk=job).state == JobState.INPUT_RECEIVED
        assert JobEvent.objects.filter(job_id=job, kind=JobEvent.Kind.INPUT_PROVIDED).count() == 1


def test_the_same_message_run_by_two_processes_runs_each_step_once(child_environment: dict[str, str]) -> None:
    jobs = [order_workflow_execution(workflows.Linear) for _ in range(ROUNDS)]
    with racing(child_environment) as race:
        for job in jobs:
            step_run = StepRun.objects.get(job_id=job, state=StepRunState.READY)
            answers = race(do="run", step_run=step_run.pk)
            assert sorted(answers, key=len) == [[], ["Fetch", "Double", "Store"]]
    for job in jobs:
        assert Job.objects.get(pk=job).state == JobState.FINISHED
        assert StepRun.objects.filter(job_id=job).count() == 4


def test_the_same_key_at_the_same_moment_starts_one_job(child_environment: dict[str, str]) -> None:
    workflow = record_workflow(describe_workflow(workflows.Linear))
    with racing(child_environment) as race:
        for number in range(ROUNDS):
            first, second = race(do="start", workflow=workflow.pk, key=f"order-{number}")
            assert first == second
    assert Job.objects.count() == ROUNDS
    assert StepRun.objects.count() == 2 * ROUNDS


def test_a_new_workflow_started_by_two_processes_is_recorded_once(child_environment: dict[str, str]) -> None:
    with racing(child_environment) as race:
        record_workflow(describe_workflow(workflows.Linear))
        first, second = race(do="start", workflow="tests.workflows.Linear", key=None)
    assert first != second
    assert Job.objects.count() == 2


def test_a_cancel_against_a_running_slice_never_deadlocks_and_one_of_them_wins(
    child_environment: dict[str, str],
) -> None:
    from django_wfe.exceptions import FinishedWorkflow
    from tests.support.running.contender import Contender

    contender = Contender(child_environment)
    outcomes = set()
    try:
        contender.send(do="nothing", at=0)
        contender.receive()
        for _ in range(8):
            job_id = order_workflow_execution(workflows.Looping)
            contender.send(do="run", at=0, step_run=StepRun.objects.get(job_id=job_id, state="READY").pk)
            try:
                cancel_job(job_id)
                outcomes.add("canceled")
            except FinishedWorkflow:
                outcomes.add("finished")
            contender.receive()
            job = Job.objects.get(pk=job_id)
            live = job.step_runs.filter(state__in=["READY", "RUNNING", "INPUT_REQUIRED"])
            assert job.state in (JobState.CANCELED, JobState.FINISHED)
            assert not live.exists()
            assert (job.step_runs.filter(state=StepRunState.FINISHED).count() == 1003) == (
                job.state == JobState.FINISHED
            )
    finally:
        contender.close()
    assert "canceled" in outcomes


def _create_superusers(*names: str) -> list[User]:
    return [User.objects.create_superuser(name) for name in names]


def test_two_people_who_claim_at_the_same_moment_are_told_who_of_them_has_it(
    child_environment: dict[str, str],
) -> None:
    ann, bob = _create_superusers("ann", "bob")
    jobs = [run_workflow(workflows.Asking) for _ in range(ROUNDS)]
    with racing(child_environment) as race:
        for job in jobs:
            step_run = StepRun.objects.get(job_id=job, state=StepRunState.INPUT_REQUIRED)
            answers = race(do="claim", step_run=step_run.pk, users=[ann.pk, bob.pk])
            winner = [ann, bob][answers.index("accepted")]
            assert sorted(answers) == ["accepted", f"“Ask” of job {job} is assigned to {winner}."]
            assert Assignment.objects.get(step_run=step_run).user == winner
            assert JobEvent.objects.filter(job_id=job, kind=JobEvent.Kind.ASSIGNED).get().actor == winner


def test_two_people_who_take_over_from_a_third_do_not_take_over_from_each_other(
    child_environment: dict[str, str],
) -> None:
    ann, bob, eve = _create_superusers("ann", "bob", "eve")
    jobs = [run_workflow(workflows.Asking) for _ in range(ROUNDS)]
    with racing(child_environment) as race:
        for job in jobs:
            step_run = StepRun.objects.get(job_id=job, state=StepRunState.INPUT_REQUIRED)
            assign_input(step_run.pk, eve)
            answers = race(do="claim", step_run=step_run.pk, users=[ann.pk, bob.pk], take_over_from=eve.pk)
            assert answers.count("accepted") == 1
            assert JobEvent.objects.filter(job_id=job, kind=JobEvent.Kind.TAKEN_OVER).count() == 1


def test_a_draft_that_meets_the_answer_is_kept_before_it_or_refused_after_it(
    child_environment: dict[str, str],
) -> None:
    [ann] = _create_superusers("ann")
    jobs = [run_workflow(workflows.Asking) for _ in range(ROUNDS)]
    with racing(child_environment) as race:
        for job in jobs:
            step_run = StepRun.objects.get(job_id=job, state=StepRunState.INPUT_REQUIRED)
            draft, answer = race(do="draft or provide", job=job, step_run=step_run.pk, users=[ann.pk])
            assert answer == "accepted"
            assert draft in ("accepted", "refused")
            assert Job.objects.get(pk=job).state == JobState.INPUT_RECEIVED
            assert not list_waiting(ann, assigned="mine").filter(job_id=job).exists()
