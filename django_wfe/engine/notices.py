"""Tells the receivers of django_wfe.signals what was committed. Costs nothing where nobody listens."""

from __future__ import annotations

from django.db import transaction
from django.dispatch import Signal

from django_wfe import signals
from django_wfe.conf import DATABASE
from django_wfe.models import Job, StepRun


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
    if not _is_heard(signal):
        return

    def send() -> None:
        job = Job.objects.select_related("workflow").get(pk=job_id)
        signals.send_safely(signal, sender=Job, job=job)

    transaction.on_commit(send, using=DATABASE)


def _is_heard(signal: Signal) -> bool:
    # A signal without any receiver is told quickest by its list.
    return bool(signal.receivers) and signal.has_listeners(Job)


def _notify_step_run(signal: Signal, step_run_id: int) -> None:
    if not _is_heard(signal):
        return

    def send() -> None:
        step_run = StepRun.objects.select_related("job__workflow").get(pk=step_run_id)
        signals.send_safely(signal, sender=Job, job=step_run.job, step_run=step_run)

    transaction.on_commit(send, using=DATABASE)
