"""A secret that is sent through each door reaches the step, and is found nowhere else."""

import base64
import logging
import sys
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.signals import got_request_exception
from django.db import connection
from django.urls import reverse
from django.views.debug import ExceptionReporter
from pydantic import ValidationError

from django_wfe import order_workflow_execution, provide_external_input
from django_wfe.definition.secret_places import MASK
from django_wfe.engine.lifecycle import start_job
from django_wfe.engine.worker.heartbeat import stop_worker
from django_wfe.models import Job, JobEvent, JobState, StepRun, Workflow
from tests.declared import secret_workflows as declared
from tests.support.doors.console import record
from tests.support.doors.secret_doors import (
    CANARY,
    DOORS,
    FORMER_INPUT,
    INPUT,
    PIN,
    POSTED,
    STARTING_DOORS,
    Door,
    Watch,
)
from tests.support.running.engine_helpers import recording_dispatcher, run_ready

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


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
    run = StepRun.objects.filter(job_id=job_id, number__gte=1, state="FINISHED").earliest("pk")
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
    }, "what is not a secret is shown, and searched for"
    look_everywhere(watch, job_id, caplog, capfd)
    assert watch.find_leaks() == []
    pages = "".join(text for what, text in watch.shown if what.startswith(("/admin/", "/wfe/")))
    assert pages.count(MASK) > 20, "they show the rest of the input"


@pytest.mark.parametrize("door", STARTING_DOORS, ids=lambda door: door.__name__)
def test_a_secret_that_a_job_starts_with_is_in_job_input_and_nowhere_else(
    door: Door, watch: Watch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    job_id = door(watch, record(declared.StartingWithSecrets))
    job = run_ready(job_id)
    assert job.state == JobState.FINISHED, job.error
    assert [declared.Credentials.model_validate(INPUT)] == declared.GIVEN
    assert job.storage["data"][0]["result"]["login"] == {"user": "ada", "password": MASK}
    page = watch.get(reverse("admin:django_wfe_job_change", args=[job_id]))
    changes = [row.change.named for row in page.context["rows"] if row.run.number > 0 and not row.run.superseded]
    expected = [[("More", "1")]]
    assert changes == expected, "no secret is taken for changed"
    other = order_workflow_execution(declared.StartingWithSecrets, input=FORMER_INPUT)
    start = StepRun.objects.get(job=job, number=0)
    for name, arguments in (
        ("django_wfe_job_compare", [job_id, other]),
        ("django_wfe_steprun_change", [start.pk]),
        ("django_wfe_steprun_data", [start.pk, "result"]),
        ("django_wfe_job_verb", [job_id, "rerun"]),
    ):
        assert watch.get(reverse(f"admin:{name}", args=arguments)).status_code == 200
    look_everywhere(watch, job_id, caplog, capfd)
    assert watch.find_leaks() == []


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

    monkeypatch.setattr("django_wfe.admin.inbox.answering.provide_external_input", fail)
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
