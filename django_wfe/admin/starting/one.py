"""Starting a Job of a Workflow."""

from __future__ import annotations

import logging
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from pydantic import ValidationError

from django_wfe.admin.attributes.facts import find_visible_row
from django_wfe.admin.attributes.filter import SUBJECT
from django_wfe.admin.elements.form_fields import UncutField
from django_wfe.admin.frame.base import ConsoleAdmin, Crumb, refuse_other_methods
from django_wfe.admin.frame.history import log_start
from django_wfe.admin.frame.return_address import read_return_address
from django_wfe.admin.verbs.forms import are_all_valid
from django_wfe.engine.access import START_JOBS, has_permission, name_permission
from django_wfe.engine.errors.tracebacks import say_briefly
from django_wfe.engine.inputs.job_attributes import suggest_input
from django_wfe.engine.inputs.job_input import require_job_input_schema
from django_wfe.engine.lifecycle import NOT_GIVEN, Source, start_job
from django_wfe.engine.queries.found_by import read_found_by
from django_wfe.engine.rules import start_rules
from django_wfe.exceptions import CodeNotLoaded, InputCheckFailed, OtherInput, WFEException
from django_wfe.forms import InputForm, build_input_form
from django_wfe.models import Job, Workflow

logger = logging.getLogger(__name__)

PREFIX = "input"


class StartForm(forms.Form):
    """What every start can be given."""

    key = UncutField(
        label=gettext_lazy("Key"),
        required=False,
        max_length=255,
        help_text=gettext_lazy(
            "Optional. A second start of this workflow with the same key gives the first job instead of a new one."
        ),
        widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}),
    )


def show_start(model_admin: ConsoleAdmin[Workflow], request: HttpRequest, workflow_id: int) -> HttpResponseBase:
    """Show what will start, and start it when that is posted.

    ``?subject=`` names a row of the project that the form is filled in for, ``?next=`` the page to come back to.
    """
    refused = refuse_other_methods(request, "GET", "HEAD", "POST")
    if refused is not None:
        return refused
    workflow = find_startable(model_admin, request, workflow_id)
    form = StartForm(request.POST if request.method == "POST" else None)
    reason = explain_no_start(workflow, request.user)
    graph = workflow.current_definition.load_graph() if workflow.current_definition is not None else None
    input_form = None
    if graph is not None and graph.input_schema is not None and not reason:
        input_form, reason = _build_input_form(request, workflow)
        form.fields["key"].help_text = _(
            "Optional. A second start of this workflow with the same key and the same input gives the first job "
            "instead of a new one; with other input it is refused."
        )
    if request.method == "POST" and not reason:
        started = _start(model_admin, request, workflow, form, input_form)
        if started is not None:
            return started
    return model_admin.render(
        request,
        "django_wfe/console/start.html",
        title=_("Start a job: %(workflow)s") % {"workflow": workflow},
        crumbs=[model_admin.list_crumb(), Crumb(str(workflow), model_admin.build_object_url(workflow.pk))],
        media=input_form.media if input_form is not None else forms.Media(),
        workflow=workflow,
        back=read_return_address(request) or model_admin.build_object_url(workflow.pk),
        form=form,
        input_form=input_form,
        first=graph.first if graph is not None else None,
        no_start=reason,
    )


def find_startable(model_admin: ConsoleAdmin[Workflow], request: HttpRequest, workflow_id: int) -> Workflow:
    """Return the Workflow of this id, which the user may see and start jobs of.

    Raises:
        PermissionDenied: the user may not.
        Http404: there is none.
    """
    model_admin.require_view_permission(request)
    workflow = model_admin.get_queryset(request).select_related("current_definition").filter(pk=workflow_id).first()
    if workflow is None:
        raise Http404(_("There is no workflow with the id %(id)s.") % {"id": workflow_id})
    if not has_permission(request.user, START_JOBS, workflow):
        raise PermissionDenied
    return workflow


def explain_no_start(workflow: Workflow, user: Any) -> str:
    """Explain why no Job of this Workflow can start now, or "" if one can."""
    if not has_permission(user, START_JOBS, workflow):
        return _("You need the permission “%(permission)s” to start jobs of it.") % {
            "permission": name_permission(START_JOBS)
        }
    refusal = start_rules.explain_no_start(workflow)
    return str(refusal) if refusal is not None else ""


def _build_input_form(request: HttpRequest, workflow: Workflow) -> tuple[InputForm | None, str]:
    """Return the form for what a Job starts with, or None and the reason why there can be none."""
    try:
        form_class = build_input_form(require_job_input_schema(workflow.path))
        if request.method == "POST":
            return form_class(request.POST, request.FILES, prefix=PREFIX), ""
        return form_class(prefix=PREFIX, initial=_suggest(request, workflow)), ""
    except CodeNotLoaded as error:
        return None, str(error)
    except Exception as error:  # the schema is code of the project: its defect is told, not a blank page
        logger.exception("The form of what jobs of %s start with could not be made.", workflow.path)
        return None, say_briefly(error)


def _suggest(request: HttpRequest, workflow: Workflow) -> dict[str, Any] | None:
    """Return what the workflow fills its form in with for the row that the address names, if the user may see that."""
    try:
        subject = read_found_by(subject=request.GET.get(SUBJECT, "")).subject
    except ValueError:  # the form is as good without
        return None
    if subject is None or subject.model != workflow.subject:
        return None
    row = find_visible_row(request.user, subject)
    try:
        return suggest_input(workflow, row) if row is not None else None
    except InputCheckFailed as error:
        messages.warning(request, str(error))
        return None


def _start(
    model_admin: ConsoleAdmin[Workflow],
    request: HttpRequest,
    workflow: Workflow,
    form: StartForm,
    input_form: InputForm | None,
) -> HttpResponseBase | None:
    """Start the Job that was asked for. None: show the form again, with what was typed."""
    if not are_all_valid(form, input_form):
        return None
    key = form.cleaned_data["key"] or None
    job_input = input_form.valid_input if input_form is not None else NOT_GIVEN
    try:
        started = start_job(workflow.pk, key=key, job_input=job_input, actor=request.user, source=Source.ADMIN)
    except ValidationError as error:
        assert input_form is not None  # noqa: S101  (nothing else is validated)
        input_form.add_pydantic_errors(error)
        return None
    except OtherInput as error:
        form.add_error("key", str(error))
        return None
    except WFEException as error:
        form.add_error(None, str(error))
        return None
    job = Job.objects.select_related("workflow").get(pk=started.job_id)
    if started.created:
        log_start(request, job)
        messages.success(request, _("%(job)s was started.") % {"job": job.title})
    else:
        messages.info(
            request, _("%(job)s was started with this key before; no other was started.") % {"job": job.title}
        )
    came_from = read_return_address(request)
    if came_from:
        return HttpResponseRedirect(came_from)
    if not has_permission(request.user, "django_wfe.view_job", workflow):
        return HttpResponseRedirect(model_admin.build_object_url(workflow.pk))
    return HttpResponseRedirect(model_admin.build_url("django_wfe_job_change", job.pk))
