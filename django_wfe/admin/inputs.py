"""Answering a Job that waits for input: the form made from the step's schema."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext as _
from pydantic import ValidationError

from django_wfe.admin.base import ConsoleAdmin, Crumb, refuse_other_methods
from django_wfe.admin.history import log_action
from django_wfe.admin.home import list_waiting
from django_wfe.admin.job_lookup import find_job
from django_wfe.admin.payloads import PREVIEW_CHARACTERS, Preview, load_json_previews, write_json
from django_wfe.engine.lifecycle import OpenQuestion, Source, get_open_question, provide_external_input
from django_wfe.engine.rights import has_permission, list_visible_jobs
from django_wfe.exceptions import CodeNotLoaded, PermissionRequired, WFEException, WrongState
from django_wfe.forms import InputForm, build_input_form
from django_wfe.models import Job, StepRun

PREFIX = "input"
PERMISSION = "django_wfe.provide_input_job"
DATA_PERMISSION = "django_wfe.view_job_data"


def show_input(admin: ConsoleAdmin[Job], request: HttpRequest, job_id: int) -> HttpResponseBase:
    """Show what the Job asks, and take the answer when that is posted."""
    refused = refuse_other_methods(request, "GET", "HEAD", "POST")
    if refused is not None:
        return refused
    job = find_job(admin, request, job_id)
    if not has_permission(request.user, PERMISSION, job.workflow):
        raise PermissionDenied
    question = get_open_question(job)
    if question is None:
        messages.warning(request, _("%(job)s does not wait for input.") % {"job": job})
        return HttpResponseRedirect(admin.build_object_url(job.pk))
    if request.method == "POST" and request.POST.get("step_run") != str(question.step_run.pk):
        messages.warning(
            request, _("%(job)s has moved on since you opened the form; nothing was changed.") % {"job": job}
        )
        return HttpResponseRedirect(admin.build_object_url(job.pk))
    form, load_error = build_form(question, request)
    if form is not None and form.is_bound and not form.apply_structure_change() and form.is_valid():
        answered = _provide(admin, request, job, question, form)
        if answered is not None:
            return answered
    return admin.render(
        request,
        "django_wfe/console/input.html",
        title=question.label,
        crumbs=[admin.list_crumb(), Crumb(str(job), admin.build_object_url(job.pk))],
        media=form.media if form is not None else None,
        job=job,
        question=question,
        given=load_given(request.user, job, question.step_run),
        may_see_data=has_permission(request.user, DATA_PERMISSION, job.workflow),
        step_run=question.step_run,
        form=form,
        load_error=load_error,
        json_schema="" if form is not None else write_json(question.json_schema),
        has_next=find_next(request.user, job) is not None,
        now=timezone.now(),
    )


def build_form(question: OpenQuestion, request: HttpRequest) -> tuple[InputForm | None, str]:
    """Give the form for a question, or None and the reason why there can be none."""
    if question.schema is None:
        return None, question.load_error or _("The step's code could not be loaded.")
    try:
        form_class = build_input_form(question.schema)
    except Exception as error:  # the schema is code of the project: its defect is told, not a blank page
        return None, f"{type(error).__name__}: {error}"
    if request.method == "POST":
        return form_class(request.POST, request.FILES, prefix=PREFIX), ""
    return form_class(prefix=PREFIX), ""


def find_next(user: Any, job: Job) -> StepRun | None:
    """Give the step run of another Job that has waited longest for input and that the user may answer, or None."""
    waiting = list_waiting(list_visible_jobs(user)).exclude(job_id=job.pk).select_related("job__workflow")
    for step_run in waiting.defer("external_data", "result", "edited_input", "traceback", "error")[:20]:
        if has_permission(user, PERMISSION, step_run.job.workflow):
            return step_run
    return None


def load_given(user: Any, job: Job, step_run: StepRun) -> Preview | None:
    """Give what the step will work on besides the answer: the result of the step before, where the user may see it."""
    if not has_permission(user, DATA_PERMISSION, job.workflow):
        return None
    if step_run.edited_input is not None:
        return load_json_previews([step_run.pk], PREVIEW_CHARACTERS)[step_run.pk]["edited_input"]
    if step_run.previous_id is None:
        return None
    return load_json_previews([step_run.previous_id], PREVIEW_CHARACTERS).get(step_run.previous_id, {}).get("result")


def _provide(
    admin: ConsoleAdmin[Job], request: HttpRequest, job: Job, question: OpenQuestion, form: InputForm
) -> HttpResponseBase | None:
    """Hand the answer to the engine. None: show the form again, with what is wrong."""
    try:
        provide_external_input(
            job.pk,
            form.external_data,
            actor=request.user,
            source=Source.ADMIN,
            step_run_id=question.step_run.pk,
        )
    except ValidationError as error:
        form.add_pydantic_errors(error)
        return None
    except PermissionRequired as error:
        raise PermissionDenied from error
    except CodeNotLoaded as error:
        form.add_error(None, str(error))
        return None
    except WrongState as error:
        messages.warning(request, _("Nothing was changed: %(reason)s") % {"reason": error})
        return HttpResponseRedirect(admin.build_object_url(job.pk))
    except WFEException as error:
        form.add_error(None, str(error))
        return None
    log_action(request, job, _("Input provided to “%(step)s”.") % {"step": question.label})
    messages.success(
        request, _("Your input for “%(step)s” of %(job)s was taken.") % {"step": question.label, "job": job}
    )
    if "_next" in request.POST:
        following = find_next(request.user, job)
        if following is not None:
            return HttpResponseRedirect(admin.build_url("django_wfe_job_input", following.job_id))
        messages.info(request, _("No other job waits for your input."))
    return HttpResponseRedirect(admin.build_object_url(job.pk))
