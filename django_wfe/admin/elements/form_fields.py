"""Fields of the console's own forms, which change nothing of what is typed in silence."""

from __future__ import annotations

from typing import Any

from django import forms

from django_wfe.forms.fields.json_text import read_json


class UncutField(forms.CharField):
    """A text whose length is judged here: a browser cuts what is pasted to ``maxlength``, and sends the rest."""

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        """Return the attributes of a CharField, without the lengths."""
        lengths = ("maxlength", "minlength")
        return {name: value for name, value in super().widget_attrs(widget).items() if name not in lengths}


class JsonResultField(forms.CharField):
    """A value that is typed as JSON; None if nothing is. It is shown again as it was typed."""

    widget = forms.Textarea(attrs={"rows": 4, "class": "vLargeTextField wfe-json", "spellcheck": "false"})

    def to_python(self, value: Any) -> Any:
        """Read the JSON, or refuse it with the reason."""
        text = super().to_python(value)
        return read_json(text) if text else None
