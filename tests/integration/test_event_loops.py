"""Jobs and event loops: an async view starts one from its thread, and inside a running loop nothing is half done."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import Group
from django.core.exceptions import SynchronousOnlyOperation

from django_wfe import order_workflow_execution, provide_external_input, run_workflow
from django_wfe.models import Job, JobLog, JobState, StepRun
from tests.declared.event_loop_workflows import Writing
from tests.support.running.engine_helpers import run_ready
from tests.workflows import Asking, Linear

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


@pytest.mark.parametrize("door", [order_workflow_execution, run_workflow])
def test_an_async_view_starts_a_job_from_its_thread(door: Callable[..., int]) -> None:
    async def view() -> Job:
        job_id = await sync_to_async(door)(Linear, key="from a view")
        return await Job.objects.aget(key="from a view", id=job_id)

    job = async_to_sync(view)()
    assert run_ready(job.id).state == JobState.FINISHED


@pytest.mark.parametrize("door", [order_workflow_execution, run_workflow])
def test_inside_a_running_loop_a_start_is_refused_and_leaves_nothing(door: Callable[..., int]) -> None:
    _call_in_loop(door, Linear)
    assert not Job.objects.exists()
    assert run_ready(door(Linear)).state == JobState.FINISHED, "the refusal has spoilt nothing for the next call"


def test_inside_a_running_loop_an_answer_is_refused_and_can_be_given_later() -> None:
    job_id = run_workflow(Asking)
    runs = StepRun.objects.filter(job_id=job_id).order_by("id").values_list("id", "state", "epoch")
    before = list(runs)
    _call_in_loop(provide_external_input, job_id, {"some_data": 2})
    assert list(runs.all()) == before
    provide_external_input(job_id, {"some_data": 2})
    assert run_ready(job_id).state == JobState.FINISHED


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("name", "state"), [("kept", JobState.FINISHED), ("refused", JobState.FAILED)])
def test_what_an_atomic_step_writes_by_the_async_orm_stays_or_goes_with_its_result(name: str, state: str) -> None:
    job = run_ready(order_workflow_execution(Writing, input={"name": name}))
    assert job.state == state
    assert list(Group.objects.values_list("name", flat=True)) == ([name] if state == JobState.FINISHED else [])
    assert f"wrote {name}" in JobLog.objects.get(step_run__job=job, step_run__step__endswith="WriteGroup").text


def _call_in_loop(function: Callable[..., Any], *args: Any) -> None:
    async def call() -> None:
        function(*args)

    with pytest.raises(SynchronousOnlyOperation, match="use a thread or sync_to_async"):
        asyncio.run(call())
