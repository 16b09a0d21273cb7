"""JSON that is given: nothing in it is rounded or dropped in silence."""

from typing import Any

import pytest

from django_wfe.values.json_text import UnreadableJson, read_json

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1, 2.50, 1e3, -0.1]", [1, 2.5, 1000.0, -0.1]),
        ("0.1000000000000000055511151231257827", None),
        ("0.10000000000000000000", 0.1),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ("12345678901234567.5", None),
        ("1e999", None),
        ("0e99999999999999999999", None),
        ("NaN", None),
        ("-Infinity", None),
        ('{"a": {"b": 1}, "b": {"b": 2}}', {"a": {"b": 1}, "b": {"b": 2}}),
        ('{"a": 1, "a": 1}', None),
        ('[{"a": {"c": 1, "c": 2}}]', None),
        ("{", None),
    ],
)
def test_json_is_given_exactly_or_refused(text: str, value: Any) -> None:
    if value is None:
        with pytest.raises(UnreadableJson, match=r"twice|digits|not a JSON number|Expecting"):
            read_json(text)
    else:
        assert read_json(text) == value
