"""Answering a Job that waits for input: the form made from the step's schema, its assignment and its draft."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext as _
from pydantic import ValidationError

from django_wfe.admin.elements.payloads import PREVIEW_CHARACTERS, Preview, load_json_previews, write_json
from django_wfe.admin.elements.readable import read_key_order
from django_wfe.admin.frame.base import ConsoleAdmin, Crumb, refuse_other_methods
from django_wfe.admin.frame.history import log_action
from django_wfe.admin.frame.job_lookup import find_job
from django_wfe.admin.frame.return_address import RETURN, read_return_address
from django_wfe.admin.inbox.assigning import assign_to_person, change_assignment, list_names
from django_wfe.admin.inbox.drafts import forget_repeated, keep_to_repeat, load_repeated, restore_form
from django_wfe.engine.access import may_answer, may_view_data
from django_wfe.engine.errors.tracebacks import say_briefly
from django_wfe.engine.lifecycle import (
    OpenQuestion,
    Source,
    find_next,
    get_assignment,
    get_due,
    get_open_question,
    in_context_of,
    load_draft,
    provide_external_input,
    save_draft,
)
from django_wfe.exceptions import CodeNotLoaded, ContextFailed, PermissionRequired, WFEException, WrongState
from django_wfe.forms import InputForm, build_input_form
from django_wfe.models import Assignment, Job, StepRun
from django_wfe.values.large_values import resolve
from django_wfe.values.moments import count_seconds, get_now
from django_wfe.values.sealing import unseal_readable

logger = logging.getLogger(__name__)

PREFIX = "input"
ASSIGNMENT_BUTTONS = {"_assign": "assign", "_release": "release", "_take_over": "take_over"}
MEDIA = forms.Media(css={"all": ["django_wfe/inbox.css"]}, js=["django_wfe/answering.js"])


@dataclass(frozen=True, slots=True)
class Place:
    """Where a question is answered: on a page of its own, or beside the list of the inbox."""

    here: str
    back: str
    back_text: str
    find_following: Callable[[int], str]
    """Returns the address of what to answer after this Job, or ""."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page shows of a question."""

    title: str
    context: dict[str, Any]
    media: forms.Media


def show_input(model_admin: ConsoleAdmin[Job], request: HttpRequest, job_id: int) -> HttpResponseBase:
    """Show what the Job asks, and take the answer, a draft or an assignment when that is posted."""
    refused = refuse_other_methods(request, "GET", "HEAD", "POST")
    if refused is not None:
        return refused
    job = find_job(model_admin, request, job_id)
    asked = ask(model_admin, request, job, _build_place(model_admin, request, job_id))
    if asked is None:
        messages.warning(request, _("%(job)s does not wait for input.") % {"job": job.title})
        return HttpResponseRedirect(model_admin.build_object_url(job.pk))
    if isinstance(asked, HttpResponseBase):
        return asked
    return model_admin.render(
        request,
        "django_wfe/console/input.html",
        title=asked.title,
        crumbs=[model_admin.list_crumb(), Crumb(job.title, model_admin.build_object_url(job.pk))],
        media=asked.media,
        **asked.context,
    )


def ask(
    model_admin: ConsoleAdmin[Job], request: HttpRequest, job: Job, place: Place, *, step_run_id: int | None = None
) -> HttpResponseBase | Asked | None:
    """Return what is asked, as a page shows it, or the answer to what was posted.

    Args:
        step_run_id: the step run that must be the one that waits. Default None: any.

    Returns:
        None if nothing is asked (any more).
    """
    if not may_answer(request.user, job):
        raise PermissionDenied
    try:
        with in_context_of(job):
            return _ask(model_admin, request, job, place, step_run_id)
    except ContextFailed as error:
        messages.warning(request, str(error))
        return HttpResponseRedirect(place.back)


