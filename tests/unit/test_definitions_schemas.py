"""A schema that can never work is told when it is declared: with the field, its value and the cure."""

from __future__ import annotations

import datetime as clock
import enum
import random
import time
import uuid
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

import pydantic.v1
import pytest
from django.utils import timezone
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, RootModel, ValidationInfo, field_validator

from django_wfe import steps
from django_wfe.definition.graph import describe_schema
from django_wfe.definition.problems import find_problems
from django_wfe.definition.schema_problems import find_schema_problems
from django_wfe.definition.texts import describe_value, find_unstorable, make_storable
from django_wfe.steps import plan_execute

if TYPE_CHECKING:
    from fractions import Fraction as Share

pytestmark = pytest.mark.unit

T = TypeVar("T")


def find(schema):
    """Give the only problem of a schema, after proving that it has a cure and that both are sentences."""
    [(code, message, cure)] = find_schema_problems(schema)
    assert message.endswith(".")
    assert cure.endswith(".")
    return code, message, cure


class OnlyForTheTypeChecker(BaseModel):
    share: Share


class Around(BaseModel):
    parts: list[OnlyForTheTypeChecker]


@pytest.mark.parametrize("schema", [OnlyForTheTypeChecker, Around])
def test_a_type_imported_for_the_type_checker_only_is_named_with_where_to_import_it(schema):
    code, message, cure = find(schema)
    assert code == "undefined"
    assert "Share" in message
    assert 'Import Share outside of "if TYPE_CHECKING:"' in cure


def test_the_field_with_the_missing_type_is_named():
    assert "(field share)" in find(OnlyForTheTypeChecker)[1]


class Typed(steps.Step):
    def execute(self, _input: Share, external_input: Share | None = None) -> Share:
        return _input


def test_a_step_may_be_annotated_with_what_only_the_type_checker_knows():
    assert list(find_problems("shop.Flow", {steps.__start__: [Typed]})) == []
    assert plan_execute(Typed).keywords == {"external_input"}


class Later(BaseModel):
    sub: Sub


class Sub(BaseModel):
    value: int


def test_a_model_that_is_only_defined_further_down_is_sound():
    assert list(find_schema_problems(Later)) == []
    assert describe_schema(Later)["properties"] == {"sub": {"$ref": "#/$defs/Sub"}}


class Page(BaseModel, Generic[T]):
    value: T


class OldModel(pydantic.v1.BaseModel):
    value: int


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (Page[int](value=1), "Name the class: UserInputSchema = Page[int]."),
        (OldModel, "not from that of pydantic.v1"),
        (Page | None, "inherit from pydantic.BaseModel"),
        ("Page", "inherit from pydantic.BaseModel"),
    ],
)
def test_what_is_no_model_class_is_told_with_how_to_name_one(schema, told):
    code, message, cure = find(schema)
    assert code == "schema"
    assert describe_value(schema) in message
    assert told in cure


class Infinite(BaseModel):
    limit: float = float("inf")


class NotANumber(BaseModel):
    limits: dict[str, list[float]] = {"low": [float("nan")]}


class Inside(BaseModel):
    part: Infinite | None = None


class Written(BaseModel):
    model_config = ConfigDict(ser_json_inf_nan="strings")
    limit: float = float("inf")


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (Infinite, "Infinite.limit is inf"),
        (NotANumber, "NotANumber.limits is {'low': [nan]}"),
        (Inside, "Infinite.limit is inf"),
    ],
)
def test_a_default_that_json_cannot_hold_is_told_with_its_value(schema, told):
    code, message, _cure = find(schema)
    assert (code, told in message) == ("default", True)


def test_infinity_that_pydantic_writes_as_text_is_sound():
    assert list(find_schema_problems(Written)) == []


class InfiniteExample(BaseModel):
    limit: float = Field(1, examples=[float("inf")])


class NulInATitle(BaseModel):
    limit: float = Field(1, title="a\0b")


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (InfiniteExample, "properties.limit.examples[0] holds a number that JSON cannot hold"),
        (NulInATitle, "properties.limit.title holds a NUL character"),
    ],
)
def test_what_else_of_a_schema_the_database_refuses_is_told_with_its_place(schema, told):
    code, message, _cure = find(schema)
    assert (code, told in message) == ("json", True)


class Color:
    def __init__(self, name: str) -> None:
        self.name = name


class Arbitrary(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    color: Color


class Deep(BaseModel):
    inner: Arbitrary


class Function(BaseModel):
    call: Callable[[int], int]


class AnyClass(BaseModel):
    kind: type


class Chain(BaseModel):
    next: Chain


class Ping(BaseModel):
    pong: Pong


class Pong(BaseModel):
    ping: Ping


class Nothing(enum.Enum):
    pass


class Choose(BaseModel):
    one_of: Nothing


class Between(BaseModel):
    amount: int = Field(gt=5, lt=3)


class Long(BaseModel):
    name: str = Field(min_length=5, max_length=3)


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (Arbitrary, "Arbitrary.color must be an instance of"),
        (Deep, "Deep.inner.color must be an instance of"),
        (Function, "Function.call must be a callable"),
        (AnyClass, "AnyClass.kind must be an instance of builtins.type"),
        (Chain, "Chain.next needs another Chain in it"),
        (Ping, "Ping.pong.ping needs another Ping in it"),
        (Choose, "Choose.one_of must be an instance of"),
        (Between, "Between.amount must be at least 5 and at most 3"),
        (Long, "Long.name must have at least 5 and at most 3"),
    ],
)
def test_a_schema_that_no_input_can_satisfy_is_told_with_the_field_and_why(schema, told):
    code, message, _cure = find(schema)
    assert (code, told in message) == ("answer", True)
    with pytest.raises(pydantic.ValidationError):
        schema.model_validate_json("{}")


