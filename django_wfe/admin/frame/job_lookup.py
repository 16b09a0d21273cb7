"""Finding one job for a page, and jobs by id, UUID, key or idempotency key, each through its own index."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _

from django_wfe.admin.frame.base import ConsoleAdmin
from django_wfe.definition.texts import is_storable
from django_wfe.engine.access import list_visible_jobs
from django_wfe.models import Job, Workflow
from django_wfe.values.identifiers import parse_id

FOUND_AT_MOST = 200


def find_job(model_admin: ConsoleAdmin[Job], request: HttpRequest, pk: Any) -> Job:
    """Return the Job of this id with its workflow and definition, among those that the user may see.

    Raises:
        PermissionDenied: if the user may not see jobs, or not this one.
        Http404: if there is none.
    """
    model_admin.require_view_permission(request)
    rows = list_visible_jobs(request.user).select_related("workflow", "definition", "created_by")
    job = rows.filter(pk=parse_id(pk) or 0).first()
    if job is None:
        raise Http404(_("There is no job with the id %(id)s.") % {"id": pk})
    model_admin.require_view_permission(request, job)
    return job


def search_jobs(jobs: QuerySet[Job], term: str) -> QuerySet[Job]:
    """Return the jobs whose id, UUID or key is exactly ``term``, or the idempotency key of one of whose steps is.

    The last is what other systems know a step by: ``Step.idempotency_key``.
    """
    term = term.strip()
    if not term:
        return jobs
    found: set[int] = set()
    if not is_storable(term):
        return jobs.none()
    number = parse_id(term)
    if number is not None:
        found.add(number)
    found.update(_find_by_uuid(term))
    # The index of keys begins with the workflow: naming them all lets PostgreSQL use it.
    workflows = list(Workflow.objects.order_by().values_list("pk", flat=True))
    found.update(
        Job.objects.filter(workflow_id__in=workflows, key=term).order_by().values_list("pk", flat=True)[:FOUND_AT_MOST]
    )
    return jobs.filter(pk__in=found)


def _find_by_uuid(term: str) -> list[int]:
    job, _colon, number = term.partition(":")
    if number and not number.isdecimal():
        return []
    try:
        value = uuid.UUID(job)
    except ValueError:
        return []
    return list(Job.objects.filter(uuid=value).values_list("pk", flat=True))