def _ask(
    model_admin: ConsoleAdmin[Job], request: HttpRequest, job: Job, place: Place, step_run_id: int | None
) -> HttpResponseBase | Asked | None:
    try:
        question = get_open_question(job)
    except WrongState as error:
        messages.warning(request, str(error))
        return HttpResponseRedirect(model_admin.build_object_url(job.pk))
    if question is None or step_run_id not in (None, question.step_run.pk):
        return None
    if request.method == "POST" and request.POST.get("step_run") != str(question.step_run.pk):
        messages.warning(
            request, _("%(job)s has moved on since you opened the form; nothing was changed.") % {"job": job.title}
        )
        return HttpResponseRedirect(model_admin.build_object_url(job.pk))
    if request.method == "POST" and "_assign_to" in request.POST:
        if assign_to_person(request, question.step_run.pk):
            return HttpResponseRedirect(place.back)
        return HttpResponseRedirect(place.here)
    draft = load_draft(question.step_run.pk, request.user) if request.method != "POST" else None
    repeated = load_repeated(request, question.step_run.step) if draft is None else None
    form, load_error = build_form(question, request, draft.data if draft is not None else repeated)
    if request.method == "POST":
        answered = _take_post(request, job, question, form, place)
        if answered is not None:
            return answered
    return Asked(
        title=question.label,
        context=_describe(request, job, question, form, place)
        | {"draft": draft, "load_error": load_error, "is_repeated": repeated is not None or "_repeat" in request.POST},
        media=MEDIA + (form.media if form is not None else forms.Media()),
    )


def build_form(question: OpenQuestion, request: HttpRequest, typed: Any = None) -> tuple[InputForm | None, str]:
    """Return the form for a question, or None and the reason why there can be none.

    Args:
        typed: what a draft holds. Default None: nothing.
    """
    if question.schema is None:
        return None, question.load_error or _("The step's code could not be loaded.")
    try:
        form_class = build_input_form(question.schema)
        if request.method == "POST":
            return form_class(request.POST, request.FILES, prefix=PREFIX), ""
        if typed is not None:
            return restore_form(form_class, typed, PREFIX), ""
        return form_class(prefix=PREFIX, initial=load_former_answer(request.user, question.step_run)), ""
    except Exception as error:  # the schema is code of the project: its defect is told, not a blank page
        logger.exception("The form of %s could not be made.", question.step_run.step)
        return None, say_briefly(error)


def load_former_answer(user: Any, step_run: StepRun) -> Any:
    """Return what this question was answered with before the Job ran again, or None; to who may not see it, too."""
    runs = StepRun.objects.filter(job=step_run.job_id, step=step_run.step, superseded=True, external_data__isnull=False)
    answers = list(runs.order_by("-number", "-attempt").values_list("external_data", flat=True)[:1])
    if not answers or not may_view_data(user, step_run.job):
        return None
    return unseal_readable(resolve(answers[0]))


def load_given(user: Any, job: Job, step_run: StepRun) -> Preview | None:
    """Return what the step works on besides the answer: the result of the step before, if the user may see it."""
    if not may_view_data(user, job):
        return None
    edited = step_run.edited_input is not None
    shown_id, column = (step_run.pk, "edited_input") if edited else (step_run.previous_id, "result")
    if shown_id is None:
        return None
    order = read_key_order(job.definition.load_graph())
    return load_json_previews([shown_id], PREVIEW_CHARACTERS, order).get(shown_id, {}).get(column)


def _describe(
    request: HttpRequest, job: Job, question: OpenQuestion, form: InputForm | None, place: Place
) -> dict[str, Any]:
    assignment = get_assignment(question.step_run.pk)
    now, due = get_now(), get_due(question.step_run)
    return {
        "job": job,
        "question": question,
        "given": load_given(request.user, job, question.step_run),
        "may_see_data": may_view_data(request.user, job),
        "step_run": question.step_run,
        "form": form,
        "json_schema": "" if form is not None else write_json(question.json_schema),
        "has_next": bool(place.find_following(job.pk)),
        "place": place,
        "people": list_names(),
        "assignment": assignment,
        "is_mine": assignment is not None and assignment.user_id == request.user.pk,
        "is_held": _is_held_by_other(assignment, request.user),
        "due": due,
        "is_overdue": due is not None and count_seconds(now, due) < 0,
        "now": now,
    }


