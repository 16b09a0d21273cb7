"""Signals: sent after commit, and no receiver can harm a Job."""

import logging

import pytest
from django.db import connection, transaction

from django_wfe import order_workflow_execution, provide_external_input, run_workflow, signals
from django_wfe.engine.lifecycle import cancel_job
from django_wfe.models import JobState
from tests import workflows
from tests.declared import input_workflows as asking
from tests.support.running.engine_helpers import get_job, recording_dispatcher, run_ready

pytestmark = [pytest.mark.integration, pytest.mark.django_db, pytest.mark.usefixtures("fresh_engine")]


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
        order_workflow_execution(asking.Ordering)
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
