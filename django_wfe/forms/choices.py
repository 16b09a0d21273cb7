"""Selects and checkboxes for Enum, Literal and Optional[bool]."""

import enum
import typing
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from django.utils.translation import gettext_lazy as _
from pydantic_core import to_jsonable_python

from django_wfe.forms import widgets
from django_wfe.forms.fields import InputField
from django_wfe.forms.values import EMPTY

NO_CHOICE = ("", "---------")


@dataclass(frozen=True)
class Choice:
    """One choice: `key` is what the browser posts, `value` the JSON value, `python` what the schema calls it."""

    key: str
    value: Any
    python: Any
    label: Any

    def matches(self, other: Any) -> bool:
        """Whether `other` is this choice, as a Python or JSON value. 1, True and "1" are three values."""
        return any(type(other) is type(own) and other == own for own in (self.python, self.value))


def read_choices(annotation: Any) -> list[Choice]:
    """The choices of an Enum class or a Literal, in the order of their declaration; empty for any other type."""
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        members: Sequence[Any] = list(annotation)
    elif typing.get_origin(annotation) is Literal:
        members = typing.get_args(annotation)
    else:
        return []
    values = [to_jsonable_python(member) for member in members]
    keys = [str(value) for value in values]
    if len(set(keys)) < len(keys) or "" in keys:
        keys = [f"choice-{position}" for position in range(len(keys))]
    return [
        Choice(key=key, value=value, python=member, label=_label(member))
        for key, value, member in zip(keys, values, members, strict=True)
    ]


def three_way_choices() -> list[Choice]:
    """Yes and No, for an Optional[bool]."""
    return [
        Choice(key="true", value=True, python=True, label=_("Yes")),
        Choice(key="false", value=False, python=False, label=_("No")),
    ]


class ChoiceField(InputField):
    """A select. What is posted but is no choice goes to pydantic as it is, which then names the choices."""

    def __init__(self, *, choices: Sequence[Choice], with_no_choice: bool, **options: Any) -> None:
        shown = [(choice.key, choice.label) for choice in choices]
        super().__init__(widget=widgets.Select(choices=[NO_CHOICE, *shown] if with_no_choice else shown), **options)
        self.choices = tuple(choices)

    def mention_default(self, default: Any) -> None:
        """Does nothing: a select with a default has no empty choice."""

    def parse(self, value: Any) -> Any:
        return next((choice.value for choice in self.choices if choice.key == value), value)

    def prepare_value(self, value: Any) -> Any:
        return _find_key(self.choices, value)


class MultipleChoiceField(InputField):
    """Checkboxes for a list or set of choices. None ticked is the empty list, or None where the type allows None."""

    def __init__(self, *, choices: Sequence[Choice], nullable: bool, **options: Any) -> None:
        shown = [(choice.key, choice.label) for choice in choices]
        super().__init__(widget=widgets.CheckboxList(choices=shown), **options)
        self.choices = tuple(choices)
        self.nullable = nullable

    def mention_default(self, default: Any) -> None:
        """Does nothing: with nothing ticked the value is the empty list."""

    def clean(self, value: Any) -> Any:
        if not value:
            return EMPTY if self.nullable else []
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
