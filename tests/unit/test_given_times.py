"""Dates and times that are given: one meaning at every door, or refused alike."""

import dataclasses
import datetime
import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple

import pydantic
import pytest
from django.test import override_settings
from django.utils import timezone
from pydantic import AliasChoices, AliasPath, BaseModel, BeforeValidator, ConfigDict, Field, create_model
from typing_extensions import TypedDict

from django_wfe.engine.inputs.given_times import settle_times
from django_wfe.engine.inputs.validation import encode_input, load_input
from django_wfe.forms import build_input_form

pytestmark = pytest.mark.unit

Moment = datetime.datetime
EPOCH = Moment(1970, 1, 1, tzinfo=datetime.UTC)


@pytest.fixture(autouse=True)
def in_berlin() -> Iterator[None]:
    with override_settings(USE_TZ=True), timezone.override("Europe/Berlin"):
        yield


class Spot(NamedTuple):
    at: Moment


class Typed(TypedDict):
    at: Moment


@dataclasses.dataclass
class Plain:
    at: Moment
    count: int = 1


@pydantic.dataclasses.dataclass
class Checked:
    at: Moment
    then: list[Moment] = dataclasses.field(default_factory=list)


class Stop(BaseModel):
    at: Moment
    kind: Literal["stop"] = "stop"


class Pause(BaseModel):
    kind: Literal["pause"] = "pause"


class Route(BaseModel):
    stop: Stop
    then: "Route | None" = None


class DatesByKey(pydantic.RootModel[dict[Moment, Stop]]):
    pass


PLACES = [
    (list[Moment], lambda value: [value]),
    (tuple[int, Moment], lambda value: [1, value]),
    (tuple[Moment, ...], lambda value: [value, value]),
    (dict[str, Moment], lambda value: {"a": value}),
    (dict[Moment, int], lambda value: {value: 1}),
    (Stop, lambda value: {"at": value}),
    (list[Stop | None], lambda value: [None, {"at": value}]),
    (Stop | int, lambda value: {"at": value}),
    (Annotated[Stop | Pause, Field(discriminator="kind")], lambda value: {"kind": "stop", "at": value}),
    (Typed, lambda value: {"at": value}),
    (Spot, lambda value: [value]),
    (Plain, lambda value: {"at": value}),
    (list[Checked], lambda value: [{"at": value, "then": [value]}]),
    (DatesByKey, lambda value: {value: {"at": value}}),
    (Route, lambda value: {"stop": {"at": value}, "then": {"stop": {"at": value}}}),
    (set[Moment], lambda value: [value]),
    (datetime.date | Moment, lambda value: value),
    (Annotated[Moment, Field(alias="other")], lambda value: value),
]


def build(annotation: Any, **config: Any) -> type[BaseModel]:
    return create_model("Asked", __config__=ConfigDict(**config), value=(annotation, ...))


def give(model: type[BaseModel], data: Any) -> Any:
    return load_input(model, encode_input(model, data, "the input"))


def refuse(model: type[BaseModel], data: Any) -> list[tuple[Any, str]]:
    with pytest.raises(pydantic.ValidationError) as caught:
        encode_input(model, data, "the input")
    return [(details["loc"], details["type"]) for details in caught.value.errors()]


@pytest.mark.parametrize(
    ("given", "offset"),
    [("2026-01-31T08:30", 1), ("2026-07-31T08:30", 2), ("2026-01-31 08:30:00", 1), ("2026-01-31T08:30+05:00", 5)],
)
@pytest.mark.parametrize("annotation", [Moment, pydantic.AwareDatetime, Moment | None, pydantic.PastDatetime])
def test_a_moment_without_an_offset_is_in_the_time_zone_of_the_project(
    annotation: Any, given: str, offset: int
) -> None:
    model = build(annotation)
    moment = (give(model, {"value": given.replace("2026", "2025")})).value
    assert (moment.hour, moment.utcoffset()) == (8, datetime.timedelta(hours=offset))
    form = build_input_form(model)({"value": given.replace("2026", "2025")})
    assert form.is_valid()
    assert form.instance.value == moment


