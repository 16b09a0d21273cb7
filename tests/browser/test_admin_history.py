"""A Job's graph, timeline and history in a real browser, however large they are."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db.models import F
from playwright.sync_api import FloatRect, Locator, Page, expect

from django_wfe.engine.lifecycle import run_workflow
from django_wfe.models import Definition, Job, StepRun, Worker
from tests.browser.live_pages import look, start_waiting, stop_clock
from tests.support.doors.console import record
from tests.support.forms.rendering_samples import build_long
from tests.support.running.long_jobs import lengthen
from tests.workflows import Looping

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_graph_zooms_by_buttons_and_keys_and_stays_so(open_view: Callable[..., Page]) -> None:
    job_id = start_waiting()
    definition = Definition.objects.get(jobs__pk=job_id)
    graph = build_long(300)
    Definition.objects.filter(pk=definition.pk).update(graph=graph.to_json(), layout="")
    page = open_view("django_wfe_job_change", job_id)
    stop_clock(page)
    picture, scroll = page.locator(".wfe-diagram__picture"), page.locator(".wfe-diagram__scroll")

    def get_width() -> float:
        return picture.evaluate("(picture) => picture.getBoundingClientRect().width")

    for name in ("Zoom out", "Zoom in", "100 %", "Fit", "Current"):
        expect(page.get_by_role("button", name=name, exact=True)).to_be_visible()
    full = picture.evaluate("(picture) => picture.viewBox.baseVal.width")
    before = get_width()
    scroll.focus()
    page.keyboard.press("+")
    assert get_width() == pytest.approx(before * 1.25, rel=0.01)
    page.keyboard.press("-")
    page.keyboard.press("-")
    assert get_width() == pytest.approx(before / 1.25, rel=0.01)
    page.keyboard.press("0")
    fitting = scroll.evaluate("(box) => [box.scrollHeight <= box.clientHeight, box.scrollWidth <= box.clientWidth]")
    assert fitting == [True, True]
    assert get_width() < full / 4
    page.get_by_role("button", name="100 %").click()
    assert get_width() == pytest.approx(full, rel=0.01)
    page.get_by_role("button", name="Zoom in").click()
    scroll.evaluate("(box) => box.scrollTo(0, 500)")
    page.clock.run_for(100)

    Job.objects.filter(pk=job_id).update(current_step=graph.nodes[3].path)
    StepRun.objects.filter(job_id=job_id).update(step=graph.nodes[3].path)
    picture.evaluate("(picture) => { picture.isOld = true; }")
    scroll.focus()
    look(page)
    expect(page.locator("#job-graph [aria-current=step]")).to_have_count(1)
    assert not picture.evaluate("(picture) => Boolean(picture.isOld)"), "the graph was not drawn anew"
    assert get_width() == pytest.approx(full * 1.25, rel=0.01)
    assert scroll.evaluate("(box) => box.scrollTop") == pytest.approx(500, abs=2)
    expect(scroll).to_be_focused()
    page.keyboard.press("+")
    assert get_width() == pytest.approx(full * 1.5625, rel=0.01)


def test_a_node_leads_to_the_table_of_its_step_runs(open_view: Callable[..., Page]) -> None:
    record(Looping)
    job_id = run_workflow(Looping)
    lengthen(job_id, 500)
    page = open_view("django_wfe_job_change", job_id)
    page.locator("#job-graph a[aria-label^='Again']").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"\?node=tests\.workflows\.Again#wfe-runs$"))
    expect(page.locator("#step-runs tbody tr")).to_have_count(100)
    page.locator("#job-window").get_by_role("link", name="Older").click()
    expect(page.locator("#step-runs tbody tr").first).to_have_attribute("data-number", "100")
    page.locator("#job-window").get_by_role("link", name="Newer").click()
    page.locator("#job-window").get_by_role("link", name="Show all steps").click()
    expect(page.locator("#step-runs tbody tr").last).to_have_attribute("data-number", "499")


@pytest.mark.parametrize("width", [1280, 360])
def test_the_timeline_needs_no_scrolling_sideways(open_view: Callable[..., Page], width: int) -> None:
    record(Looping)
    job_id = run_workflow(Looping)
    lengthen(job_id, 300)
    page = open_view("django_wfe_job_change", job_id, viewport={"width": width, "height": 900})
    if width > 1000:
        expect(page.locator("#nav-sidebar")).to_be_visible()
    expect(page.locator("#job-timeline tbody tr")).to_have_count(100)
    too_wide = page.locator(".wfe-timeline__scroll").evaluate("(box) => box.scrollWidth - box.clientWidth")
    assert too_wide <= 0
    bar = page.locator("#job-timeline .wfe-bar").first
    bar.focus()
    tip = page.locator("#job-timeline .wfe-bar__tip").first
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    expect(tip).to_be_visible()
    expect(tip).to_contain_text("worked 4")


def test_a_job_of_ten_thousand_step_runs_is_seen_a_window_at_a_time(open_view: Callable[..., Page]) -> None:
    record(Looping)
    job_id = run_workflow(Looping)
    lengthen(job_id, 10_000)
    rest = timedelta(hours=2)
    StepRun.objects.filter(job_id=job_id, number__lt=9950).update(
        created_at=F("created_at") - rest, started_at=F("started_at") - rest, finished_at=F("finished_at") - rest
    )
    worker = Worker.objects.create(hostname="barn", pid=17)
    StepRun.objects.filter(job_id=job_id, number=9960).update(worker=worker)
    page = open_view("django_wfe_job_change", job_id)
    timeline = page.locator("#job-timeline")
    numbers = timeline.locator("tbody td.wfe-timeline__number")
    expect(numbers).to_have_count(100)
    expect(numbers.first).to_have_text("9900")
    expect(page.locator("#step-runs tbody tr")).to_have_count(100)

    chart, now = find_box(timeline.locator(".wfe-axis")), find_box(timeline.locator("line.wfe-axis__now").first)
    assert now["x"] == pytest.approx(chart["x"] + chart["width"], abs=2)
    expect(timeline.locator(".wfe-axis__label--now")).to_have_text("now")
    expect(timeline.locator(".wfe-axis__label--break")).to_have_text("2 h")

    row = timeline.locator("tr#run-9960-1")
    tip = row.locator(".wfe-bar__tip")
    expect(tip).to_be_hidden()
    row.locator(".wfe-bar").hover()
    expect(tip).to_be_visible()
    for words in ("Again: done", "started", "ended", "waited 1 s", "worked 4 s", "worker barn:17"):
        expect(tip).to_contain_text(words)
    page.mouse.move(0, 0)
    expect(tip).to_be_hidden()
    row.locator(".wfe-timeline__label").focus()
    page.keyboard.press("Tab")
    expect(row.get_by_role("img")).to_be_focused()
    expect(tip).to_be_visible()
    assert row.get_by_role("img").get_attribute("aria-label") == tip.text_content()

    timeline.get_by_role("link", name="Show idle time to scale").click()
    expect(timeline.locator(".wfe-axis__label--break")).to_have_count(0)
    timeline.get_by_role("link", name="Older").click()
    expect(numbers.first).to_have_text("9800")
    expect(numbers).to_have_count(100)
    timeline.get_by_role("link", name="Newest").click()
    timeline.get_by_role("link", name="Fold idle time").click()
    expect(timeline.locator(".wfe-axis__label--break")).to_have_count(1)
    expect(numbers.last).to_have_text("9999")


def find_box(locator: Locator) -> FloatRect:
    box = locator.bounding_box()
    assert box is not None
    return box
