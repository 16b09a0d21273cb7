"""Jobs in every state, and what the verbs are allowed on."""

from django_wfe import order_workflow_execution, provide_external_input, run_workflow
from django_wfe.engine.lifecycle import cancel_job, pause_job, rerun_job, resume_job, retry_job, skip_step
from django_wfe.models import Job, JobEvent, JobState, StepRun, StepRunState
from tests import workflows
from tests.declared import interface_workflows as declared


def get_job(job_id):
    return Job.objects.select_related("workflow").get(pk=job_id)


def make_pending():
    return order_workflow_execution(workflows.Linear)


def make_waiting_for_input():
    return run_workflow(workflows.Asking)


def make_input_received():
    job_id = make_waiting_for_input()
    provide_external_input(job_id, {"some_data": 1})
    return job_id


def make_waiting_for_time():
    return run_workflow(declared.FailingLater)


def make_failed():
    return run_workflow(workflows.Failing)


def make_finished():
    return run_workflow(workflows.Linear)


def make_paused():
    job_id = make_pending()
    pause_job(job_id)
    return job_id


def make_paused_while_waiting_for_input():
    job_id = make_waiting_for_input()
    pause_job(job_id)
    return job_id


def make_canceled():
    job_id = make_waiting_for_input()
    cancel_job(job_id)
    return job_id


def make_running():
    job_id = make_pending()
    StepRun.objects.filter(job_id=job_id, number=1).update(state=StepRunState.RUNNING)
    Job.objects.filter(pk=job_id).update(state=JobState.ONGOING)
    return job_id


MAKERS = {
    "PENDING": make_pending,
    "ONGOING": make_running,
    "INPUT_REQUIRED": make_waiting_for_input,
    "INPUT_RECEIVED": make_input_received,
    "WAITING": make_waiting_for_time,
    "FAILED": make_failed,
    "FINISHED": make_finished,
    "PAUSED": make_paused,
    "CANCELED": make_canceled,
}
ALLOWED = {
    "cancel": {"PENDING", "ONGOING", "INPUT_REQUIRED", "INPUT_RECEIVED", "WAITING", "FAILED", "PAUSED"},
    "pause": {"PENDING", "ONGOING", "INPUT_REQUIRED", "INPUT_RECEIVED", "WAITING"},
    "resume": {"PAUSED"},
    "retry": {"FAILED"},
    "skip": {"PENDING", "INPUT_REQUIRED", "INPUT_RECEIVED", "WAITING", "FAILED", "PAUSED"},
    "rerun": {"PENDING", "INPUT_REQUIRED", "INPUT_RECEIVED", "WAITING", "FAILED", "FINISHED", "PAUSED"},
}
CALLS = {
    "cancel": cancel_job,
    "pause": pause_job,
    "resume": resume_job,
    "retry": retry_job,
    "skip": lambda job_id, **more: skip_step(job_id, {"rows": 1, "given": 0}, **more),
    "rerun": lambda job_id, **more: rerun_job(job_id, 1, **more),
}
PERMISSIONS = {
    "cancel": "cancel_job",
    "pause": "pause_job",
    "resume": "pause_job",
    "retry": "retry_job",
    "skip": "skip_job",
    "rerun": "rerun_job",
}
KINDS = {"cancel": "canceled", "pause": "paused", "resume": "resumed", "retry": "retried", "skip": "skipped"}


def take_everything(job_id):
    """All that the database knows of a Job."""
    job = Job.objects.filter(pk=job_id).values().get()
    runs = list(StepRun.objects.filter(job_id=job_id).order_by("id").values())
    return job, runs, JobEvent.objects.filter(job_id=job_id).count()


def make_for(verb):
    """Make a Job that the verb is allowed on."""
    return MAKERS["FAILED" if "FAILED" in ALLOWED[verb] else sorted(ALLOWED[verb])[0]]()