class Parsed(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    color: Annotated[Color, BeforeValidator(lambda text: Color(text))]


class Kept(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    color: Color = Color("red")
    amount: int = Field(10, ge=1, le=10)


class Tree(BaseModel):
    children: list[Tree]
    parent: Tree | None = None


@pytest.mark.parametrize("schema", [Parsed, Kept, Tree, Page, Page[int], RootModel[list[int]], RootModel[Tree]])
def test_what_some_input_satisfies_is_sound_however_unusual(schema):
    assert list(find_schema_problems(schema)) == []


def make_due() -> datetime:
    return datetime(2030, 1, 1)


class Now(BaseModel):
    at: datetime = datetime.now()


class Utc(BaseModel):
    at: clock.datetime = clock.datetime.now(clock.UTC) + timedelta(days=2)


class Today(BaseModel):
    on: date = Field(default=date.today(), title="Day")


class ByDjango(BaseModel):
    at: datetime = timezone.now()


class Id(BaseModel):
    id: str = str(uuid.uuid4())


class Chance(BaseModel):
    share: float = random.random()


class Stamp(BaseModel):
    at: float = time.time()


class Bound(BaseModel):
    on: date = Field(ge=date.today())


class Inherited(Today):
    other: int = 1


class Holding(BaseModel):
    days: list[Today] = []


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (Now, "Now.at is worked out by datetime.now()"),
        (Utc, "Utc.at is worked out by clock.datetime.now(clock.UTC)"),
        (Today, "Today.on is worked out by date.today()"),
        (ByDjango, "ByDjango.at is worked out by timezone.now()"),
        (Id, "Id.id is worked out by uuid.uuid4()"),
        (Chance, "Chance.share is worked out by random.random()"),
        (Stamp, "Stamp.at is worked out by time.time()"),
        (Bound, "Bound.on is worked out by date.today()"),
        (Inherited, "Inherited.on is worked out by date.today()"),
        (Holding, "Today.on is worked out by date.today()"),
    ],
)
def test_a_default_that_each_process_works_out_anew_is_told_with_the_field_and_the_call(schema, told):
    code, message, cure = find(schema)
    assert (code, told in message) == ("changing", True)
    assert "default_factory" in cure


class Steady(BaseModel):
    at: datetime = Field(default_factory=datetime.now)
    on: date = Field(default_factory=lambda: date.today())
    id: uuid.UUID = Field(default_factory=uuid.uuid4)
    due: datetime = make_due()
    price: Decimal = Decimal("1.5")
    since: date = date(2024, 1, 1)
    wait: timedelta = timedelta(days=1)
    chance: Any = random.Random(7).choice([1, 2])


def test_defaults_that_are_the_same_in_each_process_are_sound():
    assert list(find_schema_problems(Steady)) == []


class Limited(BaseModel):
    amount: int

    @field_validator("amount")
    @classmethod
    def check(cls, value: int, info: ValidationInfo) -> int:
        if value > info.context["limit"]:
            raise ValueError("too much")
        return value


class Prepared(BaseModel):
    amount: int

    @field_validator("amount")
    @classmethod
    def check(cls, value: int, info: ValidationInfo) -> int:
        if info.context and value > info.context["limit"]:
            raise ValueError("too much")
        return value


def test_a_validator_that_reads_a_context_which_nothing_gives_is_told():
    code, message, cure = find(Limited)
    assert code == "context"
    assert "Limited.check() reads info.context, which is always None" in message
    assert "inside the validator" in cure
    with pytest.raises(TypeError):
        Limited.model_validate({"amount": 1})


def test_a_validator_that_is_prepared_for_no_context_is_sound():
    assert list(find_schema_problems(Prepared)) == []


class WithADefaultThatIsNoJson(BaseModel):
    anything: Any = object()


def test_a_default_that_is_left_out_of_the_json_schema_gives_no_warning():
    assert "default" not in describe_schema(WithADefaultThatIsNoJson)["properties"]["anything"]


def test_the_reason_why_there_is_no_json_schema_holds_no_address():
    assert " at 0x" not in describe_schema(Parsed)["description"]


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def test_a_value_whose_repr_raises_is_named_all_the_same():
    assert describe_value(Hostile()) == "<Hostile whose repr() raises RuntimeError> (Hostile)"


def test_half_of_a_surrogate_pair_is_found_and_can_be_replaced():
    assert list(find_unstorable({"a": ["\ud800"]})) == [("a[0]", "half of a surrogate pair")]
    assert list(find_unstorable(make_storable("a\0\ud800"))) == []
