"""A deletion takes nothing away from the statistics: what is not yet counted of a Job is counted before it goes."""

from __future__ import annotations

from typing import Any

from django_wfe.conf import DATABASE
from django_wfe.engine.statistics.rollup import count_before_deletion
from django_wfe.models import Job


def note_deletion(*, instance: Job, using: str, **kwargs: Any) -> None:
    """Receive ``pre_delete`` of a Job, which Django sends before it deletes anything."""
    if using == DATABASE:
        count_before_deletion(instance.pk)
