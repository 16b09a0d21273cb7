"""One input: what it shows, what it reads, and what it says when the value is wrong."""

import datetime
import enum
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from django.utils import timezone
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    NaiveDatetime,
    SecretStr,
    StringConstraints,
    create_model,
)

from django_wfe.forms import InputForm, build_input_form
from tests.support.forms.forms_browser import make_form, read_form, submit

pytestmark = pytest.mark.unit


class Colour(enum.Enum):
    DARK_BLUE = "blue"
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


def post(annotation: Any, value: Any, default: Any = ...) -> InputForm:
    return make_form(annotation, default, data={"value": value} if value is not None else {"other": "1"})


def input_of(form: InputForm, name: str = "value") -> dict[str, str]:
    return next(attributes for _tag, attributes in read_form(form).elements if attributes.get("name") == name)


@pytest.mark.parametrize(
    ("annotation", "typed", "expected"),
    [
        (str, "  two words ", "  two words "),
        (int, "42", 42),
        (int, "-7", -7),
        (float, "1.5", 1.5),
        (Decimal, "0.10", "0.10"),
        (Decimal, "12345678901234567890.123456789", "12345678901234567890.123456789"),
        (bool, "on", True),
        (bool, None, False),
        (bool | None, "", None),
        (bool | None, "true", True),
        (bool | None, "false", False),
        (datetime.date, "2026-11-24", "2026-11-24"),
        (datetime.date, "20260131", "2026-01-31"),
        (datetime.time, "12:30", "12:30"),
        (NaiveDatetime, "2026-11-24T12:30", "2026-11-24T12:30:00"),
        (datetime.timedelta, " 1 day, 02:00:00 ", "1 day, 02:00:00"),
        (uuid.UUID, "6a4d33f0-7a0e-4b6c-9b1c-0e8f6f0f2a11", "6a4d33f0-7a0e-4b6c-9b1c-0e8f6f0f2a11"),
        (HttpUrl, "https://example.org/", "https://example.org/"),
        (SecretStr, "hush", "hush"),
        (bytes, "raw", "raw"),
        (Path, "/srv/data", "/srv/data"),
        (Colour, "blue", "blue"),
        (Level, "2", 2),
        (Literal["a", "b"], "b", "b"),
        (Literal[1, 2], "2", 2),
        (set[Literal["a", "b"]], ["a", "b"], ["a", "b"]),
        (int, " +7 ", 7),
        (Decimal, " 12.50 ", "12.50"),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (int | str, '"text"', "text"),
        (Any, "[1, null]", [1, None]),
    ],
)
def test_what_is_typed_becomes_the_json_value_of_its_type(annotation: Any, typed: Any, expected: Any) -> None:
    form = post(annotation, typed)
    assert form.is_valid(), form.errors
    assert form.external_data == {"value": expected}
    assert type(form.external_data["value"]) is type(expected)


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (str, "text"),
        # What a browser cannot read in an input of type "number" or "email", it drops or changes in silence.
        (int, "text"),
        (float, "text"),
        (Decimal, "text"),
        (bool, "checkbox"),
        (SecretStr, "password"),
        (Annotated[str, Field(json_schema_extra={"format": "password"})], "password"),
        (Annotated[str, Field(json_schema_extra={"format": "file"})], "file"),
        (HttpUrl, "text"),
        (set[Literal["a"]], "checkbox"),
    ],
)
def test_each_type_gets_its_own_input(annotation: Any, kind: str) -> None:
    assert input_of(make_form(annotation))["type"] == kind


