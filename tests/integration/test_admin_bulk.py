"""Operator verbs on many jobs: previewed, checked per job, told per job."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from django_wfe.admin.bulk import actions
from django_wfe.engine.lifecycle import VERBS, cancel_job, run_workflow
from django_wfe.models import Job, JobEvent
from tests.support.doors.console import describe_database, list_messages, read_page, record, sign_in, sign_in_superuser
from tests.workflows import Asking, Failing, Linear

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

LIST = "/admin/django_wfe/job/"


def choose(client: Client, action: str, *job_ids: int, **extra: str) -> Any:
    return client.post(LIST, {"action": action, "_selected_action": job_ids, **extra}, follow=True)


def confirm(client: Client, response: Any, reason: str = "") -> Any:
    [form] = [form for form in read_page(response).forms if form.identifier == "verb-form"]
    data = {name: value for name, value in form.list_pairs(None) if isinstance(value, str)}
    return client.post(form.action, {**data, "reason": reason}, follow=True)


def get_states(*job_ids: int) -> list[str]:
    states = dict(Job.objects.values_list("pk", "state"))
    return [states[job_id] for job_id in job_ids]


def test_the_preview_says_which_jobs_are_touched_and_changes_nothing() -> None:
    waiting, finished = run_workflow(record(Asking)), run_workflow(record(Linear))
    before = describe_database()
    response = choose(sign_in_superuser(), "cancel_selected", waiting, finished)
    text = read_page(response).text
    assert "Cancel: 1 job." in text
    assert "1 is left alone." in text
    assert "The job has ended already." in text
    assert describe_database() == before


def test_the_right_is_asked_for_each_job(monkeypatch: pytest.MonkeyPatch) -> None:
    record(Asking)
    jobs = [run_workflow(Asking) for _ in range(3)]
    client = sign_in("view_job", "cancel_job")
    user = User.objects.latest("pk")
    apply = VERBS["cancel"].apply

    def cancel_and_lose(*args: Any, **options: Any) -> None:
        apply(*args, **options)
        user.user_permissions.clear()

    monkeypatch.setattr(VERBS["cancel"], "apply", cancel_and_lose)
    preview = choose(client, "cancel_selected", *jobs)
    [form] = [form for form in read_page(preview).forms if form.identifier == "verb-form"]
    client.post(form.action, {name: value for name, value in form.list_pairs(None) if isinstance(value, str)})
    assert sorted(get_states(*jobs)) == ["CANCELED", "INPUT_REQUIRED", "INPUT_REQUIRED"]


def test_each_verb_is_run_on_the_jobs_that_allow_it() -> None:
    record(Asking)
    client = sign_in_superuser()
    jobs = [run_workflow(Asking) for _ in range(2)]
    confirm(client, choose(client, "pause_selected", *jobs))
    assert get_states(*jobs) == ["PAUSED"] * 2
    confirm(client, choose(client, "resume_selected", *jobs))
    assert get_states(*jobs) == ["INPUT_REQUIRED"] * 2
    response = confirm(client, choose(client, "cancel_selected", *jobs), "No longer needed.")
    assert list_messages(response) == ["Cancel: done for 2 jobs."]
    assert get_states(*jobs) == ["CANCELED"] * 2
    assert {event.data["reason"] for event in JobEvent.objects.filter(kind="canceled")} == {"No longer needed."}
    assert LogEntry.objects.count() == 6


def test_failed_jobs_are_retried() -> None:
    client, job_id = sign_in_superuser(), run_workflow(record(Failing))
    confirm(client, choose(client, "retry_selected", job_id))
    assert get_states(job_id) == ["ONGOING"]


def test_a_job_that_changed_since_the_preview_is_left_alone() -> None:
    record(Asking)
    client = sign_in_superuser()
    first, second = run_workflow(Asking), run_workflow(Asking)
    response = choose(client, "pause_selected", first, second)
    cancel_job(first)
    texts = list_messages(confirm(client, response))
    assert texts[0] == "Pause: done for 1 job."
    assert texts[1].startswith(f"Left alone: Asking #{first}: ")
    assert get_states(first, second) == ["CANCELED", "PAUSED"]


def test_an_action_without_its_permission_is_not_offered_and_not_taken() -> None:
    job_id = run_workflow(record(Asking))
    client, before = sign_in("view_job", "pause_job"), describe_database()
    assert "cancel_selected" not in client.get(LIST).content.decode()
    assert "pause_selected" in client.get(LIST).content.decode()
    assert list_messages(choose(client, "cancel_selected", job_id)) == ["No action selected."]
    assert describe_database() == before


def test_too_many_jobs_are_politely_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "BULK_LIMIT", 1)
    record(Asking)
    jobs = [run_workflow(Asking) for _ in range(2)]
    client, before = sign_in_superuser(), describe_database()
    [text] = list_messages(choose(client, "cancel_selected", *jobs))
    assert text.startswith("More than 1 jobs are selected.")
    posted = client.post(
        f"{LIST}bulk/cancel/", {"jobs": ",".join(f"{job}:INPUT_REQUIRED" for job in jobs)}, follow=True
    )
    assert list_messages(posted)[0].startswith("More than 1 jobs are selected.")
    assert describe_database() == before


@pytest.mark.parametrize("jobs", ["", "x", "1:FAILED,y", "١:FAILED", "99999999999999999999:FAILED", "999999:FAILED"])
def test_a_selection_that_names_no_job_changes_nothing(jobs: str) -> None:
    run_workflow(record(Asking))
    client, before = sign_in_superuser(), describe_database()
    response = client.post(f"{LIST}bulk/cancel/", {"jobs": jobs}, follow=True)
    assert len(list_messages(response)) == 1
    assert describe_database() == before


def test_the_preview_asks_the_same_number_of_queries_for_many_jobs() -> None:
    record(Asking)
    jobs = [run_workflow(Asking) for _ in range(12)]
    client = sign_in_superuser()

    def count(*job_ids: int) -> int:
        with CaptureQueriesContext(connection) as captured:
            client.post(LIST, {"action": "cancel_selected", "_selected_action": job_ids})
        return len(captured)

    assert count(jobs[0]) == count(*jobs)
