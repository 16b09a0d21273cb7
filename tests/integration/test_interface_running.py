"""Starting Jobs and giving them input: the names and the promises that existing projects rely on."""

import datetime
import itertools
import json
import logging
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from pydantic import SecretStr, ValidationError

import django_wfe
from django_wfe import exceptions, order_workflow_execution, provide_external_input, run_workflow, signals
from django_wfe.encoding import encode
from django_wfe.engine.definitions import describe_workflow, record_workflow
from django_wfe.engine.heartbeat import stop_worker
from django_wfe.engine.lifecycle import cancel_job
from django_wfe.engine.output import read_log
from django_wfe.exceptions import (
    FinishedWorkflow,
    InvalidWorkflow,
    NotEncodable,
    UnknownJob,
    UnknownWorkflow,
    WorkflowDeleted,
    WrongState,
)
from django_wfe.graph import START
from django_wfe.models import Job, JobState, StepRun, Workflow
from django_wfe.workflows import Workflow as WorkflowClass
from tests import interface_workflows as declared
from tests import workflows
from tests.engine_helpers import create_user, get_last_event, list_events, recording_dispatcher, run_ready
from tests.unit.test_encoding import JSON_VALUES

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def worker():
    declared.GIVEN.clear()
    declared.MOODS.clear()
    yield
    stop_worker()


@pytest.fixture
def sent():
    """What is sent once ``commit`` has done what waits for a commit."""
    with recording_dispatcher() as dispatcher:
        yield dispatcher


@pytest.fixture
def commit(django_capture_on_commit_callbacks):
    """A context in which what waits for a commit is done at its end."""
    return lambda: django_capture_on_commit_callbacks(execute=True)


def get_job(job_id):
    return Job.objects.get(pk=job_id)


def start_asking(workflow=workflows.Asking):
    job_id = run_workflow(workflow)
    assert get_job(job_id).state == JobState.INPUT_REQUIRED
    return job_id


# Starting


def test_order_by_class_records_the_workflow_and_returns_the_id_at_once(sent, commit):
    with commit():
        job_id = order_workflow_execution(workflows.Linear)
    assert type(job_id) is int
    job = get_job(job_id)
    assert (job.state, job.started_at, job.current_step_number) == (JobState.PENDING, None, 1)
    assert sent.sent == [job.step_runs.get(number=1).pk]
    assert Workflow.objects.get(path="tests.workflows.Linear").current_definition == job.definition


def test_order_by_id_by_text_id_by_row_and_by_dotted_path(sent):
    row = record_workflow(describe_workflow(workflows.Linear))
    for named in (row.pk, str(row.pk), row, "tests.workflows.Linear", workflows.Linear):
        assert get_job(order_workflow_execution(named)).workflow == row
    assert get_job(order_workflow_execution(workflow_id=row.pk)).workflow == row
    assert get_job(order_workflow_execution(workflow=row.pk)).workflow == row


@pytest.mark.parametrize("wrong", [0, -1, 10**30, "nothing.Here", "", "0", "a\0b", True, 1.5, object(), b"1", dict])
def test_order_of_an_unknown_workflow_names_it(wrong):
    with pytest.raises(UnknownWorkflow) as raised:
        order_workflow_execution(wrong)
    assert repr(wrong) in str(raised.value)


def test_order_needs_exactly_one_of_its_two_names():
    for arguments in ({}, {"workflow": 1, "workflow_id": 1}):
        with pytest.raises(TypeError, match="either workflow or workflow_id"):
            order_workflow_execution(**arguments)


def test_order_of_a_deleted_workflow_says_so():
    row = record_workflow(describe_workflow(workflows.Linear))
    Workflow.objects.filter(pk=row.pk).update(deleted=True)
    for named in (row.pk, row.path):
        with pytest.raises(WorkflowDeleted, match=r"tests\.workflows\.Linear is no longer declared"):
            order_workflow_execution(named)
    assert not Job.objects.exists()


def test_order_of_a_workflow_with_problems_says_which():
    broken = type("Broken", (WorkflowClass,), {"DIGRAPH": {}, "__module__": __name__})
    with pytest.raises(InvalidWorkflow, match=r"no steps\.__start__"):
        order_workflow_execution(broken)
    row = record_workflow(describe_workflow(broken))
    with pytest.raises(InvalidWorkflow, match=r"no steps\.__start__"):
        order_workflow_execution(row.pk)
    assert not Job.objects.exists()


