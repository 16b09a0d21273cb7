"""A secret that is sent through each door reaches the step, and is found nowhere else."""

import base64
import io
import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import openpyxl
import pytest
from django.core import signing
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.core.signals import got_request_exception
from django.db import connection
from django.urls import reverse
from django.views.debug import ExceptionReporter
from pydantic import ValidationError

from django_wfe import order_workflow_execution, provide_external_input
from django_wfe.admin.starting_many import SALT
from django_wfe.engine.bulk import start_bulk
from django_wfe.engine.heartbeat import stop_worker
from django_wfe.engine.lifecycle import retry_job, start_job
from django_wfe.models import BulkRun, InputClaim, Job, JobEvent, JobState, StepRun, Workflow
from django_wfe.sealing import MARK
from django_wfe.secret_places import MASK
from tests import secret_workflows as declared
from tests.console import record, sign_in_superuser
from tests.engine_helpers import recording_dispatcher, run_ready, work_to_the_end

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

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
    """List a value and how Base64 writes it, wherever in a text it begins."""
    encoded = [base64.b64encode(b" " * shift + value.encode()).decode()[4:-4] for shift in range(3)]
    return [value, value[::-1], value.encode().hex(), *encoded]


TRACES = [trace for value in (CANARY, str(PIN), FORMER, str(FORMER_PIN)) for trace in _list_traces(value)]


