"""Every door that a secret can come in by, and a watch over all that is shown meanwhile."""

import base64
import io
import json
from collections.abc import Callable
from typing import Any

import openpyxl
from django.core import signing
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.urls import reverse

from django_wfe import order_workflow_execution, provide_external_input
from django_wfe.admin.starting.many import SALT
from django_wfe.engine.bulk.runs import start_bulk
from django_wfe.engine.lifecycle import rerun_job, retry_job, start_job
from django_wfe.models import Assignment, BulkRun, Job, JobState, StepRun, Workflow
from django_wfe.values.sealing import MARK
from tests.declared import secret_workflows as declared
from tests.support.doors.console import sign_in_superuser
from tests.support.running.engine_helpers import run_ready, work_to_the_end

SEALED = ("the database", "what the page posts back")
CANARY, PIN = "Xq7canaryZ9", 918273645
FORMER, FORMER_PIN = "Xq7formerZ9", 817263549
INPUT = {
    "user": "ada",
    "password": CANARY,
    "pin": PIN,
    "token": CANARY,
    "login": {"user": "ada", "password": CANARY},
    "logins": [{"user": "bob", "password": CANARY}],
    "codes": {"a": CANARY},
}
FORMER_INPUT = json.loads(json.dumps(INPUT).replace(CANARY, FORMER).replace(str(PIN), str(FORMER_PIN)))
POSTED = {
    "input-user": "ada",
    "input-password": CANARY,
    "input-pin": str(PIN),
    "input-token": CANARY,
    "input-login-user": "ada",
    "input-login-password": CANARY,
    "input-logins": "0",
    "input-logins-0-user": "bob",
    "input-logins-0-password": CANARY,
    "input-codes": json.dumps({"a": CANARY}),
    "input-default": "",
}
ROW = {
    "user": "ada",
    "password": CANARY,
    "pin": PIN,
    "token": CANARY,
    "login.user": "ada",
    "login.password": CANARY,
    "logins": json.dumps(INPUT["logins"]),
    "codes": json.dumps(INPUT["codes"]),
}