def test_key_a_second_start_gives_the_first_job_and_sends_nothing(sent, commit):
    with commit():
        first = order_workflow_execution(workflows.Linear, key="order 7")
        assert order_workflow_execution(workflows.Linear, key="order 7") == first
        assert run_workflow(workflows.Linear, key="order 7") == first
        another = order_workflow_execution(workflows.Asking, key="order 7")
        unkeyed = order_workflow_execution(workflows.Linear)
    assert len({first, another, unkeyed}) == 3
    assert len(sent.sent) == 3
    assert get_job(first).state == JobState.PENDING
    assert list_events(first) == ["started"]


@pytest.mark.parametrize("key", ["", "x" * 256, "a\0", 7, b"x"])
def test_key_that_is_no_key_is_refused(key):
    with pytest.raises(ValueError, match="give a text of 1 to 255 characters"):
        order_workflow_execution(workflows.Linear, key=key)


def test_created_by_is_kept_and_stands_in_the_history(sent):
    user = create_user("kay")
    job_id = order_workflow_execution(workflows.Linear, created_by=user)
    assert get_job(job_id).created_by == user
    event = get_last_event(job_id)
    assert (event.kind, event.actor, event.actor_name, event.source) == ("started", user, "kay", "python")
    user.delete()
    assert get_job(job_id).created_by is None
    assert get_last_event(job_id).actor_name == "kay"


def test_actor_needs_the_permission_and_becomes_created_by(sent):
    with pytest.raises(exceptions.PermissionRequired, match=r"django_wfe\.add_job") as raised:
        order_workflow_execution(workflows.Linear, actor=create_user("nobody"))
    assert raised.value.permission == "django_wfe.add_job"
    assert not Job.objects.exists()
    starter = create_user("starter", "add_job")
    assert get_job(order_workflow_execution(workflows.Linear, actor=starter)).created_by == starter


@pytest.mark.django_db(transaction=True)
def test_inside_atomic_nothing_is_sent_before_the_commit():
    with recording_dispatcher() as dispatcher:
        with transaction.atomic():
            job_id = order_workflow_execution(workflows.Linear)
            assert dispatcher.sent == []
        assert dispatcher.sent == [get_job(job_id).step_runs.get(number=1).pk]


@pytest.mark.django_db(transaction=True)
def test_inside_atomic_that_rolls_back_nothing_is_sent_and_no_job_remains():
    received = []
    signals.job_started.connect(lambda **named: received.append(named), weak=False, dispatch_uid="rolled back")
    try:
        with recording_dispatcher() as dispatcher:
            with transaction.atomic():
                order_workflow_execution(workflows.Linear, key="k")
                transaction.set_rollback(True)
            assert dispatcher.sent == []
    finally:
        signals.job_started.disconnect(dispatch_uid="rolled back")
    assert received == []
    assert not Job.objects.exists()
    assert not StepRun.objects.exists()


def test_run_workflow_runs_here_and_now_until_it_ends(sent, commit):
    with commit():
        job_id = run_workflow(workflows.Linear)
    job = get_job(job_id)
    assert (job.state, job.current_step, job.current_step_number) == (JobState.FINISHED, "tests.workflows.Store", 3)
    assert sent.sent == [], "nothing is left to a worker"
    assert job.started_at <= job.finished_at


def test_run_workflow_runs_until_it_waits(sent):
    job = get_job(run_workflow(workflows.Asking))
    assert (job.state, job.current_step, job.current_step_number) == (
        JobState.INPUT_REQUIRED,
        "tests.workflows.Ask",
        2,
    )


def test_run_workflow_that_fails_returns_the_id_of_the_failed_job():
    job = get_job(run_workflow(workflows.Failing))
    assert job.state == JobState.FAILED
    assert job.error == "tests.workflows.Fail: ValueError: attempt 1 fails"


def test_run_workflow_of_a_paused_workflow_starts_nothing(sent, commit):
    row = record_workflow(describe_workflow(workflows.Linear))
    Workflow.objects.filter(pk=row.pk).update(paused=True)
    job = get_job(run_workflow(row.pk))
    assert job.state == JobState.PENDING


# What a Job shows


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


# External input


