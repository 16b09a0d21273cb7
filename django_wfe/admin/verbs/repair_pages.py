"""The forms of the verbs that are about a step: what each asks depends on where the Job is."""

from __future__ import annotations

import logging
from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_wfe.admin.verbs.forms import VerbForm, VerbPage, find_initial, read_posted
from django_wfe.admin.verbs.step_input import StepInputForm, load_step_input
from django_wfe.definition.graph import has_input
from django_wfe.engine.access import may_view_data
from django_wfe.engine.errors.tracebacks import say_briefly
from django_wfe.engine.lifecycle import Verb
from django_wfe.engine.project_code.classes import load_node
from django_wfe.engine.rules.node_names import load_node_names
from django_wfe.exceptions import CodeNotLoaded
from django_wfe.forms import InputForm, build_input_form
from django_wfe.models import Job, StepRun
from django_wfe.values.large_values import resolve
from django_wfe.values.sealing import unseal_readable

logger = logging.getLogger(__name__)

PREFIX = "input"
RERUN_CHOICES = 200


class RerunForm(VerbForm):
    """Where to begin again."""

    field_order = ("number", "reason")

    def __init__(self, *args: Any, choices: list[tuple[int, str]], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["number"] = forms.TypedChoiceField(
            label=_("Run again from"),
            coerce=int,
            choices=choices,
            help_text=_("This step and all that came after it run again; their former runs stay in the history."),
        )
        self.order_fields(self.field_order)

    def collect_arguments(self) -> dict[str, Any]:
        return {"number": self.cleaned_data["number"]}


class RetryForm(StepInputForm):
    """Whether the step gets other input than before."""

    change_input = forms.BooleanField(
        label=gettext_lazy("Give the step other input than before"),
        required=False,
        help_text=gettext_lazy("Without this the step is tried again with the input that it had."),
    )


def build_rerun_page(job: Job, verb: Verb, request: HttpRequest) -> VerbPage:
    """Return the form that asks where to begin again."""
    form = RerunForm(read_posted(request), initial=find_initial(job, verb), choices=list_rerun_choices(job))
    return VerbPage(
        form,
        warning=_(
            "What these steps did outside happens again from the number that you choose: mails, payments, calls to "
            "other systems. A step that asks for input asks again; its form offers the answer given before."
        ),
        former_runs=list_former_runs(job),
    )


def build_retry_page(job: Job, verb: Verb, request: HttpRequest) -> VerbPage:
    """Return the form that asks for another ``_input``, and whether the step gets other external input."""
    data = read_posted(request)
    shared: dict[str, Any] = {"initial": find_initial(job, verb), "given": load_step_input(job, request.user)}
    step = job.current_step
    graph_node = job.definition.load_graph().get_node(step)
    if graph_node is None or not graph_node.asks_input:
        return VerbPage(StepInputForm(data, **shared))
    try:
        node = load_node(step)
        if not has_input(node):
            return VerbPage(StepInputForm(data, **shared))
        input_form = _build_other_input(build_input_form(node.UserInputSchema), job, request)
    except CodeNotLoaded as error:
        return VerbPage(StepInputForm(data, **shared), input_problem=str(error))
    except Exception as error:  # the schema is code of the project: its defect is told, not a blank page
        logger.exception("The form of %s could not be made.", step)
        return VerbPage(StepInputForm(data, **shared), input_problem=say_briefly(error))
    return VerbPage(RetryForm(data, **shared), input_form=input_form)


def list_former_runs(job: Job) -> list[tuple[StepRun, str]]:
    """Return the newest step runs that count, newest first, with the labels of their nodes."""
    runs = StepRun.objects.filter(job=job, superseded=False, number__gt=0).order_by("-number", "-attempt")
    rows = list(runs.only("number", "attempt", "step", "state", "finished_at", "job_id")[:RERUN_CHOICES])
    labels = load_node_names(run.step for run in rows)
    return [(run, labels[run.step]) for run in rows]


def list_rerun_choices(job: Job) -> list[tuple[int, str]]:
    """Return the numbers that a Job can run again from, the newest first."""
    rows = list(
        StepRun.objects.filter(job=job, superseded=False, number__gt=0)
        .order_by("-number")
        .distinct("number")
        .values_list("number", "step")[:RERUN_CHOICES]
    )
    labels = load_node_names(step for _number, step in rows)
    return [(number, f"#{number} {labels[step]}") for number, step in rows]


def _build_other_input(form_class: type[InputForm], job: Job, request: HttpRequest) -> InputForm:
    data = read_posted(request)
    # What is not to be used need not be valid, and must not be told as an error.
    is_used = data is not None and bool(data.get("change_input") or data.get(f"{PREFIX}-_structure"))
    posted = (data, request.FILES) if is_used else ()
    # The former input is part of the form that is sent, too: a secret or a document left empty stays what it was.
    return form_class(*posted, prefix=PREFIX, initial=_load_former_input(job, request.user))


def _load_former_input(job: Job, user: Any) -> Any:
    """Return what the step was given last, or None: to a user who may not see it, too."""
    if not may_view_data(user, job):
        return None
    rows = StepRun.objects.filter(job=job, step=job.current_step, superseded=False)
    # The form never shows a secret; it keeps one that is left as it is.
    return unseal_readable(
        resolve(rows.order_by("-number", "-attempt").values_list("external_data", flat=True).first())
    )
