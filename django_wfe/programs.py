"""What programs do with Jobs, by short names. Each has an a-function for async code, such as an async view.

An a-function runs the same call in the thread that Django keeps for the database of async code. Under an ASGI server
each request has such a thread, and so a connection: short calls take turns, so that the database has some left.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
import uuid as uuids
from collections.abc import Callable, Collection, Coroutine, Iterator
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async
from django.db import connections

from django_wfe.conf import DATABASE
from django_wfe.engine.lifecycle import (
    cancel_job,
    explain_job,
    find_workflow,
    order_workflow_execution,
    pause_job,
    provide_external_input,
    rerun_job,
    resume_job,
    retry_job,
    run_workflow,
    skip_step,
    start_many,
)
from django_wfe.exceptions import UnknownJob
from django_wfe.models import Job
from django_wfe.states import ENDED_JOB_STATES, JobState
from django_wfe.values.identifiers import parse_id
from django_wfe.values.sentences import gettext as _

__all__ = [
    "acancel_job",
    "aget_job",
    "apause_job",
    "aprovide",
    "arerun_job",
    "aresume_job",
    "aretry_job",
    "arun",
    "askip_step",
    "astart",
    "astart_many",
    "await_for",
    "cancel_job",
    "get_job",
    "pause_job",
    "provide",
    "rerun_job",
    "resume_job",
    "retry_job",
    "run",
    "skip_step",
    "start",
    "start_many",
    "wait_for",
]

CALLS_AT_ONCE = 16
"""The most short calls of one event loop that are under way at once: by default PostgreSQL takes 100 connections."""

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()

Parameters = ParamSpec("Parameters")
Returned = TypeVar("Returned")

SETTLED = frozenset({*ENDED_JOB_STATES, JobState.INPUT_REQUIRED})
"""The states in which nothing happens until somebody does something."""

FIRST_PAUSE, LONGEST_PAUSE = 0.01, 0.5
"""Seconds between two looks at a Job that is waited for: twice as long each time."""

start = order_workflow_execution
run = run_workflow
provide = provide_external_input


def get_job(job_id: int | None = None, *, key: str | None = None, uuid: Any = None, workflow: Any = None) -> Job:
    """Return a Job by its id, by its key, or by its UUID, with its Workflow.

    Args:
        workflow: the Workflow in which a key is looked for: its id, row, class or dotted path. Default: in all.

    Raises:
        UnknownJob: if there is none, or Jobs of several Workflows have the key.
        UnknownWorkflow: if there is no such Workflow.
        TypeError: unless one of id, key and UUID is given.
    """
    if sum(given is not None for given in (job_id, key, uuid)) != 1:
        raise TypeError("Give either an id, a key or a uuid.")
    jobs = Job.objects.select_related("workflow").order_by("pk")
    if job_id is not None:
        found = list(jobs.filter(pk=parse_id(job_id) or 0))
    elif uuid is not None:
        found = list(jobs.filter(uuid=_read_uuid(uuid)))
    else:
        found = list((jobs if workflow is None else jobs.filter(workflow=find_workflow(workflow))).filter(key=key)[:2])
    if len(found) > 1:
        raise UnknownJob(_("Jobs of several workflows have the key %(key)r. Say which workflow.") % {"key": key})
    if not found:
        asked = next(given for given in (job_id, key, uuid) if given is not None)
        raise UnknownJob(_("There is no job %(job)s.") % {"job": asked})
    return found[0]


def wait_for(job: Job | int, timeout: float | timedelta = 60.0, *, until: Collection[str] = SETTLED) -> Job:
    """Wait until a Job is in one of some states, and return it as it is then. For scripts and tests.

    Args:
        job: the Job, or its id.
        timeout: seconds, or a timedelta. Default one minute.
        until: the states. Default: it has ended, or waits for input.

    Raises:
        TimeoutError: it is in none of them by then; the message says why the Job is where it is.
        UnknownJob: if there is none.
    """
    for pause, found in _look(job, timeout, until):
        if pause is None:
            return found
        time.sleep(pause)
    raise AssertionError("unreachable")  # pragma: no cover


async def await_for(job: Job | int, timeout: float | timedelta = 60.0, *, until: Collection[str] = SETTLED) -> Job:
    """Wait as ``wait_for`` does, without holding a thread meanwhile."""
    looks = _look(job, timeout, until)
    while True:
        pause, found = await sync_to_async(next)(looks)
        if pause is None:
            return found
        await asyncio.sleep(pause)


def _look(job: Job | int, timeout: float | timedelta, until: Collection[str]) -> Iterator[tuple[float | None, Job]]:
    """Yield the seconds until the next look, None at the last one; with the Job."""
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    ends, pause = time.monotonic() + seconds, FIRST_PAUSE
    while True:
        found = get_job(job.pk if isinstance(job, Job) else job)
        if found.state in until:
            yield None, found
            return
        left = ends - time.monotonic()
        if left <= 0:
            raise TimeoutError(_say_timeout(found, seconds))
        yield min(pause, left), found
        pause = min(2 * pause, LONGEST_PAUSE)


def _say_timeout(job: Job, seconds: float) -> str:
    values = {"job": job.pk, "state": job.state, "seconds": f"{seconds:g}", "why": explain_job(job).sentence}
    text = _("Job %(job)s is %(state)s after %(seconds)s s. %(why)s") % values
    if connections[DATABASE].in_atomic_block:
        hint = _("A transaction is open here: what was started in it is sent to workers when it is committed.")
        return f"{text} {hint}"
    return text


def _read_uuid(given: Any) -> uuids.UUID:
    try:
        return given if isinstance(given, uuids.UUID) else uuids.UUID(str(given))
    except ValueError:
        raise UnknownJob(_("There is no job %(job)s.") % {"job": given}) from None


def _make_async(
    function: Callable[Parameters, Returned], name: str, *, is_short: bool = True
) -> Callable[Parameters, Coroutine[Any, Any, Returned]]:
    """Return the a-function of a call.

    Args:
        is_short: it counts among those that wait for each other.
    """
    call = sync_to_async(function, thread_sensitive=True)

    @functools.wraps(function)
    async def asynchronous(*args: Parameters.args, **options: Parameters.kwargs) -> Returned:
        async with _get_turns() if is_short else contextlib.nullcontext():
            return await call(*args, **options)

    asynchronous.__name__ = asynchronous.__qualname__ = f"a{name}"
    asynchronous.__doc__ = f"Do what ``{name}`` does, in async code."
    return asynchronous


def _get_turns() -> asyncio.Semaphore:
    """Return what lets so many short calls of this thread's loop go at once."""
    loop = asyncio.get_running_loop()
    return _turns.get(loop) or _turns.setdefault(loop, asyncio.Semaphore(CALLS_AT_ONCE))


astart = _make_async(start, "start")
arun = _make_async(run, "run", is_short=False)
astart_many = _make_async(start_many, "start_many")
aprovide = _make_async(provide, "provide")
aget_job = _make_async(get_job, "get_job")
acancel_job = _make_async(cancel_job, "cancel_job")
apause_job = _make_async(pause_job, "pause_job")
aresume_job = _make_async(resume_job, "resume_job")
aretry_job = _make_async(retry_job, "retry_job")
arerun_job = _make_async(rerun_job, "rerun_job")
askip_step = _make_async(skip_step, "skip_step")
