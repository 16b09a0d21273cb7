"""The ``_input`` of a step as a field: filled in with what the step was given; its difference is shown first."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext as _

from django_wfe.admin.elements.form_fields import JsonResultField
from django_wfe.admin.elements.payloads import write_json_to_edit
from django_wfe.admin.verbs.forms import PlacedForm
from django_wfe.definition.secret_places import MASK
from django_wfe.engine.access import may_view_data
from django_wfe.models import Job, StepRun
from django_wfe.values.large_values import read_reference, resolve
from django_wfe.values.sealing import cover_sealed, holds_mark

MAX_CHARACTERS = 100_000
"""A longer input is not edited on a page."""

AS_TYPED = "as typed"
"""What the page's script posts in place of a digest: it has shown the difference beside the field all the time."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a difference. ``kind`` is "added", "removed" or "same"."""

    kind: str
    text: str

    @property
    def sign(self) -> str:
        """The sign before it, as in a patch."""
        return {"added": "+", "removed": "-"}.get(self.kind, " ")


class StepInputForm(PlacedForm):
    """Asks for other ``_input`` for the step. What is not changed is not passed on."""

    class Media:
        js = ("django_wfe/difference.js",)

    field_order = ("step_input", "change_input", "reason")

    def __init__(self, *args: Any, given: str | None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.given = given
        self.difference: list[Line] = []
        if given is not None:
            self.fields["step_input"] = JsonResultField(
                label=_("What the step gets as _input"),
                required=False,
                initial=given,
                strip=False,
                help_text=_("As JSON. It is what the step was given; change it where it was wrong.")
                + _tell_of_secrets(given),
                widget=forms.Textarea(
                    attrs={
                        "rows": min(20, given.count("\n") + 2),
                        "class": "vLargeTextField wfe-json",
                        "spellcheck": "false",
                        "data-difference": "",
                    }
                ),
            )
            self.fields["difference_seen"] = forms.CharField(required=False, widget=forms.HiddenInput)
            self.order_fields(self.field_order)

    @property
    def is_changed(self) -> bool:
        """Return whether other input was typed. Spaces and line ends are no change."""
        if "step_input" not in self.cleaned_data or not self.data.get("step_input", "").strip():
            return False
        return write_json_to_edit(self.cleaned_data["step_input"]) != self.given

    def wants_look(self) -> bool:
        """Return whether the difference is to be shown once more before the verb runs; then it is there to be shown."""
        if not self.is_changed:
            return False
        typed = write_json_to_edit(self.cleaned_data["step_input"])
        if self.cleaned_data["difference_seen"] == AS_TYPED or self.was_seen("difference_seen", typed):
            return False
        self.difference = compare(self.given or "", typed)
        return True

    def collect_arguments(self) -> dict[str, Any]:
        arguments = super().collect_arguments()
        if self.is_changed:
            arguments["value"] = self.cleaned_data["step_input"]
        return arguments


def load_step_input(job: Job, user: Any) -> str | None:
    """Return what the Job's last step run was given as ``_input``, as JSON text.

    None to a user who may not see it, and where it is too long for a page or holds a secret.
    """
    if not may_view_data(user, job):
        return None
    runs = StepRun.objects.filter(job=job, superseded=False).order_by("-number", "-attempt")
    row = runs.values_list("edited_input", "previous__result", "previous__number").first()
    if row is None:
        return None
    edited, result, number = row
    stored = edited["value"] if isinstance(edited, dict) else result
    reference = read_reference(stored)
    if reference is not None and reference.characters > MAX_CHARACTERS:
        return None
    value = resolve(stored)
    if number == 0 and not isinstance(edited, dict):
        # Of what the job was started with, the step gets the secrets masked.
        value = cover_sealed(value)
    text = write_json_to_edit(value)
    return None if len(text) > MAX_CHARACTERS or holds_mark(value) else text


def _tell_of_secrets(given: str) -> str:
    """Return, where a secret is masked in it, a sentence on where the step has it from."""
    if MASK not in given:
        return ""
    return " " + _(
        "Secrets are masked in it. Those that the job was started with stay in self.job_input, whatever is typed."
    )


def compare(before: str, after: str) -> list[Line]:
    """Return the lines that differ, with two lines around each."""
    lines = difflib.unified_diff(before.split("\n"), after.split("\n"), n=2, lineterm="")
    kinds = {"+": "added", "-": "removed", " ": "same"}
    return [Line(kinds[line[0]], line[1:]) for line in list(lines)[2:] if line[0] in kinds]
