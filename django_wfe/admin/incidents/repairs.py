"""Repairing an incident in stages: one job, ten, all; tried again, skipped or canceled.

What failed again stops a retry and a skip of more than one job by itself.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_wfe.admin.bulk.ordering import start_bulk_run
from django_wfe.admin.elements.form_fields import JsonResultField
from django_wfe.admin.frame.base import ConsoleAdmin, Crumb, refuse_other_methods
from django_wfe.admin.incidents.page import find_incident, list_jobs_of_incident
from django_wfe.admin.incidents.stages import STAGES, STOPPING, describe_effect, describe_stage
from django_wfe.admin.verbs.forms import ManyForm
from django_wfe.engine.access import has_permission
from django_wfe.engine.lifecycle import VERBS, preview_bulk
from django_wfe.engine.rules.node_names import load_node_names
from django_wfe.models import Job
from django_wfe.values.identifiers import parse_id


class RepairForm(ManyForm):
    """The jobs that the preview named, where it named them, and the reason."""

    jobs = forms.CharField(widget=forms.HiddenInput, required=False, max_length=1000)

    def clean_jobs(self) -> list[int]:
        """Read "12,13"."""
        numbers = [parse_id(part) for part in self.cleaned_data["jobs"].split(",") if part]
        ids = [number for number in numbers if number is not None]
        if len(ids) < len(numbers):
            raise forms.ValidationError(_("These are not the ids of jobs."))
        return ids

    def collect_options(self) -> dict[str, Any]:
        """Return what the verb takes."""
        return {}


class SkipManyForm(RepairForm):
    """The result that each of the jobs goes on with."""

    result = JsonResultField(
        label=gettext_lazy("Result"),
        required=False,
        help_text=gettext_lazy(
            "As JSON. Each of the jobs goes on with it in place of what the step would have returned."
        ),
    )
    transition = forms.IntegerField(
        label=gettext_lazy("Way to take"),
        required=False,
        min_value=0,
        max_value=2**31 - 1,
        help_text=gettext_lazy("The number of the edge, from 0. Needed where several ways lead on from the step."),
    )

    field_order = ("result", "transition", "reason")

    def collect_options(self) -> dict[str, Any]:
        options = {"result": self.cleaned_data["result"]}
        if self.cleaned_data["transition"] is not None:
            options["transition"] = self.cleaned_data["transition"]
        return options


def show_repair(
    model_admin: ConsoleAdmin[Job], request: HttpRequest, fingerprint: str, stage: str, verb: str = "retry"
) -> HttpResponseBase:
    """Show what the verb does to one, ten or all jobs of the incident, and start it when that is posted."""
    model_admin.require_view_permission(request)
    refused = refuse_other_methods(request, "GET", "HEAD", "POST")
    if refused is not None:
        return refused
    asked = VERBS[verb]
    if not has_permission(request.user, asked.permission):
        raise PermissionDenied
    incident = find_incident(request.user, fingerprint)
    if not has_permission(request.user, asked.permission, incident.run.job.workflow):
        raise PermissionDenied
    limit = STAGES[stage]
    stop_on = fingerprint if limit != 1 and verb in STOPPING else ""
    form_class = SkipManyForm if verb == "skip" else RepairForm
    form = form_class(request.POST if request.method == "POST" else None)
    if form.is_valid():
        jobs = list_jobs_of_incident(request.user, fingerprint)
        if limit:
            jobs = jobs.filter(pk__in=form.cleaned_data["jobs"][:limit])
        return start_bulk_run(
            model_admin,
            request,
            verb,
            jobs,
            options=form.collect_options(),
            reason=form.cleaned_data["reason"],
            stop_on_fingerprint=stop_on,
        )
    chosen = list_chosen(request.user, fingerprint, limit)
    if limit and not form.is_bound:
        form = form_class(initial={"jobs": ",".join(str(job.pk) for job in chosen)})
    label = load_node_names([incident.run.step])[incident.run.step]
    preview = preview_bulk(verb, chosen)
    return model_admin.render(
        request,
        "django_wfe/console/repair.html",
        title=describe_stage(verb, stage),
        crumbs=[
            Crumb(_("Incidents"), model_admin.build_url("django_wfe_incidents")),
            Crumb(
                _("%(error)s in “%(step)s”") % {"error": incident.run.error_type or _("Failure"), "step": label},
                model_admin.build_url("django_wfe_incident", fingerprint),
            ),
        ],
        incident=incident,
        stage=stage,
        verb=asked,
        jobs=chosen if limit else None,
        preview=preview,
        effect=describe_effect(verb, preview.allowed, label),
        stops=bool(stop_on),
        goes_on=verb in STOPPING,
        form=form,
    )


def list_chosen(user: Any, fingerprint: str, limit: int) -> QuerySet[Job]:
    """Return the jobs that a stage takes: the oldest first, up to ``limit``; 0: all."""
    jobs = list_jobs_of_incident(user, fingerprint)
    if not limit:
        return jobs
    first = list(jobs.order_by("pk").values_list("pk", flat=True)[:limit])
    return jobs.filter(pk__in=first).select_related("workflow").defer("error").order_by("pk")
