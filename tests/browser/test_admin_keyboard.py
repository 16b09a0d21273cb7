"""The console by keyboard only: each main action is reached with Tab and done with Enter, and the focus can be seen."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from django_wfe.engine.lifecycle import run_workflow
from django_wfe.models import Assignment, Job, StepRun
from tests.declared.inbox_workflows import Numbering
from tests.support.doors.console import record
from tests.support.running.engine_helpers import create_user
from tests.workflows import Asking, Failing

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

MOST_TABS = 150
IS_FOCUS_INVISIBLE = """(element) => {
    const style = getComputedStyle(element);
    return style.outlineStyle === "none" && style.boxShadow === "none";
}"""


def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until ``target`` has the focus; whatever has it on the way within the page must show it."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        focused = page.locator("#content :focus")
        if focused.count():
            assert not focused.evaluate(IS_FOCUS_INVISIBLE), focused.evaluate("(element) => element.outerHTML")
        if target.evaluate("(element) => element === document.activeElement"):
            return
    raise AssertionError(f"{target} was not reached with {MOST_TABS} tabs")


def press(page: Page, target: Locator) -> None:
    tab_to(page, target)
    page.keyboard.press("Enter")


def test_the_page_of_a_job(open_view: Callable[..., Page]) -> None:
    job_id = run_workflow(record(Asking))
    page = open_view("django_wfe_job_change", job_id)
    main = page.locator("#content-main")
    press(page, page.locator("a[data-verb=pause]"))
    tab_to(page, page.get_by_label("Reason"))
    page.keyboard.type("Wait for the supplier.")
    press(page, page.locator("#verb-form input[type=submit]"))
    expect(main).to_have_attribute("data-state", "PAUSED")
    press(page, page.locator("a[data-verb=resume]"))
    press(page, page.locator("#verb-form input[type=submit]"))
    expect(main).to_have_attribute("data-state", "INPUT_REQUIRED")

    tab_to(page, page.locator("#job-graph a[href='#run-1-1']"))
    tab_to(page, page.locator("#job-timeline tr#run-1-1 th a"))
    fold = page.locator("tr#run-1-1 details").first
    before = fold.get_attribute("open")
    press(page, fold.locator("summary").first)
    assert fold.get_attribute("open") != before
    page.reload()
    press(page, page.get_by_role("link", name="Give input"))
    expect(page.locator("#input-form")).to_be_visible()


def test_the_page_of_a_failed_job(open_view: Callable[..., Page]) -> None:
    job_id = run_workflow(record(Failing))
    page = open_view("django_wfe_job_change", job_id)
    press(page, page.locator("#job-action").get_by_role("link", name="Retry"))
    press(page, page.locator("#verb-form input[type=submit]"))
    expect(page.locator(".messagelist")).to_contain_text("tries its step again")
    assert Job.objects.get(pk=job_id).state == "ONGOING"


def test_the_input_form(open_view: Callable[..., Page]) -> None:
    job_id = run_workflow(record(Asking))
    page = open_view("django_wfe_job_input", job_id)
    press(page, page.get_by_role("button", name="Assign to me"))
    expect(page.locator("#wfe-assignment")).to_contain_text("Assigned to you.")
    tab_to(page, page.get_by_label("Some data"))
    page.keyboard.type("seven")
    press(page, page.get_by_role("button", name="Save draft"))
    expect(page.locator(".messagelist")).to_contain_text("Your draft")
    tab_to(page, page.get_by_label("Some data"))
    page.keyboard.press("Control+A")
    page.keyboard.type("7")
    press(page, page.locator("input[name=_submit]"))
    expect(page.locator(".messagelist")).to_contain_text("was taken")
    assert StepRun.objects.get(job_id=job_id, number=2).external_data["some_data"] == 7


def test_the_inbox(open_view: Callable[..., Page]) -> None:
    job_id = run_workflow(record(Numbering))
    page = open_view("django_wfe_inbox")
    row = page.locator(f"tr[data-job='{job_id}']")
    press(page, row.get_by_role("button", name="Assign to me"))
    expect(row).to_contain_text("you")
    press(page, page.get_by_role("link", name="Mine 1"))
    press(page, row.get_by_role("button", name="Release"))
    expect(page.locator("#content-main")).to_contain_text("Nothing that waits is assigned to you.")
    assert not Assignment.objects.exists()
    press(page, page.get_by_role("link", name="All"))
    press(page, row.get_by_role("link", name="Open"))
    expect(page.get_by_label("Some data")).to_be_focused()  # it is what one came for
    page.keyboard.type("5")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".messagelist")).to_contain_text("was taken")
    assert Job.objects.get(pk=job_id).state == "INPUT_RECEIVED"


def test_handing_over_from_the_inbox(open_view: Callable[..., Page]) -> None:
    workflow = record(Numbering)
    run = StepRun.objects.get(job_id=run_workflow(workflow), state="INPUT_REQUIRED")
    create_user("bob", "view_job", "provide_input_job")
    page = open_view("django_wfe_inbox", viewport={"width": 1440, "height": 900})
    press(page, page.get_by_role("link", name="Give a number"))
    expect(page.get_by_label("Some data")).to_be_focused()
    press(page, page.get_by_text("Assign to somebody else"))
    tab_to(page, page.get_by_label("Person"))
    page.keyboard.type("bob")
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist")).to_contain_text("is assigned to bob")
    assert Assignment.objects.get(step_run=run).user.username == "bob"
    press(page, page.get_by_role("link", name="Hand work over"))
    tab_to(page, page.get_by_label("bob: 1 question"))
    page.keyboard.press("Space")
    tab_to(page, page.get_by_label("To whom"))
    page.keyboard.type("operator")
    press(page, page.get_by_role("button", name="Hand over"))
    expect(page.locator(".messagelist")).to_contain_text("1 question of bob is assigned to operator now.")
