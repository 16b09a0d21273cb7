"""The bodies that verbs take: what all take, and a field for each option that a verb declares."""

from __future__ import annotations

import types
from typing import Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from rest_framework import serializers

from django_wfe.api.shapes.bodies import JSONValueField, OperatorBody, PlacedBody
from django_wfe.api.shapes.schema import component
from django_wfe.engine.lifecycle import Verb

_BODIES: dict[Verb, type[OperatorBody]] = {}


def build_verb_body(verb: Verb) -> type[OperatorBody]:
    """Return the serializer of what a verb takes, made once."""
    if verb not in _BODIES:
        _BODIES[verb] = _build(verb)
    return _BODIES[verb]


def _build(verb: Verb) -> type[OperatorBody]:
    base = PlacedBody if verb.is_about_step else OperatorBody
    if verb.Options is None and base is OperatorBody:
        return OperatorBody
    fields = verb.Options.model_fields if verb.Options is not None else {}
    title = "".join(part.title() for part in verb.name.split("_"))
    members = {name: _build_field(info) for name, info in fields.items()}
    made: type[OperatorBody] = type(
        f"{title}Body", (base,), {**members, "__doc__": _describe(verb), "__module__": __name__}
    )
    return component(made)


def _describe(verb: Verb) -> str:
    return (verb.Options.__doc__ if verb.Options is not None else None) or f"What {verb.name} takes."


def _build_field(info: FieldInfo) -> serializers.Field[Any, Any, Any, Any]:
    """Return the field of an option. What it cannot express itself is told by the engine, which validates again."""
    kind, is_nullable = _read_kind(info.annotation)
    shared: dict[str, Any] = {"required": info.is_required(), "help_text": info.description or ""}
    limits = {name: getattr(item, name) for item in info.metadata for name in _LIMITS if hasattr(item, name)}
    if is_nullable and info.is_required():
        shared["allow_null"] = True
    if kind is int:
        bounds = {"min_value": limits.get("ge"), "max_value": limits.get("le")}
        shared |= {name: bound for name, bound in bounds.items() if bound is not None}
        return serializers.IntegerField(**shared)
    if kind is bool:
        return serializers.BooleanField(**shared)
    if kind is str:
        if limits.get("max_length") is not None:
            shared["max_length"] = limits["max_length"]
        return serializers.CharField(**shared, allow_blank=True, trim_whitespace=False)
    shared["allow_null"] = True
    return JSONValueField(**shared)


_LIMITS = ("ge", "le", "max_length")


def _read_kind(annotation: Any) -> tuple[Any, bool]:
    """Return the type of an option, and whether it may be None too."""
    if annotation is Any:
        return Any, True
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        return (kinds[0] if len(kinds) == 1 else object), len(kinds) < len(get_args(annotation))
    return annotation, False
