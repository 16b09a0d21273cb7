"""The bodies that verbs take: what all take, and a field for each option that a verb declares."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from django_wfe.api.shapes.bodies import JSONValueField, OperatorBody, PlacedBody
from django_wfe.api.shapes.schema import component
from django_wfe.engine.lifecycle import Option, Verb, list_options

_BODIES: dict[Verb, type[OperatorBody]] = {}


def build_verb_body(verb: Verb) -> type[OperatorBody]:
    """Return the serializer of what a verb takes, made once."""
    if verb not in _BODIES:
        _BODIES[verb] = _build(verb)
    return _BODIES[verb]


def name_class(verb: Verb, kind: str) -> str:
    """Return the name of a class that is made for a verb, such as "RetryBody"."""
    return "".join(part.title() for part in verb.name.split("_")) + kind


def _build(verb: Verb) -> type[OperatorBody]:
    base = PlacedBody if verb.is_about_step else OperatorBody
    if verb.Options is None and base is OperatorBody:
        return OperatorBody
    text = (verb.Options.__doc__ if verb.Options is not None else None) or f"What {verb.name} takes."
    fields = {option.name: _build_field(option) for option in list_options(verb)}
    members = {**fields, "__doc__": text, "__module__": __name__}
    made: type[OperatorBody] = type(name_class(verb, "Body"), (base,), members)
    return component(made)


def _build_field(option: Option) -> serializers.Field[Any, Any, Any, Any]:
    """Return the field of an option. What it does not check itself is told by the engine, which validates again."""
    shared: dict[str, Any] = {"required": option.is_required, "help_text": option.description}
    if option.kind is None:
        return JSONValueField(**shared, allow_null=True)
    if option.is_nullable and option.is_required:
        shared["allow_null"] = True
    if option.kind is bool:
        return serializers.BooleanField(**shared)
    if option.kind is int:
        bounds = {"min_value": option.least, "max_value": option.most}
        return serializers.IntegerField(**shared, **_leave_out_none(bounds))
    longest = _leave_out_none({"max_length": option.longest})
    return serializers.CharField(**shared, **longest, allow_blank=True, trim_whitespace=False)


def _leave_out_none(given: dict[str, int | None]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}
