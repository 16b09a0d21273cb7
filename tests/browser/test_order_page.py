"""Where the staff work: an order's own page in the project's admin shows its jobs, starts one and takes an answer."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse
from playwright.sync_api import Page, expect

from django_wfe.demo.shop.models import Order
from django_wfe.demo.workflows import FlakyDelivery
from django_wfe.models import Job, JobState
from tests.support.doors.console import record
from tests.support.running.engine_helpers import run_ready

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

RIGHTS = ("view_order", "change_order", "view_job", "view_workflow", "add_job", "provide_input_job")


@pytest.fixture
def clerk(transactional_db: None) -> User:
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=RIGHTS))
    return user


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_the_staff_stay_on_the_page_of_the_order(
    clerk: User, open_as: Callable[..., Page], size: tuple[int, int]
) -> None:
    record(FlakyDelivery)
    order = Order.objects.create(number="1042", customer="The bakery", weight=2.5)
    address = reverse("admin:demo_shop_order_change", args=[order.pk])
    page = open_as(clerk, address, viewport={"width": size[0], "height": size[1]})
    jobs = page.locator("#wfe-jobs")
    expect(jobs).to_contain_text("No jobs.")

    jobs.get_by_role("link", name="Start: Flaky delivery").click()
    expect(page.get_by_label("Order")).to_have_value("1042")
    expect(page.get_by_label("Weight")).to_have_value("2.5")
    page.get_by_role("button", name="Start the job").click()
    page.wait_for_url(f"**{address}")
    expect(page.locator(".messagelist")).to_contain_text("was started")
    job = Job.objects.about(order).get()
    row = jobs.locator(f"[data-job='{job.pk}']")
    expect(row).to_contain_text("pending")

    assert run_ready(job.pk).state == JobState.INPUT_REQUIRED
    page.reload()
    row.get_by_role("link", name="Give input").click()
    for name, text in (("name", "The bakery"), ("street", "High Street 1"), ("town", "Ghent")):
        page.locator(f"[name='input-{name}']").fill(text)
    page.locator("[name='_submit']").click()
    page.wait_for_url(f"**{address}")
    expect(page.locator(".messagelist")).to_contain_text("was taken")
    assert run_ready(job.pk).attributes["label"].startswith("LBL-")

    page.reload()
    expect(row).to_contain_text("Confirm delivery")
    page.get_by_label("Customer").fill("The old bakery")
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.locator(".messagelist")).to_contain_text("changed successfully")
    order.refresh_from_db()
    assert order.customer == "The old bakery", "the order's form works as ever"
    row.get_by_role("link", name=f"#{job.pk}").click()
    expect(page.locator("#job-found-by")).to_contain_text("1042, The old bakery")
    page.locator("#job-found-by").get_by_role("link", name="1042, The old bakery", exact=True).click()
    page.wait_for_url(f"**{address}")
