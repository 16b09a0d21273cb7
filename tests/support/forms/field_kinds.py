"""A model for every kind of field that pydantic documents: its default, and one value that it must refuse.

Every door that takes data (form, file, REST, command) is asked the same two things of each kind: does the default,
handed out and handed in again, give an equal model, and is the wrong value refused.
"""

import collections
import dataclasses
import datetime
import enum
import fractions
import ipaddress
import re
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, TypeVar

import pydantic
from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasPath,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    Json,
    RootModel,
    SecretBytes,
    SecretStr,
    StringConstraints,
    create_model,
)
from pydantic_core import to_jsonable_python
from typing_extensions import TypeAliasType, TypedDict

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class FieldKind:
    """One kind: a model whose fields all have a default, and data that the model refuses.

    `wrong` is the JSON data of a whole input, not of a field. `holds_secret` marks a default that no door shows.
    """

    name: str
    model: type[BaseModel]
    wrong: dict[str, Any]
    holds_secret: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def instance(self) -> BaseModel:
        return self.model()

    @property
    def data(self) -> Any:
        """The default as JSON data, keyed as validation wants it."""
        return self.instance.model_dump(mode="json", by_alias=True, round_trip=True)


def _field(name: str, annotation: Any, default: Any, wrong: Any, *, holds_secret: bool = False) -> FieldKind:
    given = default if isinstance(default, pydantic.fields.FieldInfo) else Field(default)
    model = create_model(f"Of{name.title().replace(' ', '')}", value=(annotation, given))
    return FieldKind(name, model, {"value": wrong}, holds_secret)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class OfJson(enum.Enum):
    """Choices whose values JSON does not have: pydantic finds a member by its JSON value only if the class helps."""

    @classmethod
    def _missing_(cls, value: object) -> "OfJson | None":
        return next((member for member in cls if to_jsonable_python(member) == value), None)


class Rate(OfJson):
    REDUCED = Decimal("7.00")
    FULL = Decimal("19.00")


class Quarter(OfJson):
    FIRST = datetime.date(2026, 1, 1)
    SECOND = datetime.date(2026, 4, 1)


class Corner(OfJson):
    ORIGIN = (0, 0)
    FAR = (9, 9)


class Weight(enum.Enum):
    HALF = 0.5
    WHOLE = 1.0


class Permission(enum.Flag):
    READ = 1
    WRITE = 2


class Spot(NamedTuple):
    x: int
    y: int


class Size(TypedDict):
    width: int
    height: int


class Partial(TypedDict, total=False):
    note: str


@dataclasses.dataclass
class Plain:
    name: str
    count: int = 1


@pydantic.dataclasses.dataclass
class Checked:
    name: str
    count: int = Field(1, ge=0)


class Address(BaseModel):
    street: str
    city: str = "Berlin"


class Person(BaseModel):
    name: str
    home: Address | None = None


class Page(BaseModel, Generic[T]):
    items: list[T] = []
    first: T | None = None


class Tree(BaseModel):
    label: str
    branches: list["Tree"] = []


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    tricks: list[str] = []


class Percent(RootModel[int]):
    pass


class Names(RootModel[list[str]]):
    pass


class ByCode(RootModel[dict[str, int]]):
    pass


class Aliased(BaseModel):
    plain: str = Field("a", alias="thePlain")
    choice: str = Field("b", validation_alias=AliasChoices("first", "second"), serialization_alias="first")
    count: int = Field(3, validation_alias="theCount", serialization_alias="theCount")


class Pathed(BaseModel):
    deep: str = Field("c", validation_alias=AliasPath("outer", "inner"))

    @pydantic.model_serializer
    def _nest(self) -> dict[str, Any]:
        return {"outer": {"inner": self.deep}}


class ByName(BaseModel):
    model_config = ConfigDict(validate_by_name=True, validate_by_alias=False)
    plain: int = Field(4, alias="thePlain", serialization_alias="plain")


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)
    day: datetime.date = datetime.date(2026, 1, 2)
    amount: Decimal = Decimal("1.50")
    count: int = 3
    flag: bool = True
    colour: Colour = Colour.RED
    raw: bytes = b"raw"
    key: uuid.UUID = uuid.UUID(int=7)
    names: set[str] = {"a"}


class Extra(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str = "a"


class TypedExtra(BaseModel):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, int]
    name: str = "a"


class ForbidsExtra(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = "a"


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)
    name: str = "a"


class EnumValues(BaseModel):
    model_config = ConfigDict(use_enum_values=True, validate_default=True)
    colour: Colour = Colour.BLUE


class Trimmed(BaseModel):
    model_config = ConfigDict(str_strip_whitespace=True, str_max_length=5)
    name: str = "a"


