"""What can be kept as JSON, and how a refusal names what and where."""

import dataclasses
import datetime
import enum
import json
import uuid
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr, field_serializer

from django_wfe.exceptions import NotEncodable
from django_wfe.values.encoding import dump, encode

pytestmark = pytest.mark.unit

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=20,
)


def refuse(value):
    """Give the message with which a value is refused."""
    with pytest.raises(NotEncodable) as raised:
        encode(value, "the result of shop.Charge")
    message = str(raised.value)
    assert message.startswith("The result of shop.Charge")
    return message


class Colour(enum.Enum):
    RED = "red"


class Item(BaseModel):
    price: Decimal
    day: datetime.date


@dataclasses.dataclass
class Point:
    x: int
    y: int


@given(JSON_VALUES)
def test_a_json_value_reads_back_as_it_was_with_its_types(value):
    again = json.loads(encode(value, "x"))
    assert again == value
    assert repr(again) == repr(value)


@pytest.mark.parametrize("number", [1e16, 1e22, 1e23, -1.5e300, 1.7976931348623157e308, 5e-324, 0.1, 1e-7, 123456.0])
def test_a_float_is_written_so_that_it_stays_a_float(number):
    text = encode({"a": [number]}, "x")
    assert "e+" not in text
    assert repr(json.loads(text)["a"][0]) == repr(number)


def test_a_text_that_looks_like_a_number_is_left_alone():
    value = {"1e+23": ["1e+23", '"1e+23', "\\", "\\\\1e+23", 'a"b\\" 1e+9'], "n": 1e23}
    assert json.loads(encode(value, "x")) == value
    assert json.loads(dump(value)) == value


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (datetime.date(2024, 2, 29), "2024-02-29"),
        (datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC), "2024-02-29T12:00:00Z"),
        (Decimal("1.10"), "1.10"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Colour.RED, "red"),
        ((1, (2, 3)), [1, [2, 3]]),
        ({7}, [7]),
        (Item(price=Decimal("1.10"), day=datetime.date(2024, 1, 2)), {"price": "1.10", "day": "2024-01-02"}),
        (Point(1, 2), {"x": 1, "y": 2}),
        ({1: "a", 2.5: "b"}, {"1": "a", "2.5": "b"}),
        ({Colour.RED: 1}, {"red": 1}),
        ({datetime.date(2024, 1, 2): 1}, {"2024-01-02": 1}),
        (None, None),
        ([], []),
        ("\\u0000", "\\u0000"),
    ],
)
def test_what_a_reader_can_tell_apart_is_kept(value, kept):
    assert json.loads(encode(value, "x")) == kept


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_nan_and_infinity_are_refused_with_their_place(number):
    assert "value is NaN or Infinity. Return None" in refuse(number)
    assert "value['rows'][1]['x'] is NaN or Infinity" in refuse({"rows": [{"x": 1}, {"x": number}]})
    assert "value['a'] is NaN or Infinity" in refuse({"a": number, "b": "x\0"})


def test_nan_in_a_model_is_refused_with_its_place():
    class Measured(BaseModel):
        value: float

    assert "value[0]['value'] is NaN or Infinity" in refuse([Measured(value=float("nan"))])


def test_nul_is_refused_with_its_place():
    assert "value holds a NUL character, which PostgreSQL cannot keep. Take it out." in refuse("a\0b")
    assert "value['rows'][0] holds a NUL character" in refuse({"rows": ["\0"]})
    assert "the key 'a\\x00' of value['rows'] holds a NUL character" in refuse({"rows": {"a\0": 1}})


def test_lone_surrogates_are_refused_with_their_place():
    assert "value['rows'][1] contains a lone surrogate" in refuse({"rows": ["ok", "\ud800"]})
    assert "the key '\\udfff' of value contains a lone surrogate" in refuse({"\udfff": 1})
    assert json.loads(encode("\U0001f600", "x")) == "\U0001f600"


@pytest.mark.parametrize("value", [object(), lambda: 1, int, ValueError("x"), range(3)])
def test_what_is_no_json_is_refused_with_its_type_and_place(value):
    assert f"({type(value).__name__}) cannot be kept as JSON" in refuse(value)
    message = refuse({"rows": [1, (2, value)]})
    assert "value['rows'][1][1]: " in message
    assert type(value).__name__ in message


def test_bytes_that_are_no_text_are_refused():
    assert "value['raw']: " in refuse({"raw": b"\xff\xfe"})


def test_a_cycle_is_refused():
    rows = {"rows": []}
    rows["rows"].append(rows)
    assert "Circular reference" in refuse(rows)


def test_the_same_part_twice_is_no_cycle():
    part = {"a": [1]}
    assert json.loads(encode([part, part], "x")) == [part, part]


@pytest.mark.parametrize("depth", [300, 3000, 30_000])
def test_deep_nesting_is_refused_not_an_error_of_the_interpreter(depth):
    value = []
    for _ in range(depth):
        value = [value]
    message = refuse(value)
    assert "depth" in message or "deep" in message
    while value:  # taken apart by a loop, as its own destruction would be a recursion
        value = value[0]


def test_too_large_is_refused_with_both_sizes(settings):
    settings.WFE_MAX_RESULT_BYTES = 1000
    assert encode("x" * 998, "x") == '"' + "x" * 998 + '"'
    message = refuse("x" * 999)
    assert "takes 1,001 bytes as JSON; WFE_MAX_RESULT_BYTES is 1,000" in message
    assert "return a reference, or raise the setting" in message
    assert "takes 1,002 bytes" in refuse("ü" * 500)


def test_the_default_limit_is_one_mebibyte():
    assert encode("x" * (1_048_576 - 2), "x")
    assert "takes 1,048,577 bytes" in refuse("x" * (1_048_576 - 1))


def test_an_int_that_python_cannot_write_is_refused():
    assert "Exceeds the limit (4300 digits)" in refuse([10**5000])


@pytest.mark.parametrize("key", [None, True, (1, 2), b"a", frozenset()])
def test_a_key_that_is_no_text_or_number_is_refused(key):
    message = refuse({"rows": [{key: 1}]})
    assert f"the key {key!r} of value['rows'][0] is not a text or number" in message


def test_a_key_that_is_nan_is_refused():
    assert "the key nan of value is NaN or Infinity" in refuse({float("nan"): 1})


def test_two_keys_that_are_one_as_text_are_refused_since_one_value_would_be_lost():
    assert "two keys of value['a'] are the same as text" in refuse({"a": {1: "x", "1": "y"}})


class Login(BaseModel):
    user: str
    password: SecretStr


class OpenLogin(Login):
    @field_serializer("password")
    def write(self, value: SecretStr) -> str:
        return value.get_secret_value()


def test_a_secret_is_refused_not_kept_as_asterisks():
    assert "value['password'] is a secret, which would be kept as asterisks" in refuse({"password": SecretStr("x")})
    assert "value[0].password is a secret" in refuse([Login(user="a", password=SecretStr("x"))])


def test_a_model_that_writes_its_secret_out_is_taken_at_its_word():
    assert json.loads(encode(OpenLogin(user="a", password=SecretStr("x")), "x")) == {"user": "a", "password": "x"}
