"""Results that would be kept as something else are refused: secrets as asterisks, two keys as one."""

import dataclasses
import json
from collections import deque, namedtuple
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    Secret,
    SecretStr,
    computed_field,
    field_serializer,
    model_serializer,
)
from pydantic.dataclasses import dataclass as pydantic_dataclass

from django_wfe.exceptions import NotEncodable
from django_wfe.values.encoding import encode
from tests.support.forms.secret_schemas import Own

pytestmark = pytest.mark.unit

SECRET = SecretStr("canary")
LOST = {1: "a", "1": "b"}
Pair = namedtuple("Pair", "first second")


@dataclasses.dataclass
class Plain:
    value: Any


@dataclasses.dataclass(slots=True)
class Slotted:
    value: Any


@pydantic_dataclass
class Checked:
    value: Any


class Model(BaseModel):
    value: Any


class Extra(BaseModel):
    model_config = ConfigDict(extra="allow")


class Computed(BaseModel):
    held: Any

    @computed_field
    def value(self) -> Any:
        return self.held


class Serialized(BaseModel):
    held: Any = Field(exclude=True)

    @model_serializer
    def write(self) -> dict[str, Any]:
        return {"value": self.held}


class Root(RootModel[Any]):
    pass


HOLDERS: dict[str, Callable[[Any], Any]] = {
    "itself": lambda value: value,
    "dict": lambda value: {"a": {"b": value}},
    "list": lambda value: [[value]],
    "tuple": lambda value: (1, value),
    "named tuple": lambda value: Pair(1, value),
    "deque": lambda value: deque([value]),
    "dataclass": Plain,
    "dataclass with slots": Slotted,
    "pydantic's dataclass": Checked,
    "model": lambda value: Model(value=value),
    "model's extra": lambda value: Extra(value=value),
    "computed field": lambda value: Computed(held=value),
    "model that writes itself": lambda value: Serialized(held=value),
    "root model": Root,
    "generator": lambda value: (item for item in [value]),
    "iterator": lambda value: iter([value]),
    "generator in a dict": lambda value: {"a": [(item for item in [value])]},
    "zip": lambda value: zip([1], [value], strict=True),
    "all of them": lambda value: {"a": [Plain(Model(value=(Extra(value=Root([value])),)))]},
}


def refuse(value: Any) -> str:
    with pytest.raises(NotEncodable) as raised:
        encode(value, "the result of shop.Charge")
    assert "canary" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("secret", [SECRET, Own("canary"), Secret[int](7)], ids=["text", "own", "number"])
def test_a_secret_in_a_result_is_refused_wherever_it_is(holder: str, secret: Any) -> None:
    message = refuse(HOLDERS[holder](secret))
    assert "is a secret, which would be kept as asterisks" in message


@pytest.mark.parametrize("box", [set, frozenset])
def test_so_is_one_in_a_set(box: Any) -> None:
    assert "an item of value is a secret" in refuse(box([SECRET]))


@pytest.mark.parametrize("holder", HOLDERS)
def test_no_key_is_lost_wherever_the_mapping_is(holder: str) -> None:
    assert "are the same as text" in refuse(HOLDERS[holder](LOST))


def test_no_field_is_lost_to_another_of_its_name() -> None:
    class Twice(BaseModel):
        model_config = ConfigDict(extra="allow")
        one: int = Field(1, serialization_alias="number")
        number: int = 2

    class Once(BaseModel):
        one: int = Field(1, exclude=True, serialization_alias="number")
        number: int = 2

    class Named(BaseModel):
        model_config = ConfigDict(extra="allow")
        one: int = Field(1, serialization_alias="number")

    assert "two fields of value are written under one name ('number')" in refuse(Twice())
    assert "two fields of value['a'] are written under one name ('number')" in refuse({"a": Named(number=2)})
    assert json.loads(encode(Once(), "x")) == {"number": 2}


def test_what_can_be_read_only_once_is_kept_as_a_list() -> None:
    def count() -> Iterable[Any]:
        yield 1
        yield {"two": map(str, [2])}

    assert encode(count(), "x") == '[1,{"two":["2"]}]'
    assert encode({"a": (count(), {3})}, "x") == '{"a":[[1,{"two":["2"]}],[3]]}'


@pytest.mark.parametrize("hold", [Plain, lambda value: Model(value=value), lambda value: Extra(value=value)])
def test_in_a_model_or_dataclass_it_is_refused_before_it_is_used_up(hold: Any) -> None:
    iterator = iter([1, 2])
    assert "value[0].value can be read only once. Put a list in its place." in refuse([hold(iterator)])
    assert list(iterator) == [1, 2]


def test_a_result_that_holds_itself_is_refused() -> None:
    itself: list[Any] = [iter([1])]
    itself.append(itself)
    assert "it holds itself" in refuse(itself)


def test_what_a_serializer_writes_out_on_purpose_is_kept() -> None:
    class Shown(BaseModel):
        value: SecretStr

        @field_serializer("value")
        def show(self, value: SecretStr) -> str:
            return value.get_secret_value()

    @pydantic_dataclass
    class AlsoShown:
        value: SecretStr

        @field_serializer("value")
        def show(self, value: SecretStr) -> str:
            return value.get_secret_value()

    class Hidden(BaseModel):
        value: SecretStr = Field(exclude=True)

    assert encode([Shown(value="a"), AlsoShown(value="b"), Hidden(value="c")], "x") == (
        '[{"value":"a"},{"value":"b"},{}]'
    )
