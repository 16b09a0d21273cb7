"""A pydantic model as a tree of declarations: fields, groups (nested models) and lists. Made once for each model."""

import collections
import collections.abc
import inspect
import logging
import re
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, cast

from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from pydantic import AliasChoices, AliasPath, BaseModel, RootModel
from pydantic.fields import FieldInfo

from django_wfe.definition.secret_places import SecretPlaces, find_secret_places
from django_wfe.engine.errors.tracebacks import say_briefly
from django_wfe.forms.declarations.factory import needs_upload
from django_wfe.forms.fields.annotations import (
    TypeFacts,
    has_own_reading,
    is_root_model,
    read_annotation,
    read_field,
    read_texts,
)
from django_wfe.forms.fields.choices import read_choices
from django_wfe.forms.fields.registry import find_field
from django_wfe.forms.fields.values import MISSING, DefaultDefect

logger = logging.getLogger(__name__)

EXTRAS_PART = "_extra"  # no field of a model begins with an underscore
MAX_DEPTH = 4
MAX_DECLARATIONS = 400
SET_TYPES = (set, frozenset, collections.abc.Set, collections.abc.MutableSet)
LIST_TYPES = (
    *SET_TYPES,
    list,
    collections.deque,
    collections.abc.Sequence,
    collections.abc.MutableSequence,
    collections.abc.Iterable,
    collections.abc.Collection,
)
Location = tuple[int | str, ...]


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What field, group and list have in common.

    `is_secret` tells that the value, of which one input is made, is or holds a secret;
    `part` is the piece of the HTML name; `key` the way into the data that validation accepts; `locations` the
    beginnings of pydantic's error locations that mean this value.
    """

    facts: TypeFacts
    name: str = ""
    part: str = ""
    key: Location = ()
    locations: tuple[Location, ...] = ()
    label: str = ""
    help_text: str = ""
    required: bool = True
    examples: list[Any] = field(default_factory=list)
    get_default: Callable[[], Any] = lambda: MISSING
    has_constant_default: bool = False
    is_secret: bool = False

    def pick(self, container: Any) -> Any:
        """This value out of initial data: a model instance, or a mapping by field name or alias. Else MISSING."""
        if isinstance(container, RootModel):
            return container.root
        if isinstance(container, BaseModel):
            return getattr(container, self.name, MISSING)
        if not isinstance(container, Mapping):
            return MISSING
        if self.name in container:
            return container[self.name]
        return next((value for path in self.locations if (value := _walk(container, path)) is not MISSING), MISSING)


@dataclass(frozen=True, kw_only=True)
class FieldDeclaration(Declaration):
    """One input. `is_multiple` is a set of choices, shown as checkboxes: they have no order and no repeats."""

    is_multiple: ClassVar[bool] = False


@dataclass(frozen=True, kw_only=True)
class MultipleDeclaration(FieldDeclaration):
    is_multiple: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class ExtrasDeclaration(FieldDeclaration):
    """What a model with `extra="allow"` takes beyond its fields: a JSON object. `taken` are the names of the fields."""

    taken: frozenset[str]

    def pick(self, container: Any) -> Any:
        """The values that no field of the model has, or MISSING if there are none."""
        given = container.model_extra if isinstance(container, BaseModel) else container
        if not isinstance(given, Mapping):
            return MISSING
        return {name: value for name, value in given.items() if name not in self.taken} or MISSING


@dataclass(frozen=True, kw_only=True)
class GroupDeclaration(Declaration):
    """A nested model, or the whole form."""

    schema: type[BaseModel]
    children: tuple[Declaration, ...]


@dataclass(frozen=True, kw_only=True)
class ListDeclaration(Declaration):
    """A list whose items can be added and removed."""

    item: Declaration
    minimum: int
    maximum: int | None


class TooManyDeclarationsError(Exception):
    """A recursive schema unfolds into more inputs than a page can show."""


def declare_form(schema: type[BaseModel]) -> GroupDeclaration:
    """The tree of a model.

    Models nested deeper than 4 become JSON inputs, and those of a lesser depth where a recursive model would otherwise
    unfold into more than 400 inputs. Raises pydantic's PydanticUndefinedAnnotation for an unresolved forward reference.
    """
    for depth in range(MAX_DEPTH, 0, -1):
        try:
            return _Declarer(depth).declare_model(schema)
        except TooManyDeclarationsError:
            continue
    return _Declarer(0, limit=None).declare_model(schema)


def walk_declarations(declaration: Declaration) -> Iterator[Declaration]:
    """The declaration and all below it."""
    yield declaration
    children: tuple[Declaration, ...] = ()
    if isinstance(declaration, GroupDeclaration):
        children = declaration.children
    elif isinstance(declaration, ListDeclaration):
        children = (declaration.item,)
    for child in children:
        yield from walk_declarations(child)


def has_upload(declaration: Declaration) -> bool:
    """Return whether a file can be chosen anywhere in the form, also in an item that is yet to be added."""
    return any(needs_upload(found.facts) for found in walk_declarations(declaration))


class _Declarer:
    def __init__(self, max_depth: int, limit: int | None = MAX_DECLARATIONS) -> None:
        self.max_depth = max_depth
        self.limit = limit
        self.count = 0

    def declare_model(self, schema: type[BaseModel]) -> GroupDeclaration:
        facts = TypeFacts(type=schema)
        title = str(schema.model_config.get("title") or _words(schema.__name__))
        children = self._declare_children(schema, depth=0)
        return GroupDeclaration(
            facts=facts, label=title, help_text=_docstring(schema), schema=schema, children=children
        )

    def _declare_children(self, schema: type[BaseModel], depth: int) -> tuple[Declaration, ...]:
        schema.model_rebuild()
        children: list[Declaration] = []
        for position, (name, info) in enumerate(schema.model_fields.items()):
            if info.init is False and not info.is_required():
                continue
            children.append(self._declare_field(schema, name, info, position, depth))
        if schema.model_config.get("extra") == "allow":
            children.append(_declare_extras(schema, children))
        return tuple(children)

    def _declare_field(
        self, schema: type[BaseModel], name: str, info: FieldInfo, position: int, depth: int
    ) -> Declaration:
        facts = replace(read_field(info), has_own_reading=has_own_reading(schema, name))
        texts = {**facts.texts, **read_texts(info)}
        is_root = issubclass(schema, RootModel)
        key, locations = ((), ((),)) if is_root else _read_keys(schema, name, info)
        base = Declaration(
            facts=facts,
            name=name,
            part=name if name.isidentifier() else f"_{position}",
            key=key,
            locations=locations,
            label=str(texts.get("title") or (_words(schema.__name__) if is_root else _words(name))),
            help_text=str(texts.get("description", "")),
            required=info.is_required() and not facts.nullable,
            examples=list(texts.get("examples", [])),
            get_default=_make_default(schema, name, info, facts),
            has_constant_default=not info.is_required() and info.default_factory is None and info.default is not None,
        )
        places = find_secret_places(schema)
        return self._specialize(base, depth, places if is_root else places.find_below(name))

    def _specialize(self, base: Declaration, depth: int, places: SecretPlaces) -> Declaration:
        """The declaration as a field, a group or a list, whichever its type asks for."""
        self.count += 1
        if self.limit is not None and self.count > self.limit:
            raise TooManyDeclarationsError
        common = {name: getattr(base, name) for name in base.__dataclass_fields__}
        if places.is_secret:
            return FieldDeclaration(**{**common, "is_secret": True})
        if base.facts.is_json_text:
            return FieldDeclaration(**{**common, "is_secret": bool(places)})
        if find_field(base.facts) is not None:
            return FieldDeclaration(**{**common, "is_secret": bool(places)})
        kind, item_type = base.facts.type, _find_item_type(base.facts.type)
        if item_type is not MISSING:
            item_facts = read_annotation(item_type)
            if _is_set(kind) and read_choices(item_facts.type) and not item_facts.nullable:
                return MultipleDeclaration(**common)
            if depth < self.max_depth:
                return self._declare_list(common, item_facts, depth, places.find_items())
        if _is_model(kind) and depth < self.max_depth:
            common["help_text"] = base.help_text or _docstring(kind)
            return GroupDeclaration(**common, schema=kind, children=self._declare_children(kind, depth + 1))
        return FieldDeclaration(**{**common, "is_secret": bool(places)})

    def _declare_list(
        self, common: dict[str, Any], item_facts: TypeFacts, depth: int, places: SecretPlaces
    ) -> ListDeclaration:
        is_model = _is_model(item_facts.type)
        item_title = (
            str(item_facts.type.model_config.get("title") or _words(item_facts.type.__name__)) if is_model else ""
        )
        base = Declaration(
            facts=item_facts,
            label=str(item_facts.texts.get("title") or item_title or common["label"]),
            help_text=str(item_facts.texts.get("description", "")),
            required=not item_facts.nullable,
            examples=list(item_facts.texts.get("examples", [])),
        )
        item = self._specialize(base, depth if is_model else depth + 1, places)
        facts: TypeFacts = common["facts"]
        minimum = facts.constraint("min_length") or 0
        return ListDeclaration(**common, item=item, minimum=minimum, maximum=facts.constraint("max_length"))


def _declare_extras(schema: type[BaseModel], fields: list[Declaration]) -> ExtrasDeclaration:
    names = {location[0] for field in fields for location in field.locations if location}
    value = {EXTRAS_PART: 0}
    return ExtrasDeclaration(
        facts=TypeFacts(type=dict[str, Any]),
        part=EXTRAS_PART,
        # Lazy: a declaration is made once, and its form is drawn in the language of each request.
        label=cast(str, _("Further values")),
        help_text=cast(str, _("Optional. A JSON object of values beyond the fields above, by their names.")),
        required=False,
        taken=frozenset({*schema.model_fields, *(name for name in names if isinstance(name, str))}),
        # Beside a secret, what no field has is covered too.
        is_secret=find_secret_places(schema).cover(value) != value,
    )


def _find_item_type(kind: Any) -> Any:
    """The item type of a list, set or sequence; MISSING for any other type, a bare list included."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in LIST_TYPES:
        return arguments[0] if arguments else MISSING
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return arguments[0]
    return MISSING


