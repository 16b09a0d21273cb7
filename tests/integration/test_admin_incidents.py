"""Incidents in the console: failures of one kind, and their repair in stages."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from django_wfe import workflows
from django_wfe.admin.incidents import page as incidents
from django_wfe.admin.incidents.trend import Trend, count_failures
from django_wfe.engine.bulk.runs import work_on_bulk
from django_wfe.engine.lifecycle import cancel_job, run_workflow
from django_wfe.models import BulkItem, BulkRun, Job, StepRun
from tests.support.doors.console import list_messages, read_page, record, sign_in, sign_in_superuser
from tests.support.running.engine_helpers import look_again, run_ready, work_to_the_end
from tests.workflows import Fail, Failing, Linear

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


class Guarded(workflows.Workflow):
    """Fails for the auditors alone."""

    groups = ("auditors",)
    DIGRAPH = Failing.DIGRAPH


def build(name: str, *arguments: object) -> str:
    return reverse(f"admin:{name}", args=arguments)


def fail(times: int, workflow: type[workflows.Workflow] = Failing) -> tuple[list[int], str]:
    """Make jobs that failed alike; give their ids and the fingerprint."""
    record(workflow)
    jobs = [run_workflow(workflow) for _ in range(times)]
    return jobs, StepRun.objects.filter(job_id=jobs[0], state="FAILED").values_list("fingerprint", flat=True)[0]


def repair(client: Client, fingerprint: str, stage: str, reason: str = "", verb: str = "retry", **options: str) -> Any:
    """Open a stage's preview and confirm it."""
    address = f"{build('django_wfe_incident', fingerprint)}{verb}/{stage}/"
    [form] = [form for form in read_page(client.get(address)).forms if form.identifier == "verb-form"]
    posted = {name: value for name, value in form.list_pairs(None) if isinstance(value, str)}
    return client.post(address, {**posted, "reason": reason, **options}, follow=True)


def list_jobs(bulk: BulkRun) -> list[int]:
    return list(bulk.items.order_by("pk").values_list("job_id", flat=True))


def test_the_incident_tells_what_failed_how_often_and_which_jobs_stand_at_it() -> None:
    jobs, fingerprint = fail(3)
    cancel_job(jobs[0])
    client = sign_in_superuser()
    listed = read_page(client.get(build("django_wfe_incidents")))
    assert "Fail: ValueError" in listed.text
    assert "attempt 1 fails" in listed.text
    page = read_page(client.get(listed.find_link(f"/incidents/{fingerprint}/")))
    assert page.facts["jobs"] == "2"
    assert "Traceback (most recent call last)" in page.text
    assert "raise ValueError" in page.text
    assert [int(row.facts["job"]) for row in page.rows if "job" in row.facts] == [jobs[2], jobs[1]]
    filtered = client.get(page.find_link("?incident="))
    assert [job.pk for job in filtered.context["cl"].result_list] == [jobs[2], jobs[1]]


def test_only_the_newest_hundred_jobs_are_shown_and_the_rest_is_a_filter_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django_wfe.admin.incidents.page.JOBS_SHOWN", 2)
    jobs, fingerprint = fail(3)
    page = read_page(sign_in_superuser().get(build("django_wfe_incident", fingerprint)))
    assert [int(row.facts["job"]) for row in page.rows if "job" in row.facts] == jobs[:0:-1]
    assert "The newest 2 are shown." in page.text


@pytest.mark.parametrize("name", ["django_wfe_incident", "django_wfe_incidents", "django_wfe_console"])
def test_as_many_queries_for_one_failed_job_as_for_many(name: str) -> None:
    _jobs, fingerprint = fail(1)
    client, address = sign_in_superuser(), build(name, *([fingerprint] if name == "django_wfe_incident" else []))

    def ask() -> int:
        client.get(address)
        with CaptureQueriesContext(connection) as captured:
            assert client.get(address).status_code == 200
        return len(captured)

    few = ask()
    fail(20)
    assert ask() == few


