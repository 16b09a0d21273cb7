"""What is typed arrives as it stands: nothing is cut, dropped or read in two ways."""

import datetime
from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, BeforeValidator, Field, HttpUrl, SecretStr, field_validator, model_validator

from django_wfe.forms import InputForm, build_input_form
from tests.support.forms.forms_browser import make_form, read_form

pytestmark = pytest.mark.unit


def post(annotation: Any, value: Any, default: Any = ...) -> InputForm:
    return make_form(annotation, default, data={"value": value} if value is not None else {"other": "1"})


def input_of(form: InputForm, name: str = "value") -> dict[str, str]:
    return next(attributes for _tag, attributes in read_form(form).elements if attributes.get("name") == name)


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [(datetime.date, "date"), (datetime.time, "time"), (datetime.datetime, "datetime-local")],
)
def test_a_native_control_is_left_to_a_script_which_can_tell_half_typed_from_empty(annotation: Any, kind: str) -> None:
    shown = input_of(make_form(annotation))
    assert shown["type"] == "text"
    assert shown["data-wfe-native"] == kind


@pytest.mark.parametrize("typed", ["12.11", "2026-02-3", "tomorrow", "2026-01-31T00:00:00+01:00"])
def test_a_moment_that_a_native_control_would_blank_stays_in_a_text_input(typed: str) -> None:
    for annotation in (datetime.date, datetime.datetime, datetime.time):
        shown = input_of(post(annotation, typed))
        assert "data-wfe-native" not in shown
        assert shown["value"] == typed


class TestOwnReading:
    """A validator before the type gets what was typed, whatever the bare type makes of it."""

    comma = staticmethod(lambda value: str(value).replace(",", "."))

    def test_of_an_annotation(self) -> None:
        form = post(Annotated[Decimal, BeforeValidator(self.comma)], "1,5")
        assert form.is_valid(), form.errors
        assert form.external_data == {"value": "1,5"}

    def test_of_a_decorator(self) -> None:
        class Payment(BaseModel):
            amount: Decimal
            iban: str = Field(max_length=22)
            day: datetime.date

            @field_validator("amount", mode="before")
            @classmethod
            def _take_comma(cls, value: Any) -> Any:
                return str(value).replace(",", ".")

            @field_validator("iban", mode="before")
            @classmethod
            def _take_blanks(cls, value: Any) -> Any:
                return str(value).replace(" ", "")

            @field_validator("day", mode="wrap")
            @classmethod
            def _take_german(cls, value: Any, handler: Any) -> Any:
                return handler("-".join(reversed(str(value).split("."))))

        typed = {"amount": "12,50", "iban": "DE89 3704 0044 0532 0130 00", "day": "31.01.2026"}
        form = build_input_form(Payment)(typed)
        assert form.is_valid(), form.errors
        assert form.external_data == typed
        assert form.instance == Payment(amount="12.50", iban="DE89370400440532013000", day="31.01.2026")
        assert "data-wfe-native" not in input_of(form, "day")

    def test_of_the_whole_model(self) -> None:
        class Order(BaseModel):
            amount: Decimal

            @model_validator(mode="before")
            @classmethod
            def _take_comma(cls, data: Any) -> Any:
                return {name: str(value).replace(",", ".") for name, value in data.items()}

        form = build_input_form(Order)({"amount": "12,50"})
        assert form.is_valid(), form.errors
        assert form.external_data == {"amount": "12,50"}


@pytest.mark.parametrize(
    "annotation",
    [
        Annotated[str, Field(min_length=2, max_length=5)],
        Annotated[str, Field(max_length=5, json_schema_extra={"format": "textarea"})],
        Annotated[SecretStr, Field(max_length=5)],
        Annotated[bytes, Field(max_length=5)],
        Annotated[HttpUrl, Field(max_length=5)],
    ],
)
def test_no_browser_cuts_what_is_pasted(annotation: Any) -> None:
    assert not input_of(make_form(annotation)).keys() & {"maxlength", "minlength"}


def test_five_characters_of_many_bytes_are_five() -> None:
    form = post(Annotated[str, Field(max_length=5)], "😀😀😀😀😀")
    assert form.is_valid(), form.errors
    assert form.external_data == {"value": "😀😀😀😀😀"}


@pytest.mark.parametrize(
    ("typed", "minutes"), [("01:30", 90), ("01:30:00", 90), ("-00:30", -30), ("2 days, 00:30", 2910), ("PT90M", 90)]
)
def test_a_duration_means_what_pydantic_takes_it_for_and_the_form_says_how_it_is_read(typed: str, minutes: int) -> None:
    form = post(datetime.timedelta, typed)
    assert form.is_valid(), form.errors
    assert form.instance == type(form.instance)(value=datetime.timedelta(minutes=minutes))
    assert "Hours:minutes or hours:minutes:seconds" in str(form)


def test_a_telephone_shows_digits_alone_only_if_nothing_else_can_be_needed() -> None:
    assert input_of(make_form(Annotated[int, Field(ge=0)]))["inputmode"] == "numeric"
    for annotation in (int, Annotated[int, Field(ge=-1)], Decimal, float):
        assert "inputmode" not in input_of(make_form(annotation))
