"""Pages that refresh themselves, in a real browser under a strict policy. The clock is the test's: nobody waits."""

import re
from collections.abc import Callable

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, expect

from django_wfe.engine.bulk.runs import start_bulk
from django_wfe.engine.lifecycle import provide_external_input, retry_job, run_workflow
from django_wfe.models import BulkRun, Job, JobLog, StepRun
from tests.browser.live_pages import A_MINUTE, Asked, look, set_hidden, start_waiting, stop_clock
from tests.support.doors.console import record
from tests.support.running.engine_helpers import run_ready
from tests.workflows import Asking, Failing

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_job_moves_through_its_graph_without_reloading(open_view: Callable[..., Page]) -> None:
    job_id = start_waiting()
    page = open_view("django_wfe_job_change", job_id)
    page.evaluate("window.isSamePage = true")
    current = page.locator("#job-graph [aria-current=step]")
    expect(current).to_have_attribute("aria-label", re.compile("^Ask: waiting for input"))
    spoken = page.locator("[data-live-status]")
    expect(spoken).to_have_text("")

    provide_external_input(job_id, {"some_data": 7})
    expect(spoken).to_contain_text("Ask")
    run_ready(job_id)
    expect(page.locator("#content-main")).to_have_attribute("data-state", "FINISHED")
    expect(spoken).to_have_text("The last step has run.")
    expect(current).to_have_count(0)
    expect(page.locator("#job-graph [aria-label^='Right: done']")).to_have_count(1)
    expect(page.locator("#job-graph [aria-label^='Left: not reached']")).to_have_count(1)
    expect(page.locator("#job-timeline tbody tr")).to_have_count(6)
    expect(page.locator("#step-runs tbody tr")).to_have_count(6)
    expect(page.locator("#job-state")).to_contain_text("finished")
    assert page.evaluate("window.isSamePage")


def test_it_asks_less_often_with_time_and_not_at_all_when_nothing_can_change(open_view: Callable[..., Page]) -> None:
    job_id = start_waiting()
    page = open_view("django_wfe_job_change", job_id)
    stop_clock(page)
    asked = Asked(page)
    look(page, 1000)
    page.clock.fast_forward(900)
    assert asked.count == 1, "the second look came as soon as the first"
    for _ in range(12):
        look(page)
    page.clock.fast_forward(15_000)
    assert asked.count == 13, "after a quarter of an hour it still asks every few seconds"
    assert page.locator("[data-live-status]").text_content() == "", "it spoke, and no status had changed"

    provide_external_input(job_id, {"some_data": 7})
    look(page)
    look(page, 1500)  # soon again: something has happened
    run_ready(job_id)
    look(page)
    expect(page.locator("#content-main")).to_have_attribute("data-state", "FINISHED")
    before = asked.count
    page.clock.run_for(10 * A_MINUTE)
    assert asked.count == before


def test_a_failed_job_shows_that_a_colleague_has_repaired_it(open_view: Callable[..., Page]) -> None:
    record(Failing)
    job_id = run_workflow(Failing)
    page = open_view("django_wfe_job_change", job_id)
    stop_clock(page)
    asked = Asked(page)
    page.clock.run_for(9900)
    assert asked.count == 0, "nothing moves by itself here"
    look(page)
    for _ in range(12):
        look(page)
    assert page.locator("[data-live-status]").text_content() == ""

    retry_job(job_id)
    look(page)
    expect(page.locator("#content-main")).to_have_attribute("data-state", "ONGOING")
    expect(page.locator("#job-action a[data-verb=retry]")).to_have_count(0)
    before = asked.count
    look(page, 1500)  # as often as any job that moves
    assert asked.count == before + 1
    run_ready(job_id)
    look(page)
    expect(page.locator("#content-main")).to_have_attribute("data-state", "FINISHED")
    expect(page.locator("[data-live-status]")).to_have_text("The last step has run.")
    expect(page.locator("#step-runs tbody tr[data-state=FAILED]")).to_have_count(1)
    before = asked.count
    page.clock.run_for(10 * A_MINUTE)
    assert asked.count == before


