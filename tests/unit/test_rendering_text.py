"""Texts that must fit a shape."""

import pytest

from django_wfe.definition.texts import flatten_text
from django_wfe.rendering.text import ELLIPSIS, measure_text, wrap_text

pytestmark = pytest.mark.unit


def test_control_characters_and_line_breaks_do_not_reach_the_picture() -> None:
    assert flatten_text("  a\x00b\x07\n\tc\ud800  d ") == "ab c d"


def test_words_are_wrapped_within_the_width() -> None:
    lines = wrap_text("Read the delimited text file, row by row", 13, width=130, lines=9)
    assert len(lines) > 1
    assert " ".join(lines) == "Read the delimited text file, row by row"
    assert all(measure_text(line, 13) <= 130 for line in lines)


def test_what_does_not_fit_ends_in_an_ellipsis() -> None:
    lines = wrap_text("one two three four five six seven eight nine ten eleven twelve", 13, width=90, lines=3)
    assert len(lines) == 3
    assert lines[-1].endswith(ELLIPSIS)
    assert measure_text(lines[-1], 13) <= 90


def test_a_word_wider_than_a_line_is_broken() -> None:
    lines = wrap_text("x" * 60, 13, width=100, lines=20)
    assert "".join(lines) == "x" * 60
    assert all(measure_text(line, 13) <= 100 for line in lines)


def test_marks_stay_with_their_letter() -> None:
    lines = wrap_text("e\u0301" * 40, 13, width=60, lines=20)
    assert all(line.startswith("e") for line in lines)


def test_wide_scripts_count_as_wide() -> None:
    assert measure_text("承認", 10) > measure_text("ab", 10) * 1.5


@pytest.mark.parametrize("text", ["", "   ", "\n\x00"])
def test_nothing_gives_no_line(text: str) -> None:
    assert wrap_text(text, 13, width=100, lines=3) == ()
