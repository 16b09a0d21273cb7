"""Every door of the project, for the tests of rights: each address, call and command, with the ids of any world."""

import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO, StringIO
from itertools import count
from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client
from django.urls import reverse

from django_wfe.models import Job
from tests.support.doors.api_calls import CALLS, PREFIX
from tests.support.doors.console import ADDRESSES, World, describe_database

_numbers = count(1)


@dataclass(frozen=True)
class Answer:
    """What came back: a status (of a command its exit code), and all that the asker could read."""

    status: int
    text: str
    changed: bool = False

    def holds(self, pattern: re.Pattern[str]) -> list[str]:
        """Give the first few places where the pattern is met."""
        return pattern.findall(self.text)[:3]


@dataclass(frozen=True)
class Door:
    """One way in. ``knock`` sends it as a user (None: nobody) with the ids of a world."""

    name: str
    path: str = ""
    method: str = "GET"
    data: dict[str, str] | None = None
    body: Any = None
    job: str = ""
    command: tuple[str, ...] = ()
    is_about_one: bool = True

    def __str__(self) -> str:
        return self.name

    def knock(self, user: User | None, world: World) -> Answer:
        """Send it, and take back whatever it changed."""
        with transaction.atomic():
            before = describe_database()
            answer = self._run(user, world) if self.command else self._send(user, world)
            answer = replace(answer, changed=describe_database() != before)
            transaction.set_rollback(True)
        return answer

    def _send(self, user: User | None, world: World) -> Answer:
        client = Client()
        if user is not None:
            client.force_login(user)
        path = self.path.format(**world.ids)
        if self.method == "GET":
            response = client.get(path)
        elif self.data is not None:
            response = client.post(path, fill(self.data, world, self.job))
        else:
            body = json.dumps(self.body).replace('"{workflow}"', str(world.get("workflow")))
            body = re.sub(r'"\{(\w+)\}"', lambda found: str(world.get(found[1])), body)
            response = client.generic(self.method, path, body, content_type="application/json")
        content = b"".join(response.streaming_content) if response.streaming else response.content
        if content[:4] == b"PK\x03\x04":
            with zipfile.ZipFile(BytesIO(content)) as spreadsheet:
                content = b"\n".join(map(spreadsheet.read, spreadsheet.namelist()))
        headers = "\n".join(f"{name}: {value}" for name, value in response.headers.items())
        shown = list(response.wsgi_request._messages) if hasattr(response.wsgi_request, "_messages") else []
        told = " ".join(str(message) for message in shown)
        return Answer(response.status_code, f"{headers}\n{told}\n{content.decode(errors='replace')}")

    def _run(self, user: User | None, world: World) -> Answer:
        output = StringIO()
        arguments = [argument.format(**world.ids) for argument in self.command]
        name = user.username if user is not None else "nobody"
        try:
            call_command("wfe_job", *arguments, "--user", name, stdout=output, stderr=output)
        except CommandError as error:
            return Answer(error.returncode, f"{output.getvalue()}{error}")
        return Answer(0, output.getvalue())


def list_doors() -> Iterator[Door]:
    """Give every address of the console, its lists with filters set, every REST call and every command."""
    for address in ADDRESSES:
        names = [f"{{{name}}}" if name in KINDS else name for name in address.arguments]
        path = build(address.name, names)
        is_about_one = any(name in KINDS for name in address.arguments) or bool(
            [value for value in address.data.values() if "{" in value]
        )
        job = address.arguments[0] if address.name == "django_wfe_job_verb" else ""
        if address.gets:
            yield Door(f"GET {address}", path, is_about_one=is_about_one)
        yield Door(f"POST {address}", path, "POST", data=address.data, job=job, is_about_one=is_about_one)
    for action in ("cancel", "pause", "resume", "retry"):
        chosen = {"action": f"{action}_selected", "_selected_action": "{failed}"}
        yield Door(f"action {action}", "/admin/django_wfe/job/", "POST", data=chosen)
        every = {**chosen, "select_across": "1"}
        yield Door(f"action {action} all", "/admin/django_wfe/job/", "POST", data=every, is_about_one=False)
    for kind in ("job", "steprun"):
        yield from (build_export(kind, number, resource=0) for number in range(2))
    yield build_export("steprun", 0, resource=1)
    yield from (Door(f"GET {path}", path, is_about_one="{" in path) for path in QUERIES)
    for call in CALLS:
        yield Door(
            f"REST {call}",
            PREFIX
            + re.sub(r"\{(job)\}", "{waiting}", call.path)
            .replace("{held}", "{paused_workflow}")
            .replace("{bulk}", "{bulk_run}"),
            call.method,
            body=call.body,
            is_about_one="{" in call.path or "{workflow}" in json.dumps(call.body),
        )
    yield Door("REST filter", PREFIX + "jobs/?workflow={workflow}")
    yield Door("REST bulk ids", PREFIX + "bulk/", "POST", body={"verb": "cancel", "jobs": ["{waiting}"]})
    yield Door(
        "REST bulk filter",
        PREFIX + "bulk/",
        "POST",
        body={"verb": "cancel", "filter": {"workflow": ["{workflow}"]}, "preview": True},
    )
    for words in COMMANDS:
        yield Door("wfe_job " + " ".join(words), command=words, is_about_one="{" in "".join(words))


