"""Whether failures get more: how many jobs failed in the last hour, and how many in the hour before."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Now

from django_wfe import states
from django_wfe.admin.elements.counts import write_count
from django_wfe.engine.access import list_visible_step_runs
from django_wfe.models import StepRun

COUNT_CAP = 1_000
"""Failures of an hour are gone through up to here."""

FEWEST = 5
"""With fewer jobs in the last hour nothing is said to rise."""


@dataclass(frozen=True, slots=True)
class Trend:
    """How many jobs had a failed step in the last hour, and in the hour before it.

    However often a job was tried, it counts once. ``COUNT_CAP`` + 1 stands for an hour that has more failures than are
    gone through.
    """

    last_hour: int
    hour_before: int

    @property
    def last_hour_text(self) -> str:
        """The former count in words: "3", "1,000+"."""
        return write_count(self.last_hour, COUNT_CAP)

    @property
    def hour_before_text(self) -> str:
        """The latter count in words."""
        return write_count(self.hour_before, COUNT_CAP)

    @property
    def is_rising(self) -> bool:
        """Return whether there were more in the last hour, by more than chance would make of as many.

        The difference of two counts of independent events has the root of their sum as its standard deviation: twice
        that comes by chance once in forty hours.
        """
        difference = self.last_hour - self.hour_before
        return self.last_hour >= FEWEST and difference > 2 * math.sqrt(self.last_hour + self.hour_before)


def count_failures(user: Any, *, fingerprint: str = "") -> Trend:
    """Count the jobs that failed in the last hour and in the one before, in two bounded queries."""
    hour = timedelta(hours=1)
    rows = list_visible_step_runs(user).filter(state=states.StepRunState.FAILED)
    if fingerprint:
        rows = rows.filter(fingerprint=fingerprint)
    last = rows.filter(finished_at__gte=Now() - hour)
    before = rows.filter(finished_at__gte=Now() - 2 * hour, finished_at__lt=Now() - hour)
    return Trend(_count_jobs(last), _count_jobs(before))


def _count_jobs(rows: QuerySet[StepRun]) -> int:
    jobs = list(rows.order_by().values_list("job_id", flat=True)[: COUNT_CAP + 1])
    return len(jobs) if len(jobs) > COUNT_CAP else len(set(jobs))
