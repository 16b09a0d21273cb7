"""How much of one request a form takes, and what Django lets one request hold."""

from __future__ import annotations

from dataclasses import dataclass

from django import forms
from django.conf import settings

from django_wfe.forms.fields.choices import MultipleChoiceField
from django_wfe.forms.fields.documents import UploadField
from django_wfe.forms.fields.scalars import InputField
from django_wfe.forms.layout import Group, ItemList, Leaf, Node

RESERVED = 40
"""Inputs that the page around a form may send besides."""


@dataclass(frozen=True)
class Load:
    """What a part of a form sends at most: so many values, and so many files."""

    values: int = 0
    files: int = 0

    def __add__(self, other: Load) -> Load:
        return Load(self.values + other.values, self.files + other.files)

    @property
    def is_too_much(self) -> bool:
        """Whether Django would answer such a request with a bare "400 Bad Request"."""
        most_files = settings.DATA_UPLOAD_MAX_NUMBER_FILES
        most_values = read_limit()
        too_many_files = most_files is not None and self.files > most_files
        return too_many_files or (most_values is not None and self.values > most_values)


def read_limit() -> int | None:
    """How many values a form may send, None if there is no limit."""
    limit: int | None = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
    return None if limit is None else max(limit - RESERVED, 0)


def measure(node: Node) -> Load:
    """What a node and all below it send."""
    own = Load()
    if isinstance(node, Leaf):
        own = _measure_field(node.bound.field)
    elif isinstance(node, (Group, ItemList)) and node.is_optional:
        own = Load(values=1)
    if isinstance(node, ItemList):
        own += Load(values=len(node.items))  # the keys of the items
    return sum((measure(child) for child in node.children_nodes), start=own)


def find_longest(root: Node) -> ItemList | None:
    """The list that sends most and can be written as one text: not one of secrets, which are never shown."""
    lists = [node for node in root.walk() if isinstance(node, ItemList) and can_be_text(node)]
    return max(lists, key=lambda node: measure(node).values, default=None)


def can_be_text(node: ItemList) -> bool:
    """Return whether the list's items may be shown as one text."""
    items: list[Node] = [*node.children_nodes, *([] if node.blank is None else [node.blank])]
    fields = [leaf.bound.field for item in items for leaf in item.walk() if isinstance(leaf, Leaf)]
    return not any(isinstance(field, InputField) and field.is_secret for field in fields)


def _measure_field(field: forms.Field) -> Load:
    if isinstance(field, UploadField):
        return Load(files=1)
    return Load(values=len(field.choices) if isinstance(field, MultipleChoiceField) else 1)
