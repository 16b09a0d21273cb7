"""The demo's visitor reads pages and forms as a browser does."""

import pytest

from tests.support.demo.page_forms import Form
from tests.support.demo.pages import Page

pytestmark = pytest.mark.unit

ADDRESS = "http://127.0.0.1:8000/admin/jobs/7/"


def read(body: str) -> Page:
    return Page(ADDRESS, 200, f"<html><head><title>Job 7</title></head><body>{body}</body></html>")


def read_form(body: str, attributes: str = 'method="post"') -> Form:
    return read(f"<form {attributes}>{body}</form>").forms[0]


def test_a_form_starts_with_the_values_of_the_page() -> None:
    form = read_form(
        '<input name="title" value="A &amp; B"><input type="hidden" name="token" value="x">'
        "<textarea name='note'>\nfirst\nsecond</textarea>"
    )
    assert form.list_pairs(None) == [("title", "A & B"), ("token", "x"), ("note", "first\nsecond")]


def test_a_form_without_action_goes_to_its_page_and_one_with_action_is_resolved() -> None:
    assert read_form("").action == ADDRESS
    assert read_form("", 'action="input/"').action == f"{ADDRESS}input/"
    assert read_form("", 'action="/login/"').action == "http://127.0.0.1:8000/login/"


def test_a_single_choice_defaults_to_its_first_option_and_takes_values_or_texts() -> None:
    form = read_form('<select name="kind"><option value="">---</option><option value="j">JSON</option></select>')
    assert form.get("kind").values == [""]
    form.fill("kind", "JSON")
    assert form.get("kind").values == ["j"]
    with pytest.raises(LookupError, match=r"does not offer 'XML'; it offers: .*j \(JSON\)"):
        form.fill("kind", "XML")


def test_several_choices_are_sent_one_by_one() -> None:
    form = read_form(
        '<select name="k" multiple><option value="1" selected>a<option value="2">b<option value="3" selected>c</select>'
    )
    assert form.list_pairs(None) == [("k", "1"), ("k", "3")]
    form.fill("k", ["b"])
    assert form.list_pairs(None) == [("k", "2")]


def test_checkboxes_are_sent_only_when_ticked() -> None:
    form = read_form('<input type="checkbox" name="urgent"><input type="checkbox" name="paid" value="yes" checked>')
    assert form.list_pairs(None) == [("paid", "yes")]
    form.tick("urgent")
    form.tick("paid", ticked=False)
    assert form.list_pairs(None) == [("urgent", "on")]


def test_radio_buttons_of_one_name_are_one_choice() -> None:
    form = read_form('<input type="radio" name="a" value="1" checked><input type="radio" name="a" value="2">')
    assert form.list_pairs(None) == [("a", "1")]
    form.fill("a", "2")
    assert form.list_pairs(None) == [("a", "2")]


def test_radio_buttons_are_chosen_by_what_their_labels_say() -> None:
    form = read_form(
        '<input type="radio" name="a" value="1" id="i1"><label for="i1">Keep it</label>'
        '<label><input type="radio" name="a" value="2" id="i2"> Drop it</label>'
    )
    form.fill("a", "Drop it")
    assert form.list_pairs(None) == [("a", "2")]


def test_disabled_controls_are_neither_sent_nor_filled() -> None:
    form = read_form('<input name="fixed" value="1" disabled>')
    assert form.list_pairs(None) == []
    with pytest.raises(ValueError, match="'fixed' is disabled"):
        form.fill("fixed", "2")


def test_only_the_pressed_button_is_sent() -> None:
    form = read_form('<button name="save" value="1">Save</button><input type="submit" name="next" value="Next">')
    assert form.list_pairs(None) == []
    assert form.list_pairs("next") == [("next", "Next")]
    with pytest.raises(LookupError, match="no button 'drop'; it has: save=1, next=Next"):
        form.list_pairs("drop")


def test_buttons_of_one_name_are_told_apart_by_their_values() -> None:
    form = read_form('<button name="do" value="add">+</button><button name="do" value="remove">-</button>')
    assert form.list_pairs(("do", "remove")) == [("do", "remove")]
    assert form.list_pairs("do") == [("do", "add")]
    assert read_form('<button name="do" value="add" disabled>+</button>').buttons == []


def test_a_file_is_sent_with_its_name_and_an_unchosen_one_empty() -> None:
    form = read_form('<input type="file" name="data">')
    assert form.list_pairs(None) == [("data", ("", b""))]
    form.attach("data", "zones.tab", b"1\t2")
    assert form.list_pairs(None) == [("data", ("zones.tab", b"1\t2"))]


def test_a_field_that_is_missing_is_told_with_those_that_are_there() -> None:
    with pytest.raises(LookupError, match="no field 'c'; it has: a, b"):
        read_form('<input name="a"><input name="b">').fill("c", "1")


def test_what_lies_in_a_template_element_is_not_part_of_the_form() -> None:
    assert read_form('<template><input name="row-x"></template><input name="row-0" value="1">').list_pairs(None) == [
        ("row-0", "1")
    ]


def test_a_control_outside_its_form_belongs_to_it_by_id() -> None:
    page = read('<form id="f"><input name="a" value="1"></form><input name="b" value="2" form="f">')
    assert page.forms[0].list_pairs(None) == [("a", "1"), ("b", "2")]


def test_labels_tell_what_a_control_is_for() -> None:
    assert read_form('<label for="i">The  amount:</label><input id="i" name="a">').get("a").label == "The amount"


def test_a_page_tells_its_title_text_and_links() -> None:
    page = read("<h1>Job</h1><p>is <b>waiting</b></p><a href='../8/'>next one</a><script src='/x.js'>no text</script>")
    assert page.title == "Job 7"
    assert "Job\nis waiting\nnext one" in page.text
    assert "no text" not in page.text
    assert page.find_link("next") == "http://127.0.0.1:8000/admin/jobs/8/"
    with pytest.raises(LookupError, match="no link with 'previous'"):
        page.find_link("previous")


def test_what_a_page_loads_is_listed() -> None:
    page = read('<link rel="stylesheet" href="/static/a.css"><script src="/static/b.js"></script><img src="c.svg">')
    assert page.violations == []
    assert page.resources == [
        "http://127.0.0.1:8000/static/a.css",
        "http://127.0.0.1:8000/static/b.js",
        f"{ADDRESS}c.svg",
    ]


@pytest.mark.parametrize(
    ("html", "violation"),
    [
        ("<script>alert(1)</script>", "inline script"),
        ("<style>p {}</style>", "style element"),
        ("<p style='color: red'>x</p>", "style attribute on p"),
        ("<button onclick='go()'>x</button>", "onclick attribute on button"),
        ("<a href=' JavaScript:go()'>x</a>", "script in the href of a"),
        ("<script src='https://cdn.example.com/x.js'></script>", "script from elsewhere"),
        ("<template><p style='color: red'>x</p></template>", "style attribute on p"),
    ],
)
def test_what_a_strict_policy_forbids_is_found(html: str, violation: str) -> None:
    assert violation in "; ".join(read(html).violations)


def test_data_for_scripts_is_allowed() -> None:
    assert read('<script type="application/json" id="d">{"a": 1}</script>').violations == []
