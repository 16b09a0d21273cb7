"""The tasks that the console must make short, from its home on: what each may cost in clicks and loads of pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from playwright.sync_api import Page, expect

from django_wfe.engine.bulk.runs import work_on_bulk
from django_wfe.engine.lifecycle import order_workflow_execution, pause_job, provide_external_input, run_workflow
from django_wfe.engine.statistics.rollup import roll_up
from django_wfe.models import BulkRun, Definition, Job, JobLog, StepRun
from tests.browser.live_pages import look
from tests.declared.inbox_workflows import Approving
from tests.support.doors.console import record
from tests.support.doors.effort import Effort
from tests.support.running.engine_helpers import look_again, run_ready
from tests.workflows import Asking, Fail, Failing, Linear

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WIDE = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def open_home(open_as: Callable[..., Page]) -> Callable[[], tuple[Page, Effort]]:
    """Opens the console's home; what is done from then on counts."""
    operator = User.objects.create_superuser("operator")

    def open_it() -> tuple[Page, Effort]:
        page = open_as(operator, reverse("admin:django_wfe_console"), viewport=WIDE)
        return page, Effort(page)

    return open_it


def hold(effort: Effort, *, clicks: int, loads: int) -> None:
    """Hold a task to what it may cost."""
    assert (effort.clicks <= clicks, effort.loads <= loads) == (True, True), (effort.clicks, effort.loads)


def test_why_does_order_4711_hang(open_home: Any) -> None:
    record(Linear)
    job_id = order_workflow_execution(Linear, key="order-4711")
    pause_job(job_id, reason="The customer asked us to wait.")
    page, effort = open_home()
    page.locator("#wfe-search-term").fill("Order 4711")
    effort.click(page.get_by_role("button", name="Find"))
    expect(page.locator("#content-main")).to_contain_text("The customer asked us to wait.")
    expect(page.locator("h1")).to_contain_text("order-4711")
    hold(effort, clicks=1, loads=2)


def test_wrong_data_of_a_failed_job_is_fixed_and_the_job_goes_on(open_home: Any) -> None:
    record(Failing)
    job_id = run_workflow(Failing, key="order-7")
    page, effort = open_home()
    page.locator("#wfe-search-term").fill("order-7")
    effort.click(page.get_by_role("button", name="Find"))
    effort.click(page.get_by_role("link", name="Retry", exact=True))
    field = page.get_by_label("What the step gets as _input")
    expect(field).to_have_value('{\n  "rows": 3\n}')  # nothing is retyped
    field.press("Control+End")
    for _ in range(2):
        field.press("ArrowLeft")
    field.press("Backspace")
    field.press("4")
    effort.click(page.locator("#verb-form input[type=submit]"))
    expect(page.locator("#job-state")).not_to_contain_text("failed")
    hold(effort, clicks=4, loads=3)
    run_ready(job_id)
    assert StepRun.objects.filter(job_id=job_id, edited_input__value={"rows": 4}).exists()


def test_two_hundred_failed_and_the_repair_stops_when_the_failure_comes_back(
    open_home: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fail, "FAILURES", 9)
    record(Failing)
    jobs = [run_workflow(Failing) for _ in range(200)]
    page, effort = open_home()
    effort.click(page.locator("#home-incidents").get_by_role("link", name="Fail: ValueError"))
    effort.click(page.get_by_role("link", name="Retry all jobs", exact=True))
    expect(page.locator(".wfe-effect")).to_contain_text("200 jobs start again")
    effort.click(page.locator("#verb-form input[type=submit]"))
    expect(page.locator("#content-main")).to_have_attribute("data-state", "WAITING")
    hold(effort, clicks=4, loads=3)
    bulk = BulkRun.objects.get()
    work_on_bulk(bulk.pk)
    run_ready(jobs[0])
    look_again(bulk)
    expect(page.locator("#content-main")).to_have_attribute("data-state", "STOPPED")
    assert bulk.items.filter(state="DONE").count() == 1


def test_who_decided_what_and_when(open_home: Any) -> None:
    record(Approving)
    boss = User.objects.create_superuser("the boss")
    job_id = order_workflow_execution(Approving, key="order-7")
    run_ready(job_id)
    provide_external_input(job_id, {"answer": "reject", "comment": "Too dear."}, actor=boss)
    run_ready(job_id)
    page, effort = open_home()
    page.locator("#wfe-search-term").fill("order-7")
    effort.click(page.get_by_role("button", name="Find"))
    row = page.locator("tr[data-step]").filter(has_text="answered by the boss").first
    expect(row).to_contain_text("reject")
    expect(row.locator("time").first).to_be_visible()
    hold(effort, clicks=2, loads=2)


