"""The page of a Job in a real browser: at 1440 x 900 it shows without scrolling what it is for, whatever its data."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db.models import F
from playwright.sync_api import Locator, Page, expect

from django_wfe.engine.lifecycle import provide_external_input, run_workflow
from django_wfe.models import Job, JobLog, StepRun
from tests.browser.live_pages import look, start_waiting, stop_clock
from tests.support.doors.console import record
from tests.support.running.engine_helpers import run_ready
from tests.workflows import Asking, Failing, Linear

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WIDE = {"width": 1440, "height": 900}
NARROW = {"width": 390, "height": 844}


def is_in_window(found: Locator) -> bool:
    """Whether all of an element is seen without scrolling."""
    box = found.bounding_box()
    assert box is not None
    return box["y"] >= 0 and box["y"] + box["height"] <= WIDE["height"]


def start_running() -> tuple[int, StepRun]:
    record(Asking)
    job_id = run_workflow(Asking)
    run = StepRun.objects.filter(job_id=job_id).latest("number")
    StepRun.objects.filter(pk=run.pk).update(state="RUNNING", started_at=run.created_at)
    Job.objects.filter(pk=job_id).update(state="ONGOING")
    return job_id, run


def test_what_matters_now_needs_no_scrolling(open_view: Callable[..., Page]) -> None:
    failed = run_workflow(record(Failing))
    run = StepRun.objects.get(job_id=failed, state="FAILED")
    JobLog.objects.create(step_run=run, sequence=99, text="a line of the log\n" * 5000)
    StepRun.objects.filter(pk=run.pk).update(traceback="  a line of the traceback\n" * 500 + "ValueError: the end")
    running, run = start_running()
    JobLog.objects.create(step_run=run, sequence=99, text="a line of the log\n" * 5000)
    for job_id in (failed, running, start_waiting(), run_workflow(record(Linear))):
        page = open_view("django_wfe_job_change", job_id, viewport=WIDE)
        for part in ("#job-state", "#job-action", "#job-now"):
            assert is_in_window(page.locator(part)), (job_id, part)
        graph, facts = page.locator("#job-graph").bounding_box(), page.locator("#job-facts").bounding_box()
        assert graph is not None
        assert facts is not None
        assert graph["y"] == pytest.approx(facts["y"], abs=2), "the facts stand beside the graph"
        assert graph["y"] < WIDE["height"] - 150, "the graph begins in the window"


def test_half_a_megabyte_of_result_a_megabyte_of_log_and_a_long_key_leave_the_pages_short(
    open_view: Callable[..., Page],
) -> None:
    job_id = run_workflow(record(Linear))
    run = StepRun.objects.filter(job_id=job_id).latest("number")
    orders = [{"id": number, "name": "Some name", "amount": "12.50"} for number in range(10_000)]
    StepRun.objects.filter(pk=run.pk).update(result={"orders": orders, "k" * 220: "v" * 5000})
    JobLog.objects.create(step_run=run, sequence=99, text="a line of the log of a step\n" * 36_000)
    for viewport, highest in ((WIDE, 4500), (NARROW, 7000)):
        for name, pk in (("django_wfe_job_change", job_id), ("django_wfe_steprun_change", run.pk)):
            page = open_view(name, pk, viewport=viewport)
            for fold in page.locator("#content-main td details, #content-main .wfe-fold").all():
                fold.evaluate("(fold) => { fold.open = true; }")
            assert page.evaluate("document.documentElement.scrollHeight") < highest, name
            too_wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert too_wide <= 0, name


def test_bars_move_with_time_and_what_is_unfolded_in_their_rows_stays(open_view: Callable[..., Page]) -> None:
    job_id = start_waiting()
    # Long enough to be more than the shortest bar, however late the page is opened.
    StepRun.objects.filter(job_id=job_id, number=1).update(finished_at=F("started_at") + timedelta(seconds=5))
    page = open_view("django_wfe_job_change", job_id)
    stop_clock(page)
    row = page.locator("tr#run-1-1")
    row.evaluate("(row) => { row.isSame = true; }")
    row.locator("summary").first.click()
    bar = row.locator(".wfe-bar__segments rect").first
    bar.scroll_into_view_if_needed()
    page.mouse.move(0, 0)
    before = bar.get_attribute("width")
    StepRun.objects.filter(job_id=job_id, number=2).update(created_at="2020-01-01T00:00:00Z")
    look(page)
    expect(bar).not_to_have_attribute("width", before or "")
    assert row.evaluate("(row) => row.isSame")
    expect(row.locator("details").first).to_have_attribute("open", "")


def test_a_log_at_the_top_makes_room_for_the_result(open_view: Callable[..., Page]) -> None:
    job_id, run = start_running()
    JobLog.objects.create(step_run=run, sequence=99, text="".join(f"line {number}\n" for number in range(200)))
    page = open_view("django_wfe_job_change", job_id)
    stop_clock(page)
    log = page.locator("#job-now [data-tail]")
    at_end = "(log) => log.scrollTop + log.clientHeight >= log.scrollHeight - 8"
    assert log.evaluate(at_end), "it begins at its end"
    StepRun.objects.filter(pk=run.pk).update(state="INPUT_REQUIRED", started_at=None)
    Job.objects.filter(pk=job_id).update(state="INPUT_REQUIRED")
    look(page)
    expect(page.locator("#job-now")).to_contain_text("“Ask” asks")
    provide_external_input(job_id, {"some_data": 7})
    run_ready(job_id)
    look(page)
    expect(page.locator("#job-now h2")).to_contain_text("Result")


def test_a_failed_job_is_compared_with_a_good_one_by_one_click(open_view: Callable[..., Page]) -> None:
    record(Failing)
    good, failed = (run_workflow(Failing) for _ in range(2))
    Job.objects.filter(pk=good).update(state="FINISHED")
    StepRun.objects.filter(job_id=good, state="FAILED").update(state="FINISHED")
    page = open_view("django_wfe_job_change", failed, viewport=WIDE)
    page.get_by_role("link", name="Compare with a good job").click()
    expect(page.locator("#compare-parting")).to_contain_text("They parted at “Fail” (#2)")
    expect(page.locator("tr[data-parting]")).to_have_count(1)
    assert is_in_window(page.locator("tr[data-parting]"))
