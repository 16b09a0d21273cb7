"""The short names by which programs start, answer and wait, and their a-functions."""

from __future__ import annotations

import asyncio
import inspect
import threading
import uuid
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import transaction

import django_wfe
from django_wfe import (
    aget_job,
    aprovide,
    arun,
    astart,
    await_for,
    cancel_job,
    get_job,
    programs,
    run,
    start,
    wait_for,
)
from django_wfe.exceptions import UnknownJob, UnknownWorkflow, WrongState
from django_wfe.models import Job
from tests.support.running.engine_helpers import run_ready
from tests.workflows import Asking, Linear

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


def test_each_name_has_its_a_function_with_the_same_arguments() -> None:
    names = {name for name in programs.__all__ if not inspect.iscoroutinefunction(getattr(programs, name))}
    for name in names:
        twin = getattr(django_wfe, f"a{name}")
        assert inspect.iscoroutinefunction(twin), name
        ours, theirs = inspect.signature(getattr(programs, name)), inspect.signature(twin)
        assert list(ours.parameters.values()) == list(theirs.parameters.values()), name
    assert {f"a{name}" for name in names} | names == set(programs.__all__)


def test_a_job_is_found_by_id_key_and_uuid() -> None:
    job_id = start(Linear, key="order-7")
    job = Job.objects.get(pk=job_id)
    assert get_job(job_id) == get_job(key="order-7") == get_job(uuid=job.uuid) == get_job(uuid=str(job.uuid)) == job
    assert get_job(key="order-7", workflow=Linear) == job
    start(Asking, key="order-7")
    with pytest.raises(UnknownJob, match="several workflows"):
        get_job(key="order-7")
    for asked in ({"job_id": 0}, {"key": "order-8"}, {"uuid": uuid.uuid4()}, {"uuid": "junk"}, {"job_id": "junk"}):
        with pytest.raises(UnknownJob):
            get_job(**asked)
    with pytest.raises(UnknownWorkflow):
        get_job(key="order-7", workflow="nowhere.Flow")
    for asked in ({}, {"job_id": job_id, "key": "order-7"}):
        with pytest.raises(TypeError):
            get_job(**asked)


def test_a_script_waits_for_a_job_that_others_run() -> None:
    job_id = start(Linear)
    worker = threading.Thread(target=lambda: (run_ready(job_id), close_connection()))
    worker.start()
    assert wait_for(job_id, 20).state == "FINISHED"
    worker.join()
    assert wait_for(run(Asking)).state == "INPUT_REQUIRED"


def test_who_waits_in_vain_is_told_why() -> None:
    job_id = start(Linear)
    with pytest.raises(TimeoutError, match=f"Job {job_id} is PENDING after 0.05 s.*worker"):
        wait_for(job_id, 0.05)
    with transaction.atomic(), pytest.raises(TimeoutError, match="A transaction is open here"):
        wait_for(start(Linear), 0.01)
    with pytest.raises(UnknownJob):
        wait_for(0)
    cancel_job(job_id)
    assert wait_for(job_id, 0, until={"CANCELED"}).state == "CANCELED"


def test_async_code_starts_answers_and_waits() -> None:
    async def tell() -> Any:
        job_id = await arun(Asking)
        with pytest.raises(TimeoutError):
            await await_for(job_id, 0.05, until={"FINISHED"})
        assert (await await_for(job_id)).state == "INPUT_REQUIRED"
        await aprovide(job_id, {"some_data": 4})
        with pytest.raises(WrongState):
            await aprovide(job_id, {"some_data": 4})
        await sync_to_async(run_ready)(job_id)
        waited = asyncio.create_task(await_for(job_id, 20))
        return await waited, await aget_job(job_id)

    waited, found = async_to_sync(tell)()
    assert waited == found
    assert found.state == "FINISHED"


def test_many_async_starts_at_once_leave_no_thread() -> None:
    async def start_all() -> list[int]:
        return await asyncio.gather(*(astart(Linear, key=f"order-{number}") for number in range(200)))

    before = set(threading.enumerate())
    jobs = async_to_sync(start_all)()
    assert len(set(jobs)) == 200 == Job.objects.count()
    left = set(threading.enumerate()) - before
    for thread in left:
        thread.join(20)  # that of the loop may be about to end
    assert not any(thread.is_alive() for thread in left)


def close_connection() -> None:
    from django.db import connection

    connection.close()
