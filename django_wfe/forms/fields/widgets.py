"""Inputs that never lose what was typed: a value that a native control cannot hold is shown in a text input."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

GIVEN = "given"
ITEM_KEY = re.compile(r"[0-9]{1,9}", re.ASCII)


class TextInput(forms.TextInput):
    """A line of text; a value with line breaks, which a browser would drop from a line, gets a textarea."""

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        if isinstance(value, str) and ("\n" in value or "\r" in value):
            return Textarea(attrs={**self.attrs, "class": "vLargeTextField"}).render(name, value, attrs, renderer)
        return super().render(name, value, attrs, renderer)


class Textarea(forms.Textarea):
    """Text of many lines."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({"class": "vLargeTextField", "cols": 40, "rows": 6, **(attrs or {})})


class NativeInput(forms.TextInput):
    """A text input that forms.js turns into the browser's own control, if that can hold its value.

    A native control posts nothing for what it cannot read, such as a half-typed date or a value set from outside. Only
    a script can tell such a control from an empty one (`validity.badInput`), so without a script it stays a text.
    """

    native_type = ""
    pattern: str | Promise = ""
    holds: re.Pattern[str] = re.compile("")
    text_only = False

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        attributes = context["widget"]["attrs"]
        if self.text_only or (value not in (None, "") and not self.holds.fullmatch(str(value))):
            for attribute in ("min", "max"):
                attributes.pop(attribute, None)
        else:
            attributes["data-wfe-native"] = self.native_type
        attributes.setdefault("placeholder", self.pattern)
        return context


class DateInput(NativeInput):
    native_type = "date"
    pattern = gettext_lazy("YYYY-MM-DD")
    holds = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class ClockInput(NativeInput):
    """A time of day to the second; a value with milliseconds gets a control that steps by them."""

    native_type = "time"
    pattern = gettext_lazy("HH:MM")
    holds = re.compile(r"\d\d:\d\d(:\d\d(\.\d{1,3})?)?", re.ASCII)

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        if "data-wfe-native" in context["widget"]["attrs"]:
            context["widget"]["attrs"]["step"] = "0.001" if "." in str(value or "") else "1"
        return context


class DateTimeInput(ClockInput):
    native_type = "datetime-local"
    pattern = gettext_lazy("YYYY-MM-DD HH:MM")
    holds = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,3})?)?", re.ASCII)


class StrangeChoices(forms.widgets.ChoiceWidget):
    """Shows a value that is not a choice (any more), instead of silently showing another one."""

    def optgroups(self, name: str, value: list[str], attrs: dict[str, Any] | None = None) -> list[Any]:
        groups = super().optgroups(name, value, attrs)
        known = {str(key) for key, _label in self.choices}
        for strange in value:
            if strange and strange not in known:
                position = len(groups)
                label = _("%(value)s (not a choice)") % {"value": strange}
                option = self.create_option(name, strange, label, selected=True, index=position, attrs=attrs)
                groups.append((None, [option], position))
        return groups


class Select(StrangeChoices, forms.Select):
    """A select."""


class CheckboxList(StrangeChoices, forms.CheckboxSelectMultiple):
    """One checkbox for each choice, in a fieldset."""

    template_name = "django_wfe/forms/checkbox_list.html"


@dataclass(frozen=True)
class Structure:
    """What the browser says of a group or list: whether it is given, and the keys of its items in order."""

    given: bool = False
    keys: tuple[str, ...] = ()


class StructureWidget(forms.Widget):
    """Reads `Structure`: each item of a list posts its key under the list's name, a ticked checkbox posts "given".

    Keys are numbers of at most nine digits that need not be consecutive; anything else in the request is ignored.
    The templates draw it, since it is spread over the list's markup.
    """

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> Structure:
        posted = data.getlist(name) if hasattr(data, "getlist") else data.get(name, ())
        if isinstance(posted, (str, int)):
            posted = [posted]
        words = [str(word) for word in posted or ()]
        return Structure(given=GIVEN in words, keys=tuple(dict.fromkeys(filter(ITEM_KEY.fullmatch, words))))

    def value_omitted_from_data(self, data: Mapping[str, Any], files: Any, name: str) -> bool:
        return False

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        return SafeString()
