"""Failures of one kind over all jobs: which there are, how many jobs stand at them, and that this stays fast."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.utils import timezone

from django_wfe import run_workflow, steps
from django_wfe import workflows as wfe_workflows
from django_wfe.engine.access import list_visible_jobs
from django_wfe.engine.bulk.runs import preview_bulk, start_bulk
from django_wfe.engine.lifecycle import cancel_job, order_workflow_execution, rerun_job, retry_job, skip_step
from django_wfe.engine.project_code.recording import describe_workflow, record_workflow
from django_wfe.engine.queries import incidents
from django_wfe.engine.queries.incidents import jobs_of_incident, list_incidents
from django_wfe.engine.recovery.sweeping import sweep
from django_wfe.engine.store.claims import claim_step_run
from django_wfe.models import Job, JobState, StepRun, StepRunState, Worker, Workflow
from django_wfe.retry import Retry
from tests import workflows
from tests.support.running.engine_helpers import RecordingDispatcher, create_user, recording_dispatcher, run_ready

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


class Collapse(steps.Step):
    retry = Retry(max_attempts=3, backoff=0, jitter=0)

    def execute(self) -> Any:
        raise ConnectionError("the bank is gone")


class Collapsing(wfe_workflows.Workflow):
    DIGRAPH = {steps.__start__: [Collapse]}


@pytest.fixture(autouse=True)
def sent() -> Iterator[RecordingDispatcher]:
    with recording_dispatcher() as dispatcher:
        yield dispatcher


@pytest.fixture(params=["exact", "capped"])
def counting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of counting: up to ten thousand failed jobs, and beyond."""
    if request.param == "capped":
        monkeypatch.setattr(incidents, "EXACT_JOBS", 0)
    return str(request.param)


def fail_jobs(number: int = 1) -> list[int]:
    return [run_workflow(workflows.Failing) for _ in range(number)]


def list_jobs(fingerprint: str) -> set[int]:
    return set(jobs_of_incident(fingerprint).values_list("pk", flat=True))


