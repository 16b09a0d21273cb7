"""Fields that an input alone cannot express: each can be answered all the same, if need be as one JSON text."""

import datetime
import enum
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, Json, SecretStr, computed_field

from django_wfe.forms import InputForm, build_input_form
from tests.support.forms.forms_browser import make_form, read_form, submit

pytestmark = pytest.mark.unit


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Day(enum.Enum):
    NEW_YEAR = datetime.date(2026, 1, 1)


class Corner(enum.Enum):
    ORIGIN = (0, 0)


class Rate(enum.Enum):
    REDUCED = Decimal("7.00")
    FULL = Decimal("19.00")


class Odd(enum.Enum):
    WHOLE = Decimal("7.00")
    TENTH = Decimal("0.1")  # no float is equal to it


class Position(BaseModel):
    article: str
    amount: int = 1
    price: Decimal = Decimal("1.50")
    note: str = ""
    urgent: bool = False


class Order(BaseModel):
    title: str = "Paper"
    positions: list[Position] = Field([], description="What is ordered.")


def elements(form: InputForm) -> dict[str, str]:
    """The kind of element of each input."""
    return {attributes["name"]: tag for tag, attributes in read_form(form).elements if "name" in attributes}


class TestOrderAndRepeats:
    @pytest.mark.parametrize(
        "annotation", [list[Colour], tuple[Colour, ...], list[Literal["red", "blue"]]], ids=["list", "tuple", "literal"]
    )
    def test_a_list_of_choices_keeps_both(self, annotation: Any) -> None:
        form = make_form(
            annotation, data={"value": ["2", "0", "1"], **{f"value-{n}": "red" for n in (0, 1)}, "value-2": "blue"}
        )
        assert form.is_valid(), form.errors
        assert form.external_data == {"value": ["blue", "red", "red"]}

    @pytest.mark.parametrize("annotation", [set[Colour], frozenset[Colour]], ids=["set", "frozenset"])
    def test_a_set_of_choices_has_neither_and_is_ticked(self, annotation: Any) -> None:
        form = make_form(annotation, data={"value": ["blue", "red"]})
        assert form.is_valid(), form.errors
        assert [
            attributes["type"] for _tag, attributes in read_form(form).elements if attributes.get("name") == "value"
        ] == ["checkbox", "checkbox"]


class TestChoicesThatJsonLacks:
    def test_a_decimal_is_given_as_the_number_that_pydantic_reads(self) -> None:
        form = make_form(Rate, data={"value": "19.00"})
        assert form.is_valid(), form.errors
        assert form.instance == type(form.instance)(value=Rate.FULL)
        for initial in (Rate.FULL, 19.0, "19.00", Decimal("19.00")):
            assert ("value", "19.00") in read_form(make_form(Rate, initial={"value": initial})).posted

    @pytest.mark.parametrize(
        ("annotation", "named"),
        [
            (Day, "“New year”"),
            (Corner, "“Origin”"),
            (Odd, "“Tenth”"),
            (Literal[Colour.RED], "“Red”"),  # pydantic takes no "red" for it
            (Literal[b"raw", "text"], "raw"),
        ],
    )
    def test_of_others_the_form_says_so_and_takes_json(self, annotation: Any, named: str) -> None:
        form = make_form(annotation | None, data={"value": ""})
        assert elements(form) == {"value": "textarea"}
        assert "These choices cannot be given" in str(form)
        assert named in str(form)
        assert form.is_valid(), form.errors
        assert form.external_data == {"value": None}

    def test_what_json_can_say_of_them_is_taken(self) -> None:
        form = make_form(Odd, data={"value": "7"})
        assert form.is_valid(), form.errors
        assert not make_form(Odd, data={"value": "0.1"}).is_valid()


