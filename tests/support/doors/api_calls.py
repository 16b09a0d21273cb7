"""What the tests of the REST API share: users with rights, recorded workflows, and every call that there is."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient

from django_wfe import workflows
from django_wfe.engine.project_code.recording import describe_workflow, record_workflow
from django_wfe.models import Workflow

PREFIX = "/wfe/"
COLLEAGUE = "colleague"
"""The user whose work a call hands over; the tests make one of this name."""
_numbers: Iterator[int] = count(1)


@dataclass(frozen=True)
class Call:
    """One call of the REST API: its permissions are those that together let a user make it."""

    method: str
    path: str
    permissions: tuple[str, ...]
    body: Any = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


CALLS = [
    Call("GET", "workflows", ("view_workflow",)),
    Call("GET", "workflows/{workflow}", ("view_workflow",)),
    Call("POST", "workflows/{workflow}/pause", ("pause_workflow",), {}),
    Call("POST", "workflows/{held}/resume", ("pause_workflow",), {}),
    Call("GET", "steps", ("view_step",)),
    Call("GET", "steps/{step}", ("view_step",)),
    Call("GET", "statistics", ("view_job",)),
    Call("GET", "jobs", ("view_job",)),
    Call("POST", "jobs", ("add_job",), {"workflow_id": "{workflow}"}),
    Call("GET", "jobs/{job}", ("view_job",)),
    Call("GET", "jobs/{job}/logs", ("view_job", "view_job_data")),
    Call("GET", "jobs/{job}/input", ("view_job",)),
    Call("POST", "jobs/{job}/input", ("provide_input_job",), {"some_data": 1}),
    Call("POST", "jobs/{job}/assign", ("provide_input_job",), {"person": None}),
    Call("POST", "inbox/hand-over", ("provide_input_job",), {"from": COLLEAGUE}),
    Call("POST", "jobs/{job}/cancel", ("cancel_job",), {}),
    Call("POST", "jobs/{job}/pause", ("pause_job",), {}),
    Call("POST", "jobs/{paused}/resume", ("pause_job",), {}),
    Call("POST", "jobs/{failed}/retry", ("retry_job",), {}),
    Call("POST", "jobs/{failed}/skip", ("skip_job",), {"result": None}),
    Call("POST", "jobs/{failed}/rerun", ("rerun_job",), {"number": 1}),
    Call("POST", "bulk", ("view_job", "retry_job"), {"verb": "retry", "filter": {"state": ["FAILED"]}}),
    Call("GET", "bulk/{bulk}", ("view_job", "view_bulkrun")),
    Call("POST", "bulk/{bulk}/stop", ("view_job", "view_bulkrun", "cancel_job"), {}),
]
"""Every call that does something, with an example of its body."""

PERMISSIONS = sorted({permission for call in CALLS for permission in call.permissions})


def record(workflow: type[workflows.Workflow]) -> Workflow:
    """Record a workflow class as discovery would."""
    return record_workflow(describe_workflow(workflow))


def create_user(*permissions: str) -> User:
    """Create a user who holds just these permissions of django_wfe, each by its code name."""
    user = User.objects.create_user(f"user{next(_numbers)}")
    found = Permission.objects.filter(content_type__app_label="django_wfe", codename__in=permissions)
    assert {permission.codename for permission in found} == set(permissions)
    user.user_permissions.set(found)
    return user


def sign_in(*permissions: str) -> APIClient:
    """Give a client whose session is that of a user with just these permissions."""
    client = APIClient()
    client.force_login(create_user(*permissions))
    return client


def sign_in_superuser() -> APIClient:
    """Give a client whose session is a superuser's."""
    client = APIClient()
    client.force_login(User.objects.create_superuser(f"superuser{next(_numbers)}"))
    return client
