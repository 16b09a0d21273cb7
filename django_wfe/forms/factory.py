"""Which Django form field a pydantic type gets."""

import datetime
import decimal
from collections.abc import Mapping
from typing import Any

import pydantic
from django import forms
from pydantic import EncodedBytes, EncodedStr

from django_wfe.forms import choices, documents, fields, secrets, temporal, widgets
from django_wfe.forms.annotations import TypeFacts

BUILT_IN: Mapping[Any, tuple[type[fields.InputField], dict[str, Any]]] = {
    int: (fields.IntegerField, {}),
    float: (fields.FloatField, {}),
    decimal.Decimal: (fields.DecimalField, {}),
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
BY_JSON_TYPE: Mapping[str, type[fields.InputField]] = {
    "string": fields.TextField,
    "integer": fields.IntegerField,
    "number": fields.FloatField,
    "boolean": fields.BooleanField,
}
TEXT_INPUT_TYPES = {"email": "email", "uri": "url"}


def make_field(
    facts: TypeFacts,
    *,
    label: str,
    help_text: str,
    examples: list[Any],
    must_choose: bool,
    max_upload_bytes: int,
    is_secret: bool = False,
) -> fields.InputField:
    """A new form field for one value.

    `must_choose` tells that a value is needed and no default exists; `max_upload_bytes` limits an uploaded file.
    """
    options: dict[str, Any] = {"label": label, "help_text": help_text}
    if is_secret and not needs_upload(facts):
        return _make_secret(facts, options, max_upload_bytes)
    found = choices.read_choices(facts.type)
    if found:
        with_no_choice = facts.nullable or (must_choose and len(found) > 1)
        return choices.ChoiceField(choices=found, with_no_choice=with_no_choice, **options)
    if facts.type is bool:
        if facts.nullable:
            return choices.ChoiceField(choices=choices.three_way_choices(), with_no_choice=True, **options)
        return fields.BooleanField(**options)
    field = _make_input(facts, options, max_upload_bytes)
    field.widget.attrs.update(_input_attributes(facts, field, examples))
    return field


def _make_secret(facts: TypeFacts, options: dict[str, Any], max_upload_bytes: int) -> secrets.SecretField:
    content = secrets.read_content(facts)
    if content.type is bool or choices.read_choices(content.type):
        content = TypeFacts(type=str)  # pydantic reads the text that is typed
    return secrets.SecretField(inner=_make_input(content, options, max_upload_bytes), **options)


def needs_upload(facts: TypeFacts) -> bool:
    """Whether the value comes from a file."""
    return facts.type in (str, bytes) and facts.format == "file"


def _make_input(facts: TypeFacts, options: dict[str, Any], max_upload_bytes: int) -> fields.InputField:
    encoder = _find_encoder(facts)
    if needs_upload(facts):
        return documents.UploadField(max_bytes=max_upload_bytes, encoder=encoder, **options)
    if facts.type in (str, bytes):
        widget = widgets.Textarea() if facts.format == "textarea" else widgets.TextInput()
        return fields.TextField(widget=widget, encoder=encoder, **options)
    if facts.type in BUILT_IN:
        field_class, extra = BUILT_IN[facts.type]
        return field_class(**extra, **options)
    schema = facts.json_schema
    json_type = schema.get("type")
    if isinstance(json_type, str) and json_type in BY_JSON_TYPE and "enum" not in schema:
        field = BY_JSON_TYPE[json_type](**options)
        if isinstance(field.widget, widgets.TextInput):
            field.widget.input_type = TEXT_INPUT_TYPES.get(str(schema.get("format")), "text")
        return field
    return documents.JsonField(schema=schema, **options)


def _find_encoder(facts: TypeFacts) -> Any:
    return next((item.encoder for item in facts.metadata if isinstance(item, (EncodedBytes, EncodedStr))), None)


def _input_attributes(facts: TypeFacts, field: fields.InputField, examples: list[Any]) -> dict[str, Any]:
    """What the browser may know beforehand: bounds, lengths and an example. The server decides all the same."""
    attributes: dict[str, Any] = {}
    if examples and not isinstance(field, (documents.UploadField, fields.BooleanField)):
        attributes["placeholder"] = field.prepare_value(examples[0])
    if isinstance(field, fields.TextField):
        attributes.update(_length_attributes(facts))
        if not isinstance(field.widget, forms.Textarea):
            attributes["class"] = "vTextField"
    elif isinstance(field.widget, widgets.NumberInput):
        if facts.is_lenient:
            field.widget.text_only = True
        attributes.update(_number_attributes(facts, is_integer=isinstance(field, fields.IntegerField)))
    elif isinstance(field, temporal.DurationField):
        attributes["class"] = "vTextField"
    elif isinstance(field, temporal.DateField):
        bounds = {"min": facts.constraint("ge"), "max": facts.constraint("le")}
        attributes.update({name: field.prepare_value(value) for name, value in bounds.items() if value is not None})
    return attributes


def _length_attributes(facts: TypeFacts) -> dict[str, Any]:
    if facts.type is not str or facts.is_lenient or facts.constraint("strip_whitespace"):
        return {}  # the length that counts is that of another text than the one typed
    bounds = {"minlength": facts.constraint("min_length"), "maxlength": facts.constraint("max_length")}
    return {name: value for name, value in bounds.items() if value is not None}


def _number_attributes(facts: TypeFacts, *, is_integer: bool) -> dict[str, Any]:
    attributes: dict[str, Any] = {"step": "any", "class": "vTextField wfe-number"}
    lowest, highest = facts.constraint("ge"), facts.constraint("le")
    places = facts.constraint("decimal_places")
    if is_integer:
        attributes["step"] = 1
        above, below = facts.constraint("gt"), facts.constraint("lt")
        lowest = above + 1 if lowest is None and isinstance(above, int) else lowest
        highest = below - 1 if highest is None and isinstance(below, int) else highest
    elif places is not None and lowest is None:
        # Steps are counted from `min`, which need not lie on the grid of the decimal places.
        attributes["step"] = str(decimal.Decimal(1).scaleb(-places))
    bounds = {"min": lowest, "max": highest}
    return {**attributes, **{name: str(bound) for name, bound in bounds.items() if bound is not None}}
