"""Failures that were stored under other fingerprints get today's, and open repairs go on over both."""

from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection

from django_wfe.engine.bulk.runs import start_bulk, work_on_bulk
from django_wfe.engine.lifecycle import run_workflow
from django_wfe.engine.queries.incidents import jobs_of_incident, list_incidents
from django_wfe.engine.recovery import fingerprints
from django_wfe.engine.recovery.fingerprints import renew_fingerprints
from django_wfe.models import BulkRun, Job, StepRun
from tests import workflows
from tests.support.running.engine_helpers import look_again, recording_dispatcher, run_ready, work_to_the_end

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

OLD = "0a" * 32


@pytest.fixture(autouse=True)
def sent():
    with recording_dispatcher() as dispatcher:
        yield dispatcher


def fail_as_before(messages, monkeypatch):
    """Let a job fail with each message, all of it one incident as it was before; return the jobs."""
    jobs = []
    for message in messages:
        monkeypatch.setattr(workflows.Fail, "execute", break_with(message))
        jobs.append(run_workflow(workflows.Failing))
    StepRun.objects.filter(state="FAILED").update(fingerprint=OLD)
    return jobs


def break_with(message):
    def execute(self, _input=None):
        raise ValueError(message)

    return execute


def test_one_incident_becomes_those_that_it_was_made_of(monkeypatch):
    jobs = fail_as_before(["the bank is closed", "no address", "the bank is closed"], monkeypatch)
    assert [incident.jobs for incident in list_incidents(None)] == [3]
    monkeypatch.setattr(fingerprints, "BATCH", 2)
    assert renew_fingerprints() == 3
    closed, address = list_incidents(None)
    assert (closed.message, closed.jobs, address.message, address.jobs) == ("the bank is closed", 2, "no address", 1)
    assert set(jobs_of_incident(closed.fingerprint).values_list("pk", flat=True)) == {jobs[0], jobs[2]}
    # A failure to come joins what was stored.
    jobs.append(run_workflow(workflows.Failing))
    assert [incident.jobs for incident in list_incidents(None)] == [3, 1]
    assert renew_fingerprints() == 0


@pytest.mark.parametrize("message", ["the bank is closed", "something new at the same place"])
def test_an_open_repair_stops_when_the_failure_comes_back_under_its_new_name(message, monkeypatch):
    fail_as_before(["the bank is closed", "no address", "the bank is closed"], monkeypatch)
    bulk = start_bulk("retry", Job.objects.all(), stop_on_fingerprint=OLD)
    renew_fingerprints()
    assert len(BulkRun.objects.get(pk=bulk.pk).stops_also_on) == 2
    work_on_bulk(bulk.pk)
    job_id = bulk.items.get(state="DONE").job_id
    look_again(bulk)
    assert BulkRun.objects.get(pk=bulk.pk).items.filter(state="DONE").count() == 1  # the first is still under way
    monkeypatch.setattr(workflows.Fail, "execute", break_with(message))
    run_ready(job_id)
    look_again(bulk)
    assert BulkRun.objects.get(pk=bulk.pk).state == "STOPPED"


def test_an_open_repair_goes_on_to_its_end_when_all_goes_well(monkeypatch):
    fail_as_before(["the bank is closed", "no address", "the bank is closed"], monkeypatch)
    bulk = start_bulk("retry", Job.objects.all(), stop_on_fingerprint=OLD)
    renew_fingerprints()
    monkeypatch.setattr(workflows.Fail, "execute", lambda self, _input=None: 1)
    work_to_the_end(bulk)
    assert set(Job.objects.values_list("state", flat=True)) == {"FINISHED"}


def test_runs_that_lost_their_workers_are_renewed_by_the_migration(monkeypatch):
    fail_as_before(["lost"], monkeypatch)
    StepRun.objects.filter(state="FAILED").update(state="LOST", error_type="LostTooOften", traceback="")
    bulk = BulkRun.objects.create(verb="retry", stop_on_fingerprint=OLD)
    migration = import_module("django_wfe.migrations.0020_failure_kinds")
    with connection.schema_editor() as editor:
        migration.renew_lost(apps, editor)
    (incident,) = list_incidents(None)
    assert incident.fingerprint != OLD
    assert BulkRun.objects.get(pk=bulk.pk).stops_also_on == [incident.fingerprint]


def test_a_round_without_old_fingerprints_is_one_look_into_the_index(django_assert_max_num_queries):
    run_workflow(workflows.Failing)
    with django_assert_max_num_queries(4):
        assert renew_fingerprints() == 0
