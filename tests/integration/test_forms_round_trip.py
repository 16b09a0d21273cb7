"""An instance, shown as a form and submitted unchanged, comes back as an equal instance."""

import datetime
import enum
import string
import uuid
import zoneinfo
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import AnyUrl, AwareDatetime, BaseModel, Field, NaiveDatetime, RootModel

from django_wfe.forms import build_input_form
from tests.support.forms.forms_browser import submit

pytestmark = pytest.mark.integration


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Percent(RootModel[int]):
    pass


class Scalars(BaseModel):
    text: str = "default"
    wide: Annotated[str, Field(json_schema_extra={"format": "textarea"})]
    maybe_text: str | None = None
    number: int
    maybe_number: int | None = 7
    share: float
    price: Decimal
    flag: bool = True
    maybe_flag: bool | None = None
    day: datetime.date
    clock: datetime.time
    maybe_clock: datetime.time | None = None
    local: NaiveDatetime
    moment: AwareDatetime
    either: datetime.datetime
    span: datetime.timedelta
    key: uuid.UUID
    raw: bytes
    address: AnyUrl
    percent: Percent


class Choices(BaseModel):
    colour: Colour
    maybe_colour: Colour | None = None
    level: Level = Level.LOW
    mixed: Literal[1, "1", True, "", "b"]
    colours: set[Colour]
    levels: frozenset[Level] = frozenset({Level.LOW})
    maybe_letters: set[Literal["a", "b"]] | None = None
    table: dict[str, int | None]
    union: int | list[str] | dict[str, bool]


class Item(BaseModel):
    name: str = Field(alias="itemName")
    parts: list[Annotated[int, Field(ge=0)]] = [1]


class Nested(BaseModel):
    item: Item
    maybe_item: Item | None = None
    defaulted: Item | None = Item(itemName="made")
    items: list[Item]
    maybe_items: list[Item] | None = None
    grid: list[list[int]] = []
    days: set[datetime.date] = set()
    maybes: tuple[bool | None, ...] = ()


# An empty text in a form means "nothing", and HTML knows only one kind of line break.
LETTERS = st.characters(exclude_characters="\0\r", exclude_categories=("Cs",))
TEXT = st.text(LETTERS, min_size=1, max_size=20)
MOMENTS = st.datetimes(min_value=datetime.datetime(2, 1, 1), max_value=datetime.datetime(9998, 1, 1))
OFFSETS = [datetime.timedelta(0), datetime.timedelta(hours=-7), datetime.timedelta(hours=5, minutes=45)]
AWARE = st.builds(
    lambda moment, offset: moment.replace(tzinfo=datetime.timezone(offset)), MOMENTS, st.sampled_from(OFFSETS)
)
# The hour that a clock change repeats, minute by minute.
AMBIGUOUS = st.integers(0, 120).map(
    lambda minutes: datetime.datetime(2026, 10, 25, 0, 0, tzinfo=datetime.UTC) + datetime.timedelta(minutes=minutes)
)
SCALARS = st.builds(
    Scalars,
    text=TEXT,
    wide=TEXT,
    maybe_text=st.none() | TEXT,
    number=st.integers(),
    maybe_number=st.none() | st.integers(),
    share=st.floats(allow_nan=False, allow_infinity=False),
    price=st.decimals(allow_nan=False, allow_infinity=False),
    flag=st.booleans(),
    maybe_flag=st.none() | st.booleans(),
    day=st.dates(),
    clock=st.times(),
    maybe_clock=st.none() | st.times(timezones=st.just(datetime.UTC)),
    local=st.datetimes(),
    moment=AWARE | AMBIGUOUS,
    either=st.datetimes() | AWARE | AMBIGUOUS,
    span=st.timedeltas(min_value=datetime.timedelta(days=-99999), max_value=datetime.timedelta(days=99999)),
    key=st.uuids(),
    raw=TEXT.map(str.encode),
    address=st.sampled_from([AnyUrl("https://example.org/a?b=c&d=%20#e"), AnyUrl("ftp://u:p@host/x")]),
    percent=st.integers().map(Percent),
)
CHOICES = st.builds(
    Choices,
    colour=st.sampled_from(Colour),
    maybe_colour=st.none() | st.sampled_from(Colour),
    level=st.sampled_from(Level),
    mixed=st.sampled_from([1, "1", True, "", "b"]),
    colours=st.sets(st.sampled_from(Colour)),
    levels=st.frozensets(st.sampled_from(Level)),
    maybe_letters=st.none() | st.sets(st.sampled_from(["a", "b"]), min_size=1),
    table=st.dictionaries(TEXT, st.none() | st.integers(), max_size=3),
    union=st.integers() | st.lists(TEXT, max_size=2) | st.dictionaries(TEXT, st.booleans(), max_size=2),
)
ITEMS = st.builds(lambda name, parts: Item(itemName=name, parts=parts), TEXT, st.lists(st.integers(0), max_size=3))
NESTED = st.builds(
    Nested,
    item=ITEMS,
    maybe_item=st.none() | ITEMS,
    defaulted=st.none() | ITEMS,
    items=st.lists(ITEMS, max_size=3),
    maybe_items=st.none() | st.lists(ITEMS, max_size=2),
    grid=st.lists(st.lists(st.integers(), max_size=2), max_size=2),
    days=st.sets(st.dates(), max_size=3),
    maybes=st.lists(st.none() | st.booleans(), max_size=3).map(tuple),
)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns"]).map(zoneinfo.ZoneInfo)
POSTED = ["number", "day", "moment", "span", "flag", "percent", "price", "clock", "key", "wide", "_structure"]
EXAMPLES = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@EXAMPLES
@given(instance=SCALARS, zone=ZONES)
def test_scalars_come_back_equal(instance: Scalars, zone: datetime.tzinfo) -> None:
    with timezone.override(zone):
        check_round_trip(instance)


@EXAMPLES
@given(instance=CHOICES)
def test_choices_and_json_come_back_equal(instance: Choices) -> None:
    check_round_trip(instance)


@EXAMPLES
@given(instance=NESTED)
def test_nested_models_and_lists_come_back_equal(instance: Nested) -> None:
    check_round_trip(instance)


@EXAMPLES
@given(
    data=st.dictionaries(
        st.sampled_from(POSTED),
        st.text(string.printable + "é€\0", max_size=12) | st.lists(st.text(max_size=3), max_size=3),
    )
)
def test_whatever_is_posted_is_told_as_an_error_and_shown(data: dict[str, Any]) -> None:
    form = build_input_form(Scalars)({"other": "1", **data})
    if not form.apply_structure_change():
        assert not form.is_valid()
    assert str(form)


def check_round_trip(instance: BaseModel) -> None:
    form_class = build_input_form(type(instance))
    for initial in (instance, instance.model_dump(), instance.model_dump(mode="json", by_alias=True)):
        form = form_class(submit(form_class(initial=initial, prefix="input")), initial=initial, prefix="input")
        assert form.is_valid(), form.errors
        assert type(instance).model_validate(form.external_data) == instance
