"""Which places of a schema hold a secret: the one test for all who keep, show or hide what is given for it.

A place holds a secret if its JSON Schema says ``writeOnly`` or ``"format": "password"``, or if its type is one of
pydantic's secrets, whatever its JSON Schema says. What cannot be placed in a schema that holds a secret (an unknown
name, text in the place of an object) counts as one: a validator may find the secret in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, get_args

from pydantic import Secret, SecretBytes, SecretStr, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

SECRET_TYPES = (Secret, SecretStr, SecretBytes)

MASK = "**********"
"""What stands in the place of a secret wherever it is shown: what pydantic writes too."""

Schema = Mapping[str, Any]
Change = Callable[[Any], Any]
_Node = tuple[Schema, Schema]
"""A JSON Schema without references, and the definitions that those below it lead to."""

_NAMED = ("properties", "patternProperties", "$defs", "dependentSchemas")
_DATA = ("default", "examples", "const", "enum")


class SecretPlaces:
    """The places of one type that hold secrets. It is false where there are none."""

    def __init__(self, roots: list[_Node]) -> None:
        self._roots = roots
        self._exist = any(_holds(root) for root in roots)

    @classmethod
    def read(cls, *schemas: Schema) -> SecretPlaces:
        """Return the places that one at least of a type's JSON Schemas tells: those by aliases and by names, say."""
        return cls([(schema, schema.get("$defs", {})) for schema in schemas])

    def __bool__(self) -> bool:
        return self._exist

    @property
    def is_secret(self) -> bool:
        """Return whether the value as a whole is a secret."""
        return self._exist and any(is_secret(schema) for schema, _definitions in self._expanded)

    def find_below(self, name: str) -> SecretPlaces:
        """Return the places of the value that stands under a name in this one."""
        return SecretPlaces(_list_below(name, self._expanded) if self._exist else [])

    def find_items(self) -> SecretPlaces:
        """Return the places of the items of this value, a list of items of one type."""
        below = [item for node in self._expanded for item in _list_items(node, 0)] if self._exist else []
        return SecretPlaces(below)

    def change(self, data: Any, change: Change) -> Any:
        """Return JSON data with each secret in it changed; None is not a secret. ``data`` itself stays as it is."""
        return _change(data, self._roots, change) if self._exist else data

    def cover(self, data: Any) -> Any:
        """Return JSON data with ``MASK`` in the place of each secret."""
        return self.change(data, lambda secret: MASK)

    @property
    def _expanded(self) -> list[_Node]:
        return [found for root in self._roots for found in _expand(root)]


class SecretMarkingJsonSchema(GenerateJsonSchema):
    """Writes ``writeOnly`` at each secret: of ``Secret[int]`` pydantic writes no more than that it is an integer."""

    # A default that JSON cannot hold is left out of the schema, and no warning to whoever reads it.
    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        """Leave out a default that has not even a text: pydantic puts it into a warning."""
        try:
            return super().default_schema(schema)
        except Exception:  # the project's code may raise anything; what is not a JSON Schema is so without it too
            return self.generate_inner(schema["schema"])

    def generate_inner(self, schema: Any) -> JsonSchemaValue:
        """Mark what pydantic's core schema shows to be a secret."""
        written = super().generate_inner(schema)
        return {**written, "writeOnly": True} if _is_secret_core(schema) and not is_secret(written) else written

    def model_schema(self, schema: Any) -> JsonSchemaValue:
        """Mark the fields that are declared as secrets and show nothing of it."""
        written = super().model_schema(schema)
        fields = getattr(schema["cls"], "model_fields", {})
        for name, info in fields.items():
            if not names_secret([info.annotation, *info.metadata]):
                continue
            for alias in (name, info.alias, info.validation_alias):
                place = written.get("properties", {}).get(alias) if isinstance(alias, str) else None
                if place is not None and not _holds((place, {})) and "$ref" not in str(place):
                    place["writeOnly"] = True
        return written

    def encode_default(self, dft: Any) -> Any:
        """Write a mask for a secret, also where pydantic knows no way."""
        return MASK if isinstance(dft, SECRET_TYPES) else super().encode_default(dft)


class _LenientJsonSchema(SecretMarkingJsonSchema):
    """Leaves out what JSON Schema cannot express, so that the secrets beside it are found."""

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> JsonSchemaValue:
        return {}


@lru_cache(maxsize=1024)
def find_secret_places(kind: Any) -> SecretPlaces:
    """Return the places of a type, such as a model class, that hold secrets. Found once for each."""
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    return SecretPlaces.read(
        *(adapter.json_schema(by_alias=by_alias, schema_generator=_LenientJsonSchema) for by_alias in (True, False))
    )


def is_secret(schema: Any) -> bool:
    """Return whether a JSON Schema says of itself that its value is a secret."""
    return isinstance(schema, Mapping) and (schema.get("writeOnly") is True or schema.get("format") == "password")


