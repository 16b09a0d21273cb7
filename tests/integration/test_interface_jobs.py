"""What a Job shows, and the names that code imports."""

import itertools
import json
from pathlib import Path

import pytest
from django.db import connection
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

import django_wfe
from django_wfe import exceptions, order_workflow_execution, provide_external_input, run_workflow
from django_wfe.definition.graph import START
from django_wfe.exceptions import WrongState
from django_wfe.models import Job, JobState
from django_wfe.values.encoding import encode
from tests import workflows
from tests.declared import interface_workflows as declared
from tests.support.running.engine_helpers import get_job, read_log, run_ready, start_asking
from tests.unit.test_encoding import JSON_VALUES

pytestmark = [pytest.mark.integration, pytest.mark.django_db, pytest.mark.usefixtures("fresh_engine")]


def test_current_step_and_number_follow_the_job(sent):
    job_id = order_workflow_execution(workflows.Linear)
    assert (get_job(job_id).current_step, get_job(job_id).current_step_number) == ("tests.workflows.Fetch", 1)
    assert get_job(job_id).step_runs.get(number=0).step == START
    job = run_ready(job_id)
    assert (job.current_step, job.current_step_number) == ("tests.workflows.Store", 3)


def test_storage_lists_what_ran_with_the_start_first():
    job_id = start_asking()
    provide_external_input(job_id=job_id, external_data={"some_data": 1, "day": "2024-02-29"})
    job = run_ready(job_id)
    assert job.storage == {
        "data": [
            {"step": "django_wfe.steps.__start__", "result": None},
            {"step": "tests.workflows.Fetch", "result": {"rows": 3}},
            {
                "step": "tests.workflows.Ask",
                "result": {"given": 1, "type": "date"},
                "external_data": {"some_data": 1, "day": "2024-02-29"},
            },
            {"step": "tests.workflows.Route", "result": {"given": 1, "type": "date"}},
            {"step": "tests.workflows.Right", "result": "right 1"},
            {"step": "tests.workflows.Done", "result": "right 1"},
        ]
    }
    json.dumps(job.storage)


def test_storage_of_a_fresh_job_holds_only_the_start(sent):
    job = get_job(order_workflow_execution(workflows.Linear))
    assert job.storage == {"data": [{"step": START, "result": None}]}


def test_str_of_a_job_is_the_name_of_its_workflow_and_its_id(sent):
    job_id = order_workflow_execution(workflows.Linear)
    assert str(get_job(job_id)) == f"Linear:{job_id}"


def test_job_state_is_comparable_with_plain_strings():
    names = {"PENDING", "ONGOING", "INPUT_REQUIRED", "INPUT_RECEIVED", "FAILED", "FINISHED"}
    names |= {"WAITING", "PAUSED", "CANCELED"}
    assert {*JobState} == names
    for name in names:
        assert getattr(JobState, name) == name
        assert f"{JobState(name)}" == name
    job = get_job(run_workflow(workflows.Linear))
    assert job.state == "FINISHED" == JobState.FINISHED
    assert job.state != JobState.FAILED
    assert Job.objects.filter(state=JobState.FINISHED).get() == Job.objects.filter(state="FINISHED").get()


def test_logfile_is_empty_without_a_log_dir(settings):
    settings.WFE_LOG_DIR = None
    assert get_job(run_workflow(workflows.Linear)).logfile == ""


def test_logfile_with_a_log_dir_holds_what_the_job_said(settings, tmp_path):
    settings.WFE_LOG_DIR = str(tmp_path / "not" / "yet" / "there")
    job = get_job(run_workflow(workflows.Linear))
    assert job.logfile == str(tmp_path / "not" / "yet" / "there" / f"Linear_{job.uuid}.log")
    written = Path(job.logfile).read_text()
    assert written == read_log(job)
    assert written.index("fetched") < written.index("doubling") < written.index("stored")


def test_a_log_dir_that_cannot_be_written_harms_no_job(settings, tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    settings.WFE_LOG_DIR = str(tmp_path / "file")
    job = get_job(run_workflow(workflows.Linear))
    assert job.state == JobState.FINISHED
    assert "fetched" in read_log(job)
    assert "cannot be written" in caplog.text


def test_the_old_names_are_the_same_functions():
    assert django_wfe.execute_workflow is django_wfe.order_workflow_execution
    assert django_wfe.execute_workflow_sync is django_wfe.run_workflow
    assert django_wfe.provide_input is django_wfe.provide_external_input
    with pytest.raises(AttributeError, match="no attribute 'execute'"):
        _ = django_wfe.execute


def test_exceptions_have_one_root_and_a_message_of_their_own():
    names = ("WrongState", "WorkflowDeleted", "InputRequired", "FinishedWorkflow", "UnknownWorkflow", "UnknownJob")
    for name in names:
        exception = getattr(exceptions, name)
        assert issubclass(exception, exceptions.WFEException)
        assert str(exception()).endswith(".")
        assert str(exception("mine")) == "mine"
    assert issubclass(exceptions.FinishedWorkflow, WrongState)
    assert not issubclass(exceptions.Interrupt, Exception), "a step's own 'except Exception' must not swallow it"


COUNTER = itertools.count()


@given(value=JSON_VALUES)
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_a_step_returns_comes_out_of_the_database_as_it_went_in(value):
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::jsonb", [encode(value, "x")])
        again = json.loads(cursor.fetchone()[0]) if value is not None else None
    assert again == value
    assert describe_types(again) == describe_types(value)


def describe_types(value):
    if isinstance(value, dict):
        return {key: describe_types(item) for key, item in value.items()}
    return [describe_types(item) for item in value] if isinstance(value, list) else type(value)


@pytest.mark.parametrize(
    "value", [None, False, 0, "", [], {}, "null", [None], 1e23, -1e300, 2**70, {"a": {"b": [1e22]}}]
)
def test_the_next_step_and_storage_get_what_a_step_returned(value, monkeypatch):
    monkeypatch.setattr(declared.Give, "RESULT", value)
    job = get_job(run_workflow(declared.Passing))
    results = [entry["result"] for entry in job.storage["data"]]
    assert results == [None, value, value]
    [taken] = declared.GIVEN
    assert taken == value
    for result in (*results[1:], taken):
        assert describe_types(result) == describe_types(value)
