"""What was typed, kept for later and put back, without a word about whether it is valid."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import QueryDict
from pydantic import BaseModel, Field, SecretStr

from django_wfe.admin.inbox.drafts import restore_form
from django_wfe.forms import InputForm, build_input_form

pytestmark = pytest.mark.unit


class Part(BaseModel):
    name: str
    pin: SecretStr = SecretStr("")


class Deep(BaseModel):
    code: SecretStr


class Order(BaseModel):
    count: int
    parts: list[Part] = []
    spare: Part | None = None
    letter: str = Field("", json_schema_extra={"format": "file"})
    by_name: dict[str, Deep] = {}
    notes: dict[str, str] = {}


FORM = build_input_form(Order)
TYPED = (
    "in-count=many&in-parts=2&in-parts=0&in-parts-0-name=pen&in-parts-2-name=ink&in-parts-2-pin=hush-hush"
    "&in-spare=given&in-spare-name=&in-by_name=%7B%22a%22%3A+%7B%22code%22%3A+%22hush-hush%22%7D%7D&in-notes=%7B"
    "&in-other=1&count=2&_draft=1"
)


def post(text: str = TYPED) -> InputForm:
    return FORM(QueryDict(text), {"in-letter": SimpleUploadedFile("a.txt", b"dear")}, prefix="in")


def test_a_draft_holds_what_was_typed_and_neither_files_nor_secrets() -> None:
    assert post().read_draft() == {
        "count": ["many"],
        "parts": ["2", "0"],
        "parts-2-name": ["ink"],
        "parts-0-name": ["pen"],
        "spare": ["given"],
        "spare-name": [""],
        "notes": ["{"],
    }


def test_a_draft_put_back_gives_the_same_form_and_says_nothing_of_errors() -> None:
    form = restore_form(FORM, post().read_draft(), "in")
    assert form.read_draft() == post().read_draft()
    page = str(form)
    assert "ink" in page
    assert "many" in page
    assert "error" not in page.replace("_error", "")
    assert not form.is_valid()
    with pytest.raises(ValueError, match="is not valid"):
        _ = form.external_data


@pytest.mark.parametrize("data", [None, [], "x", {"count": "2"}, {"gone": ["1"]}, {"parts": ["x", "-1"]}])
def test_what_is_no_draft_of_this_form_gives_an_empty_one(data: Any) -> None:
    assert {name: texts for name, texts in restore_form(FORM, data, "in").read_draft().items() if name != "parts"} == {}