def names_secret(annotations: Iterable[Any]) -> bool:
    """Return whether one of pydantic's secret types is named in annotations; models in them are not opened."""
    waiting = list(annotations)
    while waiting:
        annotation = waiting.pop()
        origin = getattr(annotation, "__origin__", annotation)
        if any(isinstance(kind, type) and issubclass(kind, SECRET_TYPES) for kind in (annotation, origin)):
            return True
        waiting.extend(get_args(getattr(annotation, "__value__", annotation)))
    return False


def cover_defaults(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON Schema whose defaults and examples say nothing of the secrets that they are for."""
    if not _holds((schema, schema.get("$defs", {}))):
        return schema
    covered: dict[str, Any] = _cover_defaults(schema, schema.get("$defs", {}))
    return covered


def _cover_defaults(schema: Any, definitions: Schema) -> Any:
    if isinstance(schema, list):
        return [_cover_defaults(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    covered: dict[str, Any] = {}
    for name, part in schema.items():
        if name in _NAMED and isinstance(part, dict):
            covered[name] = {key: _cover_defaults(value, definitions) for key, value in part.items()}
        elif name == "examples" and isinstance(part, list):
            covered[name] = [_cover_as(schema, definitions, value) for value in part]
        elif name in _DATA:
            covered[name] = _cover_as(schema, definitions, part) if name == "default" else part
        else:
            covered[name] = _cover_defaults(part, definitions)
    return covered


def _cover_as(schema: Schema, definitions: Schema, value: Any) -> Any:
    node = (schema, definitions)
    return _change(value, [node], lambda secret: MASK) if _holds(node) else value


def _is_secret_core(schema: Any) -> bool:
    """Return whether a core schema is that of ``Secret[...]``, which its JSON Schema does not show."""
    wrapper = schema.get("python_schema", {}).get("function") if schema.get("type") == "json-or-python" else None
    function = wrapper.get("function") if isinstance(wrapper, dict) else None
    return getattr(function, "__module__", "") == "pydantic.types" and "Secret." in getattr(
        function, "__qualname__", ""
    )


def _holds(node: _Node) -> bool:
    """Return whether a JSON Schema is a secret, or anything below it is."""
    schema, definitions = node
    opened, waiting = set[str](), [schema]
    while waiting:
        part: Any = waiting.pop()
        if isinstance(part, list):
            waiting.extend(part)
        if not isinstance(part, Mapping):
            continue
        if is_secret(part):
            return True
        for name, value in part.items():
            if name in _NAMED and isinstance(value, Mapping):
                # A definition counts where a reference leads to it.
                waiting.extend(value.values() if name != "$defs" else ())
            elif name == "$ref" and value not in opened:
                opened.add(value)
                waiting.append(_resolve(value, definitions))
            elif name not in _DATA:
                waiting.append(value)
    return False


def _resolve(reference: str, definitions: Schema) -> Any:
    return definitions.get(reference.rpartition("/")[2], {})


def _expand(node: _Node, opened: frozenset[str] = frozenset()) -> Iterator[_Node]:
    """Yield a schema, what it refers to, and each of its alternatives."""
    schema, definitions = node
    yield node
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference not in opened:
        yield from _expand((_resolve(reference, definitions), definitions), opened | {reference})
    for name in ("anyOf", "oneOf", "allOf"):
        for option in schema.get(name, ()):
            if isinstance(option, Mapping):
                yield from _expand((option, definitions), opened)


def _change(data: Any, nodes: list[_Node], change: Change) -> Any:
    """Change the secrets in data that may be of any of these schemas, of which one at least holds a secret."""
    if data is None:
        return None
    expanded = [found for node in nodes for found in _expand(node)]
    if any(is_secret(schema) for schema, _definitions in expanded):
        return change(data)
    if isinstance(data, Mapping) and not any(_has_secret_names(node) for node in expanded):
        return {key: _change_part(part, _list_below(str(key), expanded), change) for key, part in data.items()}
    if isinstance(data, list):
        return [
            _change_part(part, [item for node in expanded for item in _list_items(node, index)], change)
            for index, part in enumerate(data)
        ]
    return change(data)


def _has_secret_names(node: _Node) -> bool:
    schema, definitions = node
    return _holds((schema.get("propertyNames", {}), definitions))


def _change_part(data: Any, below: list[_Node], change: Change) -> Any:
    if not below:
        return None if data is None else change(data)
    return _change(data, below, change) if any(_holds(node) for node in below) else data


def _list_below(key: str, nodes: list[_Node]) -> list[_Node]:
    named = [
        (schema["properties"][key], definitions)
        for schema, definitions in nodes
        if isinstance(schema.get("properties", {}).get(key), Mapping)
    ]
    others = [
        (other, definitions)
        for schema, definitions in nodes
        for other in (schema.get("additionalProperties"), *schema.get("patternProperties", {}).values())
        if isinstance(other, Mapping)
    ]
    return named or others


def _list_items(node: _Node, index: int) -> list[_Node]:
    schema, definitions = node
    first = schema.get("prefixItems", ())
    item = first[index] if index < len(first) else schema.get("items")
    return [(item, definitions)] if isinstance(item, Mapping) else []
