"""Every pydantic error is visible, at the input that it belongs to."""

import re
from typing import Annotated, Any, Literal

import pytest
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)

from django_wfe.forms import build_input_form
from tests.support.forms.forms_browser import read_form

pytestmark = pytest.mark.unit


class Line(BaseModel):
    article: str
    price: int
    gift: bool = False

    @model_validator(mode="after")
    def check_gift(self) -> "Line":
        if self.gift and self.price > 100:
            raise ValueError("A gift may cost 100 at most.")
        return self


class Order(BaseModel):
    title: str
    lines: list[Line]
    first: Line | None = None
    options: dict[str, int] = {}

    @field_validator("title")
    @classmethod
    def check_title(cls, title: str) -> str:
        if title == "bad":
            raise ValueError("Not this title.")
        return title

    @model_validator(mode="after")
    def check_order(self) -> "Order":
        if self.title == "none" and self.lines:
            raise ValueError("An order named none has no lines.")
        return self


def order(**changes: Any) -> Any:
    data = {"title": "Paper", "lines": ["4"], "lines-4-article": "A4", "lines-4-price": "5"}
    return build_input_form(Order)({**data, **{name.replace("__", "-"): value for name, value in changes.items()}})


def test_the_errors_of_all_inputs_are_told_at_once() -> None:
    form = order(title=None, lines__4__price="x", options='{"a": "b"}')
    assert set(form.errors) == {"title", "lines-4-price", "options"}


def test_a_field_validators_text_stands_at_its_field_without_pydantics_prefix() -> None:
    assert order(title="bad").errors == {"title": ["Not this title."]}


def test_an_error_in_a_list_item_stands_at_that_item_by_key_not_by_position() -> None:
    form = order(lines=["9", "4"], lines__9__article="x", lines__9__price="1", lines__4__price="x")
    assert list(form.errors) == ["lines-4-price"]


def test_a_model_validator_speaks_at_the_top_of_its_form() -> None:
    form = order(title="none")
    assert form.non_field_errors() == ["An order named none has no lines."]
    assert "An order named none has no lines." in str(form)


def test_a_nested_model_validator_speaks_at_the_top_of_its_group() -> None:
    form = order(lines__4__price="200", lines__4__gift="on")
    assert form.errors == {"lines-4": ["A gift may cost 100 at most."]}
    page = str(form)
    assert re.search(r'aria-describedby="\s*id_lines-4_error"', page)
    assert 'id="id_lines-4_error"' in page


def test_an_error_inside_a_json_input_says_where() -> None:
    assert order(options='{"a": {"b": 1}}').errors["options"][0].startswith("Options › a: ")


def test_what_cannot_be_read_is_told_once_and_not_as_missing() -> None:
    class Schema(BaseModel):
        number: float
        name: str

    form = build_input_form(Schema)({"number": "inf", "name": ""})
    assert {name: len(errors) for name, errors in form.errors.items()} == {"number": 1, "name": 1}


def test_an_error_that_matches_no_field_stands_at_the_top_with_its_path_in_words() -> None:
    class Closed(BaseModel):
        model_config = ConfigDict(extra="forbid")
        name: str

    class Outer(BaseModel):
        unit_price: int
        parts: list[Closed]

    form = build_input_form(Outer)({"unit_price": "1", "parts": ["0"], "parts-0-name": "x"})
    assert form.is_valid()
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"unit_price": 1, "parts": [{"name": "x", "color": 1}]})
    form.add_pydantic_errors(caught.value)
    assert form.non_field_errors() == ["Parts › Closed 1 › color: Extra inputs are not permitted"]
    assert not form.is_valid()


def test_errors_of_a_later_validation_stand_at_their_fields_and_keep_what_was_typed() -> None:
    form = order()
    assert form.is_valid()
    with pytest.raises(ValidationError) as caught:
        Order.model_validate({"title": "Paper", "lines": [{"article": "A4", "price": "no"}]})
    form.add_pydantic_errors(caught.value)
    assert list(form.errors) == ["lines-4-price"]
    assert ("lines-4-price", "5") in read_form(form).posted


