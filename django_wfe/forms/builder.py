"""Builds the layout of one form out of its declarations, its initial data and what was posted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, cast

from django.forms import BaseForm
from django.utils.translation import gettext as _
from pydantic import BaseModel, RootModel

from django_wfe.forms.declarations.declaration import (
    Declaration,
    ExtrasDeclaration,
    FieldDeclaration,
    GroupDeclaration,
    ListDeclaration,
    MultipleDeclaration,
)
from django_wfe.forms.declarations.factory import make_field
from django_wfe.forms.fields.annotations import read_annotation
from django_wfe.forms.fields.choices import MultipleChoiceField, read_choices
from django_wfe.forms.fields.documents import ExtrasField, JsonField
from django_wfe.forms.fields.scalars import InputBoundField, InputField, StructureField
from django_wfe.forms.fields.secrets import SecretField
from django_wfe.forms.fields.values import MISSING, DefaultDefect
from django_wfe.forms.fields.widgets import Structure
from django_wfe.forms.fitting import find_longest, measure
from django_wfe.forms.layout import Group, ItemList, Leaf, Node, renumber, replace_node

MAX_BLANK_ITEMS = 20
SEPARATOR = "-"


class FormOfInputs(Protocol):
    """What the builder needs of a form: a Django form, with the bounds and the defects of an input form."""

    fields: dict[str, Any]
    data: Any
    defects: dict[str, str]
    is_bound: bool
    max_list_items: int
    max_upload_bytes: int

    def __getitem__(self, name: str) -> Any: ...

    def add_prefix(self, field_name: str) -> str:
        """Return the name under which the input of a field is posted."""


class LayoutBuilder:
    """Adds the inputs to `form.fields` as it goes.

    `fresh` inputs show their initial value although the form is bound, for items that this request added. `blank`
    inputs are those of a template for JavaScript to copy: they are drawn, but are not fields of the form.
    """

    def __init__(self, form: FormOfInputs) -> None:
        self.form = form

    def build_form(self, declaration: GroupDeclaration, initial: Any) -> Group:
        """The whole form's layout; `initial` is a mapping or a model instance."""
        root = Group(declaration=declaration, path="")
        root.children = [
            self._build(child, child.part, child.pick(initial), fresh=not self.form.is_bound)
            for child in declaration.children
        ]
        while not self.form.is_bound and measure(root).is_too_much and (longest := find_longest(root)) is not None:
            self.write_as_text(root, longest)
        return root

    def write_as_text(self, root: Group, node: ItemList) -> Leaf:
        """Put one JSON input in the place of a list that is too long for a form, with all that stands in it."""
        value = node.read_shown()
        for below in node.walk():
            self.form.fields.pop(below.path, None)
        leaf = self._build_text(node.declaration, node.path, value, fresh=True)
        leaf.removable, leaf.number = node.removable, node.number
        replace_node(root, node, leaf)
        return leaf

    def build_item(self, owner: ItemList, key: int) -> Node:
        """A new item of a list, with nothing typed yet."""
        return self._build_item(
            owner.declaration, owner.path, key, MISSING, fresh=True, optional=owner.optional, depth=owner.depth
        )

    def _build(
        self,
        declaration: Declaration,
        path: str,
        initial: Any,
        *,
        fresh: bool,
        blank: bool = False,
        optional: bool = False,
        depth: int = 1,
    ) -> Any:
        default = declaration.get_default()
        if isinstance(default, DefaultDefect):
            self.form.defects[default.place] = default.error
            default = MISSING
        value = default if initial is MISSING else initial
        while isinstance(value, RootModel):
            value = value.root
        options: dict[str, Any] = {"fresh": fresh, "blank": blank, "depth": depth}
        if isinstance(declaration, GroupDeclaration):
            return self._build_group(declaration, path, value, optional=optional, **options)
        if isinstance(declaration, ListDeclaration):
            return self._build_list(declaration, path, value, optional=optional, **options)
        field = self._make_field(declaration, must_choose=default is MISSING)
        field.initial = value
        if isinstance(field, SecretField):
            field.initial_is_default = initial is MISSING
        if declaration.has_constant_default and not declaration.facts.nullable:
            field.mention_default(default)
        # A required input inside a group that may be left out would keep a browser from submitting the form.
        if declaration.required and not isinstance(declaration, MultipleDeclaration):
            field.mark_required()
            if optional and field.required:
                field.required = False
                field.widget.attrs["aria-required"] = "true"
        return Leaf(declaration=declaration, path=path, bound=self._add(path, field, fresh=fresh, blank=blank))

    def _build_group(
        self, declaration: GroupDeclaration, path: str, value: Any, *, optional: bool, **options: Any
    ) -> Group:
        bound = self._add(path, _make_structure(declaration), fresh=options["fresh"], blank=options["blank"])
        group = Group(declaration=declaration, path=path, bound=bound)
        if group.is_optional:
            given = isinstance(value, (BaseModel, Mapping))
            group.given = given if options["fresh"] else self._posted(bound).given
        group.children = [
            self._build(
                child,
                f"{path}{SEPARATOR}{child.part}",
                child.pick(value),
                optional=optional or group.is_optional,
                **options,
            )
            for child in declaration.children
        ]
        return group

    def _build_list(
        self, declaration: ListDeclaration, path: str, value: Any, *, optional: bool, **options: Any
    ) -> ItemList | Leaf:
        if not options["fresh"] and self.form.add_prefix(_name_text(path)) in self.form.data:
            return self._build_text(declaration, path, value, fresh=False)
        fresh, blank, depth = options["fresh"], options["blank"], options["depth"]
        bound = self._add(path, _make_structure(declaration), fresh=fresh, blank=blank)
        values = _as_list(value)
        node = ItemList(
            declaration=declaration,
            path=path,
            bound=bound,
            placeholder=f"__{depth}__",
            depth=depth,
            first_new_key=len(values),
        )
        limit = max(self.form.max_list_items, len(values))
        if fresh:
            is_given = values or isinstance(value, Iterable)
            blanks = 0 if is_given or node.is_optional else min(declaration.minimum, MAX_BLANK_ITEMS)
            keys = list(range(max(len(values), blanks)))
            node.given = bool(is_given)
        else:
            posted = self._posted(bound)
            node.given = posted.given
            keys = list(dict.fromkeys(int(key) for key in posted.keys))
            node.overflow = max(0, len(keys) - limit)
        optional = node.optional = optional or node.is_optional
        for key in keys[:limit]:
            initial = values[key] if key < len(values) else MISSING
            item = self._build_item(
                declaration, path, key, initial, fresh=fresh, blank=blank, optional=optional, depth=depth
            )
            node.items.append((key, item))
        renumber(node)
        node.blank = self._build_item(
            declaration, path, node.placeholder, MISSING, fresh=True, blank=True, optional=optional, depth=depth
        )
        return node

    def _build_text(self, declaration: ListDeclaration, path: str, value: Any, *, fresh: bool) -> Leaf:
        """The list as one JSON input: what it posts tells it from a list of inputs."""
        common = {name: getattr(declaration, name) for name in Declaration.__dataclass_fields__}
        note = _("This list is too long for separate fields, so it is one JSON text.")
        help_text = f"{declaration.help_text} {note}".strip()
        field = JsonField(schema=declaration.facts.json_schema, label=declaration.label, help_text=help_text)
        field.initial = value
        bound = self._add(_name_text(path), field, fresh=fresh, blank=False)
        return Leaf(declaration=FieldDeclaration(**common), path=_name_text(path), bound=bound)

    def _build_item(
        self,
        declaration: ListDeclaration,
        path: str,
        key: int | str,
        initial: Any,
        *,
        fresh: bool,
        blank: bool = False,
        optional: bool = False,
        depth: int = 1,
    ) -> Node:
        item: Node = self._build(
            declaration.item,
            f"{path}{SEPARATOR}{key}",
            initial,
            fresh=fresh,
            blank=blank,
            optional=optional,
            depth=depth + 1,
        )
        item.removable = True
        return item

    def _make_field(self, declaration: Declaration, *, must_choose: bool) -> InputField:
        facts = declaration.facts
        if isinstance(declaration, ExtrasDeclaration):
            texts = {"label": declaration.label, "help_text": declaration.help_text}
            extras = ExtrasField(taken=declaration.taken, **texts)
            return SecretField(inner=extras, **texts) if declaration.is_secret else extras
        if isinstance(declaration, MultipleDeclaration):
            item = read_annotation(facts.type.__args__[0])
            return MultipleChoiceField(
                choices=read_choices(item.type),
                nullable=facts.nullable,
                label=declaration.label,
                help_text=declaration.help_text,
            )
        return make_field(
            facts,
            label=declaration.label,
            help_text=declaration.help_text,
            examples=declaration.examples,
            must_choose=must_choose,
            max_upload_bytes=self.form.max_upload_bytes,
            is_secret=declaration.is_secret,
        )

    def _add(self, path: str, field: InputField, *, fresh: bool, blank: bool) -> InputBoundField:
        field.fresh = fresh
        if blank:
            return field.get_bound_field(cast("BaseForm", self.form), path)
        self.form.fields[path] = field
        bound = self.form[path]
        if not isinstance(bound, InputBoundField):
            raise TypeError(f"The field {path!r} is bound as {type(bound).__name__}, not as InputBoundField.")
        return bound

    @staticmethod
    def _posted(bound: InputBoundField) -> Structure:
        posted = bound.data
        return posted if isinstance(posted, Structure) else Structure()


def _name_text(path: str) -> str:
    return f"{path}{SEPARATOR}_text"  # no field of a model begins with an underscore


def _make_structure(declaration: Declaration) -> StructureField:
    return StructureField(label=declaration.label, help_text=declaration.help_text)


def _as_list(value: Any) -> list[Any]:
    if isinstance(value, (str, bytes, Mapping, BaseModel)) or not isinstance(value, Iterable):
        return []
    return list(value)