def test_one_then_ten_then_all_are_retried() -> None:
    jobs, fingerprint = fail(14)
    client = sign_in_superuser()

    page = read_page(client.get(build("django_wfe_incident_repair", fingerprint, "one")))
    assert page.facts["allowed"] == "1"
    assert "1 job starts again at “Fail”." in page.text
    response = repair(client, fingerprint, "one", "The supplier is back.")
    one = BulkRun.objects.get()
    assert response.redirect_chain == [(build("django_wfe_bulkrun_change", one.pk), 302)]
    assert list_messages(response) == ["Retry: workers are processing the jobs."]
    assert (one.reason, one.stop_on_fingerprint, list_jobs(one)) == ("The supplier is back.", "", jobs[:1])
    work_on_bulk(one.pk)
    assert run_ready(jobs[0]).state == "FINISHED"

    repair(client, fingerprint, "ten")
    ten = BulkRun.objects.latest("pk")
    assert (ten.stop_on_fingerprint, list_jobs(ten)) == (fingerprint, jobs[1:11])
    work_to_the_end(ten)
    assert BulkRun.objects.get(pk=ten.pk).state == "FINISHED"

    assert "3 jobs start again" in read_page(client.get(build("django_wfe_incident_repair", fingerprint, "all"))).text
    repair(client, fingerprint, "all")
    last = BulkRun.objects.latest("pk")
    assert (last.stop_on_fingerprint, list_jobs(last)) == (fingerprint, jobs[11:])
    work_to_the_end(last)
    page = read_page(client.get(build("django_wfe_incident", fingerprint)))
    assert page.facts["jobs"] == "0"
    assert "Nothing is left to repair: no job has this failure now." in page.text
    assert "Solved: no job stands at “Fail” with ValueError" in page.text
    assert set(Job.objects.values_list("state", flat=True)) == {"FINISHED"}


def test_a_staged_retry_stops_by_itself_when_the_failure_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fail, "FAILURES", 9)
    jobs, fingerprint = fail(4)
    client = sign_in_superuser()
    repair(client, fingerprint, "all")
    bulk = BulkRun.objects.get()
    work_on_bulk(bulk.pk)
    run_ready(jobs[0])
    look_again(bulk)
    page = read_page(client.get(build("django_wfe_bulkrun_change", bulk.pk)))
    assert page.facts["state"] == "STOPPED"
    assert f"the failure came back in job {jobs[0]}" in page.text
    assert bulk.items.filter(state=BulkItem.State.PENDING).count() == 3
    assert page.find_link(f"/incidents/{fingerprint}/")


def test_a_job_repaired_since_the_preview_is_left_out() -> None:
    jobs, fingerprint = fail(1)
    client, address = sign_in_superuser(), build("django_wfe_incident_repair", fingerprint, "one")
    read_page(client.get(address))
    cancel_job(jobs[0])
    response = client.post(address, {"jobs": str(jobs[0])}, follow=True)
    assert "Nothing was changed" in list_messages(response)[0]
    assert not BulkRun.objects.exists()


@pytest.mark.parametrize("jobs", ["x", "1,y", "1;drop", "9" * 30])
def test_junk_in_the_place_of_jobs_starts_nothing(jobs: str) -> None:
    _jobs, fingerprint = fail(1)
    response = sign_in_superuser().post(build("django_wfe_incident_repair", fingerprint, "ten"), {"jobs": jobs})
    assert read_page(response)
    assert not BulkRun.objects.exists()


def test_a_repair_takes_no_more_than_its_stage_and_only_jobs_of_the_incident() -> None:
    jobs, fingerprint = fail(2)
    other = run_workflow(record(Linear))
    posted = {"jobs": ",".join(map(str, [other, *jobs]))}
    sign_in_superuser().post(build("django_wfe_incident_repair", fingerprint, "ten"), posted)
    assert list_jobs(BulkRun.objects.get()) == jobs
    BulkRun.objects.all().delete()
    sign_in_superuser().post(build("django_wfe_incident_repair", fingerprint, "one"), {"jobs": f"{jobs[0]},{jobs[1]}"})
    assert list_jobs(BulkRun.objects.get()) == jobs[:1]


