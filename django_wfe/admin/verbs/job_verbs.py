"""The operator verbs of one Job: a page that says what will happen, and then does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

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
from django_wfe.engine.lifecycle import VERBS, Source, Verb, VerbStatus, list_verbs
from django_wfe.exceptions import PermissionRequired, WFEException, WrongState
from django_wfe.models import Job
from django_wfe.values.moments import get_now

_DONE: Mapping[str, Callable[[], str]] = {
    "cancel": lambda: _("%(job)s was canceled."),
    "pause": lambda: _("%(job)s was paused."),
    "resume": lambda: _("%(job)s goes on."),
    "retry": lambda: _("%(job)s tries its step again."),
    "skip": lambda: _("%(job)s goes on with the result that you gave."),
    "rerun": lambda: _("%(job)s runs again from the step that you chose."),
}


def show_verb(admin: ConsoleAdmin[Job], request: HttpRequest, job_id: str, verb: str) -> HttpResponseBase:
    """Say what the verb will do to the Job, and do it when that is posted."""
    refused = refuse_other_methods(request, "GET", "HEAD", "POST")
    if refused is not None:
        return refused
    asked = VERBS[verb]
    job = find_job(admin, request, job_id)
    if not has_permission(request.user, asked.permission, job.workflow):
        raise PermissionDenied
    status = find_status(job, request.user, verb)
    if request.method == "POST" and not status.allowed:
        messages.warning(request, _("Nothing was changed: %(reason)s") % {"reason": status.reason})
        return HttpResponseRedirect(admin.build_object_url(job.pk))
    page = build_verb_page(job, verb, request) if status.allowed else None
    if page is not None and page.is_complete():
        done = _act(admin, request, job, asked, page)
        if done is not None:
            return done
    return admin.render(
        request,
        "django_wfe/console/verb.html",
        title=_("%(verb)s – %(job)s") % {"verb": asked.label, "job": job},
        crumbs=[admin.list_crumb(), Crumb(str(job), admin.build_object_url(job.pk))],
        media=page.media if page is not None else None,
        job=job,
        verb=asked,
        status=status,
        page=page,
        now=get_now(),
    )


def find_status(job: Job, user: Any, verb: str) -> VerbStatus:
    """Give what stands about one verb."""
    return next(status for status in list_verbs(job, user) if status.verb.name == verb)


def describe_done(verb: Verb, job: Job) -> str:
    """Say in the past tense what a verb did to a Job."""
    sentence = _DONE.get(verb.name)
    text = sentence() if sentence is not None else _("%(verb)s: done for %(job)s.")
    return text % {"job": job, "verb": verb.label}


def _act(
    admin: ConsoleAdmin[Job], request: HttpRequest, job: Job, verb: Verb, page: VerbPage
) -> HttpResponseBase | None:
    """Call the engine. None: show the page again, with what is wrong."""
    form: VerbForm = page.form
    reason = form.cleaned_data["reason"]
    try:
        verb.function(
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
        return HttpResponseRedirect(admin.build_object_url(job.pk))
    except WFEException as error:
        form.add_error(None, str(error))
        return None
    done = describe_done(verb, job)
    log_action(request, job, f"{verb.label}. {reason}".strip())
    messages.success(request, done)
    return HttpResponseRedirect(admin.build_object_url(job.pk))
