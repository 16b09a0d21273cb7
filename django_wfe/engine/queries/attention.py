"""How much needs somebody, counted to a bound: what the console's navigation says on every page."""

from __future__ import annotations

from typing import Any

from django.db.models import OuterRef, Subquery

from django_wfe.engine.access import list_visible_jobs
from django_wfe.engine.queries.inbox import list_waiting
from django_wfe.models import Job, JobState, StepRun

COUNTED = 100
"""What waits is counted up to here."""

LOOKED_AT = 500
"""The newest failed Jobs whose kinds of failure are counted."""


def count_open_questions(actor: Any) -> int:
    """Count the step runs that wait for input which the actor may give: ``COUNTED + 1`` if there are more."""
    # In its order, which is that of an index: PostgreSQL then stops at the last one that counts.
    return int(list_waiting(actor).values("pk")[: COUNTED + 1].count())


def count_incidents(actor: Any) -> tuple[int, bool]:
    """Count the kinds of failure among the failed Jobs that the actor may see, and say whether there may be more.

    Only the newest ``LOOKED_AT`` failed Jobs are looked at, each once.
    """
    failed = list_visible_jobs(actor).filter(state=JobState.FAILED).order_by("-pk").values("pk")
    last = StepRun.objects.filter(job=OuterRef("pk"), superseded=False).order_by("-number", "-attempt")
    newest = list(failed[: LOOKED_AT + 1].values_list("pk", flat=True))
    kinds = Job.objects.filter(pk__in=newest[:LOOKED_AT]).order_by()
    fingerprints = kinds.annotate(kind=Subquery(last.values("fingerprint")[:1])).values_list("kind", flat=True)
    return len({kind for kind in fingerprints if kind}) if newest else 0, len(newest) > LOOKED_AT
