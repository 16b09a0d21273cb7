"""Whether a worker is alive: it has not ended, and its last heartbeat is no older than ``WFE_WORKER_TIMEOUT``.

The heartbeat is compared with the database's clock, which every process shares. The watchdog looks twice before it
declares a worker dead (``sweeping.Observer``); until then its step runs are its own, silent or not.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.db.models.functions import Now

from django_wfe.conf import settings
from django_wfe.models import Worker
from django_wfe.values.moments import count_seconds

IN_SERVICE = "worker.declared_dead_at IS NULL AND worker.stopped_at IS NULL"
IS_SILENT = "worker.last_seen < statement_timestamp() - %s * INTERVAL '1 second'"
"""The same two conditions in SQL, for ``django_wfe_worker AS worker``; the parameter is ``WFE_WORKER_TIMEOUT``."""


def list_in_service() -> QuerySet[Worker]:
    """Return the workers that have neither stopped nor been declared dead."""
    return Worker.objects.filter(declared_dead_at=None, stopped_at=None)


def annotate_silence(workers: QuerySet[Worker]) -> QuerySet[Any]:
    """Return the workers with ``is_silent``: whether the last heartbeat is too old."""
    return workers.annotate(is_silent=ExpressionWrapper(_build_silence(), output_field=BooleanField()))


def list_live_workers() -> QuerySet[Worker]:
    """Return the workers in service that are not silent."""
    return list_in_service().exclude(_build_silence())


def measure_silence(worker: Worker, now: datetime) -> tuple[float, bool]:
    """Return the seconds since a worker's last heartbeat, and whether that makes it silent.

    Args:
        now: the database's time.
    """
    seconds = count_seconds(worker.last_seen, now)
    return seconds, seconds > settings.worker_timeout


def _build_silence() -> Q:
    return Q(last_seen__lt=Now() - timedelta(seconds=settings.worker_timeout))
