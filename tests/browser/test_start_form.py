"""Starting a job with data in a real browser: items are added, what is wrong is told, and the page of the job tells."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from django_wfe.models import Job
from tests.declared.job_input_workflows import Refund
from tests.support.doors.console import record

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_job_is_started_with_what_was_typed(open_view: Callable[..., Page]) -> None:
    page = open_view("django_wfe_workflow_start", record(Refund).pk)
    page.get_by_role("button", name="Add Line").click()
    page.get_by_label("Article").fill("A4")
    page.get_by_label("Token").fill("hush-hush")
    page.get_by_role("button", name="Start the job").click()
    expect(page.locator(".errornote")).to_contain_text("Order")
    expect(page.get_by_label("Article")).to_have_value("A4")
    expect(page.get_by_label("Token")).to_have_value("")
    assert not Job.objects.exists()
    page.get_by_label("Order").fill("1042")
    page.get_by_label("Token").fill("hush-hush")
    page.keyboard.press("Enter")
    started = page.locator("#job-started-with")
    expect(started).to_contain_text("1042")
    expect(started).to_contain_text("A4")
    expect(page.locator("body")).not_to_contain_text("hush-hush")
