"""Finding a Job: from the box above every page of the console, and to compare another with it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext as _

from django_wfe.admin.frame.base import ConsoleAdmin, Crumb, refuse_other_methods
from django_wfe.admin.frame.job_lookup import find_job
from django_wfe.engine.access import list_visible_jobs
from django_wfe.engine.queries.job_search import SHOWN, search_jobs
from django_wfe.models import Job
from django_wfe.values.moments import get_now

OTHERS_SHOWN = 20
"""The newest Jobs of a Workflow that are offered to compare with."""


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


def show_comparison_choice(model_admin: ConsoleAdmin[Job], request: HttpRequest, job_id: int) -> HttpResponseBase:
    """Ask which Job to compare this one with: ``?other=`` is found as in the box above, among those of its Workflow."""
    job = find_job(model_admin, request, job_id)
    refused = refuse_other_methods(request, "GET", "HEAD")
    if refused is not None:
        return refused
    term = request.GET.get("other", "").strip()
    others = list_visible_jobs(request.user).filter(workflow=job.workflow_id).exclude(pk=job.pk)
    others = others.select_related("workflow").defer("error").order_by("-pk")
    searched = search_jobs(request.user, term)
    found = list(others.filter(pk__in=searched.ids) if term else others[:OTHERS_SHOWN])
    if term and len(found) == 1:
        return HttpResponseRedirect(model_admin.build_url("django_wfe_job_compare", job.pk, found[0].pk))
    return model_admin.render(
        request,
        "django_wfe/console/compare_choice.html",
        title=_("Compare %(job)s") % {"job": job.title},
        crumbs=[model_admin.list_crumb(), Crumb(job.title, model_admin.build_object_url(job.pk))],
        media=forms.Media(css={"all": ["django_wfe/compare.css"]}),
        job=job,
        other_term=term,
        found=found,
        is_cut=searched.is_cut,
        shown_at_most=SHOWN,
        now=get_now(),
    )


def _load(user: Any, ids: tuple[int, ...]) -> dict[int, Job]:
    rows = list_visible_jobs(user).filter(pk__in=ids).select_related("workflow").defer("error")
    return {job.pk: job for job in rows}
