"""Nested models and lists: how they are drawn, posted, changed by buttons, and what junk in a request does."""

import collections.abc
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils.datastructures import MultiValueDict
from pydantic import BaseModel, Field, SecretStr

from django_wfe.forms import InputForm, build_input_form
from tests.support.forms.forms_browser import read_form, submit

pytestmark = pytest.mark.unit


class Address(BaseModel):
    """Where to send it."""

    street: str
    city: str = "Berlin"


class Tax(BaseModel):
    rate: int


class Line(BaseModel):
    article: str
    amount: int = 1
    taxes: list[Tax] = []


class Order(BaseModel):
    title: str
    bill_to: Address
    ship_to: Address | None = None
    lines: list[Line] = Field(min_length=1, max_length=3)
    tags: list[str] = []
    notes: list[str] | None = None


def order_form(data: Any = None, **arguments: Any) -> InputForm:
    return build_input_form(Order)(data, prefix="input", **arguments)


def complete(**changes: Any) -> dict[str, Any]:
    data = {
        "input-title": "Paper",
        "input-bill_to-street": "Main Street 1",
        "input-bill_to-city": "Bonn",
        "input-lines": ["0"],
        "input-lines-0-article": "A4",
        "input-lines-0-amount": "2",
    }
    return {**data, **{f"input-{name.replace('__', '-')}": value for name, value in changes.items()}}


class TestNestedModels:
    def test_a_nested_model_is_a_fieldset_with_its_legend_and_docstring(self) -> None:
        page = str(order_form())
        assert "<legend>Bill to</legend>" in page
        assert "Where to send it." in page

    def test_the_data_is_nested_as_the_model_is(self) -> None:
        form = order_form(complete())
        assert form.is_valid(), form.errors
        assert form.external_data == {
            "title": "Paper",
            "bill_to": {"street": "Main Street 1", "city": "Bonn"},
            "ship_to": None,
            "lines": [{"article": "A4", "amount": 2, "taxes": []}],
            "tags": [],
            "notes": None,
        }

    def test_an_optional_group_that_is_ticked_is_given(self) -> None:
        form = order_form(complete(ship_to="given", ship_to__street="Side Street"))
        assert form.is_valid(), form.errors
        assert form.external_data["ship_to"] == {"street": "Side Street"}

    def test_an_optional_group_that_was_filled_but_not_ticked_asks_what_is_meant(self) -> None:
        form = order_form(complete(ship_to__street="Side Street", ship_to__city="Berlin"))
        assert not form.is_valid()
        assert "is not ticked" in form.errors["ship_to"][0]
        assert ("input-ship_to-street", "Side Street") in read_form(form).posted

    def test_unticking_a_group_that_was_given_takes_it_away(self) -> None:
        initial = {"title": "x", "ship_to": {"street": "Old Street"}}
        shown = order_form(initial=initial)
        assert ("input-ship_to", "given") in read_form(shown).posted
        data = submit(shown, ship_to=None, bill_to__street="Main", lines__0__article="A4")
        form = order_form(data, initial=initial)
        assert form.is_valid(), form.errors
        assert form.external_data["ship_to"] is None

    def test_inputs_of_a_group_that_may_be_left_out_do_not_keep_the_browser_from_submitting(self) -> None:
        required = {a["name"] for _tag, a in read_form(order_form()).elements if "required" in a}
        assert "input-bill_to-street" in required
        assert "input-ship_to-street" not in required