def test_provide_external_input_validates_and_resumes(sent, commit):
    job_id = start_asking()
    with commit():
        provide_external_input(job_id=job_id, external_data={"some_data": 1})
    job = get_job(job_id)
    assert job.state == JobState.INPUT_RECEIVED
    assert sent.sent == [job.step_runs.get(number=2).pk]
    assert run_ready(job_id).state == JobState.FINISHED
    assert list_events(job_id) == ["started", "input_provided", "finished"]


@pytest.mark.parametrize("wrong", [{}, {"some_data": "many"}, {"some_data": None}, [], None, "text", 5])
def test_invalid_input_raises_and_the_job_goes_on_waiting(wrong, sent, commit):
    job_id = start_asking()
    with commit(), pytest.raises(ValidationError):
        provide_external_input(job_id, wrong)
    job = get_job(job_id)
    assert (job.state, job.step_runs.get(number=2).state) == (JobState.INPUT_REQUIRED, "INPUT_REQUIRED")
    assert job.step_runs.get(number=2).external_data is None
    assert sent.sent == []
    assert list_events(job_id) == ["started"]
    provide_external_input(job_id, {"some_data": 1})


@pytest.mark.parametrize("wrong", [{"some_data": float("nan")}, {"some_data": 1, "x": "\0"}, {"some_data": object()}])
def test_input_that_cannot_be_kept_raises_and_the_job_goes_on_waiting(wrong):
    job_id = start_asking()
    with pytest.raises(NotEncodable, match=r"input for tests\.workflows\.Ask"):
        provide_external_input(job_id, wrong)
    assert get_job(job_id).state == JobState.INPUT_REQUIRED


def test_input_for_a_job_that_does_not_wait_is_wrong_state(sent):
    job_id = order_workflow_execution(workflows.Linear)
    with pytest.raises(WrongState, match="is PENDING: it does not wait"):
        provide_external_input(job_id, {"some_data": 1})


def test_a_second_input_is_wrong_state_and_changes_nothing(sent):
    job_id = start_asking()
    provide_external_input(job_id, {"some_data": 1})
    with pytest.raises(WrongState, match="is INPUT_RECEIVED"):
        provide_external_input(job_id, {"some_data": 2})
    assert get_job(job_id).step_runs.get(number=2).external_data["some_data"] == 1


def provide_and_run(job_id):
    provide_external_input(job_id, {"some_data": 1})
    run_ready(job_id)


@pytest.mark.parametrize("ending", [provide_and_run, cancel_job])
def test_input_after_the_end_is_finished_workflow(ending):
    job_id = start_asking()
    ending(job_id)
    with pytest.raises(FinishedWorkflow, match="takes no input any more"):
        provide_external_input(job_id, {"some_data": 1})


def test_input_for_an_unknown_job(sent):
    with pytest.raises(UnknownJob, match="no job 12345"):
        provide_external_input(12345, {})


def test_input_for_the_step_run_that_was_seen_only():
    job_id = start_asking()
    seen = get_job(job_id).step_runs.get(number=2).pk
    with pytest.raises(WrongState):
        provide_external_input(job_id, {"some_data": 1}, step_run_id=seen - 1)
    provide_external_input(job_id, {"some_data": 1}, step_run_id=seen)


def test_actor_of_an_input_needs_the_permission_and_stands_in_the_history():
    job_id = start_asking()
    with pytest.raises(exceptions.PermissionRequired, match="provide_input_job"):
        provide_external_input(job_id, {"some_data": 1}, actor=create_user("nobody"))
    clerk = create_user("clerk", "provide_input_job")
    provide_external_input(job_id, {"some_data": 1}, actor=clerk, source="rest")
    event = get_last_event(job_id)
    assert (event.kind, event.actor, event.source) == ("input_provided", clerk, "rest")


def answer(workflow, external_data):
    """Give input to the first step of a workflow; return what its step got."""
    job_id = start_asking(workflow)
    provide_external_input(job_id, external_data)
    job = run_ready(job_id)
    assert job.state == JobState.FINISHED, job.error
    [(external_input, model)] = declared.GIVEN
    return external_input, model, job.storage["data"][1]["external_data"]


