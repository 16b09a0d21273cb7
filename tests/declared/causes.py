"""Each cause for a Job's being where it is, made to happen."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from django.contrib.auth.models import User
from django.db.models import F
from django.db.models.functions import Now

from django_wfe import order_workflow_execution, provide_external_input, run_workflow, steps
from django_wfe import workflows as wfe_workflows
from django_wfe.engine.lifecycle import assign_input, cancel_job, pause_job, pause_workflow
from django_wfe.engine.project_code import classes
from django_wfe.engine.project_code.recording import record_deleted
from django_wfe.engine.recovery.sweeping import sweep
from django_wfe.engine.store.claims import claim_step_run
from django_wfe.engine.worker.loop import run_step_run
from django_wfe.models import Definition, Job, JobEvent, StepRun, StepRunState, Worker, Workflow
from django_wfe.retry import Retry
from tests import workflows
from tests.support.running.engine_helpers import run_ready


class Stumble(steps.Step):
    retry = Retry(max_attempts=5, backoff=3600, jitter=0)

    def execute(self) -> Any:
        raise ConnectionError("the bank is away, secret-4711")


class Stumbling(wfe_workflows.Workflow):
    DIGRAPH = {steps.__start__: [Stumble]}


class GiveUp(steps.Step):
    retry = Retry(max_attempts=2, backoff=0, jitter=0)

    def execute(self) -> Any:
        raise ConnectionError("the bank is gone, secret-4711")


class GivingUp(wfe_workflows.Workflow):
    DIGRAPH = {steps.__start__: [GiveUp]}


class Hesitate(steps.Step):
    label = "Hear\nthe bank"
    retry = Retry(max_attempts=2, backoff=3600, jitter=0)

    class UserInputSchema(workflows.BaseModel):
        some_data: int

    def execute(self, external_input: Any) -> Any:
        raise ConnectionError("the bank is away")


class Hesitating(wfe_workflows.Workflow):
    DIGRAPH = {steps.__start__: [Hesitate]}


class Vanish(steps.Step):
    def execute(self) -> Any:
        return "here"


class Vanishing(wfe_workflows.Workflow):
    DIGRAPH = {steps.__start__: [Vanish]}


class AskToVanish(steps.Step):
    """Asks, until its class or its schema is taken away."""

    UserInputSchema: Any = workflows.Ask.UserInputSchema

    def execute(self, _input: Any = None, external_input: Any = None) -> Any:
        return external_input["some_data"]


class AskingToVanish(wfe_workflows.Workflow):
    DIGRAPH = {steps.__start__: [AskToVanish]}


VANISH = Vanish
ASK_TO_VANISH = AskToVanish


def order(workflow: Any = workflows.Linear) -> int:
    return order_workflow_execution(workflow)


def get_run(job_id: int, **fields: Any) -> StepRun:
    return StepRun.objects.get(job_id=job_id, state__in=["READY", "RUNNING", "INPUT_REQUIRED"], **fields)


def start_worker(seconds_silent: float = 0, **fields: Any) -> Worker:
    seen = Now() - timedelta(seconds=seconds_silent)
    return Worker.objects.create(hostname="barn", pid=17, last_seen=seen, **fields)


def set_back(job_id: int, seconds: float) -> None:
    """Let a ready run have become so some time ago."""
    ago = timedelta(seconds=seconds)
    StepRun.objects.filter(job_id=job_id, state=StepRunState.READY).update(
        due_at=F("due_at") - ago, dispatched_at=F("dispatched_at") - ago, created_at=F("created_at") - ago
    )


def lose_worker(job_id: int) -> None:
    """Have a worker claim the ready run and die."""
    worker = start_worker(seconds_silent=31)
    assert claim_step_run(get_run(job_id).pk, worker.pk) is not None
    assert sweep().lost == 1


def start(workflow: Any, **fields: Any) -> tuple[int, Worker]:
    """Order a Job, and have a worker begin its first step."""
    job_id = order(workflow)
    worker = start_worker(**fields)
    assert claim_step_run(get_run(job_id).pk, worker.pk) is not None
    return job_id, worker


def run_without_code(job_id: int) -> None:
    """Have a worker claim the first step, of a class that its process lacks."""
    delattr(sys.modules[__name__], Vanish.__name__)
    classes.clear()
    run_step_run(get_run(job_id).pk)


@contextmanager
def keeping_vanish() -> Iterator[None]:
    """Put the classes back, whole, that a cause has taken away."""
    try:
        yield
    finally:
        module: Any = sys.modules[__name__]
        module.Vanish, module.AskToVanish = VANISH, ASK_TO_VANISH
        ASK_TO_VANISH.UserInputSchema = workflows.Ask.UserInputSchema
        classes.clear()


class StricterInput(workflows.BaseModel):
    """As the schema of ``workflows.Ask``, and one field more."""

    some_data: int
    signature: str


def _cancel(clerk: User) -> int:
    job_id = order()
    cancel_job(job_id, actor=clerk, reason="ordered twice")
    return job_id


def _pause(clerk: User) -> int:
    job_id = order()
    pause_job(job_id, actor=clerk, reason="stocktaking")
    return job_id


def _pause_workflow(clerk: User) -> int:
    start_worker()
    job_id = order()
    pause_workflow(Workflow.objects.get(jobs=job_id).pk, actor=clerk, reason="the warehouse is down")
    return job_id


def _claim(clerk: User) -> int:
    job_id = run_workflow(workflows.Asking)
    assign_input(get_run(job_id).pk, clerk)
    return job_id


def _refuse_input(clerk: User) -> int:
    job_id = run_workflow(workflows.Asking)
    provide_external_input(job_id, {"some_data": 1})
    with patch.object(workflows.Ask, "UserInputSchema", StricterInput):
        run_ready(job_id)
    return job_id


def _retry(clerk: User) -> int:
    start_worker()
    job_id = order(Stumbling)
    run_step_run(get_run(job_id).pk)
    return job_id


def _give_up(clerk: User) -> int:
    job_id = run_workflow(GivingUp)
    run_ready(job_id)
    return job_id


def _have_dead_workers_only(clerk: User) -> int:
    start_worker(seconds_silent=1000)
    return order()


def _get_ready(clerk: User) -> int:
    start_worker()
    return order()


def _lose_message(clerk: User) -> int:
    job_id = _get_ready(clerk)
    set_back(job_id, 7)
    return job_id


def _lose_message_without_watchdog(clerk: User) -> int:
    job_id = _get_ready(clerk)
    set_back(job_id, 20)
    return job_id


def _lack_code(clerk: User) -> int:
    job_id = order(Vanishing)
    run_without_code(job_id)
    return job_id


def _delete_node(clerk: User) -> int:
    job_id = _lack_code(clerk)
    record_deleted(set())
    return job_id


def _ask_without_code(clerk: User) -> int:
    job_id = run_workflow(AskingToVanish)
    delattr(sys.modules[__name__], AskToVanish.__name__)
    classes.clear()
    return job_id


def _ask_for_a_deleted_node(clerk: User) -> int:
    job_id = _ask_without_code(clerk)
    record_deleted(set())
    return job_id


def _ask_for_nothing_any_more(clerk: User) -> int:
    job_id = run_workflow(AskingToVanish)
    AskToVanish.UserInputSchema = None
    return job_id


def _adopt(clerk: User) -> int:
    """Have a Job of django-wfe 1.x, as the migration makes it."""
    job = Job.objects.get(pk=run_workflow(workflows.Asking))
    cancel_job(job.pk)
    history = {**job.definition.graph, "is_history": True}
    job.definition = Definition.objects.create(workflow=job.workflow, fingerprint="0" * 64, graph=history)
    job.save(update_fields=["definition"])
    JobEvent.objects.create(job=job, kind=JobEvent.Kind.ADOPTED, data={"was": "FAILED", "logfile": "/var/log/old.log"})
    return job.pk


def _declare_dead(clerk: User) -> int:
    return start(workflows.Linear, declared_dead_at=Now())[0]


def _suspect(clerk: User) -> int:
    job_id = order()
    lose_worker(job_id)
    start_worker()
    return job_id


def _run_suspect(clerk: User) -> int:
    job_id = order()
    lose_worker(job_id)
    claim_step_run(get_run(job_id).pk, start_worker().pk)
    return job_id


def _lose_too_often(clerk: User) -> int:
    job_id = order()
    for _ in range(3):
        lose_worker(job_id)
    return job_id


def _prepare(clerk: User) -> int:
    job_id = order()
    StepRun.objects.filter(job=job_id, state=StepRunState.READY).delete()
    return job_id


@dataclass(frozen=True)
class Cause:
    """A cause with its ``code``: what makes a Job that stands at it, and what of its sentence and its way out to see.

    ``stands_still`` where somebody has to see to it.
    """

    code: str
    make: Callable[[User], int]
    says: str
    way_out: str = ""
    stands_still: bool = False

    def __str__(self) -> str:
        return f"{self.code} {self.make.__name__.strip('_')}"


WORKER = "Start a worker: manage.py rundramatiq."
WATCHDOG = "keep manage.py wfe_watchdog running"
BROKER = "see that the broker and manage.py wfe_watchdog run"
INPUT = "Provide the input. Everybody with the permission “Can provide input to a job” may."

CAUSES = [
    Cause("finished", lambda clerk: run_workflow(workflows.Linear), "The last step has run."),
    Cause("canceled", _cancel, "by Clerk Kent. ordered twice"),
    Cause(
        "adopted",
        _adopt,
        "It failed at “Ask” under django-wfe 1.x. It is kept as history and cannot go on. "
        "Its log is the file /var/log/old.log.",
        "Start the workflow again",
    ),
    Cause("paused", _pause, "by Clerk Kent. stocktaking", "Resume the job."),
    Cause("workflow_paused", _pause_workflow, "by Clerk Kent. the warehouse is down", "Resume the workflow."),
    Cause("waiting_for_input", lambda clerk: run_workflow(workflows.Asking), "and is not assigned.", INPUT),
    Cause("waiting_for_input", _claim, "assigned to Clerk Kent.", INPUT),
    Cause("input_refused", _refuse_input, "waits for input again", INPUT),
    Cause("retry_due", _retry, "Attempt 2 of 5 at “Stumble” is due at", "skip the step"),
    Cause("failed", _give_up, "failed at attempt 2", "Fix the cause and retry it", stands_still=True),
    Cause("no_worker", lambda clerk: order(), "no worker was ever started", WORKER, stands_still=True),
    Cause("no_worker", _have_dead_workers_only, "last heartbeat 1,000 s ago", WORKER, stands_still=True),
    Cause("ready", _get_ready, "is ready and waits for a worker"),
    Cause("message_overdue", _lose_message, "will be sent again at", BROKER, stands_still=True),
    Cause("message_overdue", _lose_message_without_watchdog, "should have been sent", BROKER, stands_still=True),
    Cause(
        "code_lacking",
        _lack_code,
        "does not have the code of “tests.declared.causes.Vanish” of definition",
        "Deploy",
        stands_still=True,
    ),
    Cause("node_gone", _delete_node, "no longer exists in the code", "Restore the class", stands_still=True),
    Cause(
        "code_lacking",
        _ask_without_code,
        "“Ask to vanish” cannot be answered by this process, which does not have its code. "
        "tests.declared.causes.AskToVanish cannot be",
        "keep its old name for the new one",
        stands_still=True,
    ),
    Cause(
        "node_gone",
        _ask_for_a_deleted_node,
        "“Ask to vanish” cannot be answered: tests.declared.causes.AskToVanish no longer exists in the code.",
        "keep its old name for the new class",
        stands_still=True,
    ),
    Cause(
        "input_gone",
        _ask_for_nothing_any_more,
        "“Ask to vanish” cannot be answered: tests.declared.causes.AskToVanish no longer asks for input.",
        "Restore the input schema of the class",
        stands_still=True,
    ),
    Cause("running", lambda clerk: start(workflows.Linear)[0], "on barn:17"),
    Cause(
        "worker_silent",
        lambda clerk: start(workflows.Linear, seconds_silent=20)[0],
        "has been silent for 20 s; it will be declared dead at",
        "look at that worker's log",
        stands_still=True,
    ),
    Cause(
        "worker_silent",
        lambda clerk: start(workflows.Linear, seconds_silent=90)[0],
        "has been silent for 90 s.",
        WATCHDOG,
        stands_still=True,
    ),
    Cause("worker_gone", _declare_dead, "its worker barn:17 is gone", WATCHDOG, stands_still=True),
    Cause("suspect", _suspect, "has lost its worker 1 time, and waits", "Look at the log of the attempt"),
    Cause("running_after_loss", _run_suspect, "it had lost its worker 1 time before"),
    Cause("lost_too_often", _lose_too_often, "lost its worker 3 times", "Then retry it.", stands_still=True),
    Cause("preparing", _prepare, "Its next step is being prepared.", "run it again", stands_still=True),
]