@pytest.mark.parametrize(
    ("annotation", "typed", "message"),
    [
        (Annotated[str, Field(min_length=3)], "ab", "at least 3 characters"),
        (Annotated[str, Field(max_length=3)], "abcd", "at most 3 characters"),
        (Annotated[str, Field(pattern="^a+$")], "b", "match pattern"),
        (Annotated[str, StringConstraints(min_length=2)], "x", "at least 2 characters"),
        (int, "two", "valid integer"),
        (int, "9" * 5000, "exceeded maximum size"),
        (Annotated[int, Field(ge=1)], "0", "greater than or equal to 1"),
        (Annotated[float, Field(lt=2)], "2", "less than 2"),
        (float, "nan", "not a finite number"),
        (float, "1e999", "not a finite number"),
        (Annotated[Decimal, Field(max_digits=3)], "1234", "no more than 3 digits"),
        (Annotated[Decimal, Field(decimal_places=1)], "1.23", "no more than 1 decimal place"),
        (Decimal, "NaN", "finite number"),
        (datetime.date, "24.11.2026", "valid date"),
        (datetime.date, "2026-02-30", "day value is outside expected range"),
        (datetime.time, "25:00", "valid time"),
        (datetime.datetime, "soon", "valid datetime"),
        (datetime.date, "86400", "more than one way"),
        (datetime.datetime, "45000", "Write it as 2026-01-31 12:30"),
        (datetime.time, "1230", "Write it as 12:30"),
        (datetime.datetime, "2026013112300", "Write it as 2026-01-31 12:30"),
        (datetime.timedelta, "a while", "valid duration"),
        (datetime.timedelta, "90", "valid duration"),
        (int, "12-5", "valid integer"),
        (int, "5-", "valid integer"),
        (int, "1,250", "has a comma"),
        (float, "12,5", "has a comma"),
        (Decimal, "12,50", "has a comma. Write a point before the decimals"),
        (Decimal, "1.250,00", "has a comma"),
        (uuid.UUID, "no", "valid UUID"),
        (HttpUrl, "no address", "valid URL"),
        (Colour, "green", "'blue' or 'red'"),
        (Literal[1, 2], "3", "1 or 2"),
        (set[Literal["a"]], ["z"], "'a'"),
        (dict[str, int], "{", "This is not JSON"),
        (dict[str, int], '{"a": "x"}', "a: Input should be a valid integer"),
        (dict[str, int], '{"a": NaN}', "not a JSON number"),
        (Any, '"\\u0000"', "NUL character"),
        (Any, '"\\ud800"', "cannot be stored"),
        (Any, "[" * 100_000, "nested too deeply"),
        (str, "a\0b", "NUL character"),
        (str, "", "Field required"),
        (str, None, "Field required"),
    ],
)
def test_a_wrong_value_is_told_at_its_field_and_shown_again(annotation: Any, typed: Any, message: str) -> None:
    form = post(annotation, typed)
    assert not form.is_valid()
    assert message in " ".join(form.errors["value"])
    assert list(form.errors) == ["value"]
    page = str(form)
    assert 'aria-invalid="true"' in page
    assert 'id="id_value_error"' in page
    if isinstance(typed, str):
        assert ("value", typed) in read_form(form).posted


class TestEmptyInputs:
    def test_where_the_type_takes_none_it_is_none(self) -> None:
        form = post(int | None, "", 5)
        assert form.is_valid(), form.errors
        assert form.external_data == {"value": None}

    def test_where_only_a_default_exists_the_value_is_left_out(self) -> None:
        form = post(int, "", 5)
        assert form.is_valid(), form.errors
        assert form.external_data == {}
        assert form.instance is not None
        assert form.instance.model_dump() == {"value": 5}

    def test_the_help_says_which_default_it_becomes(self) -> None:
        assert "Left empty, it becomes 5." in str(make_form(int, 5))
        assert "Left empty" not in str(make_form(int | None, 5))

    def test_a_default_is_shown_as_the_initial_value(self) -> None:
        assert input_of(make_form(int, 5))["value"] == "5"
        assert input_of(make_form(str, Field(default_factory=lambda: "made")))["value"] == "made"

    def test_no_ticked_checkbox_of_a_set_is_the_empty_set_even_with_a_default(self) -> None:
        form = make_form(set[Literal["a", "b"]], {"a"}, data={"other": "1"})
        assert form.is_valid(), form.errors
        assert form.external_data == {"value": []}


class TestText:
    def test_a_textarea_gives_line_breaks_as_they_were(self) -> None:
        wide = Annotated[str, Field(json_schema_extra={"format": "textarea"})]
        form = post(wide, "one\r\ntwo")
        assert form.is_valid()
        assert form.external_data == {"value": "one\ntwo"}

    def test_a_line_with_a_line_break_in_it_is_shown_in_a_textarea(self) -> None:
        form = make_form(str, initial={"value": "one\ntwo"})
        assert ("value", "one\r\ntwo") in read_form(form).posted

    def test_an_example_is_the_placeholder(self) -> None:
        assert input_of(make_form(str, Field(examples=["Berlin"])))["placeholder"] == "Berlin"


