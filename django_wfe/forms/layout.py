"""The form as a tree: which inputs this very form has, how they are grouped, and what data they make.

A declaration says what a schema can hold; a layout says what a form holds now, with this many items in its lists.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from django_wfe.forms.declarations.declaration import (
    Declaration,
    ExtrasDeclaration,
    GroupDeclaration,
    ListDeclaration,
    Location,
)
from django_wfe.forms.fields.documents import JsonField
from django_wfe.forms.fields.scalars import InputBoundField
from django_wfe.forms.fields.values import EMPTY, MISSING

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

OMIT = MISSING


@dataclass(kw_only=True)
class Node:
    """A place in the form. `path` is its name in `form.fields`, "" for the form itself; `bound` its BoundField."""

    template_name = ""

    declaration: Declaration
    path: str
    bound: InputBoundField | None = None
    number: int | None = None
    removable: bool = False

    @property
    def label(self) -> str:
        return str(self.declaration.label)  # it may be lazy

    @property
    def has_errors(self) -> bool:
        return self.bound is not None and bool(self.bound.errors)

    @property
    def children_nodes(self) -> list[Any]:
        return []

    def walk(self) -> Iterator[Node]:
        """This node and all below it."""
        yield self
        for child in self.children_nodes:
            yield from child.walk()

    def walk_given(self) -> Iterator[Node]:
        """This node and all below it, save for what is inside of something that is not given."""
        yield self
        if not isinstance(self, (Group, ItemList)) or self.given or not self.is_optional:
            for child in self.children_nodes:
                yield from child.walk_given()

    def child_at(self, location: Location) -> tuple[Node, int] | None:
        """The child that an error location leads to, and how many of its steps that took."""
        return None

    def read(self, cleaned: dict[str, Any]) -> Any:
        """The JSON value for pydantic out of the form's cleaned data, OMIT where nothing is to be said."""
        raise NotImplementedError

    def is_filled(self) -> bool:
        """Return whether the person typed something here that was not there from the start."""
        return any(child.is_filled() for child in self.children_nodes)


@dataclass(kw_only=True)
class Leaf(Node):
    """One input."""

    template_name = "django_wfe/forms/field.html"
    bound: InputBoundField

    @property
    def is_checkbox(self) -> bool:
        return getattr(self.bound.field.widget, "input_type", "") == "checkbox" and not self.bound.use_fieldset

    @property
    def is_marked_required(self) -> bool:
        return self.declaration.required and not self.is_checkbox and not self.bound.use_fieldset

    @property
    def schema_text(self) -> str:
        """JSON Schema to show beside a JSON input, "" for any other."""
        input_field = getattr(self.bound.field, "inner", self.bound.field)
        return input_field.schema_text if isinstance(input_field, JsonField) and input_field.schema else ""

    @property
    def widget_html(self) -> SafeString:
        return self.bound.as_widget()

    def read(self, cleaned: dict[str, Any]) -> Any:
        value = cleaned.get(self.path, OMIT)
        if value is not EMPTY:
            return value
        is_none = self.declaration.facts.nullable and not self.bound.input_field.hides_initial
        return None if is_none else OMIT

    def read_shown(self) -> Any:
        """The JSON value of what the input shows, or that itself if it cannot be read."""
        shown = self.bound.value()
        try:
            return self.bound.field.clean(shown)
        except ValidationError:
            return shown

    def is_filled(self) -> bool:
        posted = self.bound.data
        if posted in (None, "", [], False):
            return False
        shown = self.bound.initial_value
        # A browser posts line breaks as CRLF.
        return str(posted).replace("\r\n", "\n") != str(shown).replace("\r\n", "\n")


@dataclass(kw_only=True)
class Group(Node):
    """A nested model. An optional one counts when its checkbox is ticked."""

    template_name = "django_wfe/forms/group.html"
    declaration: GroupDeclaration
    children: list[Node] = field(default_factory=list)
    given: bool = True

    @property
    def is_optional(self) -> bool:
        return self.declaration.facts.nullable and self.path != ""

    @property
    def children_nodes(self) -> list[Node]:
        return self.children

    def child_at(self, location: Location) -> tuple[Node, int] | None:
        matches = [
            # The key that validation asked for is a better match than a second alias or the name.
            (prefix == child.declaration.key, len(prefix), child)
            for child in self.children
            for prefix in child.declaration.locations
            if location[: len(prefix)] == prefix
        ]
        if not matches:
            # What no field is meant by is about the values beyond the fields, if the model takes any.
            extras = next((child for child in self.children if isinstance(child.declaration, ExtrasDeclaration)), None)
            return (extras, 0) if extras is not None and location else None
        _is_key, length, child = max(matches, key=lambda match: match[:2])
        return child, length

    def read(self, cleaned: dict[str, Any]) -> Any:
        if self.is_optional and not self.given:
            return None
        data: Any = {}
        for child in self.children:
            value = child.read(cleaned)
            if isinstance(child.declaration, ExtrasDeclaration):
                data = {**data, **(value or {})}
            elif value is not OMIT:
                data = _put(data, child.declaration.key, value)
        return data


