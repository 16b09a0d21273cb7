"""What goes, and what stays, when jobs and users are deleted."""

import pytest
from django.contrib.auth.models import User

from django_wfe import run_workflow
from django_wfe.engine.lifecycle import pause_workflow, retry_job, start_bulk
from django_wfe.models import BulkItem, BulkRun, Job, JobEvent, JobLog, StepRun, Workflow, WorkflowEvent
from tests import workflows

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


def test_a_job_takes_its_step_runs_events_logs_and_results_of_bulk_runs_along_and_no_other_jobs() -> None:
    old, new = run_workflow(workflows.Linear), run_workflow(workflows.Linear)
    start_bulk("retry", Job.objects.all())
    assert JobLog.objects.filter(step_run__job=old).exists(), "its steps have written logs"
    Job.objects.filter(pk=old).delete()
    assert list(Job.objects.values_list("pk", flat=True)) == [new]
    for model in (StepRun, JobEvent, BulkItem):
        assert set(model.objects.values_list("job", flat=True)) == {new}
    assert set(JobLog.objects.values_list("step_run__job", flat=True)) == {new}
    assert BulkRun.objects.count() == 1


def test_a_deleted_user_stays_in_the_history_by_name() -> None:
    operator = User.objects.create_superuser("operator")
    job_id = run_workflow(workflows.Failing)
    retry_job(job_id, actor=operator)
    pause_workflow(Workflow.objects.get(jobs=job_id).pk, actor=operator)
    operator.delete()
    retried = JobEvent.objects.get(kind="retried")
    assert (retried.actor, retried.actor_name) == (None, "operator")
    paused = WorkflowEvent.objects.get()
    assert (paused.actor, paused.actor_name) == (None, "operator")
