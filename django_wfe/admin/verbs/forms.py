"""What an operator fills in before a verb runs: the reason, and what retry, skip and rerun need besides."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from django import forms
from django.forms import Media
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from pydantic import ValidationError

from django_wfe import states
from django_wfe.admin.elements.form_fields import JsonResultField, UncutField
from django_wfe.admin.elements.labels import load_step_labels
from django_wfe.definition.graph import Edge, has_input
from django_wfe.engine.access import VIEW_DATA, has_permission
from django_wfe.engine.errors.tracebacks import say_briefly
from django_wfe.engine.lifecycle import find_last_run
from django_wfe.engine.project_code.classes import load_node
from django_wfe.exceptions import CodeNotLoaded
from django_wfe.forms import InputForm, build_input_form
from django_wfe.models import Job, StepRun
from django_wfe.values.sealing import unseal_readable

logger = logging.getLogger(__name__)

PREFIX = "input"
RERUN_CHOICES = 200


class VerbForm(forms.Form):
    """What every verb asks."""

    reason = UncutField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=1000,
        help_text=gettext_lazy("Optional. Kept in the job's events."),
        widget=forms.Textarea(attrs={"rows": 2, "class": "vLargeTextField"}),
    )
    expected_state = forms.ChoiceField(
        choices=[(state.value, state.value) for state in states.JobState], widget=forms.HiddenInput
    )

    def collect_arguments(self) -> dict[str, Any]:
        """Give what the engine's function takes besides."""
        return {}


class PlacedForm(VerbForm):
    """Of the verbs that are about the step which the Job is at: it may come back to the same state at another."""

    expected_run = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1, widget=forms.HiddenInput)

    def collect_arguments(self) -> dict[str, Any]:
        return {"expected_step_run": self.cleaned_data["expected_run"]}


class SkipForm(PlacedForm):
    """The result to go on with, and the way to take where there are several."""

    result = JsonResultField(
        label=gettext_lazy("Result"),
        required=False,
        help_text=gettext_lazy("As JSON. The next step gets it in place of what this step would have returned."),
    )

    field_order = ("result", "transition", "reason")

    def __init__(self, *args: Any, edges: tuple[Edge, ...] = (), labels: dict[str, str], **options: Any) -> None:
        super().__init__(*args, **options)
        if len(edges) > 1:
            self.fields["transition"] = forms.TypedChoiceField(
                label=_("Go on to"),
                coerce=int,
                choices=[(edge.index, _describe_edge(edge, labels)) for edge in edges],
                widget=forms.RadioSelect,
            )
            self.order_fields(self.field_order)

    def collect_arguments(self) -> dict[str, Any]:
        arguments = {**super().collect_arguments(), "result": self.cleaned_data["result"]}
        if "transition" in self.fields:
            arguments["transition"] = self.cleaned_data["transition"]
        return arguments


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


class RetryForm(PlacedForm):
    """Whether the step gets other input than before."""

    change_input = forms.BooleanField(
        label=gettext_lazy("Give the step other input than before"),
        required=False,
        help_text=gettext_lazy("Without this the step is tried again with the input that it had."),
    )

    field_order = ("change_input", "reason")


@dataclass(slots=True)
class VerbPage:
    """The forms of one verb's page. ``input_form`` is there where a retry can be given other input."""

    form: VerbForm
    input_form: InputForm | None = None
    input_problem: str = ""

    @property
    def media(self) -> Media:
        """What the page has to load."""
        return self.form.media + (self.input_form.media if self.input_form is not None else Media())

    @property
    def wants_other_input(self) -> bool:
        """Tell whether the operator ticked that the input changes."""
        return self.input_form is not None and bool(self.form.cleaned_data.get("change_input"))

    def is_complete(self) -> bool:
        """Tell whether everything was posted and is valid, so that the verb can run."""
        if not self.form.is_bound:
            return False
        if self.input_form is not None and self.input_form.apply_structure_change():
            return False
        if not self.form.is_valid():
            return False
        return not self.wants_other_input or (self.input_form is not None and self.input_form.is_valid())

    def collect_arguments(self) -> dict[str, Any]:
        """Give what the engine's function takes besides actor, source, reason and expected state."""
        arguments = self.form.collect_arguments()
        if self.wants_other_input and self.input_form is not None:
            arguments["external_data"] = self.input_form.external_data
        return arguments

    def show_pydantic_errors(self, error: ValidationError) -> None:
        """Show what the engine's own validation found."""
        if self.wants_other_input and self.input_form is not None:
            self.input_form.add_pydantic_errors(error)
        else:
            self.form.add_error(None, _("The input that the step had is no longer valid. Give it other input."))