def test_the_slowest_step_of_the_week(open_home: Any) -> None:
    run_workflow(record(Linear))
    StepRun.objects.filter(step="tests.workflows.Double").update(finished_at="2100-01-01T00:00Z")
    count_all()
    page, effort = open_home()
    effort.click(page.get_by_role("navigation", name="Workflow console").get_by_role("link", name="Statistics"))
    expect(page.locator("section[aria-labelledby=wfe-slowest] tbody tr").first).to_contain_text("Double")
    hold(effort, clicks=2, loads=1)


def test_throughput_success_rate_and_overdue_share(open_home: Any) -> None:
    run_workflow(record(Linear))
    run_workflow(record(Failing))
    count_all()
    page, effort = open_home()
    effort.click(page.get_by_role("navigation", name="Workflow console").get_by_role("link", name="Statistics"))
    figures = page.locator(".wfe-figures")
    for figure in ("Finished 1", "Success rate 50.0 %", "Answered too late –"):
        expect(figures).to_contain_text(figure)
    hold(effort, clicks=1, loads=1)


def test_which_version_jobs_are_in(open_home: Any) -> None:
    workflow = record(Asking)
    jobs = [run_workflow(Asking) for _ in range(3)]
    current = Definition.objects.get(workflow=workflow)
    old = Definition.objects.create(workflow=workflow, fingerprint="0" * 64, graph=current.graph)
    Job.objects.filter(pk=jobs[0]).update(definition=old)
    page, effort = open_home()
    effort.click(page.locator("#content-main").get_by_role("link", name="Asking", exact=True).first)
    versions = page.locator(".wfe-versions").first
    expect(versions.get_by_role("link", name=str(current))).to_contain_text("2 open")
    expect(versions.get_by_role("link", name=str(old))).to_contain_text("1 open")
    hold(effort, clicks=2, loads=1)


def test_a_failed_job_beside_a_good_one(open_home: Any) -> None:
    record(Failing)
    good, failed = (run_workflow(Failing) for _ in range(2))
    Job.objects.filter(pk=good).update(state="FINISHED")
    StepRun.objects.filter(job_id=good, state="FAILED").update(state="FINISHED")
    page, effort = open_home()
    effort.click(page.locator("#home-incidents").get_by_role("link", name="Fail: ValueError"))
    effort.click(page.locator(f"a[href='{reverse('admin:django_wfe_job_change', args=[failed])}']").first)
    effort.click(page.get_by_role("link", name="Compare with a good job"))
    expect(page.locator("#compare-parting")).to_contain_text("They parted at “Fail”")
    hold(effort, clicks=3, loads=3)


def test_a_live_log_is_watched_without_a_click(open_home: Any, open_as: Callable[..., Page]) -> None:
    record(Asking)
    job_id = run_workflow(Asking)
    run = StepRun.objects.filter(job_id=job_id).latest("number")
    StepRun.objects.filter(pk=run.pk).update(state="RUNNING", started_at=run.created_at)
    Job.objects.filter(pk=job_id).update(state="ONGOING")
    JobLog.objects.create(step_run=run, sequence=1, text="the first line\n")
    page, _effort = open_home()
    page.goto(page.url.partition("/admin/")[0] + reverse("admin:django_wfe_job_change", args=[job_id]))
    effort = Effort(page)
    expect(page.locator("#job-now")).to_contain_text("the first line")
    JobLog.objects.create(step_run=run, sequence=2, text="the second line\n")
    look(page)
    expect(page.locator("#job-now")).to_contain_text("the second line")
    hold(effort, clicks=0, loads=0)


def test_an_approval_on_a_phone_takes_three_taps_from_the_link(open_as: Callable[..., Page]) -> None:
    record(Approving)
    job_id = run_workflow(Approving)
    lead = User.objects.create_superuser("lead")
    path = reverse("admin:django_wfe_job_input", args=[job_id])
    page = open_as(lead, path, viewport=PHONE, has_touch=True, is_mobile=True)
    effort = Effort(page)
    effort.tap(page.get_by_label("Answer *"))
    page.get_by_label("Answer *").select_option("approve")  # the picker of the phone: one tap
    effort.clicks += 1
    effort.tap(page.get_by_role("button", name="Submit", exact=True).last)
    expect(page.locator(".messagelist")).to_contain_text("was taken")
    hold(effort, clicks=3, loads=1)
    assert StepRun.objects.get(job_id=job_id, number=1).external_data["answer"] == "approve"
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0, "nothing scrolls sideways"


def count_all() -> None:
    """Count the statistics until nothing is left."""
    while roll_up():
        pass
