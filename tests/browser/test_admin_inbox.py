"""A clerk's day at the inbox in a real browser."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from playwright.sync_api import Page, expect

from django_wfe.engine.lifecycle import assign_input, run_workflow
from django_wfe.models import Assignment, Job, StepRun
from tests.declared.inbox_workflows import Approving, Numbering, Ordering
from tests.support.doors.console import record
from tests.support.doors.effort import Effort
from tests.support.running.engine_helpers import create_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

RIGHTS = ("view_workflow", "view_job", "add_job", "provide_input_job")


@pytest.fixture
def clerk(transactional_db: None) -> User:
    user = create_user("clerk", *RIGHTS)
    User.objects.filter(pk=user.pk).update(is_staff=True)
    return user


def get_waiting(job_id: int) -> StepRun:
    return StepRun.objects.get(job_id=job_id, state="INPUT_REQUIRED")


@pytest.mark.parametrize("java_script", [True, False])
def test_a_clerk_claims_saves_a_draft_comes_back_submits_and_goes_on(
    clerk: User, open_as: Callable[..., Page], java_script: bool
) -> None:
    for workflow in (Ordering, Numbering):
        record(workflow)
    order, number, taken = run_workflow(Ordering), run_workflow(Numbering), run_workflow(Numbering)
    assign_input(get_waiting(taken).pk, create_user("bob", *RIGHTS))
    page = open_as(clerk, "/admin/", java_script_enabled=java_script)
    page.get_by_role("link", name="3 jobs wait for you.").click()
    row = page.locator(f"tr[data-job='{order}']")
    row.get_by_role("button", name="Assign to me").click()
    expect(row).to_contain_text("you")
    page.get_by_role("link", name="Mine 1").click()
    expect(page.locator("tr[data-step-run]")).to_have_count(1)

    page.get_by_role("link", name="Take the order").click()
    page.get_by_label("Customer").fill("Ada")
    page.get_by_label("City").fill("Uster")
    page.get_by_role("button", name="Add Line").click()
    page.get_by_label("Article").fill("pen")
    page.get_by_role("button", name="Save draft").click()
    expect(page.locator(".messagelist")).to_contain_text("Your draft for “Take the order”")

    page.goto(page.url.partition("/admin/")[0] + "/admin/django_wfe/job/inbox/")
    expect(page.locator(f"tr[data-job='{order}']")).to_contain_text("draft")
    page.get_by_role("link", name="Take the order").click()
    expect(page.get_by_label("Customer")).to_have_value("Ada")
    expect(page.get_by_label("Article")).to_have_value("pen")
    expect(page.get_by_text("Your draft from")).to_be_visible()
    page.get_by_label("Price").fill("1.50")
    page.get_by_role("button", name="Submit and next").click()

    expect(page.locator(".messagelist")).to_contain_text("was taken")
    expect(page.locator("#content-main")).to_have_attribute("data-job-id", str(number))  # not the one that bob has
    page.get_by_label("Some data").fill("7")
    page.get_by_label("Some data").press("Enter")  # submits, though the button of the assignment comes first
    expect(page.locator(".messagelist")).to_contain_text("was taken")
    answered = StepRun.objects.get(job_id=order, number=1)
    assert answered.external_data["lines"] == [{"article": "pen", "price": "1.50"}]
    assert Job.objects.get(pk=number).state == "INPUT_RECEIVED"
    assert [assignment.step_run.job_id for assignment in Assignment.objects.all()] == [taken]

    page.goto(page.url.partition("/admin/")[0] + reverse("admin:django_wfe_job_input", args=[taken]))
    expect(page.get_by_role("button", name="Submit", exact=True).last).to_be_disabled()
    page.get_by_label("Some data").fill("9")
    page.get_by_role("button", name="Take over").click()
    expect(page.get_by_text("Assigned to you.")).to_be_visible()
    expect(page.get_by_label("Some data")).to_have_value("9")


def test_no_draft_is_saved_with_half_a_date_in_it(clerk: User, open_as: Callable[..., Page]) -> None:
    record(Ordering)
    address = reverse("admin:django_wfe_job_input", args=[run_workflow(Ordering)])
    page = open_as(clerk, address, locale="en-US")
    page.get_by_label("Customer").fill("Ada")
    page.get_by_label("Day").press_sequentially("1231")
    for button in ("Save draft", "Assign to me"):
        page.get_by_role("button", name=button, exact=True).click()
        expect(page.locator(".errorlist")).to_contain_text("Day: This is incomplete")
    assert not Assignment.objects.exists()
    page.get_by_label("Day").fill("2026-12-31")
    page.get_by_role("button", name="Save draft").click()
    expect(page.locator(".messagelist")).to_contain_text("Your draft for “Take the order”")
    page.goto(page.url.partition("/admin/")[0] + address)
    expect(page.get_by_label("Day")).to_have_value("2026-12-31")


def test_a_clerk_starts_many_from_a_file(clerk: User, open_as: Callable[..., Page], tmp_path: Path) -> None:
    workflow = record(Numbering)
    file = tmp_path / "numbers.csv"
    file.write_text("key,some_data\nfirst,1\nsecond,two\nthird,3\n")
    page = open_as(clerk, reverse("admin:django_wfe_workflow_change", args=[workflow.pk]))
    page.get_by_role("link", name="Start many").click()
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Look at the rows").click()
    expect(page.locator("tr[data-outcome='refused']")).to_contain_text("Input should be a valid integer")
    expect(page.locator("tr[data-outcome='start']")).to_have_count(2)
    page.get_by_role("button", name="Start 2 jobs").click()
    expect(page.locator(".messagelist")).to_contain_text("2 jobs were started.")
    assert set(Job.objects.values_list("key", flat=True)) == {"first", "third"}


def test_twenty_similar_approvals_take_25_key_presses_in_all(clerk: User, open_as: Callable[..., Page]) -> None:
    record(Approving)
    jobs = [run_workflow(Approving) for _ in range(20)]
    record(Numbering)
    other = run_workflow(Numbering)
    page = open_as(clerk, reverse("admin:django_wfe_console"), viewport={"width": 1440, "height": 900})
    effort = Effort(page)
    effort.click(page.get_by_role("link", name="21 jobs wait for you."))
    effort.click(page.get_by_role("link", name="Approve", exact=True).first)
    expect(page.get_by_label("Answer *")).to_be_focused()
    effort.press("a")  # approve
    expect(page.get_by_label("Answer *")).to_have_value("approve")
    effort.click(page.get_by_label("same answer"))
    for left in range(20, 0, -1):
        expect(page.locator("[data-listed]")).to_have_count(left + 1)
        expect(page.get_by_label("Answer *")).to_have_value("approve")
        effort.press("Control+Enter")
    expect(page.locator("[data-listed]")).to_have_count(1)
    expect(page.locator("#content-main")).to_have_attribute("data-job-id", str(other))
    expect(page.get_by_label("Some data")).to_have_value("")
    assert effort.clicks + effort.keys <= 25
    assert effort.loads <= 22
    answers = StepRun.objects.filter(job__in=jobs, number=1).values_list("external_data", flat=True)
    assert [answer["answer"] for answer in answers] == ["approve"] * 20


def test_the_work_of_an_ill_colleague_is_handed_over_in_four_clicks(clerk: User, open_as: Callable[..., Page]) -> None:
    record(Numbering)
    bob, eve = create_user("bob", *RIGHTS), create_user("eve", *RIGHTS)
    for _ in range(30):
        assign_input(get_waiting(run_workflow(Numbering)).pk, bob)
    page = open_as(clerk, reverse("admin:django_wfe_console"))
    effort = Effort(page)
    effort.click(page.get_by_role("link", name="30 jobs wait for you."))
    effort.click(page.get_by_role("link", name="Hand work over"))
    effort.click(page.get_by_label("bob: 30 questions"))
    effort.press("Tab")
    expect(page.get_by_label("To whom")).to_be_focused()
    page.keyboard.type("eve")
    effort.click(page.get_by_role("button", name="Hand over"))
    expect(page.locator(".messagelist")).to_contain_text("30 questions of bob are assigned to eve now.")
    assert effort.clicks <= 4
    assert effort.loads <= 4
    assert Assignment.objects.filter(user=eve).count() == 30


def test_the_list_stands_beside_the_form_on_a_wide_screen_and_makes_room_on_a_narrow_one(
    clerk: User, open_as: Callable[..., Page]
) -> None:
    record(Numbering)
    runs = [get_waiting(run_workflow(Numbering)) for _ in range(2)]
    address = f"{reverse('admin:django_wfe_inbox')}?open={runs[0].pk}"
    page = open_as(clerk, address, viewport={"width": 1280, "height": 800})
    entries, form = page.locator(".wfe-inbox-list"), page.locator("#input-form")
    expect(entries).to_be_visible()
    left, right = entries.bounding_box(), form.bounding_box()
    assert left is not None
    assert right is not None
    assert left["x"] + left["width"] <= right["x"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.set_viewport_size({"width": 390, "height": 844})
    expect(entries).to_be_hidden()
    expect(form).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("link", name="Back to the list").click()
    expect(page.locator("tr[data-step-run]")).to_have_count(2)
