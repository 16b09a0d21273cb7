"""Which Django form field a pydantic type gets."""

import datetime
import decimal
from collections.abc import Mapping
from typing import Any

import pydantic
from django import forms
from django.utils.translation import gettext as _
from pydantic import EncodedBytes, EncodedStr

from django_wfe.forms.fields import choices, documents, scalars, secrets, temporal, widgets
from django_wfe.forms.fields.annotations import TypeFacts
from django_wfe.forms.fields.registry import find_field

BUILT_IN: Mapping[Any, tuple[type[scalars.InputField], dict[str, Any]]] = {
    int: (scalars.IntegerField, {}),
    float: (scalars.FloatField, {}),
    decimal.Decimal: (scalars.DecimalField, {}),
    datetime.date: (temporal.DateField, {}),
    pydantic.PastDate: (temporal.DateField, {}),
    pydantic.FutureDate: (temporal.DateField, {}),
    datetime.time: (temporal.TimeField, {}),
    datetime.datetime: (temporal.DateTimeField, {"awareness": "either"}),
    pydantic.PastDatetime: (temporal.DateTimeField, {"awareness": "either"}),
    pydantic.FutureDatetime: (temporal.DateTimeField, {"awareness": "either"}),
    pydantic.AwareDatetime: (temporal.DateTimeField, {"awareness": "aware"}),
    pydantic.NaiveDatetime: (temporal.DateTimeField, {"awareness": "naive"}),
    datetime.timedelta: (temporal.DurationField, {}),
}
BY_JSON_TYPE: Mapping[str, type[scalars.InputField]] = {
    "string": scalars.TextField,
    "integer": scalars.IntegerField,
    "number": scalars.FloatField,
    "boolean": scalars.BooleanField,
}
# The keyboard of a telephone. An input of type "email" or "url" would change what is typed: it writes a domain in
# Punycode and takes blanks away.
INPUT_MODES = {"email": "email", "uri": "url"}


def make_field(
    facts: TypeFacts,
    *,
    label: str,
    help_text: str,
    examples: list[Any],
    must_choose: bool,
    max_upload_bytes: int,
    is_secret: bool = False,
) -> scalars.InputField:
    """A new form field for one value.

    `must_choose` tells that a value is needed and no default exists; `max_upload_bytes` limits an uploaded file.
    """
    options: dict[str, Any] = {"label": label, "help_text": help_text}
    if is_secret and not needs_upload(facts):
        return _make_secret(facts, options, max_upload_bytes)
    if facts.is_json_text:
        return documents.JsonTextField(facts=facts, **options)
    if (own := find_field(facts)) is not None:
        field = own(**options)
        field.is_lenient = facts.is_lenient
        return field
    found = choices.read_choices(facts.type)
    if found:
        with_no_choice = facts.nullable or (must_choose and len(found) > 1)
        return choices.ChoiceField(choices=found, with_no_choice=with_no_choice, **options)
    if facts.type is bool:
        if facts.nullable:
            return choices.ChoiceField(choices=choices.three_way_choices(), with_no_choice=True, **options)
        return scalars.BooleanField(**options)
    field = _make_input(facts, options, max_upload_bytes)
    field.is_lenient = facts.is_lenient
    field.widget.attrs.update(_input_attributes(facts, field, examples))
    return field


def _make_secret(facts: TypeFacts, options: dict[str, Any], max_upload_bytes: int) -> secrets.SecretField:
    if facts.is_json_text:
        return secrets.SecretField(inner=documents.JsonTextField(facts=facts, **options), **options)
    content = secrets.read_content(facts)
    if content.type is bool or choices.read_choices(content.type):
        content = TypeFacts(type=str)  # pydantic reads the text that is typed
    inner = _make_input(content, options, max_upload_bytes)
    inner.is_lenient = content.is_lenient
    return secrets.SecretField(inner=inner, **options)


def needs_upload(facts: TypeFacts) -> bool:
    """Return whether the value comes from a file."""
    return facts.type in (str, bytes) and facts.format == "file"


def _make_input(facts: TypeFacts, options: dict[str, Any], max_upload_bytes: int) -> scalars.InputField:
    encoder = _find_encoder(facts)
    if needs_upload(facts):
        return documents.UploadField(max_bytes=max_upload_bytes, encoder=encoder, **options)
    if facts.type in (str, bytes):
        widget = widgets.Textarea() if facts.format == "textarea" else widgets.TextInput()
        return scalars.TextField(widget=widget, encoder=encoder, **options)
    if facts.type in BUILT_IN:
        field_class, extra = BUILT_IN[facts.type]
        return field_class(**extra, **options)
    unreachable = choices.list_unreachable(facts.type)
    if unreachable:
        names = ", ".join(f"“{name}”" for name in unreachable)
        note = _("These choices cannot be given, since JSON has no such values: %(names)s.") % {"names": names}
        return documents.JsonField(schema={}, **{**options, "help_text": f"{options['help_text']} {note}".strip()})
    schema = facts.json_schema
    json_type = schema.get("type")
    if isinstance(json_type, str) and json_type in BY_JSON_TYPE and "enum" not in schema:
        field = BY_JSON_TYPE[json_type](**options)
        input_mode = INPUT_MODES.get(str(schema.get("format")))
        if input_mode is not None:
            field.widget.attrs["inputmode"] = input_mode
        return field
    return documents.JsonField(schema=schema, **options)


def _find_encoder(facts: TypeFacts) -> Any:
    return next((item.encoder for item in facts.metadata if isinstance(item, (EncodedBytes, EncodedStr))), None)


def _input_attributes(facts: TypeFacts, field: scalars.InputField, examples: list[Any]) -> dict[str, Any]:
    """What the browser may know beforehand: an example, and the bounds of a date. The server decides all the same.

    Never a length: a browser cuts what is pasted to `maxlength`, in silence, and counts otherwise than pydantic does.
    """
    attributes: dict[str, Any] = {}
    if examples and not isinstance(field, (documents.UploadField, scalars.BooleanField)):
        attributes["placeholder"] = field.prepare_value(examples[0])
    if isinstance(field, scalars.NumberField):
        attributes["class"] = "vTextField wfe-number"
        if isinstance(field, scalars.IntegerField) and _is_never_negative(facts):
            attributes["inputmode"] = "numeric"  # a keyboard of digits, which has no minus sign on some telephones
    elif isinstance(field, (scalars.TextField, temporal.DurationField)) and not isinstance(
        field.widget, forms.Textarea
    ):
        attributes["class"] = "vTextField"
    elif isinstance(field.widget, widgets.NativeInput) and facts.is_lenient:
        field.widget.text_only = True  # a native control takes only what the bare type does
    elif isinstance(field, temporal.DateField):
        bounds = {"min": facts.constraint("ge"), "max": facts.constraint("le")}
        attributes.update({name: field.prepare_value(value) for name, value in bounds.items() if value is not None})
    return attributes


def _is_never_negative(facts: TypeFacts) -> bool:
    bounds = [facts.constraint("ge"), facts.constraint("gt")]
    return not facts.is_lenient and any(isinstance(bound, int) and bound >= 0 for bound in bounds)
