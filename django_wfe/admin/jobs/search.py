"""Finding a Job from the box above every page of the console."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext as _

from django_wfe.admin.frame.base import ConsoleAdmin, refuse_other_methods
from django_wfe.engine.access import list_visible_jobs
from django_wfe.engine.queries.job_search import SHOWN, search_jobs
from django_wfe.models import Job
from django_wfe.values.moments import get_now


def show_search(model_admin: ConsoleAdmin[Job], request: HttpRequest) -> HttpResponseBase:
    """Lead to the only Job that ``?q=`` can mean, or show all that it may mean."""
    model_admin.require_view_permission(request)
    refused = refuse_other_methods(request, "GET", "HEAD")
    if refused is not None:
        return refused
    term = request.GET.get("q", "").strip()
    found = search_jobs(request.user, term)
    if found.only is not None:
        if term.removeprefix("#") == str(found.only):
            messages.info(request, _("Found by its number: no key has %(term)s in it.") % {"term": term})
        return HttpResponseRedirect(model_admin.build_object_url(found.only))
    jobs = _load(request.user, found.ids)
    return model_admin.render(
        request,
        "django_wfe/console/search.html",
        title=_("Find a job"),
        term=term,
        search_term=term,
        named=[jobs[pk] for pk in found.named if pk in jobs],
        similar=[jobs[pk] for pk in found.similar if pk in jobs],
        is_cut=found.is_cut,
        shown_at_most=SHOWN,
        now=get_now(),
    )


def _load(user: Any, ids: tuple[int, ...]) -> dict[int, Job]:
    rows = list_visible_jobs(user).filter(pk__in=ids).select_related("workflow").defer("error")
    return {job.pk: job for job in rows}