def insert_failures(jobs: int, kinds: int) -> None:
    """Insert failed jobs with a finished and a failed step run each, by SQL; each tenth has been repaired since."""
    workflow = record_workflow(describe_workflow(workflows.Failing))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO django_wfe_job (uuid, workflow_id, definition_id, state, current_step, current_step_number,
                                        created_at, finished_at, error)
            SELECT gen_random_uuid(), %s, %s, CASE WHEN number %% 10 = 0 THEN 'FINISHED' ELSE 'FAILED' END,
                   'tests.workflows.Fail', 2, now(), now() - (%s - number) * INTERVAL '1 second', 'x'
            FROM generate_series(1, %s) AS number
            """,
            [workflow.pk, workflow.current_definition_id, jobs, jobs],
        )
        cursor.execute(
            """
            INSERT INTO django_wfe_steprun (job_id, number, attempt, step, state, epoch, created_at, due_at,
                finished_at, lost_before, superseded, dispatched_at, dispatches, error_type, error, traceback,
                fingerprint)
            SELECT job.id, number, 1, 'tests.workflows.Fail', CASE number WHEN 2 THEN 'FAILED' ELSE 'FINISHED' END, 1,
                   now(), now(), job.finished_at, 0, FALSE, now(), 0, 'ValueError', 'no luck', repeat('line ', 200),
                   CASE number WHEN 2 THEN 'kind ' || mod(job.id, %s) ELSE '' END
            FROM django_wfe_job AS job, generate_series(1, 2) AS number
            """,
            [kinds],
        )
        cursor.execute("ANALYZE django_wfe_job")
        cursor.execute("ANALYZE django_wfe_steprun")


def test_without_failures_there_is_no_incident(counting: str) -> None:
    run_workflow(workflows.Linear)
    assert list_incidents(None) == []


def test_failures_of_one_kind_are_one_incident(counting: str) -> None:
    failed = fail_jobs(3)
    other = run_ready(run_workflow(Collapsing)).pk
    newest, oldest = list_incidents(None)
    assert (newest.jobs, oldest.jobs) == (1, 3)
    assert list_jobs(newest.fingerprint) == {other}
    assert list_jobs(oldest.fingerprint) == set(failed)
    assert (oldest.step, oldest.error_type) == ("tests.workflows.Fail", "ValueError")
    assert oldest.message == "attempt 1 fails"
    assert oldest.job_id == failed[-1]
    assert StepRun.objects.get(pk=oldest.step_run_id).job_id == failed[-1]
    runs = StepRun.objects.filter(state=StepRunState.FAILED, step="tests.workflows.Fail").order_by("id")
    assert (oldest.first_seen, oldest.last_seen) == (runs[0].finished_at, runs[2].finished_at)


def test_a_job_counts_once_however_often_it_was_tried(counting: str) -> None:
    job_id = run_ready(run_workflow(Collapsing)).pk
    assert StepRun.objects.filter(job=job_id, state=StepRunState.FAILED).count() == 3
    (incident,) = list_incidents(None)
    assert incident.jobs == 1
    assert list_jobs(incident.fingerprint) == {job_id}


@pytest.mark.parametrize(
    "repair",
    [
        retry_job,
        lambda job_id: skip_step(job_id, "by hand"),
        lambda job_id: rerun_job(job_id, 1),
        cancel_job,
    ],
    ids=["retry", "skip", "rerun", "cancel"],
)
def test_a_repaired_job_is_no_longer_in_the_incident(repair: Any, counting: str) -> None:
    repaired, failed = fail_jobs(2)
    repair(repaired)
    (incident,) = list_incidents(None)
    assert (incident.jobs, incident.job_id) == (1, failed)
    assert list_jobs(incident.fingerprint) == {failed}
    repair(failed)
    assert list_incidents(None) == []
    assert list_jobs(incident.fingerprint) == set()


def test_a_job_that_fails_elsewhere_after_a_repair_belongs_to_its_new_incident(
    counting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (job_id,) = fail_jobs()
    (before,) = list_incidents(None)
    retry_job(job_id)

    def break_otherwise(self, _input=None):
        raise KeyError("elsewhere")

    monkeypatch.setattr(workflows.Fail, "execute", break_otherwise)
    run_ready(job_id)
    (after,) = list_incidents(None)
    assert after.error_type == "KeyError"
    assert list_jobs(before.fingerprint) == set()
    assert list_jobs(after.fingerprint) == {job_id}


def test_a_step_that_kills_its_workers_is_an_incident_too() -> None:
    job_id = order_workflow_execution(workflows.Linear)
    for _ in range(3):
        worker = Worker.objects.create(hostname="barn", pid=1, last_seen=timezone.now() - timedelta(minutes=1))
        run = StepRun.objects.get(job_id=job_id, state=StepRunState.READY)
        assert claim_step_run(run.pk, worker.pk)
        sweep()
    (incident,) = list_incidents(None)
    assert (incident.error_type, incident.jobs) == ("LostTooOften", 1)
    assert list_jobs(incident.fingerprint) == {job_id}


def test_only_incidents_seen_since_a_time_are_listed(counting: str) -> None:
    fail_jobs()
    (incident,) = list_incidents(None)
    assert list_incidents(None, since=incident.last_seen) == [incident]
    assert list_incidents(None, since=incident.last_seen + timedelta(seconds=1)) == []


def test_a_user_sees_the_incidents_of_the_jobs_that_the_user_may_see(counting: str) -> None:
    fail_jobs(2)
    assert list_incidents(create_user("stranger")) == []
    viewer = create_user("viewer", "view_job")
    assert [incident.jobs for incident in list_incidents(viewer)] == [2]
    Workflow.objects.update(groups=["Bookkeeping"])
    assert list_incidents(create_user("other", "view_job")) == []
    member = create_user("member", "view_job")
    member.groups.add(Group.objects.create(name="Bookkeeping"))
    (incident,) = list_incidents(member)
    assert incident.jobs == 2
    assert (list_visible_jobs(member) & jobs_of_incident(incident.fingerprint)).count() == 2


def test_the_jobs_of_an_incident_can_be_repaired_in_bulk() -> None:
    failed = fail_jobs(3)
    run_workflow(workflows.Linear)
    (incident,) = list_incidents(None)
    jobs = jobs_of_incident(incident.fingerprint)
    assert preview_bulk("retry", jobs).allowed == 3
    bulk = start_bulk("retry", jobs, stop_on_fingerprint=incident.fingerprint)
    assert list(bulk.items.order_by("id").values_list("job", flat=True)) == failed


@pytest.mark.parametrize("fingerprint", ["", "unknown", "nul \0", "' OR 1=1 --"])
def test_a_fingerprint_that_is_none_has_no_jobs(fingerprint: str) -> None:
    fail_jobs()
    assert list_jobs(fingerprint) == set()


def test_twenty_thousand_failures_are_listed_by_index_and_counted_up_to_a_cap(
    django_assert_max_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert_failures(20_000, kinds=20)
    plans: list[str] = []
    fetch = incidents.fetch_rows

    def explain_and_fetch(statement: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
        plans.extend(row[0] for row in fetch(f"EXPLAIN {statement}", parameters))
        return fetch(statement, parameters)

    monkeypatch.setattr(incidents, "fetch_rows", explain_and_fetch)
    found = list_incidents(None)
    assert len(found) == 20 - 2, "two kinds are repaired"
    assert all((incident.jobs, incident.is_capped) == (incidents.COUNT_CAP, True) for incident in found)
    assert any("wfe_run_incident" in line for line in plans)
    assert not any("Seq Scan on django_wfe_steprun" in line for line in plans), "\n".join(plans)
    assert not any("Seq Scan on django_wfe_job" in line for line in plans), "\n".join(plans)
    monkeypatch.setattr(incidents, "fetch_rows", fetch)
    with django_assert_max_num_queries(10):
        assert list_incidents(None) == found
    fingerprint = found[0].fingerprint
    assert jobs_of_incident(fingerprint).count() == 1000
    plan = jobs_of_incident(fingerprint).order_by("-pk")[:50].explain()
    assert "Seq Scan" not in plan


def test_up_to_ten_thousand_failed_jobs_are_counted_exactly(django_assert_max_num_queries: Any) -> None:
    insert_failures(10_000, kinds=10)
    assert Job.objects.filter(state=JobState.FAILED).count() == 9000
    with django_assert_max_num_queries(10):
        found = list_incidents(None)
    assert [(incident.jobs, incident.is_capped) for incident in found] == [(1000, False)] * 9
    assert [incident.last_seen for incident in found] == sorted((i.last_seen for i in found), reverse=True)


def test_at_most_fifty_incidents_are_listed_those_seen_last(counting: str) -> None:
    insert_failures(200, kinds=100)
    found = list_incidents(None)
    assert len(found) == incidents.SHOWN
    assert found[-1].last_seen > timezone.now() - timedelta(minutes=2)
