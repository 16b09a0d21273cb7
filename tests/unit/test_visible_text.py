"""Text of others: what cannot be seen is shown, and nothing acts beyond its end."""

import json

import pytest

from django_wfe.values.visible_text import (
    TURNS,
    escape_unseen_in_json,
    show_controls,
    show_in_terminal,
    show_on_one_line,
    show_on_page,
)

pytestmark = pytest.mark.unit

ALL = "".join(map(chr, [*range(0xA1), 0x61C, 0x200E, 0x2028, 0xDFFF, 0xD800, 0xFFFE, 0xFFFF])) + TURNS


def test_control_characters_become_their_pictures() -> None:
    assert show_controls("\x1b[31mred\x00\x7f\x9b1m") == "␛[31mred␀␡\\x9b1m"


def test_tabs_line_ends_and_every_letter_stay() -> None:
    text = "a\tb\r\nc żółć שלום 🙂 e\u0301 \u200d"
    assert show_controls(text) == text


@pytest.mark.parametrize("show", [show_controls, show_on_one_line, show_in_terminal])
def test_nothing_that_acts_is_left(show: object) -> None:
    assert callable(show)
    shown = show(ALL)
    kept = {"\t", "\n", "\r"} if show is show_controls else {"\n"} if show is show_in_terminal else set()
    assert {character for character in shown if ord(character) < 32 or 0x7F <= ord(character) < 0xA0} == kept
    assert shown.encode()
    if show is not show_controls:
        assert not set(TURNS) & set(shown)


def test_a_carriage_return_does_not_write_over_what_stands_there() -> None:
    assert show_in_terminal("done\rfail\nnext") == "done␍fail\nnext"


def test_a_row_of_a_table_stays_one_row() -> None:
    assert show_on_one_line("a\nb\u2028c") == "a␊b\\u2028c"


def test_json_without_unseen_characters_has_the_same_value() -> None:
    value = {f"key {ALL}": [ALL]}
    text = escape_unseen_in_json(json.dumps(value, ensure_ascii=False))
    assert json.loads(text) == value
    assert show_in_terminal(text) == text


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ("<p>a\u202eb</p>", "<p><bdi>a\u202eb\u202c</bdi></p>"),
        ("<p>a\u2067b\u2069</p>", "<p><bdi>a\u2067b\u2069</bdi></p>"),
        ("</a> a\u202eb, c<br>", "</a><bdi> a\u202eb, c\u202c</bdi><br>"),
        ("<title>a\u202e\u2066b</title>", "<title>a\u202e\u2066b\u2069\u202c</title>"),
        ('<i title="a\u202eb">c</i>', '<i title="a\u202eb\u202c">c</i>'),
        ("<p>\x1b[1m</p>", "<p>␛[1m</p>"),
        ("<p>שלום</p>", "<p>שלום</p>"),
    ],
)
def test_each_text_of_a_page_that_turns_the_direction_is_isolated(html: str, shown: str) -> None:
    assert show_on_page(html) == shown
    assert show_on_page(f"<p>{html}</p>") == f"<p>{shown}</p>"


def test_what_is_edited_is_posted_as_it_is() -> None:
    html = '<textarea name="a">\n\x1b a\u202eb</textarea><input value="\x1b\u202e" name="b"><p>\x1b</p>'
    assert show_on_page(html) == html.replace("<p>\x1b", "<p>␛")