@dataclass(kw_only=True)
class ItemList(Node):
    """A list of inputs or groups.

    `overflow` counts the posted items beyond the limit, which are not read. `optional` says that the list itself or
    something around it may be left out; `depth` counts the lists around it. `blank` is the item that JavaScript copies.
    `is_refusing` says that one more item was asked for and does not fit.
    """

    template_name = "django_wfe/forms/list.html"
    declaration: ListDeclaration
    bound: InputBoundField
    items: list[tuple[int, Node]] = field(default_factory=list)
    blank: Node | None = None
    placeholder: str = ""
    depth: int = 1
    optional: bool = False
    first_new_key: int = 0
    overflow: int = 0
    given: bool = True
    focus_add: bool = False
    is_refusing: bool = False

    @property
    def is_optional(self) -> bool:
        return self.declaration.facts.nullable

    @property
    def children_nodes(self) -> list[Node]:
        return [item for _key, item in self.items]

    @property
    def item_label(self) -> str:
        return self.declaration.item.label

    @property
    def next_key(self) -> int:
        """A key that neither an item of this form nor one of the initial data has or had."""
        return max([self.first_new_key - 1, *(key for key, _item in self.items)]) + 1

    @property
    def is_full(self) -> bool:
        return self.declaration.maximum is not None and len(self.items) >= self.declaration.maximum

    def child_at(self, location: Location) -> tuple[Node, int] | None:
        position = location[0] if location else None
        if isinstance(position, int) and 0 <= position < len(self.items):
            return self.items[position][1], 1
        return None

    def read(self, cleaned: dict[str, Any]) -> Any:
        if self.is_optional and not self.given:
            return None
        # An item without a value keeps its place, since pydantic counts the items in its error locations.
        return [None if (value := item.read(cleaned)) is OMIT else value for _key, item in self.items]

    def read_shown(self) -> Any:
        """The JSON value of what the inputs show, as typed where it cannot be read."""
        cleaned = {}
        for node in self.walk():
            if isinstance(node, Leaf):
                cleaned[node.path] = node.read_shown()
            elif isinstance(node, (Group, ItemList)) and node.is_optional and node.is_filled():
                node.given = True  # what was typed there must not be lost
        return self.read(cleaned)

    def is_filled(self) -> bool:
        return len(self.items) > self.first_new_key or super().is_filled()


def replace_node(root: Group, old: Node, new: Node) -> None:
    """Put a node into the place of another, wherever that is."""
    for owner in root.walk():
        if isinstance(owner, Group):
            owner.children = [new if child is old else child for child in owner.children]
        elif isinstance(owner, ItemList):
            owner.items = [(key, new if item is old else item) for key, item in owner.items]


def locate(root: Group, location: Location) -> tuple[Node, Location, str]:
    """The node that an error location means, the steps that lead beyond it, and the way there in words."""
    node: Node = root
    words: list[str] = []
    rest = location
    while (found := node.child_at(rest)) is not None:
        node, steps = found
        rest = rest[steps:]
        words.append(node.label if node.number is None else f"{node.label} {node.number}")
    for step in rest:
        words.append(_("item %(number)s") % {"number": step + 1} if isinstance(step, int) else str(step))
    return node, rest, " › ".join(words)


def renumber(node: ItemList) -> None:
    """Numbers the items as a person counts them."""
    for number, (_key, item) in enumerate(node.items, start=1):
        item.number = number


def _put(data: Any, key: Location, value: Any) -> Any:
    """The data with the value at its key, with the dictionaries and lists that an alias path runs through."""
    if not key:
        return value
    step, rest = key[0], key[1:]
    if isinstance(step, int):
        items = data if isinstance(data, list) else []
        items.extend([None] * (step + 1 - len(items)))
        items[step] = _put(items[step], rest, value)
        return items
    mapping = data if isinstance(data, dict) else {}
    mapping[step] = _put(mapping.get(step), rest, value)
    return mapping
