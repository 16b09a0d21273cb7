"""Django form fields whose cleaned value is the JSON value that pydantic gets.

A field does not judge: what it cannot turn into the JSON of its type it hands on as typed, and pydantic says what is
wrong. Only what pydantic cannot say (a NUL character, a file that is not a text) is refused here.
"""

import json
import math
import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import EMPTY_VALUES
from django.forms.boundfield import BoundField
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from pydantic_core import to_jsonable_python

from django_wfe.definition.texts import holds_nul, holds_surrogate
from django_wfe.forms.fields import widgets
from django_wfe.forms.fields.values import EMPTY, MISSING

MENTIONED_LENGTH = 60
COMMA_NUMBER = re.compile(r"[-+]?[\d.\s']*\d,\d[\d.,\s']*([eE][-+]?\d+)?", re.ASCII)
INTEGER = re.compile(r"[-+]?\d+", re.ASCII)


class InputBoundField(BoundField):
    """Shows the initial value in a fresh item even where the form is bound, and adds the field's note to its help."""

    def __init__(self, form: forms.BaseForm, field: "InputField", name: str) -> None:
        super().__init__(form, field, name)
        self.input_field = field
        self.help_text = field.describe(is_bound=form.is_bound and not field.fresh)

    def value(self) -> Any:
        if self.form.is_bound and not self.input_field.fresh:
            return self.data
        return self.initial_value

    @property
    def initial_value(self) -> Any:
        """What the input shows before anybody typed."""
        return self.field.prepare_value(self.field.initial) if self.input_field.has_initial else None


class InputField(forms.Field):
    """The base of all fields.

    `clean` returns the JSON value, or EMPTY when the person left the field empty. `fresh` marks an item that was
    added by this very request, so that nothing was typed yet. `is_secret` tells that what is typed is, or may hold, a
    secret. `is_lenient` says that the schema reads the text itself, so that nothing may be refused which the bare type
    would not take.
    """

    fresh = False
    is_secret = False
    is_lenient = False
    given_again: Any = ""
    default_text = ""
    default_error_messages = {
        "nul": _("The text holds a NUL character, which cannot be stored. Remove it."),
        "surrogate": _("The text is not valid Unicode, so it cannot be stored. Type it again."),
    }

    def __init__(self, *, label: str = "", help_text: str = "", widget: forms.Widget | None = None) -> None:
        super().__init__(required=False, label=label, help_text=help_text, widget=widget, initial=MISSING)

    def mark_required(self) -> None:
        """Let the browser ask for a value before it submits. `clean` is not changed by it: pydantic decides."""
        self.required = True

    @property
    def has_initial(self) -> bool:
        return self.initial is not MISSING and self.initial is not None

    @property
    def hides_initial(self) -> bool:
        """Whether the input looks empty although it has a value, which cannot be shown."""
        is_empty = isinstance(self.initial, (str, bytes)) and not self.initial
        return self.has_initial and not is_empty and self.prepare_value(self.initial) == ""

    def get_bound_field(self, form: forms.BaseForm, field_name: str) -> InputBoundField:
        return InputBoundField(form, self, field_name)

    def clean(self, value: Any) -> Any:
        if value in EMPTY_VALUES:
            return EMPTY
        if holds_nul(value):
            raise ValidationError(self.error_messages["nul"], code="nul")
        if holds_surrogate(value):
            raise ValidationError(self.error_messages["surrogate"], code="surrogate")
        return self.parse(value)

    def parse(self, value: Any) -> Any:
        """The JSON value of what was typed."""
        return value

    def prepare_value(self, value: Any) -> Any:
        """What the widget shows for a Python or JSON value of the schema.

        "" for what it cannot show: a substitute would be posted back as the value.
        """
        plain = to_plain(value)
        if plain is MISSING:
            return ""
        return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)

    def describe(self, *, is_bound: bool) -> str:
        """The help text, with a note where something typed cannot be shown again."""
        default = _("Left empty, it becomes %(default)s.") % {"default": self.default_text} if self.default_text else ""
        hidden = _("Its value cannot be shown here; left empty, it stays as it is.") if self.hides_initial else ""
        notes = [self.help_text, self.explain_format(), default, hidden, self.given_again if is_bound else ""]
        return " ".join(str(note) for note in notes if note)

    def explain_format(self) -> str:
        """What the person must know to fill this input in, beyond its label."""
        return ""

    def mention_default(self, default: Any) -> None:
        """Says in the help text what an empty input means, for a schema that has a default but does not take None."""
        shown = self.prepare_value(default)
        if isinstance(shown, str) and len(shown) <= MENTIONED_LENGTH and "\n" not in shown:
            self.default_text = shown