def test_a_hidden_tab_asks_nothing_and_is_current_at_once_when_it_is_seen(open_view: Callable[..., Page]) -> None:
    job_id = start_waiting()
    page = open_view("django_wfe_job_change", job_id)
    stop_clock(page)
    asked = Asked(page)
    set_hidden(page, hidden=True)
    page.clock.run_for(10 * A_MINUTE)
    assert asked.count == 0
    provide_external_input(job_id, {"some_data": 7})
    set_hidden(page, hidden=False)
    expect(page.locator("#content-main")).to_have_attribute("data-state", "INPUT_RECEIVED")
    assert asked.count == 1


def test_unfolded_data_focus_and_places_scrolled_to_survive(open_view: Callable[..., Page]) -> None:
    job_id = start_waiting()
    StepRun.objects.filter(job_id=job_id, number=1).update(result={f"key {n}": n for n in range(200)})
    page = open_view("django_wfe_job_change", job_id)
    stop_clock(page)
    fold = page.locator("tr#run-1-1 details").first
    fold.locator("summary").first.click()
    expect(fold).to_have_attribute("open", "")
    fold.locator(".wfe-readable").evaluate("(data) => data.scrollTo(0, 300)")
    node = page.locator("#job-graph a[href='#run-1-1']")
    node.focus()

    provide_external_input(job_id, {"some_data": 7})
    StepRun.objects.filter(job_id=job_id, number=1).update(superseded=True)  # its row is replaced
    look(page)
    expect(page.locator("tr#run-1-1")).to_contain_text("superseded")
    expect(page.locator("#content-main")).to_have_attribute("data-state", "INPUT_RECEIVED")
    expect(fold).to_have_attribute("open", "")
    assert fold.locator(".wfe-readable").evaluate("(data) => data.scrollTop") == 300
    # The node is another element now, drawn anew, and has the focus.
    expect(page.locator("#job-graph a[href='#run-1-1']")).to_be_focused()


def test_a_selection_is_not_taken_away_and_the_rest_refreshes(open_view: Callable[..., Page]) -> None:
    job_id = start_waiting()
    page = open_view("django_wfe_job_change", job_id)
    stop_clock(page)
    page.locator("#job-facts code").first.select_text()
    selected = page.evaluate("String(document.getSelection())")
    assert len(selected) == 36
    provide_external_input(job_id, {"some_data": 7})
    look(page)
    expect(page.locator("#job-state")).to_contain_text("input received")
    assert page.evaluate("String(document.getSelection())") == selected
    page.evaluate("document.getSelection().removeAllRanges()")
    run_ready(job_id)
    look(page)
    expect(page.locator("#job-facts")).to_contain_text("#5")


def test_what_is_typed_survives(open_view: Callable[..., Page]) -> None:
    job_id = start_waiting()
    bulk = start_bulk("cancel", Job.objects.filter(pk=job_id))
    page = open_view("django_wfe_bulkrun_change", bulk.pk)
    stop_clock(page)
    field = page.get_by_label("Reason")
    field.press_sequentially("wrong fil")
    BulkRun.objects.filter(pk=bulk.pk).update(state="RUNNING")
    look(page)
    expect(page.locator("#content-main")).to_have_attribute("data-state", "RUNNING")
    expect(page.locator("#bulk-progress")).to_contain_text("running")
    expect(field).to_be_focused()
    field.press_sequentially("ter")
    expect(field).to_have_value("wrong filter")
    field.blur()
    look(page)
    expect(field).to_have_value("wrong filter")
    page.get_by_role("button", name="Stop it").click()
    expect(page.locator("#content-main")).to_have_attribute("data-state", "STOPPED")
    expect(page.locator("#bulk-progress")).to_contain_text("wrong filter")


def test_a_lost_session_shows_a_link_to_sign_in_and_keeps_what_is_on_the_page(open_view: Callable[..., Page]) -> None:
    page = open_view("django_wfe_job_change", start_waiting())
    stop_clock(page)
    asked = Asked(page)
    lost = page.get_by_text("you are no longer signed in")
    expect(lost).to_be_hidden()
    before = page.locator("#step-runs").inner_html()
    Session.objects.all().delete()
    look(page)
    expect(lost).to_be_visible()
    expect(page.locator("#id_username")).to_have_count(0)
    assert page.locator("#step-runs").inner_html() == before
    page.clock.run_for(10 * A_MINUTE)
    assert asked.count == 1
    page.get_by_role("link", name="Sign in again").click()
    expect(page.locator("#id_username")).to_be_visible()


