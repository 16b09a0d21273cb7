"""Pausing a whole Workflow, and letting it go on: a page that says what will happen, and then does it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_wfe import states
from django_wfe.admin.elements.counts import count_up_to
from django_wfe.admin.elements.form_fields import ReasonField
from django_wfe.admin.frame.base import ConsoleAdmin, Crumb, refuse_other_methods
from django_wfe.admin.frame.history import log_action
from django_wfe.engine.access import PAUSE_WORKFLOW, has_permission, narrow_jobs
from django_wfe.engine.lifecycle import Source, pause_workflow, resume_workflow
from django_wfe.exceptions import PermissionRequired, WrongState
from django_wfe.models import Job, StepRun, Workflow
from django_wfe.values.moments import get_now

COUNTED = 10_000
"""Ready step runs are counted up to here."""


class PauseForm(forms.Form):
    """Why the workflow is held."""

    reason = ReasonField(
        help_text=gettext_lazy("Optional. Shown on the workflow's page and on the page of each of its jobs.")
    )


class ResumeForm(forms.Form):
    """Nothing is asked."""


def show_pause(model_admin: ConsoleAdmin[Workflow], request: HttpRequest, workflow_id: int) -> HttpResponseBase:
    """Show what a pause of the workflow does, and pause it when that is posted."""
    return _show(model_admin, request, workflow_id, pauses=True)


def show_resume(model_admin: ConsoleAdmin[Workflow], request: HttpRequest, workflow_id: int) -> HttpResponseBase:
    """Show what goes on, and let it go on when that is posted."""
    return _show(model_admin, request, workflow_id, pauses=False)


def may_pause(user: Any, workflow: Workflow) -> bool:
    """Return whether a user may pause and resume this workflow."""
    return has_permission(user, PAUSE_WORKFLOW, workflow)


def _show(
    model_admin: ConsoleAdmin[Workflow], request: HttpRequest, workflow_id: int, *, pauses: bool
) -> HttpResponseBase:
    refused = refuse_other_methods(request, "GET", "HEAD", "POST")
    if refused is not None:
        return refused
    model_admin.require_view_permission(request)
    workflow = model_admin.get_queryset(request).filter(pk=workflow_id).first()
    if workflow is None:
        raise Http404(_("There is no workflow with the id %(id)s.") % {"id": workflow_id})
    if not may_pause(request.user, workflow):
        raise PermissionDenied
    form = (PauseForm if pauses else ResumeForm)(request.POST if request.method == "POST" else None)
    if form.is_valid():
        return _act(model_admin, request, workflow, form.cleaned_data.get("reason", ""), pauses=pauses)
    jobs = narrow_jobs(request.user, Job.objects.filter(workflow=workflow))
    ready = StepRun.objects.filter(state=states.StepRunState.READY, job__in=jobs)
    counted = count_up_to(ready.order_by(), COUNTED)
    return model_admin.render(
        request,
        "django_wfe/console/pause.html",
        title=_("Pause: %(workflow)s") % {"workflow": workflow}
        if pauses
        else _("Resume: %(workflow)s") % {"workflow": workflow},
        crumbs=[model_admin.list_crumb(), Crumb(str(workflow), model_admin.build_object_url(workflow.pk))],
        workflow=workflow,
        pauses=pauses,
        is_possible=workflow.paused != pauses,
        ready=min(counted, COUNTED),
        ready_more=counted > COUNTED,
        form=form,
        now=get_now(),
    )


def _act(
    model_admin: ConsoleAdmin[Workflow], request: HttpRequest, workflow: Workflow, reason: str, *, pauses: bool
) -> HttpResponseBase:
    try:
        if pauses:
            pause_workflow(workflow.pk, actor=request.user, source=Source.ADMIN, reason=reason)
        else:
            resume_workflow(workflow.pk, actor=request.user, source=Source.ADMIN)
    except PermissionRequired as error:
        raise PermissionDenied from error
    except WrongState as error:
        messages.warning(request, _("Nothing was changed: %(reason)s") % {"reason": error})
    else:
        log_action(request, workflow, f"{_('Paused.')} {reason}".strip() if pauses else _("Resumed."))
        done = _("%(workflow)s is paused.") if pauses else _("%(workflow)s has been resumed.")
        messages.success(request, done % {"workflow": workflow})
    return HttpResponseRedirect(model_admin.build_object_url(workflow.pk))
