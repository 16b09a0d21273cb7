"""The console's home: what needs somebody first, then where the jobs of each workflow are."""

import pytest
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone

from django_wfe.engine.lifecycle import order_workflow_execution, pause_job, run_workflow
from django_wfe.engine.queries import open_jobs
from django_wfe.engine.statistics.rollup import roll_up
from django_wfe.models import Job, Lease, StepRun, Workflow
from tests.support.demo.pages import Page
from tests.support.doors.console import read_page, record, sign_in, sign_in_superuser
from tests.workflows import Asking, Failing, Linear

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

HOME = "/admin/django_wfe/workflow/console/"


def list_counts(page: Page) -> dict[str, list[str]]:
    return {row.cells[0]: row.cells[1:] for row in page.rows if "workflow" in row.facts}


def test_the_open_jobs_of_each_workflow_are_counted_by_what_they_wait_for() -> None:
    for workflow in (Asking, Failing, Linear):
        record(workflow)
    run_workflow(Linear)
    running, paused, _asking, _failed = (
        order_workflow_execution(Linear),
        order_workflow_execution(Linear),
        run_workflow(Asking),
        run_workflow(Failing),
    )
    pause_job(paused)
    roll_up()
    page = read_page(sign_in_superuser().get(HOME))
    assert list_counts(page) == {
        "Failing": ["0", "0", "0", "1", "0"],
        "Asking": ["0", "1", "0", "0", "0"],
        "Linear": ["1", "0", "1", "0", "1"],
    }
    assert next(iter(list_counts(page))) == "Failing", "failures first"
    listed = sign_in_superuser().get(page.find_link("&state=FAILED")).context["cl"].result_list
    assert {job.workflow.name for job in listed} == {"Failing"}
    assert Job.objects.get(pk=running).state == "PENDING"


def test_counts_stop_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_jobs, "COUNTED", 2)
    record(Failing)
    for _ in range(3):
        run_workflow(Failing)
    assert list_counts(read_page(sign_in_superuser().get(HOME))) == {"Failing": ["0", "0", "0", "2+", "0"]}


def test_the_first_line_says_how_late_steps_begin() -> None:
    job_id = order_workflow_execution(record(Linear))
    client = sign_in_superuser()
    assert "late." not in read_page(client.get(HOME)).text
    StepRun.objects.filter(job_id=job_id, state="READY").update(due_at=Now() - timezone.timedelta(minutes=2))
    assert "Steps begin 2 min late." in read_page(client.get(HOME)).text


def test_old_versions_of_one_workflow_do_not_push_out_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_jobs, "VERSIONS", 1)
    for workflow in (Failing, Asking):
        run_workflow(record(workflow))
    counts = list_counts(read_page(sign_in_superuser().get(HOME)))
    assert {name: sum(map(int, numbers)) for name, numbers in counts.items()} == {"Failing": 1, "Asking": 1}


def test_nobody_sees_counts_of_workflows_that_they_may_not_see() -> None:
    run_workflow(record(Failing))
    Workflow.objects.update(groups=["managers"])
    page = read_page(sign_in("view_job", "view_workflow").get(HOME))
    assert list_counts(page) == {}
    assert "No failed jobs." in page.text


def test_what_is_overdue_and_a_missing_watchdog_are_told_in_the_first_line() -> None:
    run_workflow(record(Asking))
    StepRun.objects.filter(state="INPUT_REQUIRED").update(expires_at=Now() - timezone.timedelta(hours=1))
    client = sign_in_superuser()
    text = read_page(client.get(HOME)).text
    assert "1 overdue, the first by 1 h." in text
    assert "No watchdog leads." in text
    Lease.objects.create(
        role="watchdog",
        holder="00000000-0000-4000-8000-000000000001",
        holder_name="host 1",
        expires_at=Now() + timezone.timedelta(minutes=1),
    )
    text = read_page(client.get(HOME)).text
    assert "No watchdog leads." not in text
    assert "The watchdog host 1 recovers what is lost." in text


def test_states_without_jobs_are_folded() -> None:
    run_workflow(record(Linear))
    content = sign_in_superuser().get(reverse("admin:django_wfe_console")).content.decode()
    assert "8 states without jobs" in content
    assert content.count('class="wfe-count"') == 1