def test_errors_at_unknown_places_are_never_lost() -> None:
    class Other(BaseModel):
        lines: dict[str, int]
        stranger: int

    form = order()
    with pytest.raises(ValidationError) as caught:
        Other.model_validate({"lines": {"a": "x"}})
    form.add_pydantic_errors(caught.value)
    page = str(form)
    assert "stranger: Field required" in page
    assert "unable to parse string as an integer" in page


def test_a_defect_in_a_validator_is_told_and_logged_instead_of_breaking_the_page(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Defective(BaseModel):
        name: str

        @field_validator("name")
        @classmethod
        def look_up(cls, name: str) -> str:
            return {"a": "b"}[name]

    form = build_input_form(Defective)({"name": "z"})
    assert not form.is_valid()
    assert "KeyError: 'z'" in form.non_field_errors()[0]
    assert caplog.records[0].exc_info is not None


class TestAliases:
    @pytest.mark.parametrize(
        ("field", "config", "expected"),
        [
            (Field(alias="theName"), {}, {"theName": "x"}),
            (Field(validation_alias="theName"), {}, {"theName": "x"}),
            (Field(alias="theName"), {"populate_by_name": True}, {"theName": "x"}),
            (Field(alias="theName"), {"validate_by_alias": False, "validate_by_name": True}, {"name": "x"}),
            (Field(validation_alias=AliasChoices("one", "two")), {}, {"one": "x"}),
            (Field(validation_alias=AliasPath("names", 1, "first")), {}, {"names": [None, {"first": "x"}]}),
            (Field(serialization_alias="out"), {}, {"name": "x"}),
        ],
    )
    def test_the_data_is_keyed_by_what_validation_accepts(
        self, field: Any, config: Any, expected: dict[str, Any]
    ) -> None:
        schema = type(
            "Aliased", (BaseModel,), {"__annotations__": {"name": str}, "name": field, "model_config": config}
        )
        form = build_input_form(schema)({"name": "x"})
        assert form.is_valid(), form.errors
        assert form.external_data == expected
        assert build_input_form(schema)({"name": ""}).errors == {"name": ["Field required"]}
        assert ("name", "y") in read_form(build_input_form(schema)(initial={"name": "y"})).posted
        assert ("name", "x") in read_form(build_input_form(schema)(initial=form.external_data)).posted

    def test_two_fields_that_swap_names_stay_apart(self) -> None:
        class Swapped(BaseModel):
            left: int = Field(alias="right")
            right: str = Field(alias="left")

        form = build_input_form(Swapped)({"left": "x", "right": "y"})
        assert list(form.errors) == ["left"]


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


class Pet(BaseModel):
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]


def test_a_discriminated_union_is_json_that_validates() -> None:
    form = build_input_form(Pet)({"pet": '{"kind": "cat", "lives": "nine"}'})
    assert "Pet › cat › lives: Input should be a valid integer" in form.errors["pet"][0]
    assert build_input_form(Pet)({"pet": '{"kind": "dog", "name": "Rex"}'}).is_valid()
    assert "&quot;discriminator&quot;" in str(form)


def test_fields_that_are_not_for_input_are_skipped_and_the_order_is_the_models() -> None:
    class Base(BaseModel):
        one: int
        hidden: int = Field(0, init=False)

    class Derived(Base):
        two: int
        one: int

    assert list(build_input_form(Derived)().fields) == ["one", "two"]


def test_a_form_class_is_made_once_for_each_schema() -> None:
    assert build_input_form(Order) is build_input_form(Order)


def test_only_a_pydantic_model_makes_a_form() -> None:
    with pytest.raises(TypeError, match="pydantic model class"):
        build_input_form(dict)  # type: ignore[arg-type]


def test_a_name_that_is_no_identifier_cannot_meet_a_nested_one() -> None:
    inner = create_model("Inner", b=(int, ...))
    schema: Any = create_model("Outer", **{"a-b": (int, ...), "a": (inner, ...)})  # type: ignore[call-overload]
    form = build_input_form(schema)({"_0": "1", "a-b": "2"})
    assert form.is_valid(), form.errors
    assert form.external_data == {"a-b": 1, "a": {"b": 2}}
