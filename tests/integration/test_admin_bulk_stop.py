"""Jobs of the list are retried in stages where the user asks for it: a failure that comes back stops the rest."""

from typing import Any

import pytest
from django.urls import reverse

from django_wfe.engine.bulk.runs import work_on_bulk
from django_wfe.engine.lifecycle import run_workflow, start_bulk
from django_wfe.models import BulkItem, BulkRun, Job
from tests.support.doors.console import read_page, record, sign_in_superuser
from tests.support.running.engine_helpers import look_again, recording_dispatcher, run_ready, work_to_the_end
from tests.workflows import Fail, Failing

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

TWO = ["the bank is closed", "no address"]


@pytest.fixture(autouse=True)
def sent() -> Any:
    with recording_dispatcher() as dispatcher:
        yield dispatcher


def fail(messages: list[str], monkeypatch: pytest.MonkeyPatch) -> list[int]:
    jobs = []
    record(Failing)
    for message in messages:
        break_with(message, monkeypatch)
        jobs.append(run_workflow(Failing))
    return jobs


def break_with(message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def execute(self: Any, _input: Any = None) -> Any:
        raise ValueError(message)

    monkeypatch.setattr(Fail, "execute", execute)


def order(jobs: list[int], **posted: str) -> Any:
    selection = ",".join(f"{job}:FAILED" for job in jobs)
    address = reverse("admin:django_wfe_job_bulk", args=["retry"])
    return sign_in_superuser().post(address, {"jobs": selection, **posted}, follow=True)


def test_a_failure_that_comes_back_stops_a_retry_from_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = fail([*TWO, *TWO], monkeypatch)
    order(jobs, stop="on")
    bulk = BulkRun.objects.get()
    assert bulk.stop_on_fingerprint
    assert len(bulk.stops_also_on) == 1
    work_on_bulk(bulk.pk)
    assert bulk.items.filter(state=BulkItem.State.DONE).count() == 1
    break_with(TWO[1], monkeypatch)  # the other of the two failures
    run_ready(jobs[0])
    look_again(bulk)
    assert BulkRun.objects.get(pk=bulk.pk).state == "STOPPED"
    assert bulk.items.filter(state=BulkItem.State.PENDING).count() == 3


def test_without_the_tick_they_are_retried_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    order(fail(TWO, monkeypatch))
    assert not BulkRun.objects.exists()
    assert not Job.objects.filter(state="FAILED").exists()


def test_jobs_of_too_many_failures_are_not_retried_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django_wfe.admin.bulk.actions.MOST", 1)
    response = order(fail(TWO, monkeypatch), stop="on")
    assert "These jobs stand at more than 1 failures." in read_page(response).text
    assert not BulkRun.objects.exists()


@pytest.mark.parametrize("again", ["the bank is closed", "something new"])
def test_a_repair_of_all_that_match_stops_when_a_job_fails_again(again: str, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = fail([*TWO, *TWO], monkeypatch)
    client = sign_in_superuser()
    chosen = {"action": "retry_selected", "_selected_action": [jobs[0]], "select_across": "1"}
    preview = client.post(f"{reverse('admin:django_wfe_job_changelist')}?state=FAILED", chosen)
    [form] = [form for form in read_page(preview).forms if form.identifier == "verb-form"]
    data = {name: value for name, value in form.list_pairs(None) if isinstance(value, str)}
    client.post(form.action, {**data, "stop": "on"})
    bulk = BulkRun.objects.get()
    assert (bulk.stop_on_fingerprint, bulk.total) == (BulkRun.ANY_FAILURE, 4)
    shown = read_page(client.get(reverse("admin:django_wfe_bulkrun_change", args=[bulk.pk])))
    assert "a job fails again" in shown.text
    work_on_bulk(bulk.pk)
    assert bulk.items.filter(state=BulkItem.State.DONE).count() == 1
    break_with(again, monkeypatch)
    run_ready(jobs[0])
    look_again(bulk)
    assert BulkRun.objects.get(pk=bulk.pk).state == "STOPPED"
    assert bulk.items.filter(state=BulkItem.State.PENDING).count() == 3


def test_a_repair_of_all_that_match_goes_on_while_all_goes_well(monkeypatch: pytest.MonkeyPatch) -> None:
    fail([*TWO, *TWO], monkeypatch)
    monkeypatch.setattr(Fail, "execute", lambda self, _input=None: "repaired")
    bulk = start_bulk("retry", Job.objects.filter(state="FAILED"), stop_on_failure=True)
    work_to_the_end(bulk)
    assert bulk.state == "FINISHED"
    assert set(Job.objects.values_list("state", flat=True)) == {"FINISHED"}
