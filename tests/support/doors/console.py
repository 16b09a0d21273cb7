"""What the tests of the console share: recorded workflows, jobs in each state, people with rights, every address."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from django_wfe import workflows
from django_wfe.admin.bulk.filters import ChosenFilter
from django_wfe.engine.bulk.runs import start_bulk
from django_wfe.engine.lifecycle import pause_job, run_workflow
from django_wfe.engine.operations.recording_exports import record_export
from django_wfe.engine.operations.workflow_verbs import pause_workflow
from django_wfe.engine.project_code.recording import describe_workflow, record_workflow
from django_wfe.models import (
    Assignment,
    BulkEvent,
    BulkRun,
    Definition,
    Job,
    JobEvent,
    Step,
    StepRun,
    Worker,
    Workflow,
    WorkflowEvent,
)
from tests.support.demo.pages import Page
from tests.workflows import Asking, Failing, Linear, Looping

_numbers = count(1)


@dataclass(frozen=True)
class Address:
    """One address of the console: what it needs so that GET, and where ``posts`` POST, does something.

    ``writes_event`` tells whether a POST writes an event of a job at once; ``is_page`` that GET gives an HTML page.
    """

    name: str
    arguments: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ("view_job",)
    posts: bool = False
    gets: bool = True
    data: dict[str, str] = field(default_factory=dict)
    writes_event: bool = True
    is_page: bool = True

    def __str__(self) -> str:
        return " ".join([self.name, *self.arguments])

    def build(self, world: "World") -> str:
        """Give the path for the objects of this world."""
        return reverse(f"admin:{self.name}", args=[world.get(argument) for argument in self.arguments])


VERB = {"reason": "because"}

ADDRESSES = [
    Address("django_wfe_console"),
    Address("django_wfe_statistics"),
    Address("django_wfe_workflow_changelist", permissions=("view_workflow",)),
    Address("django_wfe_workflow_change", ("workflow",), ("view_workflow",)),
    Address("django_wfe_workflow_history", ("workflow",), ("view_workflow",)),
    Address("django_wfe_workflow_start", ("workflow",), ("view_workflow", "add_job"), posts=True),
    Address("django_wfe_workflow_start_many", ("workflow",), ("view_workflow", "add_job")),
    Address("django_wfe_workflow_columns", ("workflow",), ("view_workflow", "add_job"), is_page=False),
    Address(
        "django_wfe_inbox",
        permissions=("view_job", "provide_input_job"),
        posts=True,
        data={"step_run": "{waiting_run}", "action": "assign"},
    ),
    Address("django_wfe_hand_over", permissions=("view_job", "provide_input_job")),
    Address(
        "django_wfe_workflow_pause",
        ("workflow",),
        ("view_workflow", "pause_workflow"),
        posts=True,
        data=VERB,
        writes_event=False,
    ),
    Address(
        "django_wfe_workflow_resume",
        ("paused_workflow",),
        ("view_workflow", "pause_workflow"),
        posts=True,
        writes_event=False,
    ),
    Address("django_wfe_workflow_compare", ("workflow",), ("view_workflow",)),
    *(
        Address("django_wfe_workflow_graph", ("workflow", kind), ("view_workflow",), is_page=False)
        for kind in ("svg", "png", "dot")
    ),
    Address("django_wfe_job_changelist"),
    Address("django_wfe_job_change", ("waiting",)),
    Address("django_wfe_job_history", ("waiting",)),
    Address("django_wfe_job_log", ("failed", "failed_run"), ("view_job", "view_job_data"), is_page=False),
    Address("django_wfe_job_export"),
    Address(
        "django_wfe_job_input",
        ("waiting",),
        ("view_job", "provide_input_job"),
        posts=True,
        data={"input-some_data": "1", "step_run": "{waiting_run}"},
    ),
    Address("django_wfe_job_verb", ("waiting", "cancel"), ("view_job", "cancel_job"), posts=True, data=VERB),
    Address("django_wfe_job_verb", ("waiting", "pause"), ("view_job", "pause_job"), posts=True, data=VERB),
    Address("django_wfe_job_verb", ("paused", "resume"), ("view_job", "pause_job"), posts=True, data=VERB),
    Address("django_wfe_job_verb", ("failed", "retry"), ("view_job", "retry_job"), posts=True, data=VERB),
    Address(
        "django_wfe_job_verb", ("failed", "skip"), ("view_job", "skip_job"), posts=True, data={**VERB, "result": "1"}
    ),
    Address(
        "django_wfe_job_verb", ("failed", "rerun"), ("view_job", "rerun_job"), posts=True, data={**VERB, "number": "1"}
    ),
    *(
        Address(
            "django_wfe_job_bulk",
            (verb,),
            ("view_job", permission),
            posts=True,
            gets=False,
            data={**VERB, "jobs": f"{{{job}}}:{state}"},
        )
        for verb, permission, job, state in (
            ("cancel", "cancel_job", "waiting", "INPUT_REQUIRED"),
            ("pause", "pause_job", "waiting", "INPUT_REQUIRED"),
            ("resume", "pause_job", "paused", "PAUSED"),
            ("retry", "retry_job", "failed", "FAILED"),
        )
    ),
    *(
        Address(
            "django_wfe_job_bulk_filter",
            (verb,),
            ("view_job", permission),
            posts=True,
            gets=False,
            data={**VERB, "filter": ChosenFilter(verb, "state=open", 10**9).sign()},
            writes_event=False,
        )
        for verb, permission in (
            ("cancel", "cancel_job"),
            ("pause", "pause_job"),
            ("resume", "pause_job"),
            ("retry", "retry_job"),
        )
    ),
    Address("django_wfe_job_graph", ("failed",), is_page=False),
    Address("django_wfe_job_search"),
    Address("django_wfe_job_compare_choice", ("waiting",)),
    Address("django_wfe_job_compare", ("waiting", "paused")),
    Address("django_wfe_incidents"),
    Address("django_wfe_incident", ("fingerprint",)),
    *(
        Address(
            "django_wfe_incident_repair",
            ("fingerprint", stage),
            ("view_job", "retry_job"),
            posts=True,
            data={**VERB, "jobs": jobs},
            writes_event=False,
        )
        for stage, jobs in (("one", "{failed}"), ("ten", "{failed}"), ("all", ""))
    ),
    *(
        Address(
            "django_wfe_incident_verb",
            ("fingerprint", verb, stage),
            ("view_job", f"{verb}_job"),
            posts=True,
            data={**VERB, "jobs": jobs, **data},
            writes_event=False,
        )
        for verb, data in (("skip", {"result": "1"}), ("cancel", {}))
        for stage, jobs in (("one", "{failed}"), ("all", ""))
    ),
    Address("django_wfe_bulkrun_changelist"),
    Address("django_wfe_bulkrun_change", ("bulk_run",), ("view_job", "view_bulkrun")),
    Address("django_wfe_bulkrun_history", ("bulk_run",), ("view_job", "view_bulkrun")),
    Address(
        "django_wfe_bulkrun_stop",
        ("bulk_run",),
        ("view_job", "view_bulkrun", "cancel_job"),
        posts=True,
        gets=False,
        data=VERB,
        writes_event=False,
    ),
    Address("django_wfe_steprun_changelist", permissions=("view_job", "view_steprun")),
    Address("django_wfe_steprun_change", ("failed_run",), ("view_job", "view_steprun")),
    Address("django_wfe_steprun_history", ("failed_run",), ("view_job", "view_steprun")),
    Address("django_wfe_steprun_log", ("failed_run",), ("view_job", "view_steprun", "view_job_data"), is_page=False),
    Address(
        "django_wfe_steprun_data",
        ("finished_run", "result"),
        ("view_job", "view_steprun", "view_job_data"),
        is_page=False,
    ),
    Address("django_wfe_steprun_export", permissions=("view_job", "view_steprun")),
    Address("django_wfe_worker_changelist", permissions=("view_worker",)),
    Address("django_wfe_worker_change", ("worker",), ("view_worker",)),
    Address("django_wfe_worker_history", ("worker",), ("view_worker",)),
    Address("django_wfe_definition_changelist", permissions=("view_workflow", "view_definition")),
    Address("django_wfe_definition_change", ("definition",), ("view_workflow", "view_definition")),
    Address("django_wfe_definition_history", ("definition",), ("view_workflow", "view_definition")),
    Address("django_wfe_step_changelist", permissions=("view_step",)),
    Address("django_wfe_step_change", ("step",), ("view_step",)),
    Address("django_wfe_step_history", ("step",), ("view_step",)),
    Address("django_wfe_export_changelist", permissions=("view_export",)),
    Address("django_wfe_export_change", ("export",), ("view_export",)),
    Address("django_wfe_export_history", ("export",), ("view_export",)),
    Address("django_wfe_jobevent_changelist", permissions=("view_job", "view_jobevent")),
    Address("django_wfe_jobevent_change", ("event",), ("view_job", "view_jobevent")),
    Address("django_wfe_jobevent_history", ("event",), ("view_job", "view_jobevent")),
]
"""Every address of the console that shows or does something."""


@dataclass(frozen=True)
class World:
    """The ids of one of each."""

    ids: dict[str, Any]

    def get(self, name: str) -> Any:
        """Give the id of this name; what is not a name stands for itself, such as a verb."""
        return self.ids.get(name, name)

    def fill(self, data: dict[str, str], job: str = "") -> dict[str, str]:
        """Put ids in the place of names in posted data, and the state of ``job`` as the one that was seen."""
        filled = {key: value.format(**self.ids) if "{" in value else value for key, value in data.items()}
        if job:
            filled.setdefault("expected_state", Job.objects.get(pk=self.get(job)).state)
        return filled


def build_world(
    asking: type[workflows.Workflow] = Asking,
    failing: type[workflows.Workflow] = Failing,
    linear: type[workflows.Workflow] = Linear,
    held: type[workflows.Workflow] = Looping,
) -> World:
    """Make a job that waits, one that is paused, one that failed and one that finished."""
    for workflow in (asking, failing, linear):
        record(workflow)
    waiting, paused, failed = (run_workflow(workflow) for workflow in (asking, asking, failing))
    finished = run_workflow(linear)
    pause_job(paused)
    pause_workflow(record(held).pk)
    return World(
        {
            "workflow": Workflow.objects.get(name=asking.__name__).pk,
            "definition": Definition.objects.get(workflow__name=asking.__name__).pk,
            "step": Step.objects.get(path=StepRun.objects.get(job_id=waiting, state="INPUT_REQUIRED").step).pk,
            "waiting": waiting,
            "paused": paused,
            "failed": failed,
            "finished": finished,
            "waiting_run": StepRun.objects.get(job_id=waiting, state="INPUT_REQUIRED").pk,
            "finished_run": StepRun.objects.get(job_id=finished, number=1).pk,
            "failed_run": StepRun.objects.get(job_id=failed, state="FAILED").pk,
            "event": JobEvent.objects.filter(job_id=failed).earliest("pk").pk,
            "paused_workflow": Workflow.objects.get(name=held.__name__).pk,
            "fingerprint": StepRun.objects.get(job_id=failed, state="FAILED").fingerprint,
            "bulk_run": start_bulk("cancel", Job.objects.filter(pk=paused)).pk,
            "export": record_export(Job.objects.filter(pk=failed), kind="jobs", file_format="csv").pk,
            "worker": Worker.objects.create(hostname="machine", pid=7, threads=8).pk,
        }
    )


def record(workflow: type[workflows.Workflow]) -> Workflow:
    """Record a workflow class as discovery would."""
    return record_workflow(describe_workflow(workflow))


def sign_in(*permissions: str, is_staff: bool = True) -> Client:
    """Give a client of a staff member who holds just these permissions of django_wfe."""
    user = User.objects.create_user(f"person{next(_numbers)}", is_staff=is_staff)
    found = Permission.objects.filter(content_type__app_label="django_wfe", codename__in=permissions)
    assert {permission.codename for permission in found} == set(permissions)
    user.user_permissions.set(found)
    client = Client()
    client.force_login(user)
    return client


def sign_in_superuser() -> Client:
    """Give a client of a superuser."""
    client = Client()
    client.force_login(User.objects.create_superuser(f"superuser{next(_numbers)}"))
    return client


def read_page(response: Any) -> Page:
    """Read a page that came back, which must be well and hold nothing that a strict policy forbids."""
    assert response.status_code == 200, response
    page = Page(response.request["PATH_INFO"], response.status_code, response.content.decode())
    assert page.violations == []
    return page


def list_messages(response: Any) -> list[str]:
    """Give the messages that a page shows, after a redirect that was followed."""
    return [str(message) for message in response.context["messages"]]


def describe_database() -> Any:
    """Everything that a request without the right must not have changed."""
    return (
        list(Job.objects.order_by("pk").values()),
        list(StepRun.objects.order_by("pk").values("pk", "state", "external_data", "superseded")),
        list(Workflow.objects.order_by("pk").values("pk", "paused", "pause_reason")),
        list(BulkRun.objects.order_by("pk").values("pk", "state", "total")),
        list(Assignment.objects.order_by("pk").values()),
        (BulkEvent.objects.count(), WorkflowEvent.objects.count()),
        JobEvent.objects.count(),
    )
