"""Verbs on whole filters and on many jobs: previewed by counting, run by the workers, watched and stopped on a page."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core import signing
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from django_wfe.admin.bulk import actions, runs
from django_wfe.admin.bulk.filters import SALT, ChosenFilter
from django_wfe.engine.access import count_seen
from django_wfe.engine.bulk.runs import start_bulk, stop_bulk, work_on_bulk
from django_wfe.engine.lifecycle import run_workflow
from django_wfe.models import BulkEvent, BulkItem, BulkRun, Job, JobEvent, Workflow
from tests.support.doors.console import list_messages, read_page, record, sign_in, sign_in_superuser
from tests.workflows import Asking, Failing, Linear

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

LIST = "/admin/django_wfe/job/"


def build(name: str, *arguments: object) -> str:
    return reverse(f"admin:{name}", args=arguments)


def choose_all(client: Client, action: str, query: str = "") -> Any:
    """Tick a job of the list, and "all that match"."""
    data = {"action": action, "_selected_action": [Job.objects.latest("pk").pk], "select_across": "1"}
    return client.post(f"{LIST}?{query}", data)


def confirm(client: Client, response: Any, reason: str = "") -> Any:
    [form] = [form for form in read_page(response).forms if form.identifier == "verb-form"]
    data = {name: value for name, value in form.list_pairs(None) if isinstance(value, str)}
    return client.post(form.action, {**data, "reason": reason}, follow=True)


def copy_jobs(count: int) -> None:
    """Add jobs like the newest one, at once."""
    job = Job.objects.latest("pk")
    same = {name: getattr(job, name) for name in ("workflow_id", "definition_id", "state", "current_step")}
    Job.objects.bulk_create(Job(**same) for _ in range(count))


def make_bulk(count: int = 3, **options: Any) -> BulkRun:
    record(Failing)
    for _ in range(count):
        run_workflow(Failing)
    return start_bulk("retry", Job.objects.filter(state="FAILED"), **options)


def test_all_that_match_a_filter_are_counted_previewed_and_taken() -> None:
    record(Asking)
    jobs = [run_workflow(Asking) for _ in range(3)]
    finished = run_workflow(record(Linear))
    client = sign_in_superuser()
    response = choose_all(client, "cancel_selected", "state=INPUT_REQUIRED")
    page = read_page(response)
    assert page.facts["allowed"] == "3"
    assert "waiting for input" in page.text
    assert not BulkRun.objects.exists()
    response = confirm(client, response, "No longer needed.")
    run = BulkRun.objects.get()
    assert response.redirect_chain == [(build("django_wfe_bulkrun_change", run.pk), 302)]
    assert list(run.items.order_by("pk").values_list("job_id", flat=True)) == jobs
    assert (run.reason, run.source, run.actor_name) == (
        "No longer needed.",
        "admin",
        User.objects.latest("pk").username,
    )
    work_on_bulk(run.pk)
    assert set(Job.objects.filter(pk__in=jobs).values_list("state", flat=True)) == {"CANCELED"}
    assert Job.objects.get(pk=finished).state == "FINISHED"
    assert {event.data["reason"] for event in JobEvent.objects.filter(kind="canceled")} == {"No longer needed."}
    assert "No longer needed." in LogEntry.objects.get().change_message


def test_a_filter_of_thousands_leaves_no_ids_in_the_page_nor_in_the_queries() -> None:
    run_workflow(record(Failing))
    copy_jobs(3000)
    client = sign_in_superuser()
    with CaptureQueriesContext(connection) as few:
        response = choose_all(client, "retry_selected", "state=FAILED")
    assert len(response.content) < 30_000
    with CaptureQueriesContext(connection) as many:
        confirm(client, response)
    assert BulkRun.objects.get().total == 3001
    assert len(few) + len(many) < 50
    assert max(len(query["sql"]) for query in [*few, *many]) < 5_000


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"asking", "failing", "mine"}),
        ("state=FAILED", {"failing"}),
        ("workflow={asking_workflow}", {"asking", "mine"}),
        ("mine=yes", {"mine"}),
        ("current_step=tests.workflows.Fail", {"failing"}),
        ("q=order+7", {"mine"}),
        ("q={failing}", {"failing"}),
        ("age=hour&state=open", {"asking", "failing", "mine"}),
        ("state=FAILED&p=7", {"failing"}),
    ],
)
def test_each_filter_of_the_list_is_carried(query: str, expected: set[str]) -> None:
    client = sign_in_superuser()
    asking = record(Asking)
    ids = {
        "asking": run_workflow(Asking),
        "failing": run_workflow(record(Failing)),
        "mine": run_workflow(Asking, key="order 7", created_by=User.objects.latest("pk")),
    }
    response = choose_all(client, "cancel_selected", query.format(**ids, asking_workflow=asking.pk))
    if "p=7" in query:  # a page that the list does not have: it shows the first
        response = choose_all(client, "cancel_selected", query.replace("&p=7", ""))
    confirm(client, response)
    taken = set(BulkRun.objects.get().items.values_list("job_id", flat=True))
    assert taken == {ids[name] for name in expected}


def test_jobs_that_came_after_the_preview_are_left_out() -> None:
    first = run_workflow(record(Failing))
    client = sign_in_superuser()
    response = choose_all(client, "retry_selected", "state=FAILED")
    run_workflow(Failing)
    confirm(client, response)
    assert list(BulkRun.objects.get().items.values_list("job_id", flat=True)) == [first]


def test_the_preview_tells_what_is_left_alone_and_why() -> None:
    run_workflow(record(Asking))
    run_workflow(record(Linear))
    page = read_page(choose_all(sign_in_superuser(), "cancel_selected"))
    assert page.facts["allowed"] == "1"
    assert "All jobs that you may see: no filter is set." in page.text
    assert "The job has ended already." in page.text


def test_where_nothing_can_be_done_there_is_no_button() -> None:
    run_workflow(record(Linear))
    page = read_page(choose_all(sign_in_superuser(), "retry_selected"))
    assert not any(form.identifier == "verb-form" for form in page.forms)
    assert "Only a failed job can be tried again." in page.text


@pytest.mark.parametrize(
    "token",
    [
        "",
        "junk",
        ChosenFilter("cancel", "", 10**9).sign(),
        ChosenFilter("retry", "state=FAILED", 10**9).sign()[:-1],
        signing.dumps({"verb": "retry", "query": "", "newest": 10**9}, salt=SALT + "other"),
    ],
)
def test_a_filter_that_was_changed_or_is_for_another_verb_starts_nothing(token: str) -> None:
    run_workflow(record(Failing))
    response = sign_in_superuser().post(build("django_wfe_job_bulk_filter", "retry"), {"filter": token}, follow=True)
    assert "nothing was changed" in list_messages(response)[0]
    assert not BulkRun.objects.exists()


def test_a_filter_takes_only_what_the_user_may_see() -> None:
    run_workflow(record(Failing))
    guarded = run_workflow(record(Asking))
    Job.objects.get(pk=guarded).workflow.__class__.objects.filter(name="Asking").update(groups=["auditors"])
    token = ChosenFilter("cancel", "", 10**9).sign()
    client = sign_in("view_job", "cancel_job")
    client.post(build("django_wfe_job_bulk_filter", "cancel"), {"filter": token})
    assert guarded not in BulkRun.objects.get().items.values_list("job_id", flat=True)


def test_more_than_a_hundred_ticked_jobs_become_a_bulk_run_of_those_that_stand_as_they_were_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(actions, "IMMEDIATE_LIMIT", 2)
    record(Failing)
    jobs = [run_workflow(Failing) for _ in range(4)]
    client = sign_in_superuser()
    response = client.post(LIST, {"action": "retry_selected", "_selected_action": jobs})
    assert "Workers process one job after another" in read_page(response).text
    Job.objects.filter(pk=jobs[0]).update(state="CANCELED")
    confirm(client, response)
    assert list(BulkRun.objects.get().items.order_by("pk").values_list("job_id", flat=True)) == jobs[1:]


def test_up_to_a_hundred_ticked_jobs_are_done_at_once() -> None:
    job = run_workflow(record(Asking))
    client = sign_in_superuser()
    confirm(client, client.post(LIST, {"action": "cancel_selected", "_selected_action": [job]}))
    assert Job.objects.get(pk=job).state == "CANCELED"
    assert not BulkRun.objects.exists()


def test_the_page_shows_progress_and_what_came_of_each_job() -> None:
    run = make_bulk(3, reason="again", actor=User.objects.create_superuser("operator"))
    Job.objects.filter(pk=run.items.latest("pk").job_id).update(state="CANCELED")
    client, address = sign_in_superuser(), build("django_wfe_bulkrun_change", run.pk)
    page = read_page(client.get(address))
    assert page.facts["live"] == "1"
    assert "Retry: 0 of 3 jobs." in page.text
    assert "by operator" in page.text
    work_on_bulk(run.pk)
    response = client.get(address)
    page = read_page(response)
    assert "Retry: 3 of 3 jobs." in page.text
    assert page.facts["state"] == "FINISHED"
    assert "live" not in page.facts
    assert 'value="3"' in response.content.decode()
    assert [row.facts["item"] for row in page.rows if "item" in row.facts] == ["DONE", "DONE", "REFUSED"]
    refused = read_page(client.get(f"{address}?items=REFUSED"))
    assert [row.facts["item"] for row in refused.rows if "item" in row.facts] == ["REFUSED"]
    assert "Only a failed job can be tried again." in refused.text


def test_results_come_a_window_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "ITEMS_SHOWN", 2)
    run = make_bulk(3)
    client, address = sign_in_superuser(), build("django_wfe_bulkrun_change", run.pk)
    page = read_page(client.get(address))
    assert sum("item" in row.facts for row in page.rows) == 2
    page = read_page(client.get(page.find_link("after=")))
    assert sum("item" in row.facts for row in page.rows) == 1
    for junk in ("x", "-1", "9" * 30):
        assert read_page(client.get(f"{address}?after={junk}&items={junk}"))


def test_the_page_asks_as_many_queries_for_one_job_as_for_many() -> None:
    one, many = make_bulk(1), make_bulk(20)
    client = sign_in_superuser()

    def ask(run: BulkRun) -> int:
        with CaptureQueriesContext(connection) as captured:
            read_page(client.get(build("django_wfe_bulkrun_change", run.pk)))
        return len(captured)

    ask(one)
    assert ask(one) == ask(many)


def test_it_is_stopped_with_a_reason_and_only_once() -> None:
    run = make_bulk(2)
    client, address = sign_in_superuser(), build("django_wfe_bulkrun_stop", run.pk)
    page = read_page(client.get(build("django_wfe_bulkrun_change", run.pk)))
    assert any(form.identifier == "stop-form" for form in page.forms)
    assert client.get(address).status_code == 405
    stopped = client.post(address, {"reason": "wrong jobs"}, follow=True)
    assert list_messages(stopped) == ["It was stopped. What is done stays done."]
    page = read_page(stopped)
    assert page.facts["state"] == "STOPPED"
    assert "wrong jobs" in page.text
    assert not any(form.identifier == "stop-form" for form in page.forms)
    assert "Nothing was changed" in list_messages(client.post(address, follow=True))[-1]
    assert LogEntry.objects.count() == 1


def test_a_reason_that_is_too_long_stops_nothing() -> None:
    run = make_bulk(1)
    sign_in_superuser().post(build("django_wfe_bulkrun_stop", run.pk), {"reason": "x" * 1001})
    assert BulkRun.objects.get().state == "WAITING"


def test_people_see_their_own_bulk_runs_and_those_of_others_with_the_permission() -> None:
    client = sign_in("view_job", "retry_job")
    user = User.objects.latest("pk")
    own, other = make_bulk(1, actor=user), make_bulk(1)
    changelist = build("django_wfe_bulkrun_changelist")
    assert [run.pk for run in client.get(changelist).context["cl"].result_list] == [own.pk]
    assert read_page(client.get(build("django_wfe_bulkrun_change", own.pk)))
    assert client.get(build("django_wfe_bulkrun_change", other.pk)).status_code == 404
    assert client.post(build("django_wfe_bulkrun_stop", other.pk)).status_code == 404
    user.user_permissions.add(Permission.objects.get(codename="view_bulkrun"))
    assert [run.pk for run in client.get(changelist).context["cl"].result_list] == [other.pk, own.pk]
    assert read_page(client.get(build("django_wfe_bulkrun_change", other.pk)))


def test_jobs_of_workflows_that_the_user_may_not_see_are_neither_listed_nor_counted() -> None:
    run_workflow(record(Linear))
    mixed, closed = start_bulk("retry", Job.objects.all()), make_bulk(1)
    failed = run_workflow(Failing)
    both = start_bulk("retry", Job.objects.all())
    stop_bulk(both.pk, reason="the failure came back in a job")
    Workflow.objects.filter(name="Failing").update(groups=["auditors"])
    client = sign_in("view_job", "view_bulkrun", "retry_job")
    shown = client.get(build("django_wfe_bulkrun_changelist"))
    assert [(run.pk, count_seen(run)) for run in shown.context["cl"].result_list] == [(both.pk, 1), (mixed.pk, 1)]
    page = read_page(client.get(build("django_wfe_bulkrun_change", both.pk)))
    assert [row.facts["item"] for row in page.rows if "item" in row.facts] == ["PENDING"]
    assert f"Failing #{failed}" not in page.text
    assert "Retry: 0 of 1 job." in page.text
    for name in ("change", "history", "stop"):
        assert client.post(build(f"django_wfe_bulkrun_{name}", closed.pk)).status_code in (302, 404), name
    assert client.get(build("django_wfe_bulkrun_change", closed.pk)).status_code == 404


def test_a_run_of_somebody_else_that_holds_jobs_of_others_is_theirs_to_stop() -> None:
    run_workflow(record(Linear))
    make_bulk(1)
    run = start_bulk("retry", Job.objects.all())
    Workflow.objects.filter(name="Failing").update(groups=["auditors"])
    client = sign_in("view_job", "view_bulkrun", "retry_job")
    page = read_page(client.get(build("django_wfe_bulkrun_change", run.pk)))
    assert not any(form.identifier == "stop-form" for form in page.forms)
    assert client.post(build("django_wfe_bulkrun_stop", run.pk)).status_code == 403
    run.refresh_from_db()
    assert run.state == BulkRun.State.WAITING
    own = start_bulk("retry", Job.objects.all(), actor=User.objects.latest("pk"))
    assert client.post(build("django_wfe_bulkrun_stop", own.pk)).status_code == 302
    own.refresh_from_db()
    assert own.state == BulkRun.State.STOPPED


def test_each_stop_stands_on_the_page_with_who_when_why_and_from_where() -> None:
    run = make_bulk(1)
    client = sign_in("view_job", "view_bulkrun", "retry_job")
    client.post(build("django_wfe_bulkrun_stop", run.pk), {"reason": "the wrong filter"})
    operator = User.objects.latest("pk")
    event = BulkEvent.objects.get(bulk_run=run)
    assert (event.kind, event.actor, event.actor_name) == ("stopped", operator, operator.username)
    assert (event.source, event.reason) == ("admin", "the wrong filter")
    for name in ("change", "history"):
        page = read_page(client.get(build(f"django_wfe_bulkrun_{name}", run.pk)))
        assert [row.facts["event"] for row in page.rows if "event" in row.facts] == ["stopped"]
        assert f"{operator.username} admin the wrong filter" in " ".join(page.text.split())


def test_a_refusal_never_quotes_the_input_that_a_job_was_given() -> None:
    job = Job.objects.get(pk=run_workflow(record(Asking)))
    job.step_runs.filter(state="INPUT_REQUIRED").update(state="FAILED", external_data={"some_data": "the secret"})
    Job.objects.filter(pk=job.pk).update(state="FAILED")
    run = start_bulk("retry", Job.objects.all(), options={"external_data": {"some_data": "the secret"}})
    work_on_bulk(run.pk)
    item = BulkItem.objects.get()
    assert item.state == BulkItem.State.REFUSED
    assert "some_data" in item.message
    assert "the secret" not in item.message


def test_a_run_that_stopped_is_no_longer_live() -> None:
    run = make_bulk(1)
    stop_bulk(run.pk, reason="enough")
    page = read_page(sign_in_superuser().get(build("django_wfe_bulkrun_change", run.pk)))
    assert "live" not in page.facts
    assert "Not reached" in page.text
