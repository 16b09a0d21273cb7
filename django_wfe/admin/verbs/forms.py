"""What an operator fills in before a verb runs: the reason, and what the verb says that it takes besides."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.forms import Media
from django.http import HttpRequest, QueryDict
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from pydantic import ValidationError

from django_wfe import states
from django_wfe.admin.elements.form_fields import ReasonField
from django_wfe.engine.lifecycle import Verb, find_last_run
from django_wfe.forms import InputForm, build_input_form
from django_wfe.models import Job, StepRun

OPTIONS = "options"
"""The prefix of what a verb's own options are posted under."""


class VerbForm(forms.Form):
    """What every verb asks."""

    reason = ReasonField(help_text=gettext_lazy("Optional. Kept in the job's events."))
    expected_state = forms.ChoiceField(
        choices=[(state.value, state.value) for state in states.JobState], widget=forms.HiddenInput
    )

    def collect_arguments(self) -> dict[str, Any]:
        """Return what the engine's function takes besides."""
        return {}

    def wants_look(self) -> bool:
        """Return whether the user is to look at something of what was typed before the verb runs."""
        return False

    def was_seen(self, field: str, typed: str) -> bool:
        """Return whether the user was shown what there is to see of a text; else note it in a hidden field."""
        digest = hashlib.sha256(typed.encode()).hexdigest()
        if self.cleaned_data[field] == digest:
            return True
        self.data = {**{name: self.data.get(name) for name in self.data}, field: digest}
        return False


class ManyForm(forms.Form):
    """What is asked before a verb is used on many Jobs."""

    reason = ReasonField(help_text=gettext_lazy("Optional. Kept in the events of each job."))


class PlacedForm(VerbForm):
    """Of the verbs that are about the step which the Job is at: it may come back to the same state at another."""

    expected_run = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1, widget=forms.HiddenInput)

    def collect_arguments(self) -> dict[str, Any]:
        return {"expected_step_run": self.cleaned_data["expected_run"]}


@dataclass(slots=True)
class VerbPage:
    """The forms of one verb's page.

    ``options_form`` asks what ``Verb.Options`` declares; ``input_form`` is there where a retry can be given other
    input, and ``input_problem`` says why it cannot. ``former_runs`` are those that a rerun may supersede, with the
    labels of their nodes, and ``warning`` says what that means.
    """

    form: VerbForm
    options_form: InputForm | None = None
    input_form: InputForm | None = None
    input_problem: str = ""
    warning: str = ""
    former_runs: Sequence[tuple[StepRun, str]] = ()

    @property
    def media(self) -> Media:
        """What the page has to load."""
        return sum((form.media for form in self.list_input_forms()), self.form.media)

    @property
    def is_multipart(self) -> bool:
        """Return whether a file can be chosen on the page."""
        return any(form.is_multipart() for form in self.list_input_forms())

    @property
    def has_errors(self) -> bool:
        """Return whether something is marked."""
        return bool(self.form.errors) or any(form.errors for form in self.list_input_forms())

    @property
    def wants_other_input(self) -> bool:
        """Return whether the operator ticked that the input changes."""
        return self.input_form is not None and bool(self.form.cleaned_data.get("change_input"))

    def is_complete(self) -> bool:
        """Return whether everything was posted and is valid, so that the verb can run."""
        if not self.form.is_bound:
            return False
        if self.input_form is not None and self.input_form.apply_structure_change():
            return False
        if not are_all_valid(self.form, self.options_form):
            return False
        if self.wants_other_input and self.input_form is not None and not self.input_form.is_valid():
            return False
        return not self.form.wants_look()

    def collect_arguments(self) -> dict[str, Any]:
        """Return the options of the verb, and what else the form asks beside the reason and the expected state."""
        arguments = self.form.collect_arguments()
        arguments |= read_options(self.options_form)
        if self.wants_other_input and self.input_form is not None:
            arguments["external_data"] = self.input_form.valid_input
        return arguments

    def show_pydantic_errors(self, error: ValidationError) -> None:
        """Show what the engine's own validation found."""
        if self.options_form is not None:
            self.options_form.add_pydantic_errors(error)
        elif self.wants_other_input and self.input_form is not None:
            self.input_form.add_pydantic_errors(error)
        else:
            self.form.add_error(None, _("The input that the step had is no longer valid. Enter other input."))

    def list_input_forms(self) -> list[InputForm]:
        """Return the forms that were made from a pydantic model."""
        return [form for form in (self.options_form, self.input_form) if form is not None]


PageBuilder = Callable[[Job, Verb, HttpRequest], VerbPage]


def build_verb_page(job: Job, verb: Verb, request: HttpRequest) -> VerbPage:
    """Return the forms for a verb, bound where they were posted."""
    build: PageBuilder = import_string(verb.page) if verb.page else build_options_page
    return build(job, verb, request)


def build_options_page(job: Job, verb: Verb, request: HttpRequest) -> VerbPage:
    """Return the forms for a verb that says all that it asks in its ``Options``."""
    form_class = PlacedForm if verb.is_about_step else VerbForm
    form = form_class(read_posted(request), initial=find_initial(job, verb))
    return VerbPage(form, build_options_form(verb, request if form.is_bound else None))


def build_options_form(verb: Verb, posted: HttpRequest | None = None) -> InputForm | None:
    """Return the form of a verb's ``Options``; None if it takes none, or has a page of its own that asks for them.

    Args:
        posted: the request that sent the form. Default None: it is shown for the first time.
    """
    if verb.Options is None or verb.page:
        return None
    data = (posted.POST, posted.FILES) if posted is not None else ()
    return build_input_form(verb.Options)(*data, prefix=OPTIONS)


def are_all_valid(form: forms.Form, options_form: InputForm | None) -> bool:
    """Return whether a form and that of the verb's options are valid, once both have marked what is not."""
    if options_form is not None and options_form.apply_structure_change():
        return False
    checked = [shown.is_valid() for shown in (form, options_form) if shown is not None]
    return all(checked)


def read_options(options_form: InputForm | None) -> dict[str, Any]:
    """Return the options of the verb as they were typed, once they are valid."""
    return dict(options_form.external_data) if options_form is not None else {}


def find_initial(job: Job, verb: Verb) -> dict[str, Any]:
    """Return what the form has to know of the Job as its user has seen it."""
    initial: dict[str, Any] = {"expected_state": job.state}
    if verb.is_about_step:
        last = find_last_run(job)
        initial["expected_run"] = last.pk if last is not None else None
    return initial


def read_posted(request: HttpRequest) -> QueryDict | None:
    """Return what was posted, or None if the page is only shown."""
    return request.POST if request.method == "POST" else None