def _build_place(model_admin: ConsoleAdmin[Job], request: HttpRequest, job_id: int) -> Place:
    def find_following(answered: int) -> str:
        following = find_next(request.user, after_job=answered)
        return "" if following is None else model_admin.build_url("django_wfe_job_input", following.job_id)

    here = model_admin.build_url("django_wfe_job_input", job_id)
    came_from = read_return_address(request)
    if came_from:
        # From a page of the project's own: people go back there, not on to what others wait for.
        return Place(
            here=f"{here}?{urlencode({RETURN: came_from})}",
            back=came_from,
            back_text=_("Back to where you came from"),
            find_following=lambda answered: "",
        )
    return Place(
        here=here,
        back=model_admin.build_object_url(job_id),
        back_text=_("Back to the job"),
        find_following=find_following,
    )


def _take_post(
    request: HttpRequest, job: Job, question: OpenQuestion, form: InputForm | None, place: Place
) -> HttpResponseBase | None:
    """Do what the pressed button says. None: show the form again, with what was typed."""
    if form is not None and form.apply_structure_change():
        return None
    action = next((action for name, action in ASSIGNMENT_BUTTONS.items() if name in request.POST), "")
    try:
        if action:
            if form is not None:
                form.show_as_typed()
            change_assignment(request, question.step_run.pk, action, request.POST.get("holder", ""))
        elif form is not None and "_draft" in request.POST:
            form.show_as_typed()
            return _save_draft(request, job, question, form, place)
        elif form is not None and _is_held_by_other(get_assignment(question.step_run.pk), request.user):
            form.show_as_typed()
            messages.warning(
                request, _("This is assigned to someone else. Take it over to submit; what you typed is here.")
            )
        elif form is not None and form.is_valid():
            return _provide(request, job, question, form, place)
    except PermissionRequired as error:
        raise PermissionDenied from error
    except WFEException as error:
        messages.warning(request, _("Nothing was changed: %(reason)s") % {"reason": error})
    return None


def _is_held_by_other(assignment: Assignment | None, user: Any) -> bool:
    return assignment is not None and assignment.user_id != user.pk


def _save_draft(
    request: HttpRequest, job: Job, question: OpenQuestion, form: InputForm, place: Place
) -> HttpResponseBase:
    save_draft(question.step_run.pk, form.read_draft(), request.user, source=Source.ADMIN)
    messages.success(
        request,
        _("Your draft for “%(step)s” of %(job)s was saved. Files and secrets are not part of it.")
        % {"step": question.label, "job": job.title},
    )
    return HttpResponseRedirect(place.here)


def _provide(
    request: HttpRequest, job: Job, question: OpenQuestion, form: InputForm, place: Place
) -> HttpResponseBase | None:
    """Hand the answer to the engine. None: show the form again, with what is wrong."""
    try:
        provide_external_input(
            job.pk,
            form.valid_input,
            actor=request.user,
            source=Source.ADMIN,
            step_run_id=question.step_run.pk,
        )
    except ValidationError as error:
        form.add_pydantic_errors(error)
        return None
    except PermissionRequired:
        raise
    except CodeNotLoaded as error:
        form.add_error(None, str(error))
        return None
    except WrongState as error:
        messages.warning(request, _("Nothing was changed: %(reason)s") % {"reason": error})
        return HttpResponseRedirect(place.back)
    except WFEException as error:
        form.add_error(None, str(error))
        return None
    log_action(request, job, _("Input provided to “%(step)s”.") % {"step": question.label})
    messages.success(
        request, _("Your input for “%(step)s” of %(job)s was taken.") % {"step": question.label, "job": job.title}
    )
    if "_next" not in request.POST:
        forget_repeated(request)
        return HttpResponseRedirect(place.back)
    if "_repeat" in request.POST:
        keep_to_repeat(request, question.step_run.step, form.read_draft())
    else:
        forget_repeated(request)
    following = place.find_following(job.pk)
    if following:
        return HttpResponseRedirect(following)
    messages.info(request, _("No other job waits for your input."))
    return HttpResponseRedirect(place.back)