class TestLists:
    def test_a_list_starts_with_the_items_it_needs(self) -> None:
        assert ("input-lines", "0") in read_form(order_form()).posted
        assert ("input-lines", "1") not in read_form(order_form()).posted

    def test_keys_with_gaps_keep_their_order(self) -> None:
        data = complete(lines=["7", "2"], lines__7__article="first", lines__2__article="second")
        form = order_form(data)
        assert form.is_valid(), form.errors
        assert [line["article"] for line in form.external_data["lines"]] == ["first", "second"]

    def test_lists_in_lists_are_read(self) -> None:
        data = complete(lines__0__taxes=["0", "1"], lines__0__taxes__0__rate="7", lines__0__taxes__1__rate="19")
        form = order_form(data)
        assert form.is_valid(), form.errors
        assert form.external_data["lines"][0]["taxes"] == [{"rate": 7}, {"rate": 19}]

    def test_an_empty_item_of_scalars_is_an_error_at_that_item(self) -> None:
        form = order_form(complete(tags=["0", "1"], tags__0="a", tags__1=""))
        assert not form.is_valid()
        assert list(form.errors) == ["tags-1"]
        assert "Fill it in or remove it" in form.errors["tags-1"][0]

    def test_the_lengths_are_pydantics(self) -> None:
        assert "at least 1 item" in order_form(complete(lines=[])).errors["lines"][0]
        four = {f"lines__{key}__article": "x" for key in range(4)}
        assert "at most 3 items" in order_form(complete(lines=list("0123"), **four)).errors["lines"][0]

    def test_a_full_list_takes_no_more(self) -> None:
        three = {f"lines__{key}__article": "x" for key in range(3)}
        reader = read_form(order_form(complete(lines=list("012"), **three)))
        button = next(a for tag, a in reader.elements if tag == "button" and a.get("value") == "add:lines")
        assert "disabled" in button

    def test_an_optional_list_is_none_or_empty_as_its_checkbox_says(self) -> None:
        for notes, expected in (([], None), (["given"], [])):
            form = order_form(complete(notes=notes))
            assert form.is_valid(), form.errors
            assert form.external_data["notes"] == expected

    @pytest.mark.parametrize(
        "annotation", [list[int], set[int], frozenset[int], tuple[int, ...], collections.abc.Sequence[int]]
    )
    def test_every_kind_of_sequence_has_items(self, annotation: Any) -> None:
        class Numbers(BaseModel):
            numbers: annotation

        form = build_input_form(Numbers)({"numbers": ["0", "1"], "numbers-0": "1", "numbers-1": "2"})
        assert form.is_valid(), form.errors
        assert form.external_data == {"numbers": [1, 2]}

    def test_a_bare_list_is_json(self) -> None:
        class Things(BaseModel):
            things: list  # type: ignore[type-arg]

        form = build_input_form(Things)({"things": "[1]"})
        assert form.is_valid(), form.errors


class TestButtonsWithoutJavaScript:
    def test_add_renders_one_more_item_and_keeps_what_was_typed(self) -> None:
        data = submit(order_form(), button="Add Line", title="Half typed", lines__0__amount="many")
        form = order_form(data)
        assert form.apply_structure_change()
        reader = read_form(form)
        assert ("input-lines", "1") in reader.posted
        assert ("input-lines-1-amount", "1") in reader.posted
        assert ("input-title", "Half typed") in reader.posted
        assert ("input-lines-0-amount", "many") in reader.posted

    def test_nothing_is_validated_and_nothing_is_valid(self) -> None:
        form = order_form(submit(order_form(), button="Add Line"))
        form.apply_structure_change()
        assert not form.errors
        assert not form.is_valid()
        assert "errorlist" not in str(form)
        with pytest.raises(ValueError, match="not valid"):
            form.external_data  # noqa: B018

    def test_the_cursor_goes_to_the_new_item(self) -> None:
        form = order_form(submit(order_form(), button="Add Line"))
        form.apply_structure_change()
        focused = [a.get("name") for _tag, a in read_form(form).elements if "autofocus" in a]
        assert focused == ["input-lines-1-article"]

    def test_remove_takes_exactly_that_item_away(self) -> None:
        data = complete(lines=["0", "1"], lines__1__article="second", _structure="remove:lines-0")
        form = order_form(data)
        assert form.apply_structure_change()
        posted = read_form(form).posted
        assert ("input-lines-1-article", "second") in posted
        assert not [name for name, _value in posted if name.startswith("input-lines-0")]

    def test_an_item_of_an_inner_list_can_be_added_and_filled_in(self) -> None:
        first = order_form(complete(_structure="add:lines-0-taxes"))
        assert first.apply_structure_change()
        second = order_form(submit(first, lines__0__taxes__0__rate="19"))
        assert not second.apply_structure_change()
        assert second.is_valid(), second.errors
        assert second.external_data["lines"][0]["taxes"] == [{"rate": 19}]

    def test_adding_to_an_optional_list_gives_it(self) -> None:
        form = order_form(complete(_structure="add:notes"))
        form.apply_structure_change()
        assert ("input-notes", "given") in read_form(form).posted

    def test_a_new_item_never_gets_the_secrets_of_a_removed_one(self) -> None:
        class Accounts(BaseModel):
            tokens: list[SecretStr]

        initial = {"tokens": [SecretStr("first"), SecretStr("second")]}
        form_class = build_input_form(Accounts)
        removed = form_class(submit(form_class(initial=initial), button="Remove Tokens 2"), initial=initial)
        assert removed.apply_structure_change()
        added = form_class(submit(removed, button="Add Tokens"), initial=initial)
        assert added.apply_structure_change()
        final = form_class(submit(added), initial=initial)
        assert not final.is_valid()
        assert "second" not in str(final.layout.read(final.cleaned_data))

    @pytest.mark.parametrize(
        "asked", ["add:", "add:nothing", "remove:lines-99", "remove:title", "explode:lines", ":::", "add:lines-0"]
    )
    def test_a_button_that_names_nothing_changes_nothing(self, asked: str) -> None:
        form = order_form(complete(_structure=asked))
        before = read_form(order_form(complete())).posted
        assert form.apply_structure_change()
        assert read_form(form).posted == before

    def test_an_ordinary_submission_is_no_structure_change(self) -> None:
        assert not order_form(complete()).apply_structure_change()
        assert not order_form().apply_structure_change()

    def test_the_enter_key_does_not_press_add_or_remove(self) -> None:
        buttons = [a for tag, a in read_form(order_form()).elements if tag == "button"]
        assert "name" not in buttons[0]
        assert buttons[0]["type"] == "submit"

    def test_the_blank_item_for_javascript_is_inert(self) -> None:
        page = str(order_form())
        assert "<template data-wfe-blank>" in page
        assert 'name="input-lines-__1__-taxes-__2__-rate"' in page
        assert not [name for name, _value in read_form(order_form()).posted if "__" in name]


