"""How much needs somebody, counted to a bound: what the console's navigation says on every page."""

from __future__ import annotations

from typing import Any

from django_wfe.engine.access import list_visible_jobs
from django_wfe.engine.queries.inbox import count_waiting
from django_wfe.engine.queries.incidents import list_fingerprints
from django_wfe.models import JobState

COUNTED = 100
"""What waits is counted up to here."""

LOOKED_AT = 500
"""The newest failed Jobs whose kinds of failure are counted."""


def count_open_questions(actor: Any) -> tuple[int, bool]:
    """Count the step runs that wait for input which the actor may give, and say whether there are more."""
    return count_waiting(actor, COUNTED)


def count_incidents(actor: Any) -> tuple[int, bool]:
    """Count the kinds of failure among the failed Jobs that the actor may see, and say whether there may be more."""
    failed = list_visible_jobs(actor).filter(state=JobState.FAILED).order_by("-pk")
    kinds = list_fingerprints(failed, LOOKED_AT + 1)
    return len(set(filter(None, kinds[:LOOKED_AT]))), len(kinds) > LOOKED_AT