class TextField(InputField):
    """Text, and every type that JSON Schema calls a string.

    Browsers post each end of a line as CRLF, which becomes "\\n". A text that was left alone stays what it was.
    """

    widget: Any = widgets.TextInput

    def __init__(self, *, encoder: Any = None, **options: Any) -> None:
        super().__init__(**options)
        self.encoder = encoder

    def clean(self, value: Any) -> Any:
        if value == "" and isinstance(self.initial, (str, bytes)) and not self.initial:
            return ""  # an empty text that was there is no missing one
        return super().clean(value)

    def parse(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        text = _normalize_lines(value)
        shown = self.prepare_value(self.initial) if self.has_initial else None
        return shown if isinstance(shown, str) and _normalize_lines(shown) == text else text

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, bytes):
            encoded = value if self.encoder is None else self.encoder.encode(value)
            try:
                return encoded.decode("utf-8")
            except UnicodeDecodeError:
                return ""
        return super().prepare_value(value)


class NumberField(InputField):
    """A number, typed as text.

    An input of type "number" would post nothing for what it cannot read ("12-5"), and some browsers drop the comma of
    "12,50" while it is typed. A comma is refused, since it parts decimals for some people and thousands for others.
    """

    widget: Any = widgets.TextInput
    default_error_messages = {
        "comma": _(
            "“%(value)s” has a comma. Write a point before the decimals and nothing between thousands, such as 1250.50."
        ),
    }

    def parse(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        typed = value.strip()
        if not self.is_lenient and COMMA_NUMBER.fullmatch(typed):
            raise ValidationError(self.error_messages["comma"], code="comma", params={"value": typed})
        return self.parse_number(typed)

    def parse_number(self, typed: str) -> Any:
        """The JSON value of a text without blanks around it; the text itself if it is not a number of this kind."""
        return typed


class IntegerField(NumberField):
    def parse_number(self, typed: str) -> Any:
        if not INTEGER.fullmatch(typed):
            return typed
        try:
            return int(typed)
        except ValueError:
            return typed  # more digits than Python reads


class FloatField(NumberField):
    default_error_messages = {
        "not_finite": _("“%(value)s” is not a finite number, so it cannot be stored. Enter a number."),
    }

    def parse_number(self, value: str) -> Any:
        try:
            number = float(value)
        except (TypeError, ValueError):
            return value
        if not math.isfinite(number):
            raise ValidationError(self.error_messages["not_finite"], code="not_finite", params={"value": value})
        return number

    def prepare_value(self, value: Any) -> Any:
        return repr(value) if isinstance(value, float) else super().prepare_value(value)


class DecimalField(NumberField):
    """A decimal number, kept as the text that was typed: no float ever rounds it."""


class BooleanField(InputField):
    """A checkbox: unticked means False."""

    widget = forms.CheckboxInput

    def mention_default(self, default: Any) -> None:
        """Do nothing: a checkbox is never empty."""

    def mark_required(self) -> None:
        """Do nothing: a required checkbox would have to be ticked."""

    def clean(self, value: Any) -> bool:
        return bool(value)

    def prepare_value(self, value: Any) -> bool:
        return str(value).strip().lower() not in {"", "0", "false", "no", "none", "off"}


class StructureField(InputField):
    """Stands for a group or a list, so that its errors have a place and its checkbox and items are read."""

    widget = widgets.StructureWidget

    def clean(self, value: Any) -> Any:
        return value


def _normalize_lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def to_plain(value: Any) -> Any:
    """A Python value as plain JSON data; MISSING if JSON cannot hold it, or if the project's code for that raises."""
    if isinstance(value, Promise):
        return str(value)
    try:
        plain = to_jsonable_python(value, by_alias=False, round_trip=True)
        json.dumps(plain, ensure_ascii=False).encode()
    except Exception:
        return MISSING
    return plain
