"""Time in tests. The engine compares every deadline with the database's clock, which no test can set.

So it is the deadlines that move: an hour back for them is the same as an hour forward for the clock.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import F

from django_wfe.conf import DATABASE
from django_wfe.engine.delivery.dispatcher import get_dispatcher
from django_wfe.engine.recovery.liveness import list_in_service
from django_wfe.engine.worker.heartbeat import install_worker
from django_wfe.models import Job, StepRun
from django_wfe.states import LIVE_STEP_RUN_STATES
from django_wfe.testing.dispatchers import RecordingDispatcher


def advance_time(seconds: float, *, job: Job | None = None) -> None:
    """Let time pass for what is live, without sleeping.

    Step runs that are ready, running or waiting become due and overdue that much sooner, messages in a
    ``RecordingDispatcher`` arrive that much sooner, and workers have been silent for that much longer, except this
    process's own, which goes on beating. What has ended keeps its times.

    Args:
        seconds: zero or more; the engine's clock never runs backwards.
        job: let time pass for this Job only, and for no worker. Default None: for everything.

    Raises:
        ValueError: for a negative number.
    """
    if seconds < 0:
        raise ValueError(f"advance_time({seconds!r}): give a number of seconds of at least 0.")
    span = timedelta(seconds=seconds)
    runs = StepRun.objects.filter(state__in=sorted(LIVE_STEP_RUN_STATES)).order_by()
    if job is not None:
        runs = runs.filter(job_id=job.pk)
    with transaction.atomic(using=DATABASE, savepoint=False):
        locked = set(runs.select_for_update().order_by("id").values_list("pk", flat=True))
        StepRun.objects.filter(pk__in=locked).update(
            due_at=F("due_at") - span,
            expires_at=F("expires_at") - span,
            dispatched_at=F("dispatched_at") - span,
            created_at=F("created_at") - span,
        )
        if job is None:
            living = list_in_service()
            own = install_worker(None)
            install_worker(own)
            if own is not None:
                living = living.exclude(pk=own.id)
            living.update(last_seen=F("last_seen") - span)
    dispatcher = get_dispatcher()
    if isinstance(dispatcher, RecordingDispatcher):
        dispatcher.let_time_pass(seconds, locked if job is not None else None)