def test_external_input_has_the_types_of_the_schema():
    given_input, model, kept = answer(
        declared.Ordering,
        {
            "day": "2024-02-29",
            "when": "2024-02-29T12:00:00+02:00",
            "size": "l",
            "lines": [{"article": "pen", "price": "1.10"}],
            "tags": ["b", "a"],
        },
    )
    assert given_input["day"] == datetime.date(2024, 2, 29)
    assert type(given_input["day"]) is datetime.date
    assert given_input["when"].utcoffset() == datetime.timedelta(hours=2)
    assert given_input["size"] is declared.Size.LARGE
    assert given_input["lines"] == [{"article": "pen", "price": Decimal("1.10")}]
    assert str(given_input["lines"][0]["price"]) == "1.10"
    assert given_input["urgency"] == "low"
    assert given_input["tags"] == {"a", "b"}
    assert type(model) is declared.Order
    assert type(model.lines[0]) is declared.Line
    assert kept["day"] == "2024-02-29"


def test_external_input_given_as_python_values_is_taken_too():
    given_input, _, kept = answer(
        declared.Ordering, {"day": datetime.date(2024, 2, 29), "size": declared.Size.LARGE, "tags": {"a"}}
    )
    assert (given_input["day"], given_input["size"]) == (datetime.date(2024, 2, 29), declared.Size.LARGE)
    assert (kept["day"], kept["size"]) == ("2024-02-29", "l")


def test_external_input_given_as_a_model_is_taken_too():
    order = declared.Order(day=datetime.date(2024, 2, 29), lines=[declared.Line(article="pen", price=Decimal("1.10"))])
    _, model, _ = answer(declared.Ordering, order)
    assert model == order


def test_external_input_of_a_strict_model_comes_from_its_json_form():
    given_input, _, _ = answer(
        declared.StrictlyAsked,
        {"day": "2024-02-29", "number": 1, "size": "s", "price": "1.10", "pair": [1, "a"]},
    )
    assert given_input == {
        "day": datetime.date(2024, 2, 29),
        "number": 1,
        "size": declared.Size.SMALL,
        "price": Decimal("1.10"),
        "pair": (1, "a"),
    }
    job_id = start_asking(declared.StrictlyAsked)
    with pytest.raises(ValidationError, match="number"):
        provide_external_input(
            job_id, {"day": "2024-02-29", "number": "1", "size": "s", "price": "1.10", "pair": [1, "a"]}
        )


@pytest.mark.parametrize("name", ["someData", "some_data"])
def test_external_input_takes_an_alias_or_the_field_name_and_gives_the_field_name(name):
    given_input, model, kept = answer(declared.AliasAsked, {name: 1})
    assert given_input == {"some_data": 1}
    assert model.some_data == 1
    assert kept == {"some_data": 1}


def test_external_input_with_a_secret_reaches_the_step_in_full():
    given_input, model, _ = answer(declared.SecretAsked, {"user": "kay", "password": "hunter2"})
    assert isinstance(given_input["password"], SecretStr)
    assert model.password.get_secret_value() == "hunter2"


def test_external_input_with_a_secret_already_wrapped_is_refused_not_kept_as_asterisks():
    job_id = start_asking(declared.SecretAsked)
    for wrapped in (
        {"user": "kay", "password": SecretStr("hunter2")},
        declared.AskSecret.UserInputSchema(user="kay", password=SecretStr("hunter2")),
    ):
        with pytest.raises(NotEncodable, match="is a secret"):
            provide_external_input(job_id, wrapped)
    assert get_job(job_id).state == JobState.INPUT_REQUIRED


def test_external_input_of_a_root_model_is_its_root():
    given_input, model, kept = answer(declared.ListAsked, ["1", 2])
    assert given_input == kept == [1, 2]
    assert model.root == [1, 2]


def test_external_input_of_a_json_field_is_what_its_text_says():
    given_input, model, _ = answer(declared.JsonAsked, {"payload": '{"a": 1, "b": 2}'})
    assert given_input["payload"] == {"a": 1, "b": 2} == model.payload
    assert model.total == 3


def test_extra_fields_are_ignored_kept_or_refused_as_the_schema_says():
    assert answer(declared.IgnoringAsked, {"amount": 1, "more": 2})[0] == {"amount": 1}
    declared.GIVEN.clear()
    assert answer(declared.AllowingAsked, {"amount": 1, "more": [2]})[0] == {"amount": 1, "more": [2]}
    job_id = start_asking(declared.ForbiddingAsked)
    with pytest.raises(ValidationError, match="more"):
        provide_external_input(job_id, {"amount": 1, "more": 2})