class FloatDurations(BaseModel):
    model_config = ConfigDict(ser_json_timedelta="float")
    span: datetime.timedelta = datetime.timedelta(minutes=90)


class EncodedRaw(BaseModel):
    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
    raw: bytes = b"\xff\x00raw"


class Checking(BaseModel):
    low: int = 1
    high: int = 2

    @pydantic.model_validator(mode="after")
    def _check(self) -> "Checking":
        if self.low > self.high:
            raise ValueError("low must not be above high")
        return self


class Computed(BaseModel):
    side: int = 2

    @pydantic.computed_field
    def area(self) -> int:
        return self.side**2


def _even(value: int) -> int:
    if value % 2:
        raise ValueError("must be even")
    return value


Alias = TypeAliasType("Alias", dict[str, list[int]])
Cents = NewType("Cents", int)
BERLIN_SUMMER = datetime.timezone(datetime.timedelta(hours=2))
MOMENT = datetime.datetime(2026, 7, 1, 12, 30, 15, tzinfo=datetime.UTC)

SCALARS = [
    _field("text", str, "two words", 5),
    _field("long text", Annotated[str, Field(json_schema_extra={"format": "textarea"})], "one\ntwo", None),
    _field("text of other line ends", str, "one\r\ntwo\rthree\n", 5),
    _field("empty text", str | None, "", 5),
    _field("empty bytes", bytes | None, b"", 5),
    _field("text or none", str | None, None, 5),
    _field("integer", int, 42, "forty"),
    _field("big integer", int, 2**70, "1.5"),
    _field("integer or none", int | None, 7, "x"),
    _field("float", float, 0.1, "x"),
    _field("decimal", Decimal, Decimal("1234567890.1234567890"), "1,5"),
    _field("boolean", bool, True, "perhaps"),
    _field("boolean or none", bool | None, None, "perhaps"),
    _field("bytes", bytes, b"raw", 5),
    _field("complex", complex, 1 + 2j, "x"),
    _field("fraction", fractions.Fraction, fractions.Fraction(1, 3), "x"),
    _field("uuid", uuid.UUID, uuid.UUID("6a4d33f0-7a0e-4b6c-9b1c-0e8f6f0f2a11"), "x"),
    _field("path", Path, Path("/srv/data"), 5),
    _field("pattern", re.Pattern[str], re.compile("^a+$"), "("),
    _field("byte size", ByteSize, ByteSize(1024), "many"),
    _field("new type", Cents, Cents(5), "x"),
]
TIMES = [
    _field("date", datetime.date, datetime.date(2026, 1, 31), "2026-02-30"),
    _field("date or none", datetime.date | None, datetime.date(2026, 1, 31), "31.01.2026"),
    _field("past date", pydantic.PastDate, datetime.date(2001, 1, 31), "9999-01-01"),
    _field("future date", pydantic.FutureDate, datetime.date(9999, 1, 1), "2001-01-31"),
    _field("time", datetime.time, datetime.time(12, 30, 15, 250), "25:00"),
    _field("time with offset", datetime.time, datetime.time(12, 30, tzinfo=BERLIN_SUMMER), "noon"),
    _field("naive datetime", pydantic.NaiveDatetime, datetime.datetime(2026, 1, 31, 12, 30), "soon"),
    _field("aware datetime", pydantic.AwareDatetime, MOMENT, "soon"),
    _field("datetime", datetime.datetime, MOMENT, "soon"),
    _field("datetime without zone", datetime.datetime, datetime.datetime(2026, 1, 31, 12, 30, 15, 123456), "soon"),
    _field("past datetime", pydantic.PastDatetime, MOMENT.replace(year=2001), "9999-01-01T00:00:00Z"),
    _field("future datetime", pydantic.FutureDatetime, MOMENT.replace(year=9998), "2001-01-01T00:00:00Z"),
    _field("duration", datetime.timedelta, datetime.timedelta(days=1, minutes=90, microseconds=5), "a while"),
    _field("negative duration", datetime.timedelta, -datetime.timedelta(minutes=90), "a while"),
]
CONSTRAINED = [
    _field("bounded integer", Annotated[int, Field(gt=0, le=9)], 5, 10),
    _field("multiple", Annotated[int, Field(multiple_of=5)], 10, 7),
    _field("strict integer", pydantic.StrictInt, 5, "5"),
    _field("strict text", pydantic.StrictStr, "5", 5),
    _field("strict boolean", pydantic.StrictBool, True, "yes"),
    _field("money", Annotated[Decimal, Field(max_digits=5, decimal_places=2)], Decimal("1.50"), "1.555"),
    _field("finite float", pydantic.FiniteFloat, 1e300, "x"),
    _field("short text", Annotated[str, Field(min_length=2, max_length=5)], "abc", "abcdef"),
    _field("emoji", Annotated[str, Field(max_length=5)], "👩🏽‍🚀a", "👩🏽‍🚀👩🏽‍🚀"),
    _field("patterned text", Annotated[str, StringConstraints(pattern="^[a-z]+$")], "abc", "1"),
    _field("upper text", Annotated[str, StringConstraints(to_upper=True, strip_whitespace=True)], "ABC", 5),
    _field("validated after", Annotated[int, AfterValidator(_even)], 4, 5),
    _field("validated before", Annotated[Decimal, BeforeValidator(str)], Decimal("1.5"), "x"),
    _field("short list", Annotated[list[int], Field(min_length=1, max_length=2)], [1], [1, 2, 3]),
]
CHOICES = [
    _field("enum", Colour, Colour.BLUE, "green"),
    _field("enum or none", Colour | None, None, "green"),
    _field("integer enum", Level, Level.HIGH, 3),
    _field("decimal enum", Rate, Rate.FULL, "8"),
    _field("date enum", Quarter, Quarter.SECOND, "2026-07-01"),
    _field("tuple enum", Corner, Corner.FAR, [5, 5]),
    _field("float enum", Weight, Weight.WHOLE, 2.0),
    _field("flag", Permission, Permission.WRITE, 64),
    _field("literal", Literal["a", "b"], "b", "c"),
    _field("mixed literal", Literal[1, "1", True, "b"], "1", "c"),
    _field("enum literal", Literal[Level.LOW, Level.HIGH], Level.HIGH, 3),
    _field("one literal", Literal["only"], "only", "other"),
]
SECRETS = [
    _field("secret text", SecretStr, SecretStr("hush"), 5, holds_secret=True),
    _field("secret bytes", SecretBytes, SecretBytes(b"hush"), 5, holds_secret=True),
    _field("secret integer", pydantic.Secret[int], pydantic.Secret[int](42), "x", holds_secret=True),
]
COLLECTIONS = [
    _field("list", list[int], [3, 1, 3], ["x"]),
    _field("bare list", list, [1, "a", None], "x"),
    _field("list of empty texts", list[str], ["", "a", ""], "x"),
    _field("list of lists", list[list[int]], [[1, 2], [], [3]], [["x"]]),
    _field("list or none", list[str] | None, None, "x"),
    _field("list of enums", list[Colour], [Colour.BLUE, Colour.RED, Colour.BLUE], ["green"]),
    _field("list of literals", list[Literal["b", "a"]], ["a", "b", "a"], ["c"]),
    _field("tuple of enums", tuple[Colour, ...], (Colour.BLUE, Colour.BLUE), ["green"]),
    _field("set of enums", set[Colour], {Colour.BLUE}, ["green"]),
    _field("empty set or none", set[Colour] | None, set(), ["green"]),
    _field("frozen set", frozenset[int], frozenset({1, 2}), ["x"]),
    _field("set of dates", set[datetime.date], {datetime.date(2026, 1, 31)}, ["x"]),
    _field("deque", collections.deque[int], collections.deque([2, 1]), ["x"]),
    _field("sequence", collections.abc.Sequence[int], [2, 1], ["x"]),
    _field("pair", tuple[int, str], (1, "a"), [1]),
    _field("tuple", tuple[int, ...], (2, 1), ["x"]),
    _field("named tuple", Spot, Spot(1, 2), [1]),
    _field("dict", dict[str, int], {"a": 1, "b": 2}, {"a": "x"}),
    _field("dict by integer", dict[int, str], {1: "a"}, {"x": "a"}),
    _field("dict by date", dict[datetime.date, int], {datetime.date(2026, 1, 31): 1}, {"x": 1}),
    _field("ordered dict", collections.OrderedDict[str, int], collections.OrderedDict(b=1, a=2), {"a": "x"}),
    _field("default dict", collections.defaultdict[str, int], collections.defaultdict(int, a=1), {"a": "x"}),
    _field("counter", collections.Counter[str], collections.Counter(a=2), {"a": "x"}),
    _field("typed dict", Size, {"width": 1, "height": 2}, {"width": 1}),
    _field("partial typed dict", Partial, {}, {"note": 5}),
    _field("alias type", Alias, {"a": [1]}, {"a": 1}),
]
NESTED = [
    _field("model", Address, Address(street="Side Street"), {"city": "Bonn"}),
    _field("model or none", Address | None, None, {"city": "Bonn"}),
    _field("deep model", Person, Person(name="A", home=Address(street="Side Street")), {"name": "A", "home": 5}),
    _field("list of models", list[Address], [Address(street="A"), Address(street="B")], [{}]),
    _field("dict of aliased models", dict[str, Aliased], {"a": Aliased(theCount=5)}, {"a": {"theCount": "x"}}),
    _field("dict of models", dict[str, Address], {"a": Address(street="A")}, {"a": {}}),
    _field("dataclass", Plain, Plain("a", 2), {"count": 1}),
    _field("pydantic dataclass", Checked, Checked("a", 2), {"name": "a", "count": -1}),
    _field("generic", Page[int], Page[int](items=[1, 2], first=3), {"items": ["x"]}),
    _field("generic of models", Page[Address], Page[Address](items=[Address(street="A")]), {"items": [5]}),
    _field("recursive", Tree, Tree(label="a", branches=[Tree(label="b", branches=[Tree(label="c")])]), {"label": 5}),
    _field("root model", Percent, Percent(5), "x"),
    _field("root list", Names, Names(["a", "b"]), "x"),
    _field("root dict", ByCode, ByCode({"a": 1}), {"a": "x"}),
]
UNIONS = [
    _field("union", int | list[str], ["a"], {"a": 1}),
    _field("text or number", int | str, "5", [5]),
    _field("number or text", str | int, 5, [5]),
    _field("smart union", datetime.date | str, datetime.date(2026, 1, 31), [5]),
    _field("union of models", Cat | Dog, Dog(tricks=["sit"]), {"kind": "cow"}),
    _field("discriminated", Annotated[Cat | Dog, Field(discriminator="kind")], Dog(tricks=["sit"]), {"kind": "cow"}),
]
ENCODED = [
    _field("json", Json, {"a": [1, 2]}, "{"),
    _field("json list", Json[list[int]], [1, 2], "[1, ]"),
    _field("json model", Json[Address], Address(street="A"), "{}"),
    _field("json or none", Json[list[int]] | None, [1, 2], "{"),
    _field("base64 bytes", pydantic.Base64Bytes, Field(b"cmF3", validate_default=True), "a"),
    _field("base64 binary", pydantic.Base64Bytes, Field(b"/wCA", validate_default=True), "a"),
    _field("base64 text", pydantic.Base64Str, Field("cmF3", validate_default=True), "a"),
    _field("url safe base64", pydantic.Base64UrlBytes, Field(b"_wCA", validate_default=True), "a"),
]
NETWORK = [
    _field("url", pydantic.AnyUrl, pydantic.AnyUrl("ftp://u:p@host/x?a=b&c=%20#e"), "no address"),
    _field("http url", pydantic.HttpUrl, pydantic.HttpUrl("https://example.org/"), "ftp://example.org"),
    _field("file url", pydantic.FileUrl, pydantic.FileUrl("file:///srv/data"), "https://example.org"),
    _field("database url", pydantic.PostgresDsn, pydantic.PostgresDsn("postgresql://u@h/d"), "redis://h"),
    _field("ip address", ipaddress.IPv4Address, ipaddress.IPv4Address("127.0.0.1"), "256.0.0.1"),
    _field("ip network", ipaddress.IPv6Network, ipaddress.IPv6Network("2001:db8::/32"), "x"),
    _field("any ip", pydantic.IPvAnyAddress, ipaddress.ip_address("::1"), "x"),
]
WHOLE_MODELS = [
    FieldKind("aliases", Aliased, {"theCount": "x"}),
    FieldKind("alias path", Pathed, {"outer": {"inner": 5}}),
    FieldKind("by name", ByName, {"plain": "x"}),
    FieldKind("strict", Strict, {"count": "3"}),
    FieldKind("extra", Extra, {"name": 5}),
    FieldKind("typed extra", TypedExtra, {"name": "a", "more": "x"}),
    FieldKind("no extra", ForbidsExtra, {"name": "a", "more": 1}),
    FieldKind("frozen", Frozen, {"name": 5}),
    FieldKind("enum values", EnumValues, {"colour": "green"}),
    FieldKind("text settings", Trimmed, {"name": "abcdef"}),
    FieldKind("float durations", FloatDurations, {"span": "x"}),
    FieldKind("encoded bytes", EncodedRaw, {"raw": "?"}),
    FieldKind("model validator", Checking, {"low": 3, "high": 2}),
    FieldKind("computed", Computed, {"side": "x"}),
]
FIELD_KINDS: list[FieldKind] = [
    *SCALARS,
    *TIMES,
    *CONSTRAINED,
    *CHOICES,
    *SECRETS,
    *COLLECTIONS,
    *NESTED,
    *UNIONS,
    *ENCODED,
    *NETWORK,
    *WHOLE_MODELS,
]
