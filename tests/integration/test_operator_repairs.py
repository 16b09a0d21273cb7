"""Retry, skip and rerun: what an operator does with a Job that went wrong, adding to its history only."""

import pytest
from pydantic import ValidationError

from django_wfe import order_workflow_execution, provide_external_input, run_workflow
from django_wfe.engine.lifecycle import rerun_job, resume_job, retry_job, skip_step
from django_wfe.engine.worker.heartbeat import stop_worker
from django_wfe.exceptions import InvalidTransition, NotEncodable, WrongState
from django_wfe.models import JobEvent, JobState, StepRun
from tests import workflows
from tests.declared import input_workflows as asking
from tests.declared import interface_workflows as declared
from tests.support.running.engine_helpers import (
    get_last_run,
    list_events,
    recording_dispatcher,
    run_ready,
    take_history,
)
from tests.support.running.job_states import (
    CALLS,
    get_job,
    make_failed,
    make_finished,
    make_input_received,
    make_paused,
    make_waiting_for_input,
    take_everything,
)

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def dispatcher():
    declared.GIVEN.clear()
    workflows.EXECUTED.clear()
    with recording_dispatcher() as recording:
        yield recording
    stop_worker()


@pytest.fixture
def commit(django_capture_on_commit_callbacks):
    """A context in which what waits for a commit is done at its end."""
    return lambda: django_capture_on_commit_callbacks(execute=True)


def test_retry_with_the_same_input_adds_an_attempt(dispatcher, commit):
    job_id = make_failed()
    history = take_history(job_id)
    with commit():
        retry_job(job_id)
    job = get_job(job_id)
    assert (job.state, job.error, job.finished_at) == (JobState.ONGOING, "", None)
    assert dispatcher.sent == [get_last_run(job_id).pk]
    assert run_ready(job_id).state == JobState.FINISHED
    runs = StepRun.objects.filter(job_id=job_id, number=2).order_by("attempt")
    assert [(run.attempt, run.state) for run in runs] == [(1, "FAILED"), (2, "FINISHED")]
    assert runs[0].previous_id == runs[1].previous_id
    assert runs[0].idempotency_key == runs[1].idempotency_key
    assert take_history(job_id).items() >= history.items()
    assert [entry["result"] for entry in get_job(job_id).storage["data"]] == [None, {"rows": 3}, "repaired", "repaired"]


def make_failed_with_input(monkeypatch):
    def execute(self, _input=None, external_input=None):
        if self.attempt == 1:
            raise ValueError("the first time")
        return {"input": _input, "amount": external_input["amount"], "model": self.external_input_model.amount}

    monkeypatch.setattr(asking.AskIgnoring, "execute", execute)
    job_id = run_workflow(asking.IgnoringAsked)
    provide_external_input(job_id, {"amount": 1})
    assert run_ready(job_id).state == JobState.FAILED
    return job_id


def test_retry_keeps_the_external_input_that_was_given(monkeypatch):
    job_id = make_failed_with_input(monkeypatch)
    retry_job(job_id)
    assert run_ready(job_id).storage["data"][-1] == {
        "step": "tests.declared.input_workflows.AskIgnoring",
        "result": {"input": None, "amount": 1, "model": 1},
        "external_data": {"amount": 1},
    }


def test_retry_with_edited_external_data_and_value(monkeypatch):
    job_id = make_failed_with_input(monkeypatch)
    history = take_history(job_id)
    retry_job(job_id, external_data={"amount": 7}, value=["edited", 1e23])
    entry = run_ready(job_id).storage["data"][-1]
    assert entry["result"] == {"input": ["edited", 1e23], "amount": 7, "model": 7}
    assert type(entry["result"]["input"][1]) is float
    assert entry["external_data"] == {"amount": 7}
    assert get_last_run(job_id).edited_input == {"value": ["edited", 1e23]}
    assert JobEvent.objects.get(job_id=job_id, kind="retried").data["edited"] == ["edited_input", "external_data"]
    assert take_history(job_id).items() >= history.items()


def test_retry_with_the_value_none_gives_none():
    job_id = make_failed()
    retry_job(job_id, value=None)
    assert get_last_run(job_id).edited_input == {"value": None}
    assert run_ready(job_id).state == JobState.FINISHED