def test_a_schema_without_fields_means_no_input_needed():
    job = get_job(run_workflow(declared.NothingAsked))
    assert job.state == JobState.FINISHED
    assert declared.GIVEN == [(None, None), (None, None)]
    assert all("external_data" not in entry for entry in job.storage["data"])


def test_stored_input_that_no_longer_validates_is_asked_for_again(sent):
    job_id = start_asking(declared.Moody)
    provide_external_input(job_id, {"amount": 1})
    declared.MOODS.append(ValueError("not today"))
    job = run_ready(job_id)
    assert job.state == JobState.INPUT_REQUIRED
    assert "no longer validates" in job.error
    assert get_last_event(job_id).data["external_data"] == {"amount": 1}, "what was given is not lost"
    declared.MOODS.clear()
    provide_external_input(job_id, {"amount": 2})
    assert run_ready(job_id).storage["data"][-1]["result"] == 2


def test_a_schema_that_raises_anything_else_fails_the_step_and_frees_the_run():
    job_id = start_asking(declared.Moody)
    provide_external_input(job_id, {"amount": 1})
    declared.MOODS.append(RuntimeError("the lookup is away"))
    job = run_ready(job_id)
    assert job.state == JobState.FAILED
    assert job.error == "tests.interface_workflows.AskMoody: RuntimeError: the lookup is away"


# Names, exceptions, values


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


# Signals


@pytest.fixture
def heard():
    """The names of the signals that were sent, with what they brought."""
    received = []
    names = ("job_started", "input_required", "step_finished", "job_failed", "job_finished", "job_canceled")
    for name in names:

        def receive(*, name=name, **named):
            assert not connection.in_atomic_block, "sent after commit"
            received.append((name, named["job"].state, getattr(named.get("step_run"), "step", None)))

        getattr(signals, name).connect(receive, weak=False, dispatch_uid=f"heard {name}")
    yield received
    for name in names:
        getattr(signals, name).disconnect(dispatch_uid=f"heard {name}")


@pytest.mark.django_db(transaction=True)
def test_signals_are_sent_after_commit_with_the_job_and_its_step_run(heard):
    with recording_dispatcher():
        job_id = run_workflow(workflows.Asking)
        assert heard == [
            ("job_started", "ONGOING", None),
            ("step_finished", "INPUT_REQUIRED", "tests.workflows.Fetch"),
            ("input_required", "INPUT_REQUIRED", "tests.workflows.Ask"),
        ]
        heard.clear()
        provide_external_input(job_id, {"some_data": 2})
        run_ready(job_id)
    assert [name for name, *_ in heard] == ["step_finished"] * 4 + ["job_finished"]
    assert heard[-1][1] == "FINISHED"


@pytest.mark.django_db(transaction=True)
def test_signals_of_a_job_that_fails_or_is_canceled(heard):
    with recording_dispatcher():
        run_workflow(workflows.Failing)
        assert heard[-1] == ("job_failed", "FAILED", None)
        cancel_job(run_workflow(workflows.Asking))
    assert heard[-1] == ("job_canceled", "CANCELED", None)


@pytest.mark.django_db(transaction=True)
def test_a_first_step_that_asks_is_told_by_a_signal_too(heard):
    with recording_dispatcher():
        order_workflow_execution(declared.Ordering)
    assert [name for name, *_ in heard] == ["job_started", "input_required"]


@pytest.mark.django_db(transaction=True)
def test_signals_wait_for_the_callers_commit(heard):
    with recording_dispatcher(), transaction.atomic():
        order_workflow_execution(workflows.Linear)
        assert heard == []
    assert [name for name, *_ in heard] == ["job_started"]


@pytest.mark.django_db(transaction=True)
def test_a_receiver_that_raises_is_logged_and_harms_no_job(heard, caplog):
    def break_down(**named):
        raise RuntimeError("the mail server is away")

    all_signals = (signals.job_started, signals.step_finished, signals.job_finished)
    for signal in all_signals:
        signal.connect(break_down, dispatch_uid="breaks")
    try:
        with caplog.at_level(logging.ERROR, logger="django_wfe"), recording_dispatcher():
            job = get_job(run_workflow(workflows.Linear))
    finally:
        for signal in all_signals:
            signal.disconnect(dispatch_uid="breaks")
    assert job.state == JobState.FINISHED
    assert [name for name, *_ in heard] == ["job_started", *["step_finished"] * 3, "job_finished"]
    assert caplog.text.count("the mail server is away") >= 5
    assert "break_down" in caplog.text
