"""What a step sees, and where it leads."""

import pytest

from django_wfe import provide_external_input, run_workflow
from django_wfe.models import Job, JobState
from tests.declared import interface_workflows as declared
from tests.support.running.engine_helpers import get_last_run, read_log, run, run_ready

pytestmark = [pytest.mark.integration, pytest.mark.django_db, pytest.mark.usefixtures("fresh_engine", "sent")]


def pick(monkeypatch, edge):
    """Give the job whose decision returns ``edge``."""
    monkeypatch.setattr(declared.Give, "RESULT", {"n": 1})
    monkeypatch.setattr(declared.Pick, "EDGE", edge)
    return run(declared.Choosing)


def test_self_job_storage_key_attempt_and_log_inside_a_step(monkeypatch, settings, tmp_path):
    settings.WFE_LOG_DIR = str(tmp_path)
    monkeypatch.setattr(declared.Give, "RESULT", [1])
    job = run(declared.Looking)
    seen = job.storage["data"][-1]["result"]
    assert seen == {
        "job": job.pk,
        "name": f"Looking:{job.pk}",
        "storage": [
            {"step": "django_wfe.steps.__start__", "result": None},
            {"step": "tests.declared.interface_workflows.Give", "result": [1]},
        ],
        "key": f"{job.uuid}:2",
        "attempt": 1,
        "logfile": job.logfile,
        "model": None,
        "logger": "django_wfe.step.tests.declared.interface_workflows.LookAround",
    }
    assert job.logfile.endswith(f"Looking_{job.uuid}.log")
    assert "INFO django_wfe.step.tests.declared.interface_workflows.LookAround: looking around" in read_log(job)


def test_idempotency_key_is_stable_over_retries_and_differs_from_step_to_step():
    job_id = run_workflow(declared.FailingTwice)
    job = run_ready(job_id)
    assert job.state == JobState.FINISHED
    expected = [(attempt, f"{job.uuid}:1") for attempt in (1, 2, 3)]
    assert expected == declared.GIVEN
    assert job.storage["data"][-1]["result"]["key"] == f"{job.uuid}:2"
    assert job.step_runs.get(number=1, attempt=3).idempotency_key == f"{job.uuid}:1"


def test_classes_declared_inside_of_a_class_are_found_by_their_path():
    job = run(declared.Shelf.Flow)
    assert (job.state, job.current_step) == (
        JobState.FINISHED,
        "tests.declared.interface_workflows.Shelf.Inner",
    )
    assert job.workflow.path == "tests.declared.interface_workflows.Shelf.Flow"


def test_a_step_without_a_job_says_what_it_lacks():
    with pytest.raises(RuntimeError, match=r"LookAround was created without a job\. Give it a StepContext"):
        _ = declared.LookAround().job


def test_label_and_labels_reach_the_definition(monkeypatch):
    monkeypatch.setattr(declared.Give, "RESULT", 0)
    looking, choosing = run(declared.Looking), pick(monkeypatch, 0)
    assert (
        looking.definition.load_graph().get_node("tests.declared.interface_workflows.LookAround").label == "Look around"
    )
    edges = choosing.definition.load_graph().list_edges_from("tests.declared.interface_workflows.Pick")
    assert [edge.label for edge in edges] == ["left", "right"]


@pytest.mark.parametrize("edge", [2, -1, True, False, None, 0.0, "0", [0], 10**30])
def test_a_transition_that_names_no_edge_fails_with_node_value_and_edges(edge, monkeypatch):
    job = pick(monkeypatch, edge)
    assert job.state == JobState.FAILED
    failed = get_last_run(job.pk)
    assert (failed.step, failed.error_type) == ("tests.declared.interface_workflows.Pick", "InvalidTransition")
    assert (
        f"transition() of tests.declared.interface_workflows.Pick returned {edge!r}, which is not the index"
        in failed.error
    )
    assert (
        "(0: tests.declared.interface_workflows.GoLeft, 1: tests.declared.interface_workflows.GoRight)" in failed.error
    )


@pytest.mark.parametrize(("edge", "target"), [(0, "GoLeft"), (1, "GoRight")])
def test_a_transition_takes_the_edge_of_its_index(edge, target, monkeypatch):
    job = pick(monkeypatch, edge)
    assert (job.state, job.current_step) == (JobState.FINISHED, f"tests.declared.interface_workflows.{target}")
    assert job.step_runs.get(number=2).transition == edge


def test_a_decision_without_execute_passes_its_input_on(monkeypatch):
    job = pick(monkeypatch, 1)
    assert [entry["result"] for entry in job.storage["data"]] == [None, {"n": 1}, {"n": 1}, {"n": 1}]
    assert declared.GIVEN == [({"n": 1}, {"n": 1}, None), {"n": 1}]


@pytest.mark.parametrize(("right", "target"), [(False, "GoLeft"), (True, "GoRight")])
def test_a_decision_may_ask_and_execute_too(right, target, monkeypatch):
    monkeypatch.setattr(declared.Give, "RESULT", 0)
    job_id = run_workflow(declared.AskingDecision)
    assert Job.objects.get(pk=job_id).state == JobState.INPUT_REQUIRED
    provide_external_input(job_id, {"right": right})
    job = run_ready(job_id)
    assert job.current_step == f"tests.declared.interface_workflows.{target}"
    assert job.storage["data"][2]["result"] == {"asked": right}
    [taken] = declared.GIVEN
    assert taken == {"asked": right}


def test_a_plain_step_takes_edge_zero_and_may_override_it(monkeypatch):
    monkeypatch.setattr(declared.Give, "RESULT", "x")
    assert run(declared.Passing).step_runs.get(number=1).transition == 0
    assert run(declared.ChoosingStep).current_step == "tests.declared.interface_workflows.GoRight"


def test_a_node_without_edges_ends_the_job_and_its_transition_is_not_asked(monkeypatch):
    monkeypatch.setattr(declared.GoRight, "transition", lambda self: 1 / 0)
    assert pick(monkeypatch, 1).state == JobState.FINISHED