def test_without_the_permission_the_stages_stay_visible_and_say_why() -> None:
    _jobs, fingerprint = fail(1)
    page = read_page(sign_in("view_job").get(build("django_wfe_incident", fingerprint)))
    assert "You need the permission “Can retry a failed step”." in page.text
    assert not any(f"/{verb}/" in link.address for link in page.links for verb in ("retry", "skip", "cancel"))


def test_incidents_of_a_workflow_are_for_the_members_of_its_groups() -> None:
    _jobs, fingerprint = fail(1, Guarded)
    client = sign_in("view_job", "retry_job", "view_job_data")
    assert read_page(client.get(build("django_wfe_incidents"))).facts["incidents"] == "0"
    assert client.get(build("django_wfe_incident", fingerprint)).status_code == 404
    for stage in ("one", "ten", "all"):
        address = build("django_wfe_incident_repair", fingerprint, stage)
        assert client.get(address).status_code == 404
        assert client.post(address, {"jobs": ""}).status_code == 404
    user = User.objects.latest("pk")
    user.groups.add(Group.objects.get_or_create(name="auditors")[0])
    assert read_page(client.get(build("django_wfe_incident", fingerprint))).facts["jobs"] == "1"
    repair(client, fingerprint, "one")
    assert BulkRun.objects.get().total == 1


def test_members_and_others_share_a_fingerprint_and_each_sees_and_repairs_their_own() -> None:
    # The same node in two workflows: one incident for those who see both.
    guarded, fingerprint = fail(2, Guarded)
    open_jobs, _same = fail(1)
    client = sign_in("view_job", "retry_job")
    page = read_page(client.get(build("django_wfe_incident", fingerprint)))
    assert [int(row.facts["job"]) for row in page.rows if "job" in row.facts] == open_jobs
    assert not any(f"Guarded #{job}" in page.text for job in guarded)
    repair(client, fingerprint, "all")
    assert list_jobs(BulkRun.objects.get()) == open_jobs


def test_a_failed_job_leads_to_its_incident_and_says_how_many_stand_there(monkeypatch: pytest.MonkeyPatch) -> None:
    record(Failing)
    jobs = [run_workflow(Failing) for _ in range(4)]
    client, address = sign_in("view_job"), build("django_wfe_job_change", jobs[0])
    page = read_page(client.get(address))
    link = page.find_link("3 other jobs have this failure")
    assert read_page(client.get(link)).facts["jobs"] == "4"
    monkeypatch.setattr(incidents, "OTHERS_CAP", 2)
    assert "2+ other jobs have this failure" in read_page(client.get(address)).text
    Job.objects.filter(pk__in=jobs[1:]).update(state="CANCELED")
    assert "No other job has this failure" in read_page(client.get(address)).text
    cancel_job(jobs[0])
    assert "like this" not in read_page(client.get(address)).text


def test_the_rise_of_failures_is_told_on_the_home_and_the_index() -> None:
    fail(4)
    client = sign_in_superuser()
    home = read_page(client.get(build("django_wfe_console")))
    assert "4 jobs failed in the last hour, 0 in the hour before" in home.text
    assert "rising" not in home.text  # too few to say so
    fail(1)
    assert "5 jobs failed in the last hour, 0 in the hour before – rising" in read_page(client.get("/admin/")).text
    StepRun.objects.filter(state="FAILED").update(finished_at=timezone.now() - timedelta(minutes=90))
    trend = count_failures(User.objects.latest("pk"))
    assert (trend.last_hour, trend.hour_before, trend.is_rising) == (0, 5, False)
    home = read_page(client.get(build("django_wfe_console")))
    assert "0 jobs failed in the last hour, 5 in the hour before" in home.text
    assert "rising" not in home.text


def test_an_unknown_incident_is_not_found() -> None:
    fail(1)
    client = sign_in_superuser()
    for fingerprint in ("0" * 64, "x", "%00", "é"):
        assert client.get(f"/admin/django_wfe/job/incidents/{fingerprint}/").status_code == 404