class TestJunk:
    @pytest.mark.parametrize(
        "keys",
        [["1000000000"], ["-1"], ["1e9"], ["0x1"], [""], ["٣"], ["0; drop"], ["__1__"], ["given"], ["9" * 5000]],
    )
    def test_keys_that_are_no_keys_are_ignored(self, keys: list[str]) -> None:
        form = order_form(complete(lines=keys))
        assert not form.is_valid()
        assert list(form.errors) == ["lines"]

    def test_the_largest_key_is_a_key_and_no_count(self) -> None:
        form = order_form(complete(lines=["999999999"], lines__999999999__article="x"))
        assert form.is_valid(), form.errors
        order_form(complete(lines=["999999999"], _structure="add:lines")).apply_structure_change()

    def test_ten_thousand_items_are_capped_with_an_error(self) -> None:
        keys = [str(key) for key in range(10_000)]
        form = order_form(complete(tags=keys, **{f"tags__{key}": "x" for key in range(10_000)}))
        assert not form.is_valid()
        assert "10000 items are more than this form takes" in form.errors["tags"][0]
        assert len([name for name in form.fields if name.startswith("tags-")]) == 200

    def test_a_doubled_key_is_one_item(self) -> None:
        form = order_form(complete(lines=["0", "0", "00"]))
        assert form.is_valid(), form.errors
        assert len(form.external_data["lines"]) == 1

    @pytest.mark.parametrize("data", [{"x": "1"}, {"input-lines": "0"}, {"input-bill_to": ["given", "3"]}])
    def test_a_request_that_lacks_nearly_everything_is_an_invalid_form(self, data: dict[str, Any]) -> None:
        form = order_form(data)
        assert not form.is_valid()
        assert "errornote" in str(form)

    def test_files_in_place_of_text_and_lists_in_place_of_scalars_do_no_harm(self) -> None:
        files = MultiValueDict({"input-title": [SimpleUploadedFile("x", b"y")]})
        data = MultiValueDict({"input-title": ["a", "b"], "input-bill_to-street": [], "input-lines": ["0"]})
        form = order_form(data, files=files)
        assert not form.is_valid()
        assert read_form(form).posted


def test_the_docstring_of_the_schema_introduces_the_form() -> None:
    assert "Where to send it." in str(build_input_form(Address)())


def test_an_input_that_is_required_within_an_optional_group_says_so_to_a_screen_reader() -> None:
    inputs = {a.get("name"): a for _tag, a in read_form(order_form()).elements}
    assert inputs["input-ship_to-street"]["aria-required"] == "true"
    assert "aria-required" not in inputs["input-ship_to-city"]


def test_a_view_may_allow_larger_files() -> None:
    class Upload(BaseModel):
        table: str = Field(json_schema_extra={"format": "file"})

    files = {"table": SimpleUploadedFile("table.csv", b"abc")}
    assert build_input_form(Upload)({"x": "1"}, files, max_upload_bytes=3).is_valid()
    assert "at most 2" in build_input_form(Upload)({"x": "1"}, files, max_upload_bytes=2).errors["table"][0]


def test_every_label_points_at_an_input_and_every_description_at_a_text() -> None:
    form = order_form(complete(title="", lines=["0", "1"], ship_to="given", tags=["0"]))
    assert not form.is_valid()
    elements = read_form(form).elements
    identifiers = [attributes["id"] for _tag, attributes in elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    for tag, attributes in elements:
        if tag == "label":
            assert attributes["for"] in identifiers
        for described in attributes.get("aria-describedby", "").split():
            assert described in identifiers