def test_an_edited_value_stays_with_further_attempts(monkeypatch):
    monkeypatch.setattr(workflows.Fail, "execute", fail_unless_third)
    job_id = make_failed()
    retry_job(job_id, value={"edited": 1e23})
    assert run_ready(job_id).state == JobState.FAILED
    retry_job(job_id)
    job = run_ready(job_id)
    assert job.state == JobState.FINISHED
    assert repr(job.storage["data"][-1]["result"]) == repr({"edited": 1e23})


def fail_unless_third(self, _input=None):
    if self.attempt < 3:
        raise ValueError("again")
    return _input


@pytest.mark.parametrize("wrong", [{}, {"amount": "many"}, None])
def test_retry_with_invalid_external_data_changes_nothing(wrong, monkeypatch):
    job_id = make_failed_with_input(monkeypatch)
    before = take_everything(job_id)
    with pytest.raises(ValidationError):
        retry_job(job_id, external_data=wrong)
    assert take_everything(job_id) == before


def test_retry_with_a_value_that_cannot_be_kept_changes_nothing():
    job_id = make_failed()
    before = take_everything(job_id)
    with pytest.raises(NotEncodable, match=r"edited input of tests\.workflows\.Fail"):
        retry_job(job_id, value=float("nan"))
    assert take_everything(job_id) == before


def test_retry_with_external_data_for_a_step_that_takes_none():
    job_id = make_failed()
    with pytest.raises(WrongState, match=r"tests\.workflows\.Fail takes no external input"):
        retry_job(job_id, external_data={"amount": 1})


def test_skip_of_a_failed_step_with_one_edge_goes_on_with_the_result():
    job_id = make_failed()
    history = take_history(job_id)
    skip_step(job_id, "by hand")
    assert get_job(job_id).state == JobState.ONGOING
    job = run_ready(job_id)
    assert job.state == JobState.FINISHED
    assert [entry["result"] for entry in job.storage["data"]] == [None, {"rows": 3}, "by hand", "by hand"]
    skipped = StepRun.objects.get(job_id=job_id, number=2, attempt=2)
    assert (skipped.state, skipped.transition, skipped.worker_id) == ("SKIPPED", 0, None)
    assert take_history(job_id).items() >= history.items()


def test_skip_of_a_waiting_step_fills_its_run(monkeypatch):
    job_id = make_waiting_for_input()
    skip_step(job_id, {"given": 4})
    job = run_ready(job_id)
    assert (job.state, job.storage["data"][-1]["result"]) == (JobState.FINISHED, "left 4")
    assert [run.state for run in StepRun.objects.filter(job_id=job_id, number=2)] == ["SKIPPED"]


def test_skip_keeps_a_large_float_a_float():
    job_id = make_failed()
    skip_step(job_id, [1e23])
    assert repr(run_ready(job_id).storage["data"][-1]["result"]) == "[1e+23]"


@pytest.mark.parametrize("result", [None, 0, False, "", []])
def test_skip_with_an_empty_result_gives_just_that(result):
    job_id = make_failed()
    skip_step(job_id, result)
    assert [entry["result"] for entry in run_ready(job_id).storage["data"]][2:] == [result, result]


def make_failed_decision(monkeypatch):
    monkeypatch.setattr(declared.Pick, "EDGE", None)
    job_id = run_workflow(declared.Choosing)
    assert get_job(job_id).state == JobState.FAILED
    return job_id


def test_skip_of_a_node_with_several_edges_takes_the_edge_that_is_named(monkeypatch):
    job_id = make_failed_decision(monkeypatch)
    skip_step(job_id, "by hand", transition=1)
    job = run_ready(job_id)
    assert (job.state, job.current_step) == (JobState.FINISHED, "tests.declared.interface_workflows.GoRight")
    assert StepRun.objects.get(job_id=job_id, number=2, state="SKIPPED").transition == 1


@pytest.mark.parametrize("transition", [None, 2, -1, True])
def test_skip_of_a_node_with_several_edges_without_naming_one_changes_nothing(transition, monkeypatch):
    job_id = make_failed_decision(monkeypatch)
    before = take_everything(job_id)
    with pytest.raises(InvalidTransition, match=r"0: tests\.declared\.interface_workflows\.GoLeft"):
        skip_step(job_id, "by hand", transition=transition)
    assert take_everything(job_id) == before