@pytest.fixture
def watch(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[Watch]:
    declared.GIVEN.clear()
    declared.BROKEN.clear()
    caplog.set_level(logging.DEBUG)
    # Django logs each statement with its values then.
    connection.force_debug_cursor = True
    with recording_dispatcher():
        yield Watch()
    connection.force_debug_cursor = False
    declared.BROKEN.clear()
    stop_worker()


@pytest.fixture
def signing_in() -> Workflow:
    return record(declared.SigningIn)


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
    draft = InputClaim.objects.get(step_run=run).draft
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
Door = Callable[[Watch, Workflow], int]


def dump_database() -> str:
    """Give all that is in the tables, as text."""
    rows = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT to_jsonb(row) FROM "{table}" AS row')
            rows += [f"{table}: {row[0]}" for row in cursor.fetchall()]
    return "\n".join(rows)


def look_everywhere(watch: Watch, job_id: int, caplog: Any, capfd: Any) -> None:
    """Open every page, export and answer that tells of the job."""
    run = StepRun.objects.get(job_id=job_id, number=1, state="FINISHED")
    for name, arguments in (
        ("django_wfe_job_change", [job_id]),
        ("django_wfe_job_history", [job_id]),
        ("django_wfe_steprun_change", [run.pk]),
        ("django_wfe_steprun_changelist", []),
        ("django_wfe_workflow_change", [Job.objects.get(pk=job_id).workflow_id]),
        ("django_wfe_step_changelist", []),
        *(("django_wfe_jobevent_change", [event.pk]) for event in JobEvent.objects.filter(job_id=job_id)),
    ):
        assert watch.get(reverse(f"admin:{name}", args=arguments)).status_code == 200
    for resource in ("0", "1"):
        for kind in range(4):
            data = {"format": str(kind), "resource": resource}
            watch.post(reverse("admin:django_wfe_steprun_export"), data)
    for path in (f"jobs/{job_id}/", f"jobs/{job_id}/logs", "jobs/", "steps/"):
        assert watch.get(f"/wfe/{path}").status_code == 200
    for arguments in (["show", str(job_id)], ["show", str(job_id), "--json"], ["list"]):
        watch.command("wfe_job", *arguments)
    watch.see("the storage", Job.objects.get(pk=job_id).storage)
    watch.see("the database", dump_database())
    watch.see("the log", caplog.text)
    watch.see("the output", "".join(capfd.readouterr()))


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_a_secret_reaches_the_step_and_is_found_nowhere(
    door: Door, watch: Watch, signing_in: Workflow, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    job_id = door(watch, signing_in)
    job = run_ready(job_id)
    assert job.state == JobState.FINISHED, job.error
    [given] = declared.GIVEN
    assert given == declared.Credentials.model_validate(INPUT)
    assert job.storage["data"][-1]["result"] == {
        **INPUT,
        "password": MASK,
        "pin": MASK,
        "token": MASK,
        "login": {"user": "ada", "password": MASK},
        "logins": [{"user": "bob", "password": MASK}],
        "codes": {"a": MASK},
    }, "what is no secret is shown, and searched for"
    look_everywhere(watch, job_id, caplog, capfd)
    assert watch.find_leaks() == []
    pages = "".join(text for what, text in watch.shown if what.startswith(("/admin/", "/wfe/")))
    assert pages.count(MASK) > 20, "they show the rest of the input"


def test_the_watch_would_find_it(watch: Watch) -> None:
    watch.see("clear", f"password={CANARY}")
    watch.see("encoded", base64.b64encode(f"the password is {CANARY}, and the pin {PIN}".encode()).decode())
    watch.see("number", PIN)
    assert watch.find_leaks() == ["clear", "encoded", "number"]


def test_an_error_that_a_caller_prints_says_nothing_of_it(watch: Watch, signing_in: Workflow) -> None:
    job_id = start_job(signing_in).job_id
    for wrong in ({**INPUT, "login": {"password": [CANARY]}}, {**INPUT, "user": None, "pin": f"{PIN}x"}):
        with pytest.raises(ValidationError) as raised:
            provide_external_input(job_id, wrong)
        watch.see("the traceback", "".join(traceback.format_exception(raised.value)))
    assert watch.find_leaks() == []


def test_stored_input_that_is_refused_stays_hidden(
    watch: Watch, signing_in: Workflow, monkeypatch: pytest.MonkeyPatch, caplog: Any, capfd: Any
) -> None:
    job_id = order_workflow_execution(signing_in, first_input=INPUT)

    class Stricter(declared.Credentials):
        more: int

    with monkeypatch.context() as patched:
        patched.setattr(declared.SignIn, "UserInputSchema", Stricter)
        job = run_ready(job_id)
    assert (job.state, "Field required" in job.error) == (JobState.INPUT_REQUIRED, True)
    provide_external_input(job_id, INPUT)
    assert run_ready(job_id).state == JobState.FINISHED
    look_everywhere(watch, job_id, caplog, capfd)
    assert watch.find_leaks() == []


def test_a_worker_without_the_package_leaves_the_job_to_others(
    watch: Watch, signing_in: Workflow, request: pytest.FixtureRequest
) -> None:
    job_id = order_workflow_execution(signing_in, first_input=INPUT)
    request.getfixturevalue("without_package")
    job = run_ready(job_id)
    assert (job.state, "pip install" in job.error) == (JobState.WAITING, True)
    assert StepRun.objects.get(job_id=job_id, number=1).external_data["user"] == "ada", "nothing is asked for again"


def test_input_that_no_key_decrypts_is_asked_for_again(watch: Watch, signing_in: Workflow, settings: Any) -> None:
    job_id = order_workflow_execution(signing_in, first_input=INPUT)
    settings.SECRET_KEY = "another"
    job = run_ready(job_id)
    assert job.state == JobState.INPUT_REQUIRED
    assert "cannot be decrypted; it is asked for again" in job.error
    assert "WFE_SECRET_KEYS" in job.error
    event = JobEvent.objects.filter(job_id=job_id).latest("pk")
    assert (event.kind, "reason" in event.data, "decrypted" in event.data["detail"]) == ("input_refused", False, True)
    provide_external_input(job_id, INPUT)
    assert run_ready(job_id).state == JobState.FINISHED
    assert len(declared.GIVEN) == 1


def test_a_report_of_an_error_in_a_page_leaves_out_what_was_typed(
    watch: Watch, signing_in: Workflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **options: Any) -> None:
        raise RuntimeError("out of order")

    def report(request: Any, **options: Any) -> None:
        watch.see("the report", ExceptionReporter(request, *sys.exc_info()).get_traceback_text())

    monkeypatch.setattr("django_wfe.admin.inputs.provide_external_input", fail)
    job_id = start_job(signing_in).job_id
    run = StepRun.objects.get(job_id=job_id, state="INPUT_REQUIRED")
    watch.client.raise_request_exception = False
    got_request_exception.connect(report)
    try:
        answer = watch.post(reverse("admin:django_wfe_job_input", args=[job_id]), {**POSTED, "step_run": run.pk})
    finally:
        got_request_exception.disconnect(report)
    assert answer.status_code == 500
    assert "out of order" in dict(watch.shown)["the report"]
    assert watch.find_leaks() == []
