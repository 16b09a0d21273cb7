"""Jobs that went well, to hold one that did not against."""

from __future__ import annotations

from typing import Any

from django_wfe.engine.access import list_visible_jobs
from django_wfe.models import Job
from django_wfe.states import JobState

LOOKED_AT = 200
CHOSEN = 20
"""So many Jobs before one are looked at; of those that are good, so many are asked for."""


def list_good_jobs(actor: Any, job: Job) -> list[Job]:
    """Return the newest finished Jobs of a Workflow before one of its Jobs, those of the same version first.

    As far as the actor may see them; with their Workflows. Two bounded queries.
    """
    before = Job.objects.filter(workflow_id=job.workflow_id, pk__lt=job.pk).order_by("-pk")
    looked_at = before.values_list("pk", "state", "definition_id")[:LOOKED_AT]
    good = [
        (definition_id == job.definition_id, pk) for pk, state, definition_id in looked_at if state == JobState.FINISHED
    ]
    chosen = [pk for _is_same, pk in sorted(good, reverse=True)[:CHOSEN]]
    if not chosen:
        return []
    seen = {found.pk: found for found in list_visible_jobs(actor).filter(pk__in=chosen).select_related("workflow")}
    return [seen[pk] for pk in chosen if pk in seen]
