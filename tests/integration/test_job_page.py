"""The page of a Job: what matters now stands first, a row says what is new, and no data makes the page long."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from pydantic import BaseModel, Field

from django_wfe import steps, workflows
from django_wfe.engine.lifecycle import assign_input, provide_external_input, retry_job, run_workflow
from django_wfe.models import Job, JobLog, StepRun
from tests.support.demo.pages import Page
from tests.support.doors.console import read_page, record, sign_in, sign_in_superuser
from tests.support.running.engine_helpers import run_ready
from tests.support.running.long_jobs import lengthen
from tests.workflows import Asking, Failing, Linear, Looping

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


class Collect(steps.Step):
    def execute(self, _input: Any = None) -> dict[str, Any]:
        return {"customer": "ACME", "total": 5, "lines": [1, 2, 3]}


class Approve(steps.Step):
    """Is this order to be paid?"""

    input_within = 3600

    class UserInputSchema(BaseModel):
        is_paid: bool = Field(title="The bank has confirmed it")
        why: str = ""

    def execute(self, _input: Any, external_input: Any) -> dict[str, Any]:
        return {**_input, "is_paid": external_input["is_paid"], "total": 6}


class Close(steps.Step):
    def execute(self, _input: Any) -> dict[str, Any]:
        return dict(_input)


class Ordering(workflows.Workflow):
    DIGRAPH = {steps.__start__: [Collect], Collect: [Approve], Approve: [Close]}


def open_job(job_id: int, query: str = "", client: Any = None) -> Any:
    return (client or sign_in_superuser()).get(reverse("admin:django_wfe_job_change", args=[job_id]) + query)


def read_section(html: str, identifier: str) -> str:
    """What a person reads of one section of the page."""
    tag, start = next((match[1], match.start()) for match in re.finditer(rf'<(\w+) [^>]*id="{identifier}"', html))
    return Page("/", 200, html[start : html.index(f"</{tag}>", start)]).text


def test_a_failed_job_shows_the_end_of_its_traceback_and_of_its_log_first() -> None:
    job_id = run_workflow(record(Failing))
    run = StepRun.objects.get(job_id=job_id, state="FAILED")
    JobLog.objects.create(step_run=run, sequence=99, text="".join(f"\x1b[31mline {n}\x1b[0m\n" for n in range(500)))
    StepRun.objects.filter(pk=run.pk).update(traceback="  a frame\n" * 9000 + run.traceback)
    html = open_job(job_id).content.decode()
    now = read_section(html, "job-now")
    for part in ("ValueError: attempt 1 fails", "raise ValueError", "line 499", "How “Fail” failed"):
        assert part in now
    assert "line 480" not in now
    assert "[31m" not in html
    assert "␛" not in html
    places = [html.index(f'id="{part}"') for part in ("job-state", "job-action", "job-now", "job-graph", "step-runs")]
    assert places == sorted(places)
    hidden = read_section(open_job(job_id, client=sign_in("view_job")).content.decode(), "job-now")
    assert hidden == ""


def test_what_can_be_done_is_one_row_and_the_rest_is_folded_with_its_reasons() -> None:
    html = open_job(run_workflow(record(Failing))).content.decode()
    row, folded = html[html.index('id="job-action"') :].split("<details", 1)
    assert re.findall(r'<a class="[^"]*" data-verb="(\w+)"', row)[0] == "retry"
    assert set(re.findall(r'<a [^>]*data-verb="(\w+)"', row)) == {"retry", "skip", "rerun", "cancel"}
    assert "Not possible now (2)" in folded
    assert set(re.findall(r'<span [^>]*data-verb="(\w+)"', folded.split("</details>")[0])) == {"pause", "resume"}
    assert "The job is not paused." in folded


def test_a_waiting_job_shows_what_is_asked_of_whom_by_when_and_about_what() -> None:
    record(Ordering)
    job_id = run_workflow(Ordering)
    ada = User.objects.create_superuser("ada")
    assign_input(StepRun.objects.get(job_id=job_id, state="INPUT_REQUIRED").pk, ada)
    now = read_section(open_job(job_id).content.decode(), "job-now")
    for part in ("Is this order to be paid?", "The bank has confirmed it, Why", "in 59 min", "ada", "ACME"):
        assert part in now, now
    hidden = read_section(open_job(job_id, client=sign_in("view_job")).content.decode(), "job-now")
    assert "Is this order to be paid?" in hidden
    assert "ACME" not in hidden


def test_a_finished_job_shows_its_result() -> None:
    job_id = run_workflow(record(Linear))
    html = open_job(job_id).content.decode()
    assert "Result #3 Store" in read_section(html, "job-now")
    assert "As JSON" in read_section(html, "job-now")


def test_a_row_says_who_answered_and_what_is_new() -> None:
    record(Ordering)
    job_id = run_workflow(Ordering)
    provide_external_input(job_id, {"is_paid": True}, actor=User.objects.create_superuser("ada"))
    run_ready(job_id)
    html = open_job(job_id).content.decode()
    rows = dict(re.findall(r'<tr id="run-(\d+)-1"(.*?)</tr>', html, re.DOTALL))
    approve = Page("/", 200, f"<table><tr{rows['2']}</tr></table>").text
    assert "answered by ada" in approve
    new = re.search(r'<dl class="wfe-values wfe-new">(.*?)</dl>', rows["2"], re.DOTALL)
    assert new is not None
    labels = re.findall(r'<dt translate="no">(.*?)</dt>', new[1])
    assert sorted(labels) == ["The bank has confirmed it", "Total"], "only what changed is named"
    assert "2 as before." in approve
    closed = Page("/", 200, f"<table><tr{rows['3']}</tr></table>").text
    assert "wfe-new" not in rows["3"]
    assert "4 as before." in closed
    assert "ACME" in closed, "the whole is one click away"


def test_only_what_failed_is_listed_on_demand_and_a_number_is_gone_to() -> None:
    job_id = run_workflow(record(Failing))
    retry_job(job_id)
    run_ready(job_id)
    page = read_page(open_job(job_id))
    link = page.find_link("Only failed").partition("#")[0]
    assert link.endswith("?only=failed")
    page = read_page(sign_in_superuser().get(link))
    assert {row.facts["state"] for row in page.rows if "attempt" in row.facts} == {"FAILED"}
    assert "only=" not in page.find_link("Show those that did not fail too")
    job_id = run_workflow(record(Looping))
    lengthen(job_id, 1000)
    client = sign_in_superuser()
    sent = open_job(job_id, "?number=300", client)
    assert sent.status_code == 302
    assert sent["Location"].endswith("?before=300.2#run-300-1")
    page = read_page(client.get(sent["Location"].partition("#")[0]))
    assert [row.facts["number"] for row in page.rows if "attempt" in row.facts][-1] == "300"
    assert open_job(job_id, "?number=5000", client)["Location"].endswith("#run-999-1")
    assert open_job(job_id, "?number=junk", client).status_code == 200


def test_a_traceback_is_cut_on_the_page_and_whole_in_its_file() -> None:
    job_id = run_workflow(record(Failing))
    run = StepRun.objects.get(job_id=job_id, state="FAILED")
    StepRun.objects.filter(pk=run.pk).update(traceback="the first frame\n" + "  a frame\n" * 9000 + "the end\n")
    client = sign_in_superuser()
    page = read_page(client.get(reverse("admin:django_wfe_steprun_change", args=[run.pk])))
    assert "the end" in page.text
    assert page.text.count("a frame") < 250
    file = client.get(page.find_link("All of it as plain text"))
    assert file["Content-Type"] == "text/plain; charset=utf-8"
    assert file.content.decode().startswith("the first frame")
    viewer = sign_in("view_job", "view_steprun")
    assert viewer.get(page.find_link("All of it as plain text")).status_code == 403


def test_a_log_grows_at_the_top_and_not_in_its_row_as_well() -> None:
    job_id = run_workflow(record(Asking))
    run = StepRun.objects.filter(job_id=job_id).latest("number")
    StepRun.objects.filter(pk=run.pk).update(state="RUNNING")
    Job.objects.filter(pk=job_id).update(state="ONGOING")
    JobLog.objects.create(step_run=run, sequence=0, text="a line\n")
    html = open_job(job_id).content.decode()
    assert html.count("a line\n") == 1
    assert "a line" in read_section(html, "job-now")
    assert f'data-version="{run.pk}"' in html