class TestJsonText:
    @pytest.mark.parametrize(
        ("annotation", "typed", "value"),
        [
            (Json[list[int]], "[1, 2]", [1, 2]),
            (Json[list[int] | None], "null", None),
            (Json, '{"a": 1}', {"a": 1}),
            (Json[str], '"text"', "text"),
            (Annotated[Json[list[int]], Field(min_length=1)], "[1]", [1]),
        ],
    )
    def test_the_text_is_kept_as_it_was_typed(self, annotation: Any, typed: str, value: Any) -> None:
        form = make_form(annotation, data={"value": typed})
        assert form.is_valid(), form.errors
        assert form.external_data == {"value": typed}
        assert form.instance is not None
        assert form.instance.value == value  # type: ignore[attr-defined]

    def test_in_a_list(self) -> None:
        form = make_form(list[Json[list[int]]], data={"value": ["0"], "value-0": "[1]"})
        assert form.is_valid(), form.errors
        assert form.external_data == {"value": ["[1]"]}

    @pytest.mark.parametrize(
        ("typed", "told"),
        [
            ("[1", "This is not JSON"),
            ('["x"]', "item 1: Input should be a valid integer"),
            ("NaN", "not a JSON number"),
            ('{"a": 1, "a": 2}', "twice in one object"),
            ("0.12345678901234567890", "more digits than are kept"),
            ("1e-999999999999999999999", "more digits than are kept"),
            ("[" * 201 + "]" * 201, "nested too deeply"),
            ("9" * 4301, "a number of 4301 digits"),
            ('"\\ud800"', "not Unicode"),
            ('{"\\ud800": 1}', "not Unicode"),
            ('{"\\u0000": 1}', "NUL"),
        ],
    )
    def test_what_would_be_changed_or_cannot_be_kept_is_refused(self, typed: str, told: str) -> None:
        form = make_form(Json[list[int]], data={"value": typed})
        assert not form.is_valid()
        assert told in " ".join(form.errors["value"])


class TestExtraNames:
    class Visit(BaseModel):
        model_config = ConfigDict(extra="allow")
        name: str = Field(validation_alias=AliasChoices("name", "visitor"))

    def test_they_are_shown_and_kept(self) -> None:
        form_class = build_input_form(self.Visit)
        given = {"name": "Ada", "badge": 7, "rooms": ["a"]}
        for initial in (given, self.Visit(**given)):
            form = form_class(submit(form_class(initial=initial)), initial=initial)
            assert form.is_valid(), form.errors
            assert form.external_data == given

    def test_without_them_nothing_is_sent(self) -> None:
        form = build_input_form(self.Visit)({"name": "Ada", "_extra": ""})
        assert form.is_valid(), form.errors
        assert form.external_data == {"name": "Ada"}

    @pytest.mark.parametrize(
        ("typed", "told"),
        [("[1]", "Enter a JSON object"), ('{"visitor": "Bob"}', "“visitor” has its own field"), ("{", "not JSON")],
    )
    def test_what_is_no_object_or_has_the_name_of_a_field_is_told(self, typed: str, told: str) -> None:
        form = build_input_form(self.Visit)({"name": "Ada", "_extra": typed})
        assert not form.is_valid()
        assert told in form.errors["_extra"][0]

    def test_their_errors_stand_beside_them(self) -> None:
        class Counts(BaseModel):
            model_config = ConfigDict(extra="allow")
            __pydantic_extra__: dict[str, int]

        form = build_input_form(Counts)({"_extra": '{"sheep": "many"}'})
        assert not form.is_valid()
        assert form.errors["_extra"] == [
            "Further values › sheep: Input should be a valid integer, unable to parse string as an integer"
        ]

    def test_in_a_model_below(self) -> None:
        form = make_form(list[self.Visit], data={"value": ["0"], "value-0-name": "Ada", "value-0-_extra": '{"a": 1}'})
        assert form.is_valid(), form.errors
        assert form.external_data == {"value": [{"name": "Ada", "a": 1}]}