KINDS = frozenset(
    {
        "workflow",
        "definition",
        "step",
        "waiting",
        "paused",
        "failed",
        "finished",
        "waiting_run",
        "finished_run",
        "failed_run",
        "event",
        "paused_workflow",
        "fingerprint",
        "bulk_run",
        "export",
        "worker",
    }
)
QUERIES = [
    "/admin/",
    "/admin/django_wfe/",
    "/admin/django_wfe/job/?q={waiting}",
    "/admin/django_wfe/job/?workflow={workflow}",
    "/admin/django_wfe/job/?incident={fingerprint}",
    "/admin/django_wfe/job/?_to_field=id&workflow={workflow}",
    "/admin/django_wfe/job/{waiting}/change/?_to_field=id",
    "/admin/django_wfe/job/?_changelist_filters=workflow%3D{workflow}",
    "/admin/django_wfe/steprun/?q={waiting}",
    "/admin/django_wfe/steprun/?fingerprint={fingerprint}",
    "/admin/django_wfe/jobevent/?q={waiting}",
    "/admin/django_wfe/bulkrun/?q={bulk_run}",
    "/admin/django_wfe/job/inbox/?workflow={workflow}",
    "/admin/django_wfe/workflow/console/?waiting=mine",
    "/admin/django_wfe/job/{failed}/log/{waiting_run}/",
    "/admin/django_wfe/workflow/{workflow}/compare/?new={definition}",
    "/admin/autocomplete/?app_label=django_wfe&model_name=job&field_name=workflow&term=",
    "/admin/autocomplete/?app_label=django_wfe&model_name=steprun&field_name=job&term=",
    "/admin/autocomplete/?app_label=django_wfe&model_name=workflow&field_name=current_definition&term=",
]
COMMANDS = [
    ("list",),
    ("list", "--json"),
    ("show", "{failed}"),
    ("show", "{failed}", "--json"),
    ("list", "--workflow", "{workflow}"),
    ("list", "--workflow", "Unknown"),
    ("list", "--incident", "{fingerprint}"),
    ("start", "{workflow}"),
    ("input", "{waiting}", "--data", '{{"some_data": 1}}'),
    ("cancel", "{waiting}"),
    ("pause", "{waiting}", "--dry-run"),
    ("resume", "{paused}"),
    ("retry", "{failed}"),
    ("skip", "{failed}", "--result", "1"),
    ("rerun", "{failed}", "--number", "1"),
    ("retry", "--filter-workflow", "{workflow}", "--dry-run"),
    ("retry", "--incident", "{fingerprint}", "--dry-run"),
    ("bulk", "{bulk_run}"),
    ("bulk", "{bulk_run}", "--json"),
    ("bulk", "{bulk_run}", "--stop"),
    ("pause-workflow", "{workflow}"),
    ("resume-workflow", "{paused_workflow}"),
]


def build_export(kind: str, file_format: int, *, resource: int) -> Door:
    """Give the door of an export: of a kind of rows, in the format and with the columns of these numbers."""
    data = {"format": str(file_format), "resource": str(resource)}
    path = f"/admin/django_wfe/{kind}/export/"
    return Door(f"export {kind} {file_format} {resource}", path, "POST", data=data, is_about_one=False)


def build(name: str, names: list[str]) -> str:
    """Give the path of an address with names in braces in the place of ids."""
    numbers = {str(9_000_001 + place): text for place, text in enumerate(names) if text.startswith("{")}
    arguments = [next((number for number, text in numbers.items() if text == name), name) for name in names]
    path = reverse(f"admin:{name}", args=arguments)
    for number, text in numbers.items():
        path = path.replace(number, text)
    return path


def fill(data: dict[str, str], world: World, job: str) -> dict[str, str]:
    """Put the ids of a world in the place of names, and the state in which ``job`` is as the one that was seen."""
    filled = {key: value.format(**world.ids) if "{" in value else value for key, value in data.items()}
    if job:
        state = Job.objects.filter(pk=world.get(job)).values_list("state", flat=True).first()
        filled.setdefault("expected_state", state or "FAILED")
    return filled


def create_person(*permissions: str, groups: tuple[str, ...] = (), is_staff: bool = True) -> User:
    """Create a member of staff with these permissions of django_wfe, in these groups."""
    user = User.objects.create_user(f"seeker{next(_numbers)}", is_staff=is_staff)
    found = Permission.objects.filter(content_type__app_label="django_wfe", codename__in=permissions)
    assert {permission.codename for permission in found} == set(permissions)
    user.user_permissions.set(found)
    user.groups.set(Group.objects.get_or_create(name=name)[0] for name in groups)
    return User.objects.get(pk=user.pk)
