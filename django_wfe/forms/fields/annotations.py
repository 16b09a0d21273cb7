"""What a pydantic annotation says, taken out of Optional, Annotated, NewType and type aliases."""

import functools
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, NewType, Union

from pydantic import BaseModel, EncodedStr, Field, Json, RootModel, TypeAdapter
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo

from django_wfe.definition.secret_places import SecretMarkingJsonSchema, cover_defaults

# A validator of these kinds may accept what the bare type does not, so the browser must not check the bare type.
LENIENT_VALIDATORS = frozenset({"BeforeValidator", "WrapValidator", "PlainValidator"})

JSON_TEXT: Any = Json  # to a type checker it is not a class


@dataclass(frozen=True, kw_only=True)
class TypeFacts:
    """One value's type, and everything said about it.

    `type` is the bare type; `nullable` says that None is one of its values; `metadata` are the constraints of
    Annotated and Field; `extra` is `json_schema_extra`; `texts` holds title, description and examples where an inner
    Field gives them. `has_own_reading` says that a validator of the model reads the value before its type does.
    """

    type: Any
    nullable: bool = False
    metadata: tuple[Any, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    texts: Mapping[str, Any] = field(default_factory=dict)
    has_own_reading: bool = False

    def constraint(self, name: str) -> Any:
        """The value of a constraint such as `min_length` or `ge`, None if nothing sets it."""
        for item in self.metadata:
            value = getattr(item, name, None)
            if value is not None:
                return value
        return None

    @property
    def format(self) -> str:
        """The wish of the schema for another input: "textarea", "file", "password" or ""."""
        return str(self.extra.get("format", ""))

    @property
    def is_lenient(self) -> bool:
        return self.has_own_reading or any(type(item).__name__ in LENIENT_VALIDATORS for item in self.metadata)

    @property
    def is_json_text(self) -> bool:
        """Whether the value is a text that holds JSON, as pydantic's `Json` and `Json[...]` are."""
        return self.type is JSON_TEXT or _holds_json(self.metadata)

    @functools.cached_property
    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of what validation accepts; empty if the type has none, such as a callable."""
        try:
            return cover_defaults(self.adapter.json_schema(schema_generator=SecretMarkingJsonSchema))
        except (PydanticUserError, TypeError):
            return {}

    def validate(self, value: Any) -> Any:
        """The value as validation gives it back, or the value itself if that does not take it.

        A text that validation decodes, such as Base64Str, is given as it was: encoded.
        """
        try:
            read = self.adapter.validate_python(value)
        except Exception:  # a validator is code of the project, and says so when the form is submitted
            return value
        is_encoded = any(isinstance(item, EncodedStr) for item in self.metadata)
        return value if is_encoded else read

    def accepts(self, value: Any) -> bool:
        """Return whether validation takes the Python value."""
        try:
            self.adapter.validate_python(value)
        except Exception:  # a validator is code of the project
            return False
        return True

    @functools.cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """Validates one value. Raises pydantic's errors for a type of which it makes no schema."""
        whole: Any = Annotated[(self.type, *self.metadata)] if self.metadata else self.type
        return TypeAdapter[Any](whole)


def read_field(info: FieldInfo) -> TypeFacts:
    """The facts of a model's field."""
    facts = read_annotation(info.annotation)
    if _holds_json(info.metadata):
        facts = replace(facts, nullable=False)  # None, if it is one, is the text "null"
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    return replace(facts, metadata=(*_read_metadata(info), *facts.metadata), extra={**facts.extra, **extra})


def read_annotation(annotation: Any) -> TypeFacts:
    """The facts of an annotation, such as the item type of a list."""
    nullable = False
    metadata: list[Any] = []
    extra: dict[str, Any] = {}
    texts: dict[str, Any] = {}
    opened: set[Any] = set()
    while True:
        if typing.get_origin(annotation) is Annotated:
            annotation, *found = typing.get_args(annotation)
            for item in found:
                if isinstance(item, FieldInfo):
                    metadata.extend(_read_metadata(item))
                    extra.update(item.json_schema_extra if isinstance(item.json_schema_extra, dict) else {})
                    texts.update(read_texts(item))
                else:
                    metadata.append(item)
            if _holds_json(metadata):
                return TypeFacts(type=annotation, nullable=nullable, metadata=tuple(metadata), extra=extra, texts=texts)
        elif isinstance(annotation, NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        elif is_root_model(annotation) and annotation not in opened:
            opened.add(annotation)  # a root model may hold itself
            root = read_field(annotation.model_fields["root"])
            nullable = nullable or root.nullable
            metadata.extend(root.metadata)
            extra = {**root.extra, **extra}
            annotation = root.type
        else:
            bare, without_none = _split_none(annotation)
            nullable = nullable or bare is not annotation
            annotation = bare
            if not without_none:
                break
    return TypeFacts(type=annotation, nullable=nullable, metadata=tuple(metadata), extra=extra, texts=texts)


def read_texts(info: FieldInfo) -> dict[str, Any]:
    """Title, description and examples of a field, as far as they are given."""
    given = {"title": info.title, "description": info.description, "examples": info.examples}
    return {name: value for name, value in given.items() if value}


def is_root_model(annotation: Any) -> bool:
    # A generic alias such as list[int] passes isinstance(..., type) and then breaks issubclass on Python 3.11.
    return isinstance(annotation, type) and not typing.get_origin(annotation) and issubclass(annotation, RootModel)


def has_own_reading(schema: type[BaseModel], name: str) -> bool:
    """Return whether a decorated validator of the model may take for its field what the bare type would refuse."""
    decorators = schema.__pydantic_decorators__
    for_fields = [found.info for found in decorators.field_validators.values() if found.info.mode != "after"]
    for_model = [found for found in decorators.model_validators.values() if found.info.mode != "after"]
    return bool(for_model) or any(name in info.fields or "*" in info.fields for info in for_fields)


def _holds_json(metadata: Iterable[Any]) -> bool:
    return any(item is JSON_TEXT or isinstance(item, JSON_TEXT) for item in metadata)


def _read_metadata(info: FieldInfo) -> list[Any]:
    if info.discriminator is None:
        return list(info.metadata)
    return [*info.metadata, Field(discriminator=info.discriminator)]


def _split_none(annotation: Any) -> tuple[Any, bool]:
    """The annotation without None, and whether what is left can be unwrapped further."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (Union, types.UnionType):
        members = tuple(member for member in arguments if member is not type(None))
        if len(members) == len(arguments) or not members:
            return annotation, False
        return (members[0], True) if len(members) == 1 else (Union[members], False)  # noqa: UP007 - built at run time
    if origin is Literal and None in arguments and len(arguments) > 1:
        return Literal[tuple(value for value in arguments if value is not None)], False
    return annotation, False