def test_any_other_login_page_is_not_painted_into_the_page_either(open_view: Callable[..., Page]) -> None:
    page = open_view("django_wfe_job_change", start_waiting())
    stop_clock(page)
    login = (
        "<html><body><div id='content-main'><section id='job-graph' data-live-part>Log in here</section></div></body>"
    )
    page.route(re.compile("/job/"), lambda route: route.fulfill(status=200, content_type="text/html", body=login))
    look(page)
    expect(page.get_by_text("you are no longer signed in")).to_be_visible()
    expect(page.get_by_text("Log in here")).to_have_count(0)


def test_a_server_that_is_away_is_asked_again(open_view: Callable[..., Page]) -> None:
    page = open_view("django_wfe_console")
    stop_clock(page)
    away = page.get_by_text("The server does not answer.")
    expect(away).to_be_hidden()
    page.route(re.compile("/console/"), lambda route: route.fulfill(status=503, body="<p>Out of order</p>"))
    look(page)
    expect(away).to_be_visible()
    expect(page.get_by_text("Out of order")).to_have_count(0)
    page.unroute_all()
    look(page)
    expect(away).to_be_hidden()


def test_the_home_and_the_workflow_page_follow_what_happens(open_view: Callable[..., Page]) -> None:
    workflow = record(Asking)
    home = open_view("django_wfe_console")
    page = open_view("django_wfe_workflow_change", workflow.pk)
    for tab in (home, page):
        stop_clock(tab)
    schema = page.locator("#workflow-steps details").first
    schema.locator("summary").click()
    job_id = run_workflow(Asking)
    look(home)
    look(page)
    expect(home.locator("#home-waiting")).to_contain_text(f"Asking #{job_id}")
    expect(home.locator("[data-live-status]")).to_have_text("Jobs waiting for input: 1. Failed jobs: 0.")
    expect(page.locator("#workflow-jobs")).to_contain_text(f"Asking #{job_id}")
    expect(page.locator("#workflow-graph [aria-label^='Ask: 1 waiting for input']")).to_have_count(1)
    expect(schema).to_have_attribute("open", "")


def test_a_log_grows_while_its_step_runs(open_view: Callable[..., Page]) -> None:
    job_id = start_waiting()
    run = StepRun.objects.filter(job_id=job_id).latest("number")
    StepRun.objects.filter(pk=run.pk).update(state="RUNNING")
    Job.objects.filter(pk=job_id).update(state="ONGOING")
    JobLog.objects.create(step_run=run, sequence=0, text="".join(f"line {n}\n" for n in range(100)))
    page = open_view("django_wfe_job_change", job_id)
    stop_clock(page)
    log = page.locator(f"#wfe-tail-{run.pk}")
    expect(log).to_contain_text("line 99")
    log.evaluate("(log) => { log.isSame = true; log.scrollTop = log.scrollHeight; }")
    JobLog.objects.create(step_run=run, sequence=1, text="<b>tail &amp; one</b>\n")
    look(page)
    expect(log).to_contain_text("line 99\n<b>tail &amp; one</b>")
    assert log.evaluate("(log) => log.isSame && log.scrollTop + log.clientHeight >= log.scrollHeight - 8")
    log.evaluate("(log) => { log.scrollTop = 10; }")
    JobLog.objects.create(step_run=run, sequence=2, text="tail two\n")
    look(page)
    expect(log).to_contain_text("tail two")
    assert log.text_content().count("tail") == 2  # type: ignore[union-attr]
    assert log.evaluate("(log) => log.scrollTop") == 10

    JobLog.objects.create(step_run=run, sequence=3, text="the end\n")
    StepRun.objects.filter(pk=run.pk).update(state="FINISHED")
    look(page)
    row = page.locator(f"tr#run-{run.number}-1")
    expect(row).to_have_attribute("data-state", "FINISHED")
    expect(row).to_contain_text("the end")
    expect(page.locator("[data-tail]")).to_have_count(0)
