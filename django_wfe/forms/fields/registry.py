"""The form fields that a project registers for types of its own."""

from __future__ import annotations

from typing import Any

from django_wfe.forms.fields.annotations import TypeFacts
from django_wfe.forms.fields.scalars import InputField

_fields: dict[type[Any] | str, type[InputField]] = {}


def register_field(kind: type[Any] | str, field_class: type[InputField]) -> None:
    """Have values of a kind typed into a field of your own; call it in ``AppConfig.ready``.

    Args:
        kind: a class: of the value itself, its subclasses included, or of a marker in ``Annotated``. Or a text: the
            ``format`` in the ``json_schema_extra`` of a pydantic field.
        field_class: a subclass of ``InputField``. Secrets keep their own field.

    Raises:
        TypeError: one of them is of another kind.
        ValueError: there is a field for this kind already.
    """
    if not isinstance(kind, type | str) or not kind:
        raise TypeError(f"{kind!r}: register a field for a class, or for a format such as 'money'.")
    if not (isinstance(field_class, type) and issubclass(field_class, InputField)):
        raise TypeError(f"{field_class!r} is not a field: use a subclass of django_wfe.forms.InputField.")
    if kind in _fields:
        raise ValueError(f"{kind!r} has the field {_fields[kind].__qualname__} already: unregister it first.")
    _fields[kind] = field_class


def unregister_field(kind: type[Any] | str) -> None:
    """Take a project's field out again; tests need it.

    Raises:
        ValueError: there is none for this kind.
    """
    if _fields.pop(kind, None) is None:
        raise ValueError(f"There is no field of a project's own for {kind!r}.")


def find_field(facts: TypeFacts) -> type[InputField] | None:
    """Return the project's field for a value: by its format, else by a marker, else by its class; None without one."""
    if not _fields:
        return None
    if facts.format in _fields:
        return _fields[facts.format]
    markers = (item if isinstance(item, type) else type(item) for item in facts.metadata)
    classes = (facts.type,) if isinstance(facts.type, type) else ()
    for found in (*markers, *classes):
        for base in getattr(found, "__mro__", ()):
            if base in _fields:
                return _fields[base]
    return None
