"""A start that brings the input of the first step along: one call, safe to repeat."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from pydantic import ValidationError

from django_wfe import order_workflow_execution, provide_external_input, run_workflow, signals
from django_wfe.engine.lifecycle import list_waiting, start_job
from django_wfe.engine.operations import starting
from django_wfe.engine.project_code.recording import describe_workflow, record_workflow
from django_wfe.engine.queries.situation import explain_job
from django_wfe.engine.worker.heartbeat import stop_worker
from django_wfe.exceptions import CodeNotLoaded, InputNotAsked, NotEncodable, PermissionRequired, UnknownWorkflow
from django_wfe.models import Assignment, Job, JobEvent, JobState, StepRun, StepRunState, Workflow
from tests import workflows
from tests.declared.first_input_workflows import GIVEN, Closed, Ordered
from tests.support.running.contender import racing
from tests.support.running.engine_helpers import create_user, get_job, list_events, recording_dispatcher, run_ready

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

ROUNDS = 25


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    GIVEN.clear()
    yield
    stop_worker()


@pytest.fixture
def heard() -> Iterator[list[tuple[str, str]]]:
    """The signals that were sent, each with the state that the Job was in then."""
    received: list[tuple[str, str]] = []
    receivers = []
    for name in ("job_started", "input_required", "step_finished"):

        def receive(job: Job, name: str = name, **named: Any) -> None:
            received.append((name, job.state))

        receivers.append((getattr(signals, name), receive))
    for signal, receive in receivers:
        signal.connect(receive)
    yield received
    for signal, receive in receivers:
        signal.disconnect(receive)


def test_the_job_starts_with_its_first_step_answered(sent, commit, heard) -> None:
    with commit():
        job_id = order_workflow_execution(Ordered, key="order 7", first_input={"some_data": 4})
        assert sent.sent == [], "nothing is sent before the commit"
    job = get_job(job_id)
    run = job.step_runs.get(number=1)
    assert (job.state, job.key, job.current_step_number, job.started_at) == ("INPUT_RECEIVED", "order 7", 1, None)
    assert (run.state, run.external_data) == (StepRunState.READY, {"some_data": 4, "code": None})
    assert sent.sent == [run.pk]
    assert heard == [("job_started", "INPUT_RECEIVED")], "it never waited, so nobody is told that it waits"
    assert explain_job(job).code in ("ready", "no_worker")
    assert not list_waiting(None).exists()
    assert not Assignment.objects.exists()


def test_the_first_step_gets_the_values_and_the_job_goes_on_to_its_next_question(sent) -> None:
    job = run_ready(order_workflow_execution(Ordered, first_input={"some_data": 4}))
    assert (job.state, job.current_step) == (
        JobState.INPUT_REQUIRED,
        "tests.declared.first_input_workflows.Approve",
    )
    assert GIVEN == [("TakeOrder", {"some_data": 4, "code": None})]
    assert job.storage["data"][1] == {
        "step": "tests.declared.first_input_workflows.TakeOrder",
        "result": 4,
        "external_data": {"some_data": 4, "code": None},
    }


def test_run_workflow_runs_the_answered_step_here_and_now(sent, commit) -> None:
    with commit():
        job_id = run_workflow(Ordered, first_input={"some_data": 4, "code": "hidden"})
    job = get_job(job_id)
    assert (job.state, job.current_step_number) == (JobState.INPUT_REQUIRED, 2)
    [(_, given)] = GIVEN
    assert (given["some_data"], given["code"].get_secret_value()) == (4, "hidden")
    assert sent.sent == []
    assert list_events(job_id)[:2] == ["started", "input_provided"]


def test_run_workflow_of_a_paused_workflow_keeps_the_answer_for_later(sent) -> None:
    row = record_workflow(describe_workflow(Ordered))
    Workflow.objects.filter(pk=row.pk).update(paused=True)
    job = get_job(run_workflow(row.pk, first_input={"some_data": 4}))
    assert (job.state, GIVEN) == (JobState.INPUT_RECEIVED, [])
    assert explain_job(job).code == "workflow_paused"
    Workflow.objects.filter(pk=row.pk).update(paused=False)
    assert run_ready(job.pk).current_step_number == 2


@pytest.mark.parametrize("other", [{"some_data": 4}, {"some_data": 5}, {"some_data": "no number"}, None, object()])
def test_a_repeat_with_the_same_key_does_nothing_whatever_input_it_brings(sent, commit, heard, other) -> None:
    with commit():
        first = order_workflow_execution(Ordered, key="order 7", first_input={"some_data": 4})
    for _ in range(2):
        with commit():
            assert order_workflow_execution(Ordered, key="order 7", first_input=other) == first
            assert run_workflow(Ordered, key="order 7", first_input=other) == first
    run_ready(first)
    with commit():
        assert order_workflow_execution(Ordered, key="order 7", first_input=other) == first
    assert get_job(first).current_step == "tests.declared.first_input_workflows.Approve", (
        "its second question is still open"
    )
    assert GIVEN == [("TakeOrder", {"some_data": 4, "code": None})]
    assert list_events(first) == ["started", "input_provided"]
    assert len(sent.sent) == 1
    assert [name for name, _ in heard].count("job_started") == 1


def test_the_trap_a_repeated_pair_of_calls_answers_the_next_question(sent) -> None:
    """What the documentation warns of, and what ``first_input`` is for."""
    for _ in range(2):
        job_id = order_workflow_execution(Ordered, key="order 7")
        provide_external_input(job_id, {"some_data": 4})
        run_ready(job_id)
    assert [name for name, _ in GIVEN] == ["TakeOrder", "Approve"]


def test_a_repeat_finds_its_job_though_the_code_is_not_loaded(sent, monkeypatch) -> None:
    first = order_workflow_execution(Ordered, key="order 7", first_input={"some_data": 4})

    def lack(path: str) -> None:
        raise CodeNotLoaded(f"{path} cannot be loaded")

    monkeypatch.setattr(starting, "load_node", lack)
    assert order_workflow_execution(Ordered, key="order 7", first_input={"some_data": 4}) == first
    with pytest.raises(CodeNotLoaded):
        order_workflow_execution(Ordered, key="order 8", first_input={"some_data": 4})
    assert Job.objects.count() == 1


@pytest.mark.parametrize("wrong", [{}, {"some_data": 0}, {"some_data": "x"}, None, [], "text"])
def test_invalid_input_starts_nothing_and_the_key_stays_free(sent, commit, heard, wrong) -> None:
    with commit(), pytest.raises(ValidationError):
        order_workflow_execution(Ordered, key="order 7", first_input=wrong)
    assert not Job.objects.exists()
    assert not JobEvent.objects.exists()
    assert (sent.sent, heard) == ([], [])
    job_id = order_workflow_execution(Ordered, key="order 7", first_input={"some_data": 4})
    assert get_job(job_id).state == JobState.INPUT_RECEIVED


def test_input_that_json_cannot_hold_starts_nothing(sent) -> None:
    with pytest.raises(NotEncodable):
        order_workflow_execution(Ordered, first_input={"some_data": 4, "code": "a\0"})
    assert not Job.objects.exists()


def test_a_first_step_that_asks_for_nothing_is_named(sent) -> None:
    with pytest.raises(InputNotAsked, match=r"its first step, tests\.workflows\.Fetch, asks for no input"):
        order_workflow_execution(workflows.Asking, first_input={"some_data": 4})
    assert not Job.objects.exists()


def test_the_actor_needs_to_start_and_to_answer_and_stands_in_both_lines(sent) -> None:
    for permissions, lacking in (
        ((), "add_job"),
        (("add_job",), "provide_input_job"),
        (("provide_input_job",), "add_job"),
    ):
        actor = create_user("-".join(("a", *permissions)), *permissions)
        with pytest.raises(PermissionRequired, match=lacking):
            order_workflow_execution(Ordered, first_input={"some_data": 4}, actor=actor)
    assert not Job.objects.exists()
    actor = create_user("kay", "run_workflow", "provide_input_job")
    job_id = start_job(Ordered, first_input={"some_data": 4}, actor=actor, source="command").job_id
    assert get_job(job_id).created_by == actor
    run = StepRun.objects.get(job_id=job_id, number=1)
    events = JobEvent.objects.filter(job_id=job_id).order_by("pk")
    assert [(event.kind, event.actor, event.actor_name, event.source, event.step_run) for event in events] == [
        ("started", actor, "kay", "command", None),
        ("input_provided", actor, "kay", "command", run),
    ]


def test_a_workflow_for_groups_takes_the_start_of_its_members_alone(sent) -> None:
    actor = create_user("kay", "add_job", "provide_input_job")
    with pytest.raises(UnknownWorkflow):
        order_workflow_execution(Closed, first_input={"some_data": 4}, actor=actor)
    actor.groups.add(Group.objects.create(name="auditors"))
    assert order_workflow_execution(Closed, first_input={"some_data": 4}, actor=User.objects.get(pk=actor.pk))


@pytest.mark.django_db(transaction=True)
def test_in_a_transaction_that_rolls_back_nothing_is_left_and_the_key_stays_free(heard) -> None:
    record_workflow(describe_workflow(Ordered))
    with recording_dispatcher() as dispatcher:
        with transaction.atomic():
            order_workflow_execution(Ordered, key="order 7", first_input={"some_data": 4})
            transaction.set_rollback(True)
        assert not Job.objects.exists()
        assert (dispatcher.sent, heard) == ([], [])
        with transaction.atomic():
            job_id = order_workflow_execution(Ordered, key="order 7", first_input={"some_data": 5})
            assert dispatcher.sent == []
        assert dispatcher.sent == [StepRun.objects.get(job_id=job_id, number=1).pk]
    assert heard == [("job_started", "INPUT_RECEIVED")]
    assert StepRun.objects.get(job_id=job_id, number=1).external_data["some_data"] == 5


@pytest.mark.django_db(transaction=True)
def test_two_at_once_with_one_key_start_one_job_with_the_input_of_one(child_environment: dict[str, str]) -> None:
    workflow = record_workflow(describe_workflow(Ordered))
    with racing(child_environment) as race:
        for number in range(ROUNDS):
            key = f"order-{number}"
            first, second = race(do="start with input", workflow=workflow.pk, key=key, values=[1, 2])
            assert first == second
    assert Job.objects.count() == ROUNDS
    for job in Job.objects.all():
        assert list_events(job.pk) == ["started", "input_provided"]
        assert job.step_runs.get(number=1).external_data["some_data"] in (1, 2)
        assert job.step_runs.count() == 2


def test_the_start_and_the_answer_are_one_statement(sent) -> None:
    row = record_workflow(describe_workflow(Ordered))
    order_workflow_execution(row, first_input={"some_data": 4})  # what is done once in a process is done
    with CaptureQueriesContext(connection) as queries:
        order_workflow_execution(row, first_input={"some_data": 4})
    [statement] = [query["sql"] for query in queries.captured_queries]
    assert statement.startswith("EXECUTE wfe_start_answered")