@pytest.mark.parametrize("at", ["2026-10-25T02:30", "2026-03-29T02:30"])
def test_a_local_time_that_is_there_twice_or_not_at_all_is_refused_by_all(at: str) -> None:
    assert refuse(build(Moment), {"value": at}) == [(("value",), "moment_ambiguous")]
    assert not build_input_form(build(Moment))({"value": at}).is_valid()
    assert give(build(Moment), {"value": f"{at}+01:00"}).value.utcoffset() == datetime.timedelta(hours=1)


@pytest.mark.parametrize("given", [46053, "46053", "46053.5", 46053.5, 0, "-5", "1612121012345", 1612121012345])
@pytest.mark.parametrize(
    ("annotation", "code"),
    [
        (Moment, "datetime_number"),
        (pydantic.AwareDatetime, "datetime_number"),
        (pydantic.NaiveDatetime, "datetime_number"),
        (datetime.date, "date_number"),
        (datetime.date | None, "date_number"),
        (datetime.time, "time_number"),
    ],
)
def test_a_number_is_no_date_and_no_time(annotation: Any, code: str, given: Any) -> None:
    assert refuse(build(annotation), {"value": given}) == [(("value",), code)]
    assert not build_input_form(build(annotation))({"value": str(given)}).is_valid()


def test_eight_digits_in_text_are_the_date_that_they_show() -> None:
    assert give(build(datetime.date), {"value": "20260131"}).value == datetime.date(2026, 1, 31)
    assert give(build(Moment), {"value": "20260131"}).value.isoformat() == "2026-01-31T00:00:00+01:00"
    assert refuse(build(datetime.date), {"value": 20260131}) == [(("value",), "date_number")]
    assert refuse(build(datetime.date), {"value": "20260231"}) == [(("value",), "date_number")]
    for annotation in (datetime.date, Moment):
        model = build(annotation)
        form = build_input_form(model)({"value": "20260131"})
        assert form.is_valid()
        assert form.instance == give(model, {"value": "20260131"})


def test_a_model_that_says_the_unit_takes_numbers() -> None:
    if "val_temporal_unit" not in ConfigDict.__annotations__:
        pytest.skip("this pydantic has no val_temporal_unit")
    nested = build(Stop, val_temporal_unit="seconds")
    assert refuse(nested, {"value": {"at": 60}}), "a model within has its own unit"
    assert give(build(Moment, val_temporal_unit="seconds"), {"value": 60}).value == EPOCH + datetime.timedelta(
        minutes=1
    )
    assert refuse(build(Moment, val_temporal_unit="infer"), {"value": 60})


def test_a_field_without_offsets_stays_so() -> None:
    naive = Moment(2026, 1, 31, 8, 30)
    assert give(build(pydantic.NaiveDatetime), {"value": "2026-01-31T08:30"}).value == naive
    for default in (naive, [naive], Stop(at=naive)):
        model = create_model("Defaulting", value=(Any if default is None else type(default) | None, default))
        if isinstance(default, list):
            model = create_model("Defaulting", value=(list[Moment], default))
        given = json.loads(model().model_dump_json())
        assert give(model, given) == model()


def test_a_field_whose_factory_makes_moments_without_offsets_stays_so() -> None:
    def fail() -> Moment:
        raise RuntimeError("no clock")

    for factory, is_naive in ((lambda: Moment(2026, 1, 1), True), (lambda: EPOCH, False), (fail, False)):
        model = create_model("Made", value=(Moment, Field(default_factory=factory)))
        assert (give(model, {"value": "2026-01-31T08:30"}).value.tzinfo is None) == is_naive


