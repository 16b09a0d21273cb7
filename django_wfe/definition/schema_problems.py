"""What is wrong with a declared schema: what pydantic cannot build, nobody can answer, or JSON cannot hold."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

import pydantic.v1
from pydantic import BaseModel
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError

from django_wfe.definition.changing_defaults import find_changing_defaults, find_context_readers, list_models
from django_wfe.definition.graph import describe_schema
from django_wfe.definition.secret_places import find_secret_places
from django_wfe.definition.sentences import Finding, Sentence
from django_wfe.definition.sentences import mark as _
from django_wfe.definition.texts import describe_value, find_unstorable, name_value

_NOT_FROM_JSON = {"is-instance": "an instance of", "is-subclass": "a subclass of", "callable": "a callable"}


def find_schema_problems(schema: Any, attribute: str = "UserInputSchema") -> Iterator[Finding]:
    """Yield a code, a message and a cure for each problem of a declared schema; none where no input is asked.

    Args:
        attribute: the name that it is declared under.
    """
    if schema is None:
        return
    if not _is_model_or_empty(schema):
        yield (
            "schema",
            _("%(attribute)s is %(value)s, not a pydantic model.")
            % {"attribute": attribute, "value": describe_value(schema)},
            _say_how_to_name(schema, attribute),
        )
        return
    if not getattr(schema, "model_fields", None):
        return
    try:
        schema.model_rebuild(_types_namespace={})  # does nothing where the model is complete
    except PydanticUndefinedAnnotation as error:
        name = error.name or "a type"
        yield (
            "undefined",
            _("%(attribute)s uses %(name)s%(where)s, which is not defined at run time.")
            % {"attribute": attribute, "name": name, "where": _say_where(schema, name)},
            _('Import %(name)s outside of "if TYPE_CHECKING:", at the top of the module.') % {"name": name},
        )
        return
    except (PydanticUserError, TypeError, NameError) as error:
        yield (
            "schema",
            _("pydantic cannot build its %(attribute)s: %(error)s")
            % {"attribute": attribute, "error": _first_line(error)},
            _("Correct the model."),
        )
        return
    yield from _find_unanswerable(schema)
    yield from _find_infinite_defaults(schema)
    yield from find_changing_defaults(schema)
    yield from find_context_readers(schema)
    if find_spec("cryptography") is None and find_secret_places(schema):
        yield (
            "secret",
            _("its schema holds a secret, which is kept encrypted, and the package cryptography is not installed."),
            _('Install it: pip install "django-wfe[secrets]".'),
        )
    for place, reason in find_unstorable(describe_schema(schema)):
        if not place.endswith(".default") or reason != "a number that JSON cannot hold":  # those have been told
            yield (
                "json",
                _("its schema cannot be stored: %(place)s holds %(reason)s.") % {"place": place, "reason": reason},
                _("Remove it from the schema."),
            )


def _is_model_or_empty(schema: Any) -> bool:
    if not isinstance(schema, type):
        return False
    # Upstream projects write "class UserInputSchema: pass" for "no input needed".
    has_fields = bool(getattr(schema, "__annotations__", {})) or any(not name.startswith("__") for name in vars(schema))
    return issubclass(schema, BaseModel) or not has_fields


def _say_how_to_name(schema: Any, attribute: str) -> Sentence:
    if isinstance(schema, BaseModel):
        return _("Name the class: %(attribute)s = %(type)s.") % {
            "attribute": attribute,
            "type": type(schema).__name__,
        }
    if isinstance(schema, type) and issubclass(schema, pydantic.v1.BaseModel):
        return _("Let it inherit from pydantic.BaseModel, not from that of pydantic.v1.")
    return _("Let it inherit from pydantic.BaseModel.")


def _say_where(schema: type[BaseModel], name: str) -> str:
    for model in schema.__mro__:
        for field, annotation in vars(model).get("__annotations__", {}).items():
            if name in str(annotation):
                return f" (field {field})"
    return ""


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _find_infinite_defaults(schema: type[BaseModel]) -> Iterator[Finding]:
    for model in list_models(schema):
        if model.model_config.get("ser_json_inf_nan") == "strings":
            continue  # pydantic writes them as texts, and reads those
        for name, field in model.model_fields.items():
            if _holds_infinite(field.default):
                yield (
                    "default",
                    _("the default of %(model)s.%(field)s is %(default)s, which JSON cannot hold.")
                    % {"model": model.__name__, "field": name, "default": repr(field.default)},
                    _("Give a finite number, or let the field be optional: None as its default."),
                )


def _holds_infinite(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, Mapping):
        return any(_holds_infinite(item) for item in [*value.keys(), *value.values()])
    return isinstance(value, (list, tuple, set, frozenset)) and any(_holds_infinite(item) for item in value)


def _find_unanswerable(schema: type[BaseModel]) -> Iterator[Finding]:
    core: Any = schema.__pydantic_core_schema__
    definitions: dict[str, Any] = {}
    found = _find_impossible(core, definitions, schema.__name__, ())
    if found is not None:
        place, reason = found
        yield (
            "answer",
            _("no input can satisfy it: %(place)s %(reason)s.") % {"place": place, "reason": reason},
            _("Give the field a default, or another type."),
        )


def _find_impossible(
    core: Any, definitions: dict[str, Any], place: str, open_models: tuple[Any, ...]
) -> tuple[str, str] | None:
    """Return the place and the reason where no JSON satisfies a core schema; None if some does, or who knows."""
    kind = core.get("type")
    if kind == "definitions":
        definitions.update({item["ref"]: item for item in core["definitions"]})
        return _find_impossible(core["schema"], definitions, place, open_models)
    if kind == "definition-ref":
        target = definitions.get(core["schema_ref"])
        return None if target is None else _find_impossible(target, definitions, place, open_models)
    if kind in ("function-after", "custom-error"):
        return _find_impossible(core["schema"], definitions, place, open_models)
    if kind == "json-or-python":
        return _find_impossible(core["json_schema"], definitions, place, open_models)
    if kind == "lax-or-strict":
        return _find_impossible(core["lax_schema"], definitions, place, open_models)
    if kind == "model":
        if core["cls"] in open_models:
            return place, _("needs another %(name)s in it, and that one another, without end") % {
                "name": core["cls"].__name__
            }
        return _find_impossible(core["schema"], definitions, place, (*open_models, core["cls"]))
    if kind == "model-fields":
        for name, field in core["fields"].items():
            inner = field["schema"]
            # What has a default or may be null can be left out, or given as null.
            if inner.get("type") not in ("default", "nullable"):
                found = _find_impossible(inner, definitions, f"{place}.{name}", open_models)
                if found is not None:
                    return found
        return None
    return _find_impossible_value(core, kind, place)


def _find_impossible_value(core: Any, kind: Any, place: str) -> tuple[str, str] | None:
    if kind in _NOT_FROM_JSON:
        named = f" {name_value(core['cls'])}" if core.get("cls") is not None else ""
        return place, _("must be %(value)s%(named)s, which no JSON value is") % {
            "value": _NOT_FROM_JSON[kind],
            "named": named,
        }
    least = max((core[name] for name in ("ge", "gt") if core.get(name) is not None), default=None)
    most = min((core[name] for name in ("le", "lt") if core.get(name) is not None), default=None)
    if kind in ("int", "float", "decimal") and least is not None and most is not None and least > most:
        return place, _("must be at least %(least)s and at most %(most)s") % {"least": least, "most": most}
    shortest, longest = core.get("min_length"), core.get("max_length")
    if isinstance(shortest, int) and isinstance(longest, int) and shortest > longest:
        return place, _("must have at least %(shortest)s and at most %(longest)s items or characters") % {
            "shortest": shortest,
            "longest": longest,
        }
    return None
