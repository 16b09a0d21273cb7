"""Every kind of field through the form: its default posted back unchanged, and a value that is refused."""

import json

import pytest

from django_wfe.engine.inputs.validation import encode_input, load_input
from django_wfe.forms import InputForm, build_input_form
from tests.support.forms.field_kinds import FIELD_KINDS, FieldKind
from tests.support.forms.forms_browser import read_form, submit

pytestmark = pytest.mark.unit

# Wrong data that nobody can type: what is not a text for a text, no list for a list, a text that is not a text of JSON.
UNTYPEABLE = {
    *("text of other line ends", "empty text", "empty bytes", "list of empty texts"),
    *("text", "long text", "text or none", "upper text", "bytes", "path", "secret text", "secret bytes"),
    *("boolean", "strict integer", "strict text", "strict boolean", "strict"),
    *("list or none", "deep model", "recursive", "root list", "json"),
    *("alias path", "extra", "no extra", "frozen"),
}


@pytest.mark.parametrize("kind", FIELD_KINDS, ids=str)
def test_a_default_posted_back_unchanged_gives_an_equal_model(kind: FieldKind) -> None:
    form_class = build_input_form(kind.model)
    check(kind, form_class(submit(form_class())))


@pytest.mark.parametrize("kind", [kind for kind in FIELD_KINDS if not kind.holds_secret], ids=str)
def test_a_stored_value_shown_and_posted_back_gives_an_equal_model(kind: FieldKind) -> None:
    form_class = build_input_form(kind.model)
    stored = json.loads(encode_input(kind.model, kind.data, "the input"))
    check(kind, form_class(submit(form_class(initial=stored)), initial=stored))


def check(kind: FieldKind, form: InputForm) -> None:
    assert form.is_valid(), form.errors
    assert form.instance == kind.instance
    assert load_input(kind.model, encode_input(kind.model, form.external_data, "the input")) == kind.instance


@pytest.mark.parametrize("kind", [kind for kind in FIELD_KINDS if kind.name not in UNTYPEABLE], ids=str)
def test_a_wrong_value_is_refused_and_shown(kind: FieldKind) -> None:
    form_class = build_input_form(kind.model)
    drawn = form_class(initial=kind.wrong)
    # What is a secret is not drawn, so it is typed.
    form = form_class(submit(drawn, **({"value": kind.wrong["value"]} if kind.holds_secret else {})))
    assert not form.is_valid(), form.external_data
    assert read_form(form).posted == read_form(drawn).posted
