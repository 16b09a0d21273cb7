"""Adding and removing list items by submit buttons, so that lists work without JavaScript."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from django_wfe.forms.builder import LayoutBuilder
from django_wfe.forms.fitting import Load, can_be_text, measure
from django_wfe.forms.layout import Group, ItemList, Node, renumber

Action = Literal["add", "remove", "nothing"]


@dataclass(frozen=True)
class StructureChange:
    """What a button asked for: one more item in the list at `path`, or the item at `path` away."""

    # No field of a pydantic model can begin with an underscore, so no input has this name.
    NAME: ClassVar[str] = "_structure"

    action: Action
    path: str

    def apply(self, root: Group, builder: LayoutBuilder) -> None:
        """Change the layout; a path that names nothing, or a list that is full, changes nothing."""
        lists = [node for node in root.walk() if isinstance(node, ItemList)]
        for owner in lists:
            if self.action == "add" and owner.path == self.path:
                self._add(root, owner, builder)
            if self.action == "remove":
                self._remove(owner, builder)

    def _add(self, root: Group, owner: ItemList, builder: LayoutBuilder) -> None:
        if owner.is_full:
            return
        item = builder.build_item(owner, owner.next_key)
        is_long = len(owner.items) >= builder.form.max_list_items
        if is_long or (measure(root) + measure(item) + Load(values=1)).is_too_much:
            for node in item.walk():
                builder.form.fields.pop(node.path, None)
            owner.is_refusing = not can_be_text(owner)
            if not owner.is_refusing:
                _focus(builder.write_as_text(root, owner))
            return
        owner.items.append((owner.next_key, item))
        owner.given = True
        renumber(owner)
        _focus(item)

    def _remove(self, owner: ItemList, builder: LayoutBuilder) -> None:
        removed = next((item for _key, item in owner.items if item.path == self.path), None)
        if removed is None:
            return
        owner.items = [(key, item) for key, item in owner.items if item is not removed]
        owner.focus_add = True
        renumber(owner)
        for node in removed.walk():
            builder.form.fields.pop(node.path, None)


def read_structure_change(text: str) -> StructureChange:
    """The change that a button's value names, such as "add:lines"; anything else changes nothing."""
    action, _colon, path = text.partition(":")
    if action == "add":
        return StructureChange("add", path)
    if action == "remove":
        return StructureChange("remove", path)
    return StructureChange("nothing", "")


def _focus(item: Node) -> None:
    """Put the cursor into the first input of a new item when the page comes back."""
    first = next((node for node in item.walk() if not node.children_nodes and node.bound is not None), None)
    if first is not None and first.bound is not None:
        first.bound.field.widget.attrs["autofocus"] = True