@pytest.mark.parametrize(("last", "before", "is_rising"), [(4, 0, False), (5, 0, True), (5, 4, False), (60, 50, False)])
def test_only_a_difference_that_chance_would_not_make_is_called_rising(last: int, before: int, is_rising: bool) -> None:
    assert Trend(last, before).is_rising == is_rising


def test_a_job_that_was_tried_often_counts_once_in_the_trend() -> None:
    jobs, _fingerprint = fail(1)
    for attempt in range(2, 8):
        run = StepRun.objects.get(job_id=jobs[0], state="FAILED", attempt=attempt - 1)
        run.pk, run.attempt = None, attempt
        run.save(force_insert=True)
    trend = count_failures(User.objects.create_superuser("cas"))
    assert (trend.last_hour, trend.is_rising) == (1, False)


def fail_with(message: str, monkeypatch: pytest.MonkeyPatch, times: int = 1) -> tuple[list[int], str]:
    def execute(self: Any, _input: Any = None) -> Any:
        raise ValueError(message)

    monkeypatch.setattr(Fail, "execute", execute)
    return fail(times)


def test_variants_at_one_place_are_told_apart_and_each_is_repaired_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    closed, at_closed = fail_with("the bank is closed since 7:15", monkeypatch, 3)
    address, at_address = fail_with("no address", monkeypatch)
    client = sign_in_superuser()
    assert read_page(client.get(build("django_wfe_incidents"))).facts["incidents"] == "2"
    page = read_page(client.get(build("django_wfe_incident", at_closed)))
    assert "Failures at the same place" in page.text
    assert page.facts["jobs"] == "3"
    other = read_page(client.get(page.find_link(f"/incidents/{at_address}/")))
    assert other.facts["jobs"] == "1"
    repair(client, at_address, "all")
    assert list_jobs(BulkRun.objects.get()) == address
    cancel_job(address[0])
    assert "Failures at the same place" not in read_page(client.get(build("django_wfe_incident", at_closed))).text
    assert read_page(client.get(build("django_wfe_incident", at_closed))).facts["jobs"] == str(len(closed))


def test_an_incident_is_skipped_with_one_result_and_stops_if_the_failure_comes_back() -> None:
    jobs, fingerprint = fail(12)
    client = sign_in_superuser()
    page = read_page(client.get(build("django_wfe_incident_verb", fingerprint, "skip", "ten")))
    assert "“Fail” does not run in 10 jobs, which go on with the result that you enter." in page.text
    assert "stop if this failure comes back" in page.text
    repair(client, fingerprint, "ten", verb="skip", result='{"paid": false}')
    bulk = BulkRun.objects.get()
    assert (bulk.verb, bulk.stop_on_fingerprint, list_jobs(bulk)) == ("skip", fingerprint, jobs[:10])
    work_to_the_end(bulk)
    assert StepRun.objects.filter(state="SKIPPED", result={"paid": False}).count() == 10
    assert Job.objects.filter(state="FINISHED").count() == 10


def test_junk_in_the_place_of_a_result_skips_nothing() -> None:
    _jobs, fingerprint = fail(2)
    client = sign_in_superuser()
    response = repair(client, fingerprint, "all", verb="skip", result="{")
    assert response.status_code == 200
    assert not BulkRun.objects.exists()


def test_an_incident_is_canceled_after_a_preview_that_promises_no_stop() -> None:
    _jobs, fingerprint = fail(3)
    client = sign_in_superuser()
    page = read_page(client.get(build("django_wfe_incident_verb", fingerprint, "cancel", "all")))
    assert "3 jobs that failed at “Fail” end as canceled and cannot be taken up again." in page.text
    assert "comes back" not in page.text
    repair(client, fingerprint, "all", verb="cancel")
    bulk = BulkRun.objects.get()
    assert (bulk.verb, bulk.stop_on_fingerprint) == ("cancel", "")
    work_to_the_end(bulk)
    assert set(Job.objects.values_list("state", flat=True)) == {"CANCELED"}
    assert "Solved:" in read_page(client.get(build("django_wfe_incident", fingerprint))).text
