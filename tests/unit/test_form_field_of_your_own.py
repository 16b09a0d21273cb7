"""The form field of docs/extending.md: typed as one text, validated by pydantic, shown again as it was."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, SecretStr, create_model

from django_wfe.forms import InputField, register_field, unregister_field
from tests.support.documents.documented_shop import write_shop
from tests.support.forms.forms_browser import make_form, read_form, submit

pytestmark = pytest.mark.unit


@pytest.fixture
def money(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    write_shop(tmp_path, "A form field of your own")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("shop.money")
    yield module
    unregister_field(module.Money)
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        del sys.modules[name]


class Marker:
    """Marks a text."""


class UpperField(InputField):
    """Shows and takes capitals."""

    def parse(self, value: Any) -> Any:
        return value.upper()


@pytest.fixture
def upper() -> Iterator[None]:
    register_field(Marker, UpperField)
    register_field("capitals", UpperField)
    yield
    unregister_field(Marker)
    unregister_field("capitals")


def answer(annotation: Any, typed: str) -> Any:
    form = make_form(annotation, data=submit(make_form(annotation), value=typed))
    assert form.is_valid(), form.errors
    return form.external_data["value"]


def test_a_price_is_one_text(money: ModuleType) -> None:
    (name, _value) = read_form(make_form(money.Money)).posted[0]
    assert (name, len(read_form(make_form(money.Money)).posted)) == ("value", 1)
    assert answer(money.Money, " 12.50 EUR ") == {"amount": "12.50", "currency": "EUR"}
    assert "An amount and a currency, such as 12.50 EUR." in str(make_form(money.Money))


def test_subclasses_lists_and_optional_values_have_it_too(money: ModuleType) -> None:
    refund = create_model("Refund", __base__=money.Money)
    assert answer(refund, "1 EUR") == {"amount": "1", "currency": "EUR"}
    assert answer(money.Money | None, "1 EUR") == {"amount": "1", "currency": "EUR"}
    shown = make_form(list[money.Money], [money.Money(amount=1, currency="EUR"), money.Money(amount=2, currency="USD")])
    values = [value for name, value in read_form(shown).posted if value]
    assert {"1 EUR", "2 USD"} <= set(values)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("12.50", "Write an amount and a currency, such as 12.50 EUR."),
        ("-1 EUR", "greater than or equal to 0"),
        ("1 euro", "should match pattern"),
        ("one EUR", "valid decimal"),
    ],
)
def test_what_is_wrong_is_told_at_the_field_which_shows_what_was_typed(
    money: ModuleType, typed: str, words: str
) -> None:
    form = make_form(money.Money, data=submit(make_form(money.Money), value=typed))
    assert not form.is_valid()
    assert words in str(form.errors["value"])
    assert ("value", typed) in read_form(form).posted


def test_initial_values_of_each_kind_are_shown(money: ModuleType) -> None:
    price = money.Money(amount="12.50", currency="EUR")
    for initial in (price, {"amount": "12.50", "currency": "EUR"}):
        assert ("value", "12.50 EUR") in read_form(make_form(money.Money, initial={"value": initial})).posted
    assert ("value", "12.50 EUR") in read_form(make_form(money.Money, price)).posted


def test_a_marker_and_a_format_choose_a_field(upper: None) -> None:
    assert answer(Annotated[str, Marker()], "abc") == "ABC"
    assert answer(Annotated[str, Marker], "abc") == "ABC"
    assert answer(Annotated[str, Field(json_schema_extra={"format": "capitals"})], "abc") == "ABC"
    assert answer(str, "abc") == "abc"


def test_a_secret_keeps_its_own_field(upper: None) -> None:
    form = make_form(Annotated[SecretStr, Marker()])
    assert 'type="password"' in str(form)


@pytest.mark.parametrize(
    ("kind", "field", "error", "words"),
    [
        ("", UpperField, TypeError, "'': register a field for a class, or for a format"),
        (3, UpperField, TypeError, "3: register a field for a class"),
        (BaseModel, str, TypeError, "is not a field: use a subclass of django_wfe.forms.InputField"),
        (Marker, UpperField, ValueError, "has the field UpperField already"),
    ],
)
def test_what_cannot_be_registered_is_refused(
    upper: None, kind: Any, field: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        register_field(kind, field)
    with pytest.raises(ValueError, match="There is no field of a project's own"):
        unregister_field(BaseModel)
