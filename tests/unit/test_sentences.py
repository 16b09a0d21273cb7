"""Sentences that remember what they were made of."""

import copy
import json
import pickle

import pytest
from django.utils import translation
from django.utils.translation import gettext_lazy

from django_wfe.definition.sentences import Sentence, mark
from django_wfe.exceptions import WrongState
from django_wfe.values.sentences import gettext, keep, read, read_error, remember, say, write_english

pytestmark = pytest.mark.unit

JOB = "There is no job %(job)s."


def make_in_german() -> Sentence:
    with translation.override("de"):
        return gettext(JOB) % {"job": 7}


def test_a_sentence_is_a_text_in_the_language_in_which_it_was_made_and_can_be_said_in_others() -> None:
    made = make_in_german()
    assert made == "Es gibt keinen Job 7."
    assert made.english == write_english(made) == "There is no job 7."
    assert say(made) == "There is no job 7."
    with translation.override("de"):
        assert say(mark(JOB) % {"job": 7}) == "Es gibt keinen Job 7."


def test_a_row_keeps_what_it_was_made_of_and_each_reader_gets_it_in_their_language() -> None:
    kept = json.loads(json.dumps(keep(make_in_german())))
    assert kept == {"message": JOB, "values": {"job": 7}}
    assert read(kept, "fallback") == "There is no job 7."
    with translation.override("de"):
        assert read(kept, "fallback") == "Es gibt keinen Job 7."


def test_a_sentence_among_the_values_is_said_in_the_same_language() -> None:
    with translation.override("de"):
        outer = gettext("Nothing was changed: %(reason)s") % {"reason": gettext(JOB) % {"job": 7}}
        assert outer == "Es wurde nichts geändert: Es gibt keinen Job 7."
    assert outer.english == "Nothing was changed: There is no job 7."
    assert read(json.loads(json.dumps(keep(outer))), "") == "Nothing was changed: There is no job 7."


def test_an_exception_carries_its_sentence_to_the_row() -> None:
    error = WrongState(make_in_german(), state="FAILED")
    assert str(error) == "Es gibt keinen Job 7."
    assert write_english(read_error(error)) == "There is no job 7."
    plain = ValueError("plain")
    assert (read_error(plain), keep(read_error(plain)), write_english("plain")) == ("plain", None, "plain")


def test_a_lazy_text_of_a_project_remembers_its_source() -> None:
    lazy = gettext_lazy("There is no job %(job)s.")
    with translation.override("de"):
        made = remember(lazy) % {"job": 7}
    assert (str(made), made.english) == ("Es gibt keinen Job 7.", "There is no job 7.")
    assert remember("50 % of it").english == "50 % of it"


@pytest.mark.parametrize(
    "kept",
    [
        None,
        {},
        {"values": {}},
        {"message": JOB},
        {"message": JOB, "values": 5},
        {"message": "%(job)d", "values": {"job": "x"}},
    ],
)
def test_what_cannot_be_read_is_told_by_the_text_beside_it(kept: object) -> None:
    expected = JOB if kept == {"message": JOB} else "fallback"
    assert read(kept, "fallback") == expected  # type: ignore[arg-type]


def test_values_are_kept_as_what_json_and_the_database_can_hold() -> None:
    class Odd:
        def __str__(self) -> str:
            return "odd\0\ud800"

    made = mark("%(value)s %(number)s %(nothing)s") % {"value": Odd(), "number": 1.5, "nothing": None}
    assert write_english(made) == "odd\\x00\\ud800 1.5 None"
    assert keep(made) == {
        "message": "%(value)s %(number)s %(nothing)s",
        "values": {"value": "odd\\x00\\ud800", "number": 1.5, "nothing": None},
    }


def test_percent_signs_without_places_stay() -> None:
    assert mark("100 %").english == say(mark("100 %")) == read(keep(mark("100 %")), "") == "100 %"


def test_a_sentence_survives_copies_and_pickling_as_part_of_an_exception() -> None:
    made = make_in_german()
    for copied in (copy.deepcopy(made), pickle.loads(pickle.dumps(WrongState(made))).args[0]):
        assert (copied, copied.message, copied.english) == (made, JOB, "There is no job 7.")