def test_without_time_zones_a_moment_stays_as_it_was_given() -> None:
    with override_settings(USE_TZ=False):
        assert give(build(Moment), {"value": "2026-01-31T08:30"}).value == Moment(2026, 1, 31, 8, 30)
        assert give(build(pydantic.AwareDatetime), {"value": "2026-01-31T08:30"}).value.tzinfo is not None


@pytest.mark.parametrize(("annotation", "wrap"), PLACES)
def test_times_are_found_wherever_they_stand(annotation: Any, wrap: Any) -> None:
    model = build(annotation)
    written = model.model_dump_json(give(model, {"value": wrap("2026-01-31T08:30")}), by_alias=False)
    assert "+01:00" in written
    found = refuse(model, {"value": wrap("46053")})
    assert all(code.endswith("_number") for _place, code in found)


JUNK = (
    None,
    True,
    0,
    -1.5,
    10**30,
    "",
    "x",
    "2026",
    [],
    [None],
    [[]],
    {},
    {"": None},
    {"at": {}},
    {"kind": []},
    ["x"] * 9,
)


@pytest.mark.parametrize(("annotation", "wrap"), PLACES)
def test_junk_in_place_of_times_is_judged_by_pydantic_alone(annotation: Any, wrap: Any) -> None:
    model = build(annotation)
    for data in (*JUNK, *({"value": junk} for junk in JUNK)):
        settle_times(model, json.dumps(data))
    for junk in JUNK:
        if not isinstance(junk, (list, dict)):
            settle_times(model, json.dumps({"value": wrap(junk)}))


def test_a_field_is_found_by_each_of_its_names() -> None:
    class Named(BaseModel):
        first: Moment = Field(validation_alias=AliasChoices("a", "b"))
        second: Moment = Field(validation_alias=AliasPath("deep", 0))

    for given in ({"a": "2026-01-31"}, {"b": "2026-01-31"}, {"first": "2026-01-31"}):
        assert give(Named, {**given, "deep": ["2026-01-31"]}).second.utcoffset() == datetime.timedelta(hours=1)
    assert refuse(Named, {"b": "46053", "deep": [46053]}) == [
        (("b",), "datetime_number"),
        (("deep", 0), "datetime_number"),
    ]


def test_what_stands_before_pydantic_gets_what_was_given() -> None:
    def read(value: Any) -> Any:
        return Moment(1899, 12, 30) + datetime.timedelta(days=int(value)) if str(value).isdigit() else value

    model = build(Annotated[Moment, BeforeValidator(read)])
    assert give(model, {"value": 46053}).value == Moment(2026, 1, 31)
    assert give(model, {"value": "2026-01-31T08:30"}).value.utcoffset() == datetime.timedelta(hours=1)


def test_a_text_or_a_number_beside_a_date_stays_what_it_is() -> None:
    assert give(build(datetime.date | str), {"value": "46053"}).value == "46053"
    assert give(build(Moment | int), {"value": 46053}).value == 46053


def test_all_errors_are_told_at_once() -> None:
    class Both(BaseModel):
        day: datetime.date
        count: int
        name: str = Field(max_length=2)

        @pydantic.field_validator("count")
        @classmethod
        def look(cls, value: int) -> int:
            raise ValueError("never {right}")

    found = refuse(Both, {"day": 46053, "count": 1, "name": "long"})
    assert found == [(("day",), "date_number"), (("count",), "value_error"), (("name",), "string_too_long")]
    form = build_input_form(Both)({"day": "46053", "count": "1", "name": "long"})
    assert form.errors["count"] == ["never {right}"]


def test_a_number_is_a_duration_in_seconds_and_a_text_of_digits_is_none() -> None:
    assert give(build(datetime.timedelta), {"value": 90}).value == datetime.timedelta(seconds=90)
    assert give(build(datetime.timedelta), {"value": "01:30"}).value == datetime.timedelta(minutes=90)
    assert refuse(build(datetime.timedelta), {"value": "90"})
