"""Results and inputs as labels and values: what is shown, in which order, and where it ends."""

import json
import re
from html import unescape

import pytest

from django_wfe.admin.elements.payloads import cut_lines
from django_wfe.admin.elements.readable import (
    COLUMNS_SHOWN,
    DEPTH,
    VALUES_SHOWN,
    KeyOrder,
    draw_json,
    list_briefly,
    read_key_order,
)
from django_wfe.definition.graph import Graph, Node

pytestmark = pytest.mark.unit


def draw(value: object, order: dict[str, int] | None = None) -> str:
    return str(draw_json(json.dumps(value), KeyOrder(order or {})))


def read(html: str) -> str:
    """The text that a person reads, one space between two pieces."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def test_a_record_is_read_as_labels_and_values() -> None:
    html = draw({"unit_price": "49.90", "in_stock": True, "sold": False, "note": None, "comment": ""})
    assert html.count("<dt ") == 5
    assert read(html) == "Unit price 49.90 In stock yes Sold no Note – Comment empty"


def test_the_fields_come_in_the_order_of_the_form_and_the_others_after_them() -> None:
    html = draw({"total": 5, "note": "", "items": [], "requester": "Ada"}, {"requester": 0, "items": 1, "note": 2})
    assert read(html) == "Requester Ada Items – Note empty Total 5"


def test_a_list_of_flat_records_is_a_table_whose_cells_know_their_column() -> None:
    html = draw([{"a": 1, "b": "x"}, {"b": "y", "c": None}], {"b": 0})
    assert re.findall(r'<th scope="col" translate="no">(.*?)</th>', html) == ["B", "A", "C"]
    assert html.count("<tr>") == 3
    assert 'data-label="B"' in html
    assert read(html) == "B A C x 1 – y – –"


@pytest.mark.parametrize(
    "records",
    [[{"a": 1}, 2], [{"a": {"b": 1}}], [{str(number): 1 for number in range(COLUMNS_SHOWN + 1)}]],
    ids=["mixed", "nested", "wide"],
)
def test_other_lists_are_lists(records: list[object]) -> None:
    html = draw(records)
    assert "<table" not in html
    assert html.count("<li>") == len(records)


def test_what_a_step_wrote_is_escaped_keys_and_values_alike() -> None:
    evil = "<script>alert(1)</script>\"'"
    for value in ({evil: evil}, [{evil: evil}], [evil], {"a": {"b": {"c": {"d": {"e": evil}}}}}):
        html = draw(value)
        assert "<script" not in html
        assert unescape(html).count("<script") >= 1


def test_keys_that_are_no_names_stay_as_they_are_and_so_do_those_whose_words_are_the_same() -> None:
    assert read(draw({"https://example.com/a_b": 1, "__": 2})) == "https://example.com/a_b 1 __ 2"
    assert read(draw({"unit_price": 1, "unitPrice": 2})) == "unit_price 1 unitPrice 2"


def test_numbers_keep_every_digit() -> None:
    huge = "9" * 5000
    html = str(
        draw_json(f'{{"a": 0.1000000000000000055511151231257827, "b": 1e400, "c": {huge}, "d": -0}}', KeyOrder())
    )
    assert read(html) == f"A 0.1000000000000000055511151231257827 B 1e400 C {huge} D -0"


def test_what_is_long_ends_and_says_how_much_more_there_is() -> None:
    html = draw({f"key_{number}": number for number in range(VALUES_SHOWN + 3)})
    assert html.count("<dt ") == VALUES_SHOWN
    assert "3 more are in the JSON." in html
    assert "1 more is in the JSON." in draw([[number] for number in range(VALUES_SHOWN // 2 + 1)])
    table = draw([{"a": 1, "b": 2}] * VALUES_SHOWN)
    assert table.count("<td") == VALUES_SHOWN
    assert f"{VALUES_SHOWN // 2} more are in the JSON." in table


def test_what_is_deep_ends_as_json() -> None:
    value: object = "bottom"
    for _ in range(DEPTH + 2):
        value = {"down": value}
    html = draw(value)
    assert html.count("<dl") == DEPTH
    assert '{"down": {"down": "bottom"}}' in unescape(html)
    assert draw_json("[" * 100_000, KeyOrder()) == ""


@pytest.mark.parametrize("text", ["", "{", '"text"', "5", "null", "{}", "[]", '{"a": '])
def test_what_is_no_more_readable_than_its_json_is_left_as_json(text: str) -> None:
    assert draw_json(text, KeyOrder()) == ""


def test_a_key_has_the_title_of_its_field_unless_two_fields_call_it_differently() -> None:
    def ask(path: str, **titles: str) -> Node:
        properties = {key: {"title": title} for key, title in titles.items()}
        return Node(path, path, "step", path, "", {"properties": properties})

    graph = Graph((ask("a", sum="What it costs", unit_price="Unit Price", no="First"), ask("b", no="Second")), ())
    order = read_key_order(graph)
    assert read(str(draw_json('{"no": 1, "unit_price": 2, "sum": 3, "k": 4}', order))) == (
        "What it costs 3 Unit price 2 No 1 K 4"
    )


def test_a_line_names_the_first_keys_and_short_values() -> None:
    value = {"note": "x" * 500, "rows": [1, 2, 3], "paid": True, "k" * 220: None, "last": 1}
    named = list_briefly(json.dumps(value), KeyOrder(), 4)
    assert [len(label) <= 41 and len(text) <= 81 for label, text in named] == [True] * 4
    assert named[1:3] == [("Rows", "3 entries"), ("Paid", "yes")]
    assert list_briefly("[1, 2]", KeyOrder(), 4) == []
    assert list_briefly("{broken", KeyOrder(), 4) == []


@pytest.mark.parametrize(("is_end", "expected"), [(False, "a\nb\n[…]"), (True, "[…]\nb\nc")])
def test_a_text_is_cut_to_its_first_or_last_lines_without_the_colours_of_a_terminal(
    is_end: bool, expected: str
) -> None:
    assert cut_lines("a\n\x1b[1;31mb\x1b[0m\nc", 2, is_end=is_end) == expected
    assert cut_lines("\x1b[32ma\x1b[K\nb\n", 2, is_end=is_end) == "a\nb\n"
    assert cut_lines("\x1b[2Aover", 2) == "\x1b[2Aover", "what moves the cursor is shown"
