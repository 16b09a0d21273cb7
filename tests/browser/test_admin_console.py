"""The console in a real browser, under a strict Content Security Policy: whatever it complains about fails the test."""

from collections.abc import Callable
from functools import partial

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.urls import reverse
from playwright.sync_api import Page, expect

from django_wfe.engine.lifecycle import provide_external_input, run_workflow
from django_wfe.models import Job
from tests.support.doors.console import ADDRESSES, build_world, record
from tests.support.running.engine_helpers import run_ready
from tests.workflows import Asking, Failing

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def open_page(operator: User, open_as: Callable[..., Page]) -> Callable[..., Page]:
    """Opens a path of the console as a superuser."""
    return partial(open_as, operator)


def build(name: str, *arguments: object) -> str:
    return reverse(f"admin:{name}", args=arguments)


@pytest.mark.parametrize(("color_scheme", "width"), [("light", 1280), ("dark", 360)])
def test_each_page_fits_and_breaks_no_policy(open_page: Callable[..., Page], color_scheme: str, width: int) -> None:
    world = build_world()
    page = open_page("/admin/", color_scheme=color_scheme, viewport={"width": width, "height": 800})
    base = page.url.removesuffix("/admin/")
    for entry in ADDRESSES:
        if not entry.gets or not entry.is_page:
            continue
        answer = page.goto(base + entry.build(world))
        assert answer is not None
        assert answer.status == 200, entry
        too_wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert too_wide <= 0, f"{entry} is {too_wide} px too wide"


def test_a_person_starts_a_job_answers_it_and_watches_it_end(open_page: Callable[..., Page]) -> None:
    workflow = record(Asking)
    page = open_page(build("django_wfe_console"))
    page.get_by_role("link", name=str(workflow)).click()
    page.get_by_label("Key", exact=True).fill("order 7")
    page.get_by_role("button", name="Start the job").click()
    main = page.locator("#content-main")
    expect(main).to_have_attribute("data-state", "PENDING")
    job_id = int(main.get_attribute("data-job-id") or 0)

    run_ready(job_id)
    expect(main).to_have_attribute("data-state", "INPUT_REQUIRED")  # without a reload
    page.get_by_role("link", name="Give input").click()
    page.get_by_label("Some data").fill("7")
    page.get_by_role("button", name="Submit", exact=True).last.click()
    expect(main).to_have_attribute("data-state", "INPUT_RECEIVED")
    expect(page.locator(".messagelist")).to_contain_text("was taken")

    run_ready(job_id)
    expect(main).to_have_attribute("data-state", "FINISHED")
    expect(page.locator("#step-runs tbody tr[data-number]")).to_have_count(6)
    expect(main).not_to_have_attribute("data-live", "1")
    assert Job.objects.get(pk=job_id).storage["data"][-1]["result"] == "right 7"


def test_what_is_unfolded_or_focused_stays_while_the_page_refreshes(open_page: Callable[..., Page]) -> None:
    record(Asking)
    job_id = run_workflow(Asking)
    page = open_page(build("django_wfe_job_change", job_id))
    fold = page.locator("tr[data-number='1'] details").first
    fold.locator("summary").first.click()
    expect(fold).to_have_attribute("open", "")
    pause = page.locator("a[data-verb='pause']")
    pause.focus()
    provide_external_input(job_id, {"some_data": 7})
    run_ready(job_id)
    expect(page.locator("#content-main")).to_have_attribute("data-state", "FINISHED")
    expect(page.locator("tr[data-number='4']")).to_have_attribute("data-state", "FINISHED")
    expect(fold).to_have_attribute("open", "")
    expect(pause).to_be_focused()


def test_a_lost_session_shows_a_link_and_no_login_page_in_the_console(open_page: Callable[..., Page]) -> None:
    record(Asking)
    job_id = run_workflow(Asking)
    page = open_page(build("django_wfe_job_change", job_id))
    expect(page.get_by_text("you are no longer signed in")).to_be_hidden()
    Session.objects.all().delete()
    expect(page.get_by_text("you are no longer signed in")).to_be_visible()
    expect(page.locator("#id_username")).to_have_count(0)
    page.get_by_role("link", name="Sign in again").click()
    expect(page.locator("#id_username")).to_be_visible()


def test_the_whole_story_works_without_javascript(open_page: Callable[..., Page]) -> None:
    job_id = run_workflow(record(Failing))
    page = open_page(build("django_wfe_job_change", job_id), java_script_enabled=False)
    page.locator("#job-head").get_by_role("link", name="Retry").first.click()
    page.get_by_label("Reason").fill("The cause is mended.")
    page.get_by_role("button", name="Retry").click()
    expect(page.locator(".messagelist")).to_contain_text("tries its step again")
    run_ready(job_id)
    page.reload()
    expect(page.locator("#content-main")).to_have_attribute("data-state", "FINISHED")
    expect(page.locator("#job-events")).to_contain_text("The cause is mended.")


def test_a_node_of_the_graph_leads_to_its_step_run(open_page: Callable[..., Page]) -> None:
    job_id = run_workflow(record(Failing))
    page = open_page(build("django_wfe_job_change", job_id))
    page.locator(".wfe-diagram a").last.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{page.url.partition('#')[0]}#run-2-1")
