"""Starting Jobs: the names and the promises that existing projects rely on."""

import pytest
from django.db import transaction
from django.utils import translation

from django_wfe import exceptions, order_workflow_execution, run_workflow, signals
from django_wfe.engine.project_code.classes import clear as forget_loaded_code
from django_wfe.engine.project_code.classes import hold_definition
from django_wfe.engine.project_code.recording import describe_workflow, record_workflow
from django_wfe.exceptions import InvalidWorkflow, UnknownWorkflow, WorkflowDeleted
from django_wfe.models import Job, JobState, StepRun, Workflow
from django_wfe.workflows import Workflow as WorkflowClass
from tests import workflows
from tests.declared import interface_workflows as declared
from tests.support.running.engine_helpers import create_user, get_job, get_last_event, list_events, recording_dispatcher

pytestmark = [pytest.mark.integration, pytest.mark.django_db, pytest.mark.usefixtures("fresh_engine")]


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


@pytest.mark.parametrize(
    "wrong", [0, -1, 10**30, "nothing.Here", "", "0", "a\0b", "\ud800", True, 1.5, object(), b"1", dict]
)
def test_order_of_an_unknown_workflow_names_it(wrong):
    with pytest.raises(UnknownWorkflow) as raised:
        order_workflow_execution(wrong)
    assert repr(wrong) in str(raised.value)


def test_order_by_class_gives_the_same_definition_in_a_request_of_another_language(sent):
    definitions = set()
    for language in ("en", "de"):
        forget_loaded_code()
        with translation.override(language):
            job = get_job(order_workflow_execution(declared.Translating))
            definitions.add(job.definition_id)
            assert record_workflow(describe_workflow(declared.Translating)).label == "Yes"
            assert hold_definition(job.workflow.path, job.definition.fingerprint)
            assert str(declared.Translating.label) == {"en": "Yes", "de": "Ja"}[language]
    assert len(definitions) == 1
    graph = job.definition.load_graph()
    assert (graph.first.label, [edge.label for edge in graph.edges]) == ("Yes", ["", "No", "on"])


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


@pytest.mark.parametrize("key", ["", "x" * 256, "a\0", "\ud800", 7, b"x"])
def test_key_that_is_no_key_is_refused(key):
    with pytest.raises(ValueError, match="use a text of 1 to 255 characters"):
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


def test_a_repeated_call_is_told_the_first_job_though_the_workflow_cannot_start_any_more():
    job_id = order_workflow_execution(workflows.Linear, key="order 1042")
    Workflow.objects.update(deleted=True)
    path = "tests.workflows.Linear"
    assert order_workflow_execution(path, key="order 1042") == job_id
    with pytest.raises(WorkflowDeleted):
        order_workflow_execution(path, key="order 1043")