class TestChoices:
    def test_a_required_choice_begins_with_none_chosen(self) -> None:
        form = make_form(Colour)
        assert ("value", "") in read_form(form).posted
        assert "Dark blue" in str(form)

    def test_a_choice_with_a_default_has_no_empty_choice(self) -> None:
        assert ("value", "red") in read_form(make_form(Colour, Colour.RED)).posted
        assert "---------" not in str(make_form(Colour, Colour.RED))

    def test_the_only_choice_of_a_discriminator_is_chosen(self) -> None:
        assert ("value", "invoice") in read_form(make_form(Literal["invoice"])).posted

    @pytest.mark.parametrize("value", [1, "1", True])
    def test_values_that_look_the_same_stay_apart(self, value: Any) -> None:
        annotation = Literal[1, "1", True]
        form = make_form(annotation, initial={"value": value})
        bound = make_form(annotation, data=submit(form))
        assert bound.is_valid(), bound.errors
        assert bound.external_data["value"] is value or bound.external_data["value"] == value
        assert type(bound.external_data["value"]) is type(value)

    def test_an_empty_text_can_be_a_choice(self) -> None:
        bound = make_form(Literal["", "a"], data=submit(make_form(Literal["", "a"], initial={"value": ""})))
        assert bound.is_valid(), bound.errors
        assert bound.external_data == {"value": ""}


class TestMoments:
    @pytest.fixture(autouse=True)
    def in_berlin(self) -> Any:
        with timezone.override("Europe/Berlin"):
            yield

    def test_an_aware_moment_is_typed_in_the_current_time_zone(self) -> None:
        form = post(AwareDatetime, "2026-07-01T12:00")
        assert form.is_valid(), form.errors
        assert form.external_data == {"value": "2026-07-01T12:00:00+02:00"}
        assert "Time zone: Europe/Berlin." in str(form)

    def test_a_plain_datetime_is_aware_unless_its_initial_value_is_naive(self) -> None:
        assert post(datetime.datetime, "2026-07-01T12:00").fields["value"].clean("2026-07-01T12:00").endswith("+02:00")
        naive = datetime.datetime(2026, 7, 1, 12)
        form = make_form(datetime.datetime, data={"value": "2026-07-02T12:00"}, initial={"value": naive})
        assert form.is_valid(), form.errors
        assert form.external_data == {"value": "2026-07-02T12:00:00"}

    def test_an_aware_moment_is_shown_in_the_current_time_zone(self) -> None:
        moment = datetime.datetime(2026, 7, 1, 10, tzinfo=datetime.UTC)
        assert input_of(make_form(AwareDatetime, initial={"value": moment}))["value"] == "2026-07-01T12:00:00"

    def test_an_ambiguous_local_time_is_refused_and_can_be_typed_with_its_offset(self) -> None:
        refused = post(AwareDatetime, "2026-10-25T02:30")
        assert not refused.is_valid()
        assert "with its offset" in refused.errors["value"][0]
        assert input_of(refused).items() >= {"type": "text", "value": "2026-10-25T02:30"}.items()
        accepted = post(AwareDatetime, "2026-10-25T02:30:00+01:00")
        assert accepted.is_valid(), accepted.errors

    def test_an_ambiguous_moment_survives_the_form(self) -> None:
        for hour in (0, 1):
            moment = datetime.datetime(2026, 10, 25, hour, 30, tzinfo=datetime.UTC)
            form = make_form(AwareDatetime, data=submit(make_form(AwareDatetime, initial={"value": moment})))
            assert form.is_valid(), form.errors
            assert datetime.datetime.fromisoformat(form.external_data["value"]) == moment

    def test_without_time_zone_support_a_plain_datetime_is_naive(self, settings: Any) -> None:
        settings.USE_TZ = False
        form = post(datetime.datetime, "2026-07-01T12:00")
        assert form.is_valid()
        assert form.external_data == {"value": "2026-07-01T12:00:00"}


def test_a_strict_schema_accepts_what_json_can_say() -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(strict=True)
        day: datetime.date
        amount: Decimal
        count: int
        colour: Colour

    typed = {"day": "2026-01-02", "amount": "1.50", "count": "3", "colour": "red"}
    form = build_input_form(Strict)(data=typed)
    assert form.is_valid(), form.errors
    assert form.external_data == {"day": "2026-01-02", "amount": "1.50", "count": 3, "colour": "red"}


def test_texts_of_a_schema_are_shown_as_text_never_as_html() -> None:
    schema = create_model(
        "Sample", value=(str, Field(title="<b>T</b>", description="<script>x</script>", examples=['"><i>']))
    )
    page = str(build_input_form(schema)(data={"value": "<u>"}))
    for markup in ("<b>", "<script>", "<i>", "<u>"):
        assert markup not in page
    assert "&lt;script&gt;" in page
