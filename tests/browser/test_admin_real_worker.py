"""A job's page while a real worker runs the job: no row is written by the test, and nobody loads the page again."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from django_wfe import order_workflow_execution
from django_wfe.engine.lifecycle import pause_job, resume_job
from tests.support.doors.console import record
from tests.support.running.workers import running_workers
from tests.workflows import Gated

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PATIENCE = 20_000  # milliseconds


def test_the_log_and_the_state_of_a_running_step_are_followed_to_its_end(
    open_view: Callable[..., Page],
    redis_url: str,
    child_environment: dict[str, str],
    tmp_path: Path,
) -> None:
    record(Gated)
    environment = {**child_environment, "WFE_TEST_GATE": str(tmp_path)}
    with running_workers(environment, redis_url):
        job_id = order_workflow_execution(Gated)
        pause_job(job_id)
        page = open_view("django_wfe_job_change", job_id)
        page.evaluate("window.isSamePage = true")
        state = page.locator("#content-main")

        resume_job(job_id)
        expect(state).to_have_attribute("data-state", "ONGOING", timeout=PATIENCE)
        tail = page.locator("[data-tail]")
        expect(tail).to_contain_text("at the gate", timeout=PATIENCE)
        expect(page.locator("#job-state")).to_contain_text("“Gate” has been running since")
        expect(page.locator("#job-graph [aria-current=step]")).to_have_attribute(
            "aria-label", "Gate: running, the job is here"
        )
        expect(page.locator(".wfe-axis__label--now")).to_be_visible()

        (tmp_path / f"{job_id}.open").touch()
        expect(state).to_have_attribute("data-state", "FINISHED", timeout=PATIENCE)
        expect(page.locator("#step-run-rows")).to_contain_text("through the gate")
        expect(tail).to_have_count(0)
        expect(page.locator("#job-timeline tbody tr")).to_have_count(3)
        expect(page.locator(".wfe-axis__label--now")).to_have_count(0)
        assert page.evaluate("window.isSamePage")
