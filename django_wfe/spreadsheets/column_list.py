"""Which columns there can be, told to the person who makes a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy

from django_wfe.forms.declarations.declaration import Declaration, GroupDeclaration

KEY = "key"
PREFIX = "input."

_FORMATS = {
    "date": gettext_lazy("date, as 2026-01-31"),
    "date-time": gettext_lazy("date and time, as 2026-01-31T08:30"),
    "time": gettext_lazy("time, as 08:30"),
    "duration": gettext_lazy("duration, as PT1H30M"),
}
_WORDS = {
    **_FORMATS,
    "array": gettext_lazy("a list, as JSON"),
    "boolean": gettext_lazy("true or false"),
    "integer": gettext_lazy("whole number"),
    "number": gettext_lazy("number"),
    "object": gettext_lazy("an object, as JSON"),
    "string": gettext_lazy("text"),
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column that the input can be given in. ``kinds`` tell in words what it takes, () for anything."""

    name: str
    title: str
    description: str
    kinds: tuple[str, ...]
    required: bool


def list_columns(group: GroupDeclaration, prefix: str, *, required: bool) -> Iterator[Column]:
    for child in group.children:
        names = list_names(child)
        if not names or not child.key:
            continue  # the one value of a root model has no name
        full, is_required = f"{prefix}{names[0]}", required and child.required
        if isinstance(child, GroupDeclaration):
            yield from list_columns(child, f"{full}.", required=is_required)
            continue
        yield Column(
            PREFIX + full if full == KEY else full,
            str(child.label),
            str(child.help_text),
            _describe_kinds(child.facts.json_schema),
            is_required,
        )


def _describe_kinds(schema: Mapping[str, Any]) -> tuple[str, ...]:
    definitions = schema.get("$defs", {})
    options = [definitions.get(str(option.get("$ref")).rpartition("/")[2], option) for option in _list_options(schema)]
    formats = {str(option.get("format")) for option in options} & set(_FORMATS)
    kinds = {kind for option in options for kind in _read_kinds(option)} - {"null"}
    kinds -= {"string"} if formats else set()
    return tuple(str(_WORDS.get(kind, kind)) for kind in [*sorted(formats), *sorted(kinds)])


def _list_options(schema: Mapping[str, Any]) -> list[Any]:
    return list(schema.get("anyOf") or schema.get("oneOf") or [schema])


def _read_kinds(schema: Mapping[str, Any]) -> list[str]:
    kind = schema.get("type")
    if isinstance(kind, str):
        return [kind]
    values = [*schema.get("enum", ()), *([schema["const"]] if "const" in schema else ())]
    return ["string" if isinstance(value, str) else "number" for value in values]


def list_names(declaration: Declaration) -> list[str]:
    """Return the names that a value goes by in the data: its alias and its own name."""
    paths = [declaration.key, *declaration.locations]
    names = [str(path[0]) for path in paths if len(path) == 1 and isinstance(path[0], str)]
    return list(dict.fromkeys([*names, declaration.name]) if declaration.name else names)
