"""The operator verbs of one Job: a page that says what will happen, and then does it."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext as _
from pydantic import ValidationError

from django_wfe.admin.frame.base import ConsoleAdmin, Crumb, refuse_other_methods
from django_wfe.admin.frame.history import log_action
from django_wfe.admin.frame.job_lookup import find_job
from django_wfe.admin.verbs.forms import VerbForm, VerbPage, build_verb_page
from django_wfe.engine.access import has_permission
from django_wfe.engine.lifecycle import VERBS, Source, Verb, find_status
from django_wfe.exceptions import PermissionRequired, WFEException, WrongState
from django_wfe.models import Job
from django_wfe.values.moments import get_now


def show_verb(model_admin: ConsoleAdmin[Job], request: HttpRequest, job_id: str, verb: str) -> HttpResponseBase:
    """Show what the verb will do to the Job, and do it when that is posted."""
    refused = refuse_other_methods(request, "GET", "HEAD", "POST")
    if refused is not None:
        return refused
    asked = VERBS[verb]
    job = find_job(model_admin, request, job_id)
    if not has_permission(request.user, asked.permission, job.workflow):
        raise PermissionDenied
    status = find_status(job, request.user, verb)
    if request.method == "POST" and not status.allowed:
        messages.warning(request, _("Nothing was changed: %(reason)s") % {"reason": status.reason})
        return HttpResponseRedirect(model_admin.build_object_url(job.pk))
    page = build_verb_page(job, asked, request) if status.allowed else None
    if page is not None and page.is_complete():
        done = _act(model_admin, request, job, asked, page)
        if done is not None:
            return done
    return model_admin.render(
        request,
        "django_wfe/console/verb.html",
        title=_("%(verb)s – %(job)s") % {"verb": asked.label, "job": job.title},
        crumbs=[model_admin.list_crumb(), Crumb(job.title, model_admin.build_object_url(job.pk))],
        media=page.media if page is not None else None,
        job=job,
        verb=asked,
        status=status,
        page=page,
        now=get_now(),
    )


def _act(
    model_admin: ConsoleAdmin[Job], request: HttpRequest, job: Job, verb: Verb, page: VerbPage
) -> HttpResponseBase | None:
    """Call the engine. None: show the page again, with what is wrong."""
    form: VerbForm = page.form
    reason = form.cleaned_data["reason"]
    try:
        verb.apply(
            job.pk,
            **page.collect_arguments(),
            actor=request.user,
            source=Source.ADMIN,
            reason=reason,
            expected_state=form.cleaned_data["expected_state"],
        )
    except ValidationError as error:
        page.show_pydantic_errors(error)
        return None
    except PermissionRequired as error:
        raise PermissionDenied from error
    except WrongState as error:
        messages.warning(request, _("Nothing was changed: %(reason)s") % {"reason": error})
        return HttpResponseRedirect(model_admin.build_object_url(job.pk))
    except WFEException as error:
        form.add_error(None, str(error))
        return None
    done = verb.say_done(job)
    log_action(request, job, f"{verb.label}. {reason}".strip())
    messages.success(request, done)
    return HttpResponseRedirect(model_admin.build_object_url(job.pk))
