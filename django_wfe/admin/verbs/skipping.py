"""The form of a skip: the result that the step is given, with an example, and the way to take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_wfe.admin.elements.form_fields import JsonResultField
from django_wfe.admin.elements.payloads import write_json_to_edit
from django_wfe.admin.verbs.forms import PlacedForm, VerbPage, find_initial, read_posted
from django_wfe.admin.verbs.step_input import MAX_CHARACTERS
from django_wfe.definition.graph import Edge
from django_wfe.engine.access import may_view_data
from django_wfe.engine.lifecycle import Verb
from django_wfe.engine.queries.good_jobs import list_good_jobs
from django_wfe.engine.rules.node_names import load_node_names
from django_wfe.models import Job, StepRun
from django_wfe.states import RESULT_STEP_RUN_STATES
from django_wfe.values.large_values import read_reference, resolve


@dataclass(frozen=True, slots=True)
class Example:
    """A result that the step gave: in this Job before, or in another, ``job``."""

    value: Any
    text: str
    job: Job | None = None


class SkipForm(PlacedForm):
    """The result to go on with, and the way to take where there are several."""

    result = JsonResultField(
        label=gettext_lazy("Result"),
        required=False,
        help_text=gettext_lazy("As JSON. The next step gets it in place of what this step would have returned."),
    )
    doubts_seen = forms.CharField(required=False, widget=forms.HiddenInput)

    field_order = ("result", "transition", "reason")

    def __init__(
        self,
        *args: Any,
        edges: tuple[Edge, ...] = (),
        labels: dict[str, str],
        example: Example | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.example = example
        self.doubts: list[str] = []
        if len(edges) > 1:
            self.fields["transition"] = forms.TypedChoiceField(
                label=_("Go on to"),
                coerce=int,
                choices=[(edge.index, _describe_edge(edge, labels)) for edge in edges],
                widget=forms.RadioSelect,
            )
            self.order_fields(self.field_order)

    def wants_look(self) -> bool:
        """Return whether the result is not like those that the step gives, and that was not yet said of it."""
        typed = self.cleaned_data["result"]
        doubts = find_doubts(self.example, typed) if self.example is not None else []
        if not doubts or self.was_seen("doubts_seen", write_json_to_edit(typed)):
            return False
        self.doubts = doubts
        return True

    def collect_arguments(self) -> dict[str, Any]:
        arguments = {**super().collect_arguments(), "result": self.cleaned_data["result"]}
        if "transition" in self.fields:
            arguments["transition"] = self.cleaned_data["transition"]
        return arguments


def build_skip_page(job: Job, verb: Verb, request: HttpRequest) -> VerbPage:
    """Return the form that asks for the step's result, and for the way to take where there are several."""
    edges = job.definition.load_graph().list_edges_from(job.current_step)
    labels = load_node_names(edge.target for edge in edges)
    example = find_example(job, request.user)
    initial = {**find_initial(job, verb), "result": example.text if example is not None else ""}
    return VerbPage(SkipForm(read_posted(request), initial=initial, edges=edges, labels=labels, example=example))


def find_example(job: Job, user: Any) -> Example | None:
    """Return what the Job's step returned when it last went well: in this Job, else in another that went well.

    None to a user who may not see it, if there is none, and if it is too long for a page.
    """
    if not may_view_data(user, job):
        return None
    own = _find_runs([job.pk], job.current_step)
    if own:
        return _load_example(own[job.pk])
    others = {other.pk: other for other in list_good_jobs(user, job) if may_view_data(user, other)}
    found = _find_runs(list(others), job.current_step)
    chosen = next((pk for pk in others if pk in found), None)
    return _load_example(found[chosen], others[chosen]) if chosen is not None else None


def find_doubts(example: Example, typed: Any) -> list[str]:
    """Return in what a result is unlike that which the step gave; [] if in nothing."""
    if example.job is not None and typed == example.value:
        return [_("This is the result in job %(job)s, unchanged.") % {"job": example.job.pk}]
    if example.value is None:
        return []
    kind, usual = _name_kind(typed), _name_kind(example.value)
    if kind != usual:
        return [_("It is %(kind)s. The step's result was %(usual)s.") % {"kind": kind, "usual": usual}]
    if not isinstance(typed, dict):
        return []
    doubts = [_("“%(name)s” is missing.") % {"name": name} for name in example.value if name not in typed]
    for name, value in example.value.items():
        if value is not None and name in typed and _name_kind(typed[name]) != _name_kind(value):
            values = {"name": name, "kind": _name_kind(typed[name]), "usual": _name_kind(value)}
            doubts.append(_("“%(name)s” is %(kind)s. It was %(usual)s.") % values)
    return doubts


def _find_runs(job_ids: list[int], step: str) -> dict[int, int]:
    """Return the id of the newest run of a step that went well, by the Job's."""
    done = StepRun.objects.filter(job__in=job_ids, step=step, state__in=RESULT_STEP_RUN_STATES)
    newest = done.order_by("job_id", "-number", "-attempt").distinct("job_id")
    return dict(newest.values_list("job_id", "pk")) if job_ids else {}


def _load_example(run_id: int, job: Job | None = None) -> Example | None:
    stored = StepRun.objects.values_list("result", flat=True).get(pk=run_id)
    reference = read_reference(stored)
    if reference is not None and reference.characters > MAX_CHARACTERS:
        return None
    value = resolve(stored)
    text = write_json_to_edit(value)
    return Example(value, text, job) if len(text) <= MAX_CHARACTERS else None


def _name_kind(value: Any) -> str:
    if value is None:
        return _("nothing")
    if isinstance(value, bool):
        return _("true or false")
    if isinstance(value, (int, float)):
        return _("a number")
    if isinstance(value, str):
        return _("a text")
    return _("a list") if isinstance(value, list) else _("an object")


def _describe_edge(edge: Edge, labels: dict[str, str]) -> str:
    target = labels[edge.target]
    return f"{edge.label} → {target}" if edge.label else target
