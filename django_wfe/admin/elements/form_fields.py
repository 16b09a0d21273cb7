"""Fields of the console's own forms, which change nothing of what is typed in silence."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from django_wfe.forms.fields.json_text import read_json


class UncutField(forms.CharField):
    """A text whose length is judged here: a browser cuts what is pasted to ``maxlength``, and sends the rest."""

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        """Return the attributes of a CharField, without the lengths."""
        lengths = ("maxlength", "minlength")
        return {name: value for name, value in super().widget_attrs(widget).items() if name not in lengths}


class ReasonField(UncutField):
    """Why somebody does it: what every form of a verb, of a pause and of a stop asks. It may be left empty."""

    widget = forms.Textarea(attrs={"rows": 2, "class": "vLargeTextField"})

    def __init__(self, *, help_text: Any, **options: Any) -> None:
        shared = {"label": gettext_lazy("Reason"), "required": False, "max_length": 1000}
        super().__init__(help_text=help_text, **{**shared, **options})


class JsonResultField(forms.CharField):
    """A value that is typed as JSON; None if nothing is. It is shown again as it was typed."""

    widget = forms.Textarea(attrs={"rows": 4, "class": "vLargeTextField wfe-json", "spellcheck": "false"})

    def to_python(self, value: Any) -> Any:
        """Read the JSON, or refuse it with the reason."""
        text = super().to_python(value)
        return read_json(text) if text else None
