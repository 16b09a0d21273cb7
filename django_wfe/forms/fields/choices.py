"""Selects and checkboxes for Enum, Literal and Optional[bool]."""

import enum
import functools
import typing
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from django.utils.translation import gettext_lazy as _
from pydantic import TypeAdapter
from pydantic_core import to_json, to_jsonable_python

from django_wfe.forms.fields import widgets
from django_wfe.forms.fields.scalars import InputField
from django_wfe.forms.fields.values import EMPTY, MISSING

NO_CHOICE = ("", "---------")


@dataclass(frozen=True)
class Choice:
    """One choice: `key` is what the browser posts, `value` the JSON value, `python` what the schema calls it.

    `written` is the value as pydantic writes it, which need not be one that it reads: a Decimal is written as a text
    and read as a number.
    """

    key: str
    value: Any
    python: Any
    label: Any
    written: Any = MISSING

    def matches(self, other: Any) -> bool:
        """Return whether `other` is this choice, as a Python or JSON value. 1, True and "1" are three values."""
        own = (self.python, self.value, self.written, getattr(self.python, "value", self.python))
        return any(type(other) is type(one) and other == one for one in own)


def read_choices(annotation: Any) -> list[Choice]:
    """The choices of an Enum class or a Literal, in the order of their declaration.

    Empty for any other type, and if there is a choice for which pydantic takes no JSON value.
    """
    found = _find_values(annotation)
    if any(value is MISSING for _member, value, _written in found):
        return []
    keys = [str(written) for _member, _value, written in found]
    if len(set(keys)) < len(keys) or "" in keys:
        keys = [f"choice-{position}" for position in range(len(keys))]
    return [
        Choice(key=key, value=value, python=member, written=written, label=_label(member))
        for key, (member, value, written) in zip(keys, found, strict=True)
    ]


def list_unreachable(annotation: Any) -> list[str]:
    """The labels of the choices for which pydantic takes no JSON value: no form, file or request can give them."""
    return [str(_label(member)) for member, value, _written in _find_values(annotation) if value is MISSING]


def list_members(annotation: Any) -> Sequence[Any]:
    """The members of an Enum class or the values of a Literal, in the order of their declaration."""
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return list(annotation)
    return typing.get_args(annotation) if typing.get_origin(annotation) is Literal else []


@functools.lru_cache(maxsize=512)
def _find_values(annotation: Any) -> list[tuple[Any, Any, Any]]:
    """Each member with the JSON value that pydantic reads as it, or MISSING, and with the one that it writes."""
    members = list_members(annotation)
    adapter = TypeAdapter[Any](annotation) if members else None
    found = []
    for member in members:
        written = to_jsonable_python(member, fallback=str)
        own = getattr(member, "value", member)
        candidates = [written, float(own)] if isinstance(own, Decimal) else [written]
        value = next((candidate for candidate in candidates if _reads_as(adapter, candidate, member)), MISSING)
        found.append((member, value, written))
    return found


def _reads_as(adapter: Any, candidate: Any, member: Any) -> bool:
    try:
        read = adapter.validate_json(to_json(candidate))
    except Exception:  # `_missing_` is code of the project
        return False
    return type(read) is type(member) and bool(read == member)


def three_way_choices() -> list[Choice]:
    """Yes and No, for an Optional[bool]."""
    return [
        Choice(key="true", value=True, python=True, label=_("Yes")),
        Choice(key="false", value=False, python=False, label=_("No")),
    ]


class ChoiceField(InputField):
    """A select. What is posted but is not a choice goes to pydantic as it is, which then names the choices."""

    def __init__(self, *, choices: Sequence[Choice], with_no_choice: bool, **options: Any) -> None:
        shown = [(choice.key, choice.label) for choice in choices]
        super().__init__(widget=widgets.Select(choices=[NO_CHOICE, *shown] if with_no_choice else shown), **options)
        self.choices = tuple(choices)

    def mention_default(self, default: Any) -> None:
        """Do nothing: a select with a default has no empty choice."""

    def parse(self, value: Any) -> Any:
        return next((choice.value for choice in self.choices if choice.key == value), value)

    def prepare_value(self, value: Any) -> Any:
        return _find_key(self.choices, value)


class MultipleChoiceField(InputField):
    """Checkboxes for a set of choices.

    None ticked is the empty list, or None if the type allows None and the set was not empty before.
    """

    def __init__(self, *, choices: Sequence[Choice], nullable: bool, **options: Any) -> None:
        shown = [(choice.key, choice.label) for choice in choices]
        super().__init__(widget=widgets.CheckboxList(choices=shown), **options)
        self.choices = tuple(choices)
        self.nullable = nullable

    def mention_default(self, default: Any) -> None:
        """Do nothing: with nothing ticked the value is the empty list."""

    def clean(self, value: Any) -> Any:
        if not value:
            was_empty = self.has_initial and not self.initial
            return EMPTY if self.nullable and not was_empty else []
        posted = value if isinstance(value, (list, tuple)) else [value]
        return [next((choice.value for choice in self.choices if choice.key == key), key) for key in posted]

    def prepare_value(self, value: Any) -> list[str]:
        values = value if isinstance(value, Iterable) and not isinstance(value, (str, bytes)) else [value]
        return [_find_key(self.choices, one) for one in values]


def _find_key(choices: Sequence[Choice], value: Any) -> str:
    return next((choice.key for choice in choices if choice.matches(value)), str(value))


def _label(member: Any) -> Any:
    if not isinstance(member, enum.Enum):
        return str(member)
    own_label = getattr(member, "label", None)
    if own_label is not None and not callable(own_label):
        return own_label
    return member.name.replace("_", " ").capitalize()