def build_verb_page(job: Job, verb: str, request: HttpRequest) -> VerbPage:
    """Give the forms for a verb, bound where they were posted."""
    data = request.POST if request.method == "POST" else None
    initial: dict[str, Any] = {"expected_state": job.state}
    if verb in ("skip", "retry"):
        last = find_last_run(job)
        initial["expected_run"] = last.pk if last is not None else None
    if verb == "skip":
        edges = job.definition.load_graph().list_edges_from(job.current_step)
        labels = load_step_labels(edge.target for edge in edges)
        return VerbPage(SkipForm(data, initial=initial, edges=edges, labels=labels))
    if verb == "rerun":
        return VerbPage(RerunForm(data, initial=initial, choices=list_rerun_choices(job)))
    if verb == "retry":
        return _build_retry_page(job, request, initial)
    return VerbPage(VerbForm(data, initial=initial))


def list_rerun_choices(job: Job) -> list[tuple[int, str]]:
    """Give the numbers that a Job can run again from, the newest first."""
    rows = list(
        StepRun.objects.filter(job=job, superseded=False, number__gt=0)
        .order_by("-number")
        .distinct("number")
        .values_list("number", "step")[:RERUN_CHOICES]
    )
    labels = load_step_labels(step for _number, step in rows)
    return [(number, f"#{number} {labels[step]}") for number, step in rows]


def _build_retry_page(job: Job, request: HttpRequest, initial: dict[str, Any]) -> VerbPage:
    data = request.POST if request.method == "POST" else None
    step = job.current_step
    graph_node = job.definition.load_graph().get_node(step)
    if graph_node is None or not graph_node.asks_input:
        return VerbPage(PlacedForm(data, initial=initial))
    try:
        node = load_node(step)
        if not has_input(node):
            return VerbPage(PlacedForm(data, initial=initial))
        input_form = _build_other_input(build_input_form(node.UserInputSchema), job, request)
    except CodeNotLoaded as error:
        return VerbPage(PlacedForm(data, initial=initial), input_problem=str(error))
    except Exception as error:  # the schema is code of the project: its defect is told, not a blank page
        logger.exception("The form of %s could not be made.", step)
        return VerbPage(PlacedForm(data, initial=initial), input_problem=say_briefly(error))
    return VerbPage(RetryForm(data, initial=initial), input_form)


def _build_other_input(form_class: type[InputForm], job: Job, request: HttpRequest) -> InputForm:
    data = request.POST if request.method == "POST" else None
    # What is not to be used need not be valid, and must not be told as an error.
    is_used = data is not None and bool(data.get("change_input") or data.get(f"{PREFIX}-_structure"))
    posted = (data, request.FILES) if is_used else ()
    # The former input is part of the form that is sent, too: a secret or a document left empty stays what it was.
    return form_class(*posted, prefix=PREFIX, initial=_load_former_input(job, request.user))


def _load_former_input(job: Job, user: Any) -> Any:
    """Give what the step was given last, or None: to a user who may not see it, too."""
    if not has_permission(user, VIEW_DATA, job.workflow):
        return None
    rows = StepRun.objects.filter(job=job, step=job.current_step, superseded=False)
    # The form never shows a secret; it keeps one that is left as it is.
    return unseal_readable(rows.order_by("-number", "-attempt").values_list("external_data", flat=True).first())


def _describe_edge(edge: Edge, labels: dict[str, str]) -> str:
    target = labels[edge.target]
    return f"{edge.label} → {target}" if edge.label else target
