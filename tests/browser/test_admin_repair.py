"""The operator's story in a real browser: failures rise, one is understood, and all of them are repaired in stages."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from playwright.sync_api import Page, expect

from django_wfe.engine.bulk.runs import work_on_bulk
from django_wfe.engine.lifecycle import run_workflow
from django_wfe.models import BulkRun, Job, StepRun
from tests.support.doors.console import record
from tests.support.running.engine_helpers import look_again, run_ready, work_to_the_end
from tests.workflows import Fail, Failing

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(open_as: Callable[..., Page]) -> Page:
    operator = User.objects.create_superuser("operator")
    return open_as(operator, "/admin/")


def fail(times: int) -> list[int]:
    record(Failing)
    return [run_workflow(Failing) for _ in range(times)]


def retry(page: Page, stage: str, expected: str, reason: str = "") -> BulkRun:
    """From the incident's page: open a stage's preview, read it, confirm it; give the run whose page then shows."""
    page.get_by_role("link", name=stage, exact=True).click()
    expect(page.locator(".wfe-effect")).to_contain_text(expected)
    page.get_by_label("Reason").fill(reason)
    page.locator("#verb-form input[type=submit]").click()
    expect(page.locator("#content-main")).to_have_attribute("data-state", "WAITING")
    return BulkRun.objects.latest("pk")


def let_workers_go(bulk: BulkRun) -> None:
    work_to_the_end(bulk)


def test_an_operator_sees_failures_rise_and_retries_one_then_ten_then_all(page: Page) -> None:
    jobs = fail(14)
    page.reload()
    expect(page.locator(".wfe-index-block")).to_contain_text("14 jobs failed.")
    expect(page.locator(".wfe-index-block")).to_contain_text("rising")
    page.get_by_role("link", name="Workflow console", exact=True).first.click()
    expect(page.locator("#home-incidents")).to_contain_text("14 jobs failed in the last hour, 0 in the hour before")
    page.locator("#home-incidents").get_by_role("link", name="Fail: ValueError").click()
    main = page.locator("#content-main")
    expect(main).to_have_attribute("data-jobs", "14")
    expect(page.locator("[data-traceback]")).to_contain_text("raise ValueError")
    incident = page.url

    one = retry(page, "Retry one job", "1 job starts again at “Fail”.", "The supplier is back.")
    let_workers_go(one)
    expect(main).to_have_attribute("data-state", "FINISHED")  # without a reload
    expect(page.locator("#bulk-progress")).to_contain_text("Retry: 1 of 1 job.")
    assert Job.objects.get(pk=jobs[0]).state == "FINISHED"

    page.goto(incident)
    expect(main).to_have_attribute("data-jobs", "13")
    ten = retry(page, "Retry ten jobs", "10 jobs start again at “Fail”.")
    expect(page.locator("progress")).to_have_attribute("value", "0")
    let_workers_go(ten)
    expect(page.locator("progress")).to_have_attribute("value", "10")
    expect(page.locator("#bulk-items tr[data-item='DONE']")).to_have_count(10)

    page.goto(incident)
    last = retry(page, "Retry all jobs", "3 jobs start again at “Fail”.", "All of them.")
    let_workers_go(last)
    expect(main).to_have_attribute("data-state", "FINISHED")
    page.goto(incident)
    expect(main).to_contain_text("Solved:")
    assert set(Job.objects.values_list("state", flat=True)) == {"FINISHED"}

    page.goto(page.url.partition("/admin/")[0] + reverse("admin:django_wfe_job_change", args=[jobs[0]]))
    expect(page.locator("#job-events tr[data-event='retried']")).to_contain_text("The supplier is back.")
    expect(page.locator("#job-events tr[data-event='retried']")).to_contain_text("operator")
    page.goto(page.url.partition("/admin/")[0] + reverse("admin:django_wfe_bulkrun_history", args=[last.pk]))
    expect(page.locator("#change-history")).to_contain_text("All of them.")


def test_a_run_that_meets_the_failure_again_stops_before_the_operators_eyes(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fail, "FAILURES", 9)
    jobs = fail(4)
    fingerprint = StepRun.objects.filter(state="FAILED").values_list("fingerprint", flat=True)[0]
    page.goto(page.url + "django_wfe/job/incidents/" + fingerprint + "/")
    bulk = retry(page, "Retry all jobs", "4 jobs start again")
    work_on_bulk(bulk.pk)
    run_ready(jobs[0])
    look_again(bulk)
    expect(page.locator("#content-main")).to_have_attribute("data-state", "STOPPED")
    expect(page.locator("#bulk-progress")).to_contain_text(f"the failure came back in job {jobs[0]}")
    expect(page.locator("#bulk-stop")).to_be_hidden()


def test_the_stop_button_stops_and_the_reason_stays_while_the_page_refreshes(page: Page) -> None:
    jobs = fail(3)
    fingerprint = StepRun.objects.filter(job_id=jobs[0], state="FAILED").values_list("fingerprint", flat=True)[0]
    page.goto(page.url + "django_wfe/job/incidents/" + fingerprint + "/")
    bulk = retry(page, "Retry all jobs", "3 jobs start again")
    page.locator("#stop-form").get_by_label("Reason").fill("Wrong jobs.")
    page.locator("#wfe-items").click()
    BulkRun.objects.filter(pk=bulk.pk).update(state="RUNNING")
    expect(page.locator("#content-main")).to_have_attribute("data-state", "RUNNING")
    expect(page.locator("#stop-form").get_by_label("Reason")).to_have_value("Wrong jobs.")
    page.get_by_role("button", name="Stop it").click()
    expect(page.locator("#content-main")).to_have_attribute("data-state", "STOPPED")
    expect(page.locator("#bulk-progress")).to_contain_text("Wrong jobs.")


def test_all_that_match_the_filter_are_canceled_from_the_list_by_keyboard_and_mouse(page: Page) -> None:
    fail(3)
    page.goto(page.url + "django_wfe/job/?state=FAILED")
    page.locator("#action-toggle").check()
    page.locator("select[name=action]").first.select_option("cancel_selected")
    choose: Any = page.locator("#changelist-form")
    choose.evaluate("form => form.querySelectorAll('.select-across').forEach(field => { field.value = '1'; })")
    page.get_by_role("button", name="Run", exact=True).or_(
        page.get_by_role("button", name="Go", exact=True)
    ).first.click()
    expect(page.locator(".wfe-effect")).to_contain_text("Cancel: 3 jobs.")
    page.keyboard.press("Tab")
    page.locator("#verb-form input[type=submit]").press("Enter")
    expect(page.locator("#content-main")).to_have_attribute("data-state", "WAITING")
    let_workers_go(BulkRun.objects.get())
    expect(page.locator("#content-main")).to_have_attribute("data-state", "FINISHED")
    assert set(Job.objects.values_list("state", flat=True)) == {"CANCELED"}
