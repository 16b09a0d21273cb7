"""Finding the job that a page is about."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _

from django_wfe.admin.frame.base import ConsoleAdmin
from django_wfe.engine.access import list_visible_jobs
from django_wfe.models import Job
from django_wfe.values.identifiers import parse_id


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