class Watch:
    """Keeps all that people and programs are shown, and looks for the secrets in it."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, str]] = []
        self.client = sign_in_superuser()

    def see(self, what: str, text: Any) -> None:
        self.shown.append((what, str(text)))

    def get(self, address: str) -> Any:
        return self._see(address, self.client.get(address, follow=True))

    def post(self, address: str, data: Any, **options: Any) -> Any:
        return self._see(address, self.client.post(address, data, follow=True, **options))

    def _see(self, address: str, response: Any) -> Any:
        self.see(address, response.getvalue() if response.streaming else response.content.decode(errors="replace"))
        return response

    def command(self, *arguments: str) -> None:
        output = io.StringIO()
        call_command(*arguments, stdout=output, stderr=output)
        self.see(" ".join(arguments[:2]), output.getvalue())

    def find_leaks(self) -> list[str]:
        """Name what shows a secret, or something encrypted to whom it says nothing."""
        return [
            what
            for what, text in self.shown
            if any(trace in text for trace in TRACES) or (MARK in text and what not in SEALED)
        ]


def _list_traces(value: str) -> list[str]:
    """List a value and how Base64 writes it, wherever in a text it begins: the letters that no neighbour changes.

    They are so long that a random token does not hold them by chance.
    """
    letters = [(-(-8 * shift // 6), 8 * (shift + len(value)) // 6) for shift in range(3)]
    encoded = [base64.b64encode(b" " * shift + value.encode()).decode() for shift in range(3)]
    found = [text[first:last] for text, (first, last) in zip(encoded, letters, strict=True)]
    assert min(map(len, found)) > 10
    return [value, value[::-1], value.encode().hex(), *found]


TRACES = [trace for value in (CANARY, str(PIN), FORMER, str(FORMER_PIN)) for trace in _list_traces(value)]


def by_order(watch: Watch, workflow: Workflow) -> int:
    return order_workflow_execution(workflow, first_input=INPUT)


def by_rest_start(watch: Watch, workflow: Workflow) -> int:
    body = {"workflow_id": workflow.pk, "first_input": INPUT}
    answer = watch.post("/wfe/jobs/", body, content_type="application/json")
    assert answer.status_code == 201, answer.content
    return int(answer.json()["id"])


def by_command_start(watch: Watch, workflow: Workflow) -> int:
    watch.command("wfe_job", "start", workflow.path, "--first-input", json.dumps(INPUT))
    return Job.objects.latest("pk").pk


def by_python(watch: Watch, workflow: Workflow) -> int:
    job_id = start_job(workflow).job_id
    provide_external_input(job_id, INPUT)
    return job_id


def by_rest(watch: Watch, workflow: Workflow) -> int:
    job_id = start_job(workflow).job_id
    watch.get(f"/wfe/jobs/{job_id}/input/")
    refused = watch.post(f"/wfe/jobs/{job_id}/input/", {**INPUT, "login": CANARY}, content_type="application/json")
    assert refused.status_code == 422
    assert watch.post(f"/wfe/jobs/{job_id}/input/", INPUT, content_type="application/json").status_code == 200
    return job_id


def by_command(watch: Watch, workflow: Workflow) -> int:
    job_id = start_job(workflow).job_id
    watch.command("wfe_job", "input", str(job_id), "--data", json.dumps(INPUT))
    return job_id


def by_form(watch: Watch, workflow: Workflow) -> int:
    """Post what is wrong, a draft, one more item, and what is right."""
    job_id = start_job(workflow).job_id
    address = reverse("admin:django_wfe_job_input", args=[job_id])
    run = StepRun.objects.get(job_id=job_id, state="INPUT_REQUIRED")
    posted = {**POSTED, "step_run": run.pk}
    watch.post(address, {**posted, "input-user": "", "input-login-user": ""})
    watch.post(address, {**posted, "input-_structure": "add:logins"})
    watch.post(address, {**posted, "_draft": "1"})
    draft = Assignment.objects.get(step_run=run).draft
    assert draft["user"] == ["ada"]
    assert {"password", "pin", "token", "login-password", "logins-0-password", "codes"} & set(draft) == set()
    assert "ada" in watch.get(address).content.decode()
    watch.post(address, posted)
    return job_id


def _start_many(watch: Watch, workflow: Workflow, name: str, content: bytes) -> int:
    address = reverse("admin:django_wfe_workflow_start_many", args=[workflow.pk])
    preview = watch.post(address, {"file": SimpleUploadedFile(name, content)})
    packed = preview.context["confirmed"]
    watch.see("what the page posts back", signing.loads(packed, salt=SALT))
    watch.post(address, {"confirmed": packed})
    return Job.objects.latest("pk").pk


def by_csv(watch: Watch, workflow: Workflow) -> int:
    cells = ['"' + str(cell).replace('"', '""') + '"' for cell in ROW.values()]
    wrong = ",".join(["", *cells[1:]])
    return _start_many(watch, workflow, "jobs.csv", "\n".join([",".join(ROW), ",".join(cells), wrong]).encode())


def by_workbook(watch: Watch, workflow: Workflow) -> int:
    book, stream = openpyxl.Workbook(), io.BytesIO()
    book.active.append(list(ROW))
    book.active.append(list(ROW.values()))
    book.save(stream)
    return _start_many(watch, workflow, "jobs.xlsx", stream.getvalue())


def by_json_file(watch: Watch, workflow: Workflow) -> int:
    rows = [INPUT, {**INPUT, "pasword": CANARY, "login": CANARY}]
    return _start_many(watch, workflow, "jobs.json", json.dumps(rows).encode())


def starting_by_order(watch: Watch, workflow: Workflow) -> int:
    return order_workflow_execution(workflow, input=INPUT)


def starting_by_rest(watch: Watch, workflow: Workflow) -> int:
    watch.get(f"/wfe/workflows/{workflow.pk}/")
    for given, key, code in (
        ({**INPUT, "login": CANARY}, "k", 422),
        (INPUT, "k", 201),
        ({**INPUT, "password": FORMER, "pin": FORMER_PIN}, "k", 409),
    ):
        body = {"workflow_id": workflow.pk, "input": given, "key": key}
        assert watch.post("/wfe/jobs/", body, content_type="application/json").status_code == code
    return Job.objects.get().pk


def starting_by_command(watch: Watch, workflow: Workflow) -> int:
    watch.command("wfe_job", "start", workflow.path, "--input", json.dumps(INPUT))
    return Job.objects.get().pk


def starting_by_form(watch: Watch, workflow: Workflow) -> int:
    """Post what is wrong, one more item, what is right, and other secrets with the same key."""
    address = reverse("admin:django_wfe_workflow_start", args=[workflow.pk])
    watch.get(address)
    posted = {**POSTED, "key": "k"}
    watch.post(address, {**posted, "input-user": ""})
    watch.post(address, {**posted, "input-_structure": "add:logins"})
    watch.post(address, posted)
    watch.post(address, {**posted, "input-password": FORMER})
    return Job.objects.get().pk


def starting_by_csv(watch: Watch, workflow: Workflow) -> int:
    job_id = by_csv(watch, workflow)
    assert Job.objects.count() == 1
    return job_id


def starting_again(watch: Watch, workflow: Workflow) -> int:
    """Fail, edit what the step gets, run again from it, and compare with a job beside it."""
    order_workflow_execution(workflow, input=FORMER_INPUT)
    declared.BROKEN.append(True)
    job_id = order_workflow_execution(workflow, input=INPUT)
    assert run_ready(job_id).state == JobState.FAILED
    declared.BROKEN.clear()
    retry = reverse("admin:django_wfe_job_verb", args=[job_id, "retry"])
    form = watch.get(retry).context["page"].form
    assert "self.job_input" in form.fields["step_input"].help_text
    edited = json.dumps({**json.loads(form.given), "user": "bob"})
    watch.post(retry, {"expected_state": "FAILED", "step_input": edited, "difference_seen": "as typed"})
    assert run_ready(job_id).state == JobState.FINISHED
    rerun_job(job_id, 1)
    run_ready(job_id)
    declared.GIVEN[:] = declared.GIVEN[-1:]
    return job_id


def _fail(workflow: Workflow) -> int:
    declared.BROKEN.append(True)
    job_id = order_workflow_execution(workflow, first_input=FORMER_INPUT)
    job = run_ready(job_id)
    assert job.state == JobState.FAILED
    assert "Field required" in job.error
    declared.BROKEN.clear()
    declared.GIVEN.clear()
    return job_id


def by_retry(watch: Watch, workflow: Workflow) -> int:
    job_id = _fail(workflow)
    retry_job(job_id, external_data=INPUT)
    return job_id


def by_rest_retry(watch: Watch, workflow: Workflow) -> int:
    job_id = _fail(workflow)
    watch.post(f"/wfe/jobs/{job_id}/retry/", {"external_data": INPUT}, content_type="application/json")
    return job_id


def by_retry_form(watch: Watch, workflow: Workflow) -> int:
    job_id = _fail(workflow)
    address = reverse("admin:django_wfe_job_verb", args=[job_id, "retry"])
    watch.get(address)
    posted = {**POSTED, "change_input": "on", "expected_state": "FAILED"}
    watch.post(address, {**posted, "input-user": ""})
    watch.post(address, posted)
    return job_id


def by_bulk(watch: Watch, workflow: Workflow) -> int:
    job_id = _fail(workflow)
    bulk = start_bulk("retry", Job.objects.filter(pk=job_id), options={"external_data": INPUT})
    watch.get(reverse("admin:django_wfe_bulkrun_change", args=[bulk.pk]))
    work_to_the_end(bulk)
    return job_id


def by_rest_bulk(watch: Watch, workflow: Workflow) -> int:
    job_id = _fail(workflow)
    body = {"verb": "retry", "jobs": [job_id], "options": {"external_data": INPUT}}
    answer = watch.post("/wfe/bulk/", body, content_type="application/json")
    assert answer.status_code == 201, answer.content
    work_to_the_end(BulkRun.objects.get(pk=answer.json()["id"]))
    watch.get(f"/wfe/bulk/{answer.json()['id']}/")
    return job_id


DOORS = [
    by_order,
    by_rest_start,
    by_command_start,
    by_python,
    by_rest,
    by_command,
    by_form,
    by_csv,
    by_workbook,
    by_json_file,
    by_retry,
    by_rest_retry,
    by_retry_form,
    by_bulk,
    by_rest_bulk,
]
STARTING_DOORS = [
    starting_by_order,
    starting_by_rest,
    starting_by_command,
    starting_by_form,
    starting_by_csv,
    starting_again,
]
Door = Callable[[Watch, Workflow], int]
