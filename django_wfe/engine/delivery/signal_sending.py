"""Tells the receivers of django_wfe.signals what was committed. Costs nothing if nobody listens."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db import Error, connections, transaction
from django.dispatch import Signal

from django_wfe import signals
from django_wfe.conf import DATABASE
from django_wfe.engine.errors.failures import describe_failure, name_function
from django_wfe.engine.errors.tracebacks import quotes_input
from django_wfe.engine.isolation.contexts import enter_context
from django_wfe.engine.isolation.sessions import restore_sessions
from django_wfe.engine.output.step_logs import get_capture, resume_capture
from django_wfe.models import Job, StepRun

logger = logging.getLogger("django_wfe")


def notify_job_started(job_id: int) -> None:
    """Send ``job_started`` after commit."""
    _notify_job(signals.job_started, job_id)


def notify_job_finished(job_id: int) -> None:
    """Send ``job_finished`` after commit."""
    _notify_job(signals.job_finished, job_id)


def notify_job_failed(job_id: int) -> None:
    """Send ``job_failed`` after commit."""
    _notify_job(signals.job_failed, job_id)


def notify_job_canceled(job_id: int) -> None:
    """Send ``job_canceled`` after commit."""
    _notify_job(signals.job_canceled, job_id)


def notify_step_finished(step_run_id: int) -> None:
    """Send ``step_finished`` after commit."""
    _notify_step_run(signals.step_finished, step_run_id)


def notify_input_required(step_run_id: int) -> None:
    """Send ``input_required`` after commit."""
    _notify_step_run(signals.input_required, step_run_id)


def _notify_job(signal: Signal, job_id: int) -> None:
    def load() -> dict[str, Any]:
        return {"job": Job.objects.select_related("workflow").get(pk=job_id)}

    if _is_heard(signal):
        _send_on_commit(signal, load)


def _notify_step_run(signal: Signal, step_run_id: int) -> None:
    def load() -> dict[str, Any]:
        step_run = StepRun.objects.select_related("job__workflow").get(pk=step_run_id)
        return {"job": step_run.job, "step_run": step_run}

    if _is_heard(signal):
        _send_on_commit(signal, load)


def _is_heard(signal: Signal) -> bool:
    # A signal without any receiver is told quickest by its list.
    return bool(signal.receivers) and signal.has_listeners(Job)


def _send_on_commit(signal: Signal, load: Callable[[], dict[str, Any]]) -> None:
    # What receivers put out belongs to the step run whose commit they are told of.
    capture = get_capture()

    def send() -> None:
        was_in_block = connections[DATABASE].in_atomic_block
        with resume_capture(capture):
            enter_context().run(_send_safely, signal, load)
        if not was_in_block:
            # Receivers are code like that of steps, and may leave a transaction open.
            restore_sessions()

    transaction.on_commit(send, using=DATABASE)


def _send_safely(signal: Signal, load: Callable[[], dict[str, Any]]) -> None:
    """Send a signal; log what its receivers raise. What they are told of is committed: nothing here may fail it."""
    try:
        named = load()
    except ObjectDoesNotExist:
        # It was deleted right after the commit.
        return
    except Error as error:
        logger.error("Receivers of signals were not told of a change, which stands: %s", error)
        return
    try:
        responses = signal.send_robust(sender=Job, **named)
    except (Exception, SystemExit, asyncio.CancelledError) as error:
        # No Exception, or raised by Django's own look at one: the receivers after this one were not called.
        _report(_find_raiser(error), error)
        return
    for receiver, response in responses:
        if isinstance(response, Exception):
            _report(name_function(receiver), response)


def _report(receiver: str, error: BaseException) -> None:
    failure = describe_failure(error, receiver)
    loggable = _find_loggable(error)
    told = failure if loggable is not None else f"{failure}\n{failure.traceback.rstrip()}"
    logger.error("The signal receiver %s raised %s", receiver, told, exc_info=loggable)


def _find_loggable(error: BaseException) -> BaseException | None:
    """Return the exception if handlers may format it, else None: they would log nothing at all, or quote input."""
    try:
        traceback.format_exception(error)
    except BaseException:
        return None
    return None if quotes_input(error) else error


def _find_raiser(error: BaseException) -> str:
    """Name the outermost function that is not of Django or this module, where there is one."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        module = str(frame.f_globals.get("__name__", ""))
        if module != __name__ and not module.startswith(("django.", "asgiref.")):
            return f"{module}.{frame.f_code.co_qualname}"
    return "of a signal"