class TestLongLists:
    """Django answers a request of more than DATA_UPLOAD_MAX_NUMBER_FIELDS values with a bare 400."""

    MANY = {"positions": [{"article": f"a{number}", "note": "x\ny", "urgent": True} for number in range(167)]}

    def test_what_no_request_could_hold_is_one_text(self) -> None:
        form_class = build_input_form(Order)
        drawn = form_class(initial=self.MANY)
        assert elements(drawn) == {"title": "input", "positions-_text": "textarea"}
        assert "What is ordered. This list is too long" in str(drawn)
        form = form_class(submit(drawn), initial=self.MANY)
        assert form.is_valid(), form.errors
        assert form.instance == Order.model_validate(self.MANY)

    def test_the_text_is_validated_and_shown_again(self) -> None:
        form = build_input_form(Order)({"title": "a", "positions-_text": '[{"article": 5}]'})
        assert not form.is_valid()
        assert form.errors == {"positions-_text": ["Positions › item 1 › article: Input should be a valid string"]}
        assert ("positions-_text", '[{"article": 5}]') in read_form(form).posted

    def test_one_item_too_many_makes_a_text_of_all_that_was_typed(self, settings: Any) -> None:
        settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 40 + 1 + 2 * 6
        form_class = build_input_form(Order)
        items = {"positions": ["0", "1"], "positions-0-article": "pen", "positions-1-amount": "many"}
        form = form_class({"title": "Ink", **items, "_structure": "add:positions"})
        assert form.apply_structure_change()
        assert elements(form) == {"title": "input", "positions-_text": "textarea"}
        again = form_class(submit(form))
        assert not again.is_valid()
        assert "Positions › item 2 › article: Field required" in again.errors["positions-_text"]
        assert '"amount": "many"' in str(again["positions-_text"].value())
        assert '"article": "pen"' in str(again["positions-_text"].value())

    def test_an_item_that_still_fits_is_added(self, settings: Any) -> None:
        settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 40 + 1 + 2 * 6
        form = build_input_form(Order)({"title": "Ink", "positions": ["0"], "_structure": "add:positions"})
        assert form.apply_structure_change()
        assert "positions-1-article" in elements(form)

    @pytest.mark.parametrize("most", [None, 5000])
    def test_if_the_project_takes_more_so_does_the_form(self, settings: Any, most: int | None) -> None:
        settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = most
        assert "positions-166-urgent" in elements(build_input_form(Order)(initial=self.MANY))

    def test_more_items_than_a_list_of_inputs_takes_are_a_text_too(self) -> None:
        data = {"value": [str(key) for key in range(200)], **{f"value-{key}": str(key) for key in range(200)}}
        form = make_form(list[int], data={**data, "_structure": "add:value"})
        assert form.apply_structure_change()
        again = make_form(list[int], data=submit(form))
        assert again.is_valid(), again.errors
        assert again.external_data == {"value": list(range(200))}

    def test_secrets_are_never_made_a_text(self, settings: Any) -> None:
        settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 44
        data = {"value": ["0", "1"], "value-0": "hush-hush", "value-1": "hush-hush", "_structure": "add:value"}
        form = make_form(list[SecretStr], data=data)
        assert form.apply_structure_change()
        assert "hush-hush" not in str(form)
        assert "No more items fit into this form." in str(form)

    def test_files_have_a_limit_of_their_own(self, settings: Any) -> None:
        settings.DATA_UPLOAD_MAX_NUMBER_FILES = 2
        page = Annotated[str, Field(json_schema_extra={"format": "file"})]
        given = {"value": ["one", "two", "three"]}
        form = make_form(list[page], data=submit(make_form(list[page], initial=given)), initial=given)
        assert form.is_valid(), form.errors
        assert form.external_data == given


def test_a_nested_model_in_a_json_text_is_read_as_it_is_shown() -> None:
    class Item(BaseModel):
        model_config = ConfigDict(extra="forbid")
        name: str = Field(validation_alias="itemName", serialization_alias="label")

        @computed_field
        def length(self) -> int:
            return len(self.name)

    given = {"value": {"a": Item(itemName="pen")}}
    form = make_form(dict[str, Item], data=submit(make_form(dict[str, Item], initial=given)))
    assert form.is_valid(), form.errors
    assert form.instance is not None
    assert form.instance.model_dump() == {"value": {"a": {"name": "pen", "length": 3}}}
