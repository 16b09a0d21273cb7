"""Running the engine in the test's own process, and seeing what it would send."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Permission, User
from django.db.models.functions import Now

from django_wfe.engine.bulk.runs import work_on_bulk
from django_wfe.engine.bulk.stages import LOOK_AGAIN_SECONDS
from django_wfe.engine.delivery.dispatcher import Dispatcher, Message, install_dispatcher
from django_wfe.engine.lifecycle import run_workflow
from django_wfe.engine.worker.loop import run_step_run
from django_wfe.models import BulkItem, BulkRun, Job, JobEvent, JobLog, JobState, StepRun, StepRunState
from tests.workflows import Asking


def run_ready(job_id: int, *, most: int = 100) -> Job:
    """Run what is ready and due of a Job, until nothing is; give the Job as it is then."""
    for _ in range(most):
        due = StepRun.objects.filter(job_id=job_id, state=StepRunState.READY, due_at__lte=Now())
        before = list(due.order_by("id").values_list("id", "epoch"))
        for step_run_id, _ in before:
            run_step_run(step_run_id)
        if list(due.order_by("id").values_list("id", "epoch")) == before:
            return Job.objects.select_related("workflow").get(pk=job_id)
    raise AssertionError(f"job {job_id} is not done after {most} rounds")


def work_to_the_end(bulk: BulkRun) -> None:
    """Work on a bulk run, and run what is ready of its jobs, until it has ended and they wait or have ended too."""
    for _ in range(100):
        look_again(bulk)
        for job_id in bulk.items.filter(state=BulkItem.State.DONE).order_by("job_id").values_list("job_id", flat=True):
            run_ready(job_id)
        bulk.refresh_from_db()
        if bulk.finished_at is not None:
            return
    raise AssertionError(f"bulk run {bulk.pk} is not done after 100 rounds")


def look_again(bulk: BulkRun) -> None:
    """Work on a bulk run as if the message that it sent for a second later had come."""
    BulkRun.objects.filter(pk=bulk.pk).update(touched_at=Now() - timedelta(seconds=LOOK_AGAIN_SECONDS))
    work_on_bulk(bulk.pk)


def run_now(job_id: int) -> Job:
    """As ``run_ready``, and what is due only later counts as due."""
    StepRun.objects.filter(job_id=job_id, state=StepRunState.READY).update(due_at=Now())
    return run_ready(job_id)


@dataclass
class RecordingDispatcher(Dispatcher):
    """Keeps what the engine sends: the ids of step runs and of bulk runs, and how long each is held back."""

    sent: list[int] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    bulk: list[int] = field(default_factory=list)
    bulk_delays: list[float] = field(default_factory=list)

    def send(self, message: Message) -> bool:
        if message.kind == "step":
            self.sent.append(message.number)
            self.delays.append(message.delay_seconds)
        else:
            self.bulk.append(message.number)
            self.bulk_delays.append(message.delay_seconds)
        return True


@contextmanager
def recording_dispatcher() -> Iterator[RecordingDispatcher]:
    dispatcher = RecordingDispatcher()
    before = install_dispatcher(dispatcher)
    try:
        yield dispatcher
    finally:
        install_dispatcher(before)


def get_job(job_id: int) -> Job:
    return Job.objects.get(pk=job_id)


def run(workflow: Any) -> Job:
    """Start a Job, run it here until it ends or waits, and give it as it is then."""
    return get_job(run_workflow(workflow))


def start_asking(workflow: Any = Asking) -> int:
    """Run a Job until it asks for input, and give its id."""
    job = run(workflow)
    assert job.state == JobState.INPUT_REQUIRED
    return job.pk


def create_user(name: str, *permissions: str) -> User:
    """Create a user with permissions of this app, such as ``cancel_job``."""
    user = User.objects.create_user(name)
    for codename in permissions:
        user.user_permissions.add(Permission.objects.get(content_type__app_label="django_wfe", codename=codename))
    return user


def get_last_run(job_id: int) -> StepRun:
    return StepRun.objects.filter(job_id=job_id, superseded=False).order_by("-number", "-attempt")[0]


def get_last_event(job_id: int) -> JobEvent:
    return JobEvent.objects.filter(job_id=job_id).order_by("-id")[0]


def read_log(job: Job) -> str:
    """Give all that the step runs of a job have put out, in order."""
    pieces = JobLog.objects.filter(step_run__job=job).order_by("step_run__number", "step_run__attempt", "sequence")
    return "".join(pieces.values_list("text", flat=True))


def list_events(job_id: int) -> list[str]:
    return list(JobEvent.objects.filter(job_id=job_id).order_by("id").values_list("kind", flat=True))


def take_history(job_id: int) -> dict[int, tuple[Any, ...]]:
    """What is kept of each ended step run of a Job: nothing of it may ever change."""
    ended = ("FINISHED", "SKIPPED", "FAILED", "LOST", "CANCELED")
    runs = StepRun.objects.filter(job_id=job_id, state__in=ended)
    columns = ("number", "attempt", "step", "state", "result", "error", "external_data", "transition", "previous_id")
    return {run[0]: run[1:] for run in runs.values_list("pk", *columns)}