def _is_set(kind: Any) -> bool:
    return typing.get_origin(kind) in SET_TYPES


def _is_model(kind: Any) -> bool:
    return (
        isinstance(kind, type)
        and not typing.get_origin(kind)
        and issubclass(kind, BaseModel)
        and not is_root_model(kind)
    )


def _read_keys(schema: type[BaseModel], name: str, info: FieldInfo) -> tuple[Location, tuple[Location, ...]]:
    """Where the value goes in the data, and the error locations that mean it."""
    config = schema.model_config
    alias = info.validation_alias
    options = list(alias.choices) if isinstance(alias, AliasChoices) else [alias] if alias is not None else []
    paths: list[Location] = [tuple(option.path) if isinstance(option, AliasPath) else (option,) for option in options]
    by_name = bool(config.get("populate_by_name") or config.get("validate_by_name"))
    by_alias = config.get("validate_by_alias", True) is not False
    key: Location = paths[0] if paths and by_alias and not (by_name and len(paths[0]) > 1) else (name,)
    return key, tuple(dict.fromkeys([key, *paths, (name,)]))


def _make_default(schema: type[BaseModel], name: str, info: FieldInfo, facts: TypeFacts) -> Callable[[], Any]:
    if info.is_required() or (info.default_factory is not None and info.default_factory_takes_validated_data):
        return lambda: MISSING
    wish = info.validate_default
    is_validated = schema.model_config.get("validate_default", False) if wish is None else wish

    def get_default() -> Any:
        try:
            default = info.get_default(call_default_factory=True)
        except (Exception, SystemExit) as error:
            # A factory is code of the project: its defect is told and logged, not a blank page.
            logger.exception("The default factory of %s.%s raised %s.", schema.__qualname__, name, type(error).__name__)
            return DefaultDefect(f"{schema.__qualname__}.{name}", say_briefly(error))
        return facts.validate(default) if is_validated else default

    return get_default


def _walk(container: Any, path: Location) -> Any:
    for step in path:
        try:
            container = container[step]
        except (KeyError, IndexError, TypeError):
            return MISSING
    return container if path else MISSING


def _docstring(schema: type[BaseModel]) -> str:
    return inspect.cleandoc(schema.__dict__.get("__doc__") or "")


def _words(name: str) -> str:
    """A name of code in words: "unit_price" and "UnitPrice" are "Unit price"."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name).replace("_", " ").strip()
    words = [word if word.isupper() and len(word) > 1 else word.lower() for word in spaced.split()]
    return str(capfirst(" ".join(words))) or name
