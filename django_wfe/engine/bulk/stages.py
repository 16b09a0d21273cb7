"""How far a repair in stages may go: as many Jobs at a time as went well before, until the failure comes back."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now

from django_wfe.engine.errors.fingerprints import get_place_range
from django_wfe.engine.operations.verbs.registry import VERBS
from django_wfe.models import BulkItem, BulkRun, Job, JobState, StepRun, StepRunState

LOOK_AGAIN_SECONDS = 1.0
"""How long a repair waits for what it has started before it looks again."""

COUNTED = 500
"""How many of the Jobs that were changed last are looked at: that many are under way at the most."""

# One after the other, since each state has an index of its own.
_FAILED_STATES = (StepRunState.FAILED, StepRunState.LOST)
_UNDER_WAY = (StepRunState.READY, StepRunState.RUNNING)


def is_free() -> Q:
    """Return the condition on a bulk run that no other message is at it, where it goes in stages.

    Each message of such a run sends the next one. A second one, which recovery sends where the first is late, would
    take Jobs beside it and go on for ever beside it.
    """
    quiet = Q(touched_at__lt=Now() - timedelta(seconds=LOOK_AGAIN_SECONDS / 2))
    return Q(stop_on_fingerprint="") | Q(state=BulkRun.State.WAITING) | quiet


def find_returned(bulk: BulkRun) -> int | None:
    """Return a Job of this bulk run that stands failed with the failure again, or None."""
    changed = bulk.items.filter(state=BulkItem.State.DONE).order_by().values("job")
    for state in _FAILED_STATES:
        runs = StepRun.objects.filter(
            is_the_failure(bulk),
            state=state,
            superseded=False,
            created_at__gte=BulkRun.objects.filter(pk=bulk.pk).values("created_at"),
            job__state=JobState.FAILED,
            job__in=changed,
        )
        # Not first(): it would have the database look for the one with the lowest id.
        for job_id in runs.order_by().values_list("job_id", flat=True)[:1]:
            return job_id
    return None


def is_the_failure(bulk: BulkRun) -> Q:
    """Return the condition on a step run that it failed with what stops this bulk run.

    Where the failures of its incident got other fingerprints while it was open, each failure at one of their places
    counts: the fingerprint that it was started with held all of them.
    """
    if bulk.stop_on_fingerprint == BulkRun.ANY_FAILURE:
        return Q()
    condition = Q(fingerprint=bulk.stop_on_fingerprint)
    for fingerprint in bulk.stops_also_on:
        condition |= Q(fingerprint__range=get_place_range(fingerprint))
    return condition


def count_room(bulk: BulkRun) -> int:
    """Return how many more Jobs may be changed now: 1 at first, then as many under way as have got past the step.

    A Job is under way while the step that failed is ready or runs in it; where Jobs run again from an earlier step, or
    any failure counts, while anything does. One that has failed in another way has not got past it.
    """
    done = bulk.items.filter(state=BulkItem.State.DONE).order_by("-id")
    changed = list(done.values_list("job", flat=True)[:COUNTED])
    if not changed:
        return 1
    runs = StepRun.objects.filter(job__in=changed, superseded=False)
    verb = VERBS.get(bulk.verb)
    if bulk.stop_on_fingerprint != BulkRun.ANY_FAILURE and (verb is None or not verb.goes_back):
        runs = runs.filter(step__in=_find_steps(bulk))
    under_way = sum(runs.filter(state=state).count() for state in _UNDER_WAY)
    failed = Job.objects.filter(pk__in=changed, state=JobState.FAILED).count()
    return max(1, len(changed) - under_way - failed) - under_way


def _find_steps(bulk: BulkRun) -> set[str]:
    """Return the steps that failed so. Each fingerprint is of one step: so the newest run of each tells."""
    steps = set[str]()
    for fingerprint in (bulk.stop_on_fingerprint, *bulk.stops_also_on):
        for state in _FAILED_STATES:
            runs = StepRun.objects.filter(state=state, fingerprint=fingerprint).order_by()
            steps.update(runs.values_list("step", flat=True)[:1])
    return steps