def test_skip_of_the_last_step_finishes_the_job(commit, dispatcher):
    job_id = run_workflow(declared.GivingUp)
    with commit():
        skip_step(job_id, "by hand")
    job = get_job(job_id)
    assert (job.state, job.error, job.current_step_number) == (JobState.FINISHED, "", 1)
    assert job.finished_at is not None
    assert job.storage["data"][-1]["result"] == "by hand"
    assert dispatcher.sent == []
    assert sorted(list_events(job_id)[-2:]) == ["finished", "skipped"]


def test_skip_with_a_result_that_cannot_be_kept_changes_nothing():
    job_id = make_failed()
    before = take_everything(job_id)
    with pytest.raises(NotEncodable, match=r"the result of tests\.workflows\.Fail|The result of"):
        skip_step(job_id, object())
    assert take_everything(job_id) == before


def test_skip_leads_to_a_step_that_asks():
    job_id = order_workflow_execution(workflows.Asking)
    skip_step(job_id, "by hand")
    assert get_job(job_id).state == JobState.INPUT_REQUIRED


def test_rerun_runs_again_from_a_step_and_keeps_what_ran():
    job_id = make_finished()
    history = take_history(job_id)
    rerun_job(job_id, 2)
    job = get_job(job_id)
    assert (job.state, job.current_step, job.finished_at) == (JobState.ONGOING, "tests.workflows.Double", None)
    job = run_ready(job_id)
    assert job.state == JobState.FINISHED
    runs = StepRun.objects.filter(job_id=job_id).order_by("number")
    assert [(run.number, run.step.rpartition(".")[2], run.superseded) for run in runs] == [
        (0, "__start__", False),
        (1, "Fetch", False),
        (2, "Double", True),
        (3, "Store", True),
        (4, "Double", False),
        (5, "Store", False),
    ]
    assert take_history(job_id).items() >= history.items()
    assert [entry["step"].rpartition(".")[2] for entry in job.storage["data"]] == [
        "__start__",
        "Fetch",
        "Double",
        "Store",
    ]
    assert job.current_step_number == 5
    assert [name for name, _ in workflows.EXECUTED] == ["Fetch", "Double", "Store", "Double", "Store"]
    assert len({key for _, key in workflows.EXECUTED}) == 5, "to the world outside it is another run"


def test_rerun_of_a_step_that_asks_asks_again():
    job_id = make_input_received()
    run_ready(job_id)
    rerun_job(job_id, 2)
    assert get_job(job_id).state == JobState.INPUT_REQUIRED
    provide_external_input(job_id, {"some_data": 2})
    assert run_ready(job_id).storage["data"][-1]["result"] == "left 2"


def test_rerun_of_a_failed_job_from_its_beginning():
    job_id = make_failed()
    rerun_job(job_id, 1)
    job = run_ready(job_id)
    assert job.state == JobState.FAILED, "the first attempt at the new run fails like the first one"
    retry_job(job_id)
    assert run_ready(job_id).state == JobState.FINISHED


def test_rerun_of_what_was_run_again_before():
    job_id = make_finished()
    rerun_job(job_id, 3)
    run_ready(job_id)
    rerun_job(job_id, 2)
    assert run_ready(job_id).state == JobState.FINISHED
    with pytest.raises(WrongState, match="no step number 3"):
        rerun_job(job_id, 3)


@pytest.mark.parametrize("number", [0, 4, -1, 10**6])
def test_rerun_from_a_step_that_there_is_not_changes_nothing(number):
    job_id = make_finished()
    before = take_everything(job_id)
    with pytest.raises(WrongState, match=f"no step number {number} to run again from"):
        rerun_job(job_id, number)
    assert take_everything(job_id) == before


def test_rerun_of_a_waiting_job_puts_its_question_aside():
    job_id = make_waiting_for_input()
    asked = get_last_run(job_id)
    rerun_job(job_id, 1)
    asked.refresh_from_db()
    assert (asked.state, asked.superseded) == ("CANCELED", True)
    with pytest.raises(WrongState):
        provide_external_input(job_id, {"some_data": 1})
    assert run_ready(job_id).state == JobState.INPUT_REQUIRED
    assert StepRun.objects.filter(job_id=job_id, state="INPUT_REQUIRED").count() == 1


@pytest.mark.parametrize(("verb", "make"), [("skip", make_paused), ("rerun", make_paused)])
def test_a_repair_of_a_paused_job_does_not_undo_the_pause(verb, make):
    job_id = make()
    CALLS[verb](job_id)
    assert run_ready(job_id).state == JobState.PAUSED
    resume_job(job_id)
    assert run_ready(job_id).state == JobState.FINISHED
