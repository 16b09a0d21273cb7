"""Secrets in forms: whatever their type, they are typed and never written into a page or a draft."""

import json
from datetime import timedelta
from typing import Annotated, Any

import pytest
from django.http import QueryDict
from pydantic import AfterValidator, BaseModel, Field, Secret, SecretStr, create_model

from django_wfe.forms import InputForm, build_input_form
from django_wfe.forms.fields.documents import JsonField
from django_wfe.forms.fields.secrets import SecretField
from tests.support.forms.forms_browser import make_form
from tests.support.forms.secret_schemas import KINDS, Login, Plain

pytestmark = pytest.mark.unit

TRACES = ("canary", "7351", "**********")
DRAWN = [kind for kind in KINDS if "beside" not in kind and "in its place" not in kind and kind != "in JSON"]
"""Those that a form draws; the others are input that no form makes."""


def fill(form: InputForm, given: Any) -> dict[str, Any]:
    """Fill in the inputs that a form draws for the field "value"."""
    declaration = next(child for child in form.declaration.children if child.name == "value")
    kind = type(declaration).__name__
    if kind == "ListDeclaration":
        posted: dict[str, Any] = {"value": [str(number) for number in range(len(given))]}
        for number, item in enumerate(given):
            posted[f"value-{number}"] = str(item)
        return posted
    if kind == "GroupDeclaration" and "login" in given:
        return {"value-login-password": "canary", "value-below": ["0"], "value-below-0-login-password": "canary"}
    if kind == "GroupDeclaration":
        return {f"value-{name}": part for name, part in given.items()}
    field = form.fields["value"]
    is_json = isinstance(field, SecretField) and isinstance(field.inner, JsonField)
    return {"value": json.dumps(given) if is_json else str(given)}


@pytest.mark.parametrize("kind", DRAWN)
def test_a_secret_is_read_as_it_was_typed_and_never_drawn(kind: str) -> None:
    annotation, given, _shown = KINDS[kind]
    schema = create_model("Schema", value=(annotation, ...), beside=(str, ...))
    query = QueryDict(mutable=True)
    for name, value in {**fill(build_input_form(schema)(), given), "beside": "shown"}.items():
        query.setlist(name, value if isinstance(value, list) else [value])
    form = build_input_form(schema)(query)
    assert form.is_valid(), form.errors
    assert form.instance == schema(value=given, beside="shown")
    again = build_input_form(schema)(query)
    again.show_as_typed()
    page, draft = str(again), json.dumps(again.read_draft())
    assert "shown" in page
    assert "shown" in draft
    for trace in TRACES:
        assert trace not in page
        assert trace not in draft


@pytest.mark.parametrize("kind", DRAWN)
def test_a_former_secret_is_kept_where_it_is_left_alone_and_never_drawn(kind: str) -> None:
    annotation, given, _shown = KINDS[kind]
    schema = create_model("Schema", value=(annotation, ...), beside=(str, "shown"))
    former = {"value": given, "beside": "shown"}
    page = str(build_input_form(schema)(initial=former))
    for trace in TRACES:
        assert trace not in page
    query = QueryDict(mutable=True)
    query["beside"] = "shown"
    is_list = not isinstance(build_input_form(schema)().fields["value"], SecretField)
    if isinstance(given, list) and is_list:
        query.setlist("value", [str(number) for number in range(len(given))])
    if isinstance(given, dict):
        query["value-user"] = given.get("user", "")
        query["value-login-user"] = "ada"
        query.setlist("value-below", ["0"])
        query["value-below-0-login-user"] = "ada"
    form = build_input_form(schema)(query, initial=former)
    assert form.is_valid(), form.errors
    assert form.instance == schema(value=given, beside="shown")


DEFAULTS: dict[str, tuple[Any, Any]] = {
    "text": (SecretStr, SecretStr("canary")),
    "number": (Secret[int], Secret[int](7351)),
    "list": (Secret[list[int]], Secret[list[int]]([7351])),
    "or None": (SecretStr | None, SecretStr("canary")),
    "password": (Plain, "canary"),
    "dict": (dict[str, SecretStr], {"a": SecretStr("canary")}),
    "model": (Login, Login(password=SecretStr("canary"))),
    "secret model": (Secret[Login], Secret[Login](Login(password=SecretStr("canary")))),
}


@pytest.mark.parametrize("kind", DEFAULTS)
def test_a_default_that_is_left_alone_reaches_the_step_as_it_is(kind: str) -> None:
    annotation, default = DEFAULTS[kind]
    schema = create_model("Schema", value=(annotation, default), beside=(str, "shown"))
    assert not any(trace in str(build_input_form(schema)()) for trace in TRACES)
    form = build_input_form(schema)(QueryDict("beside=shown&value-user=ada"))
    assert form.is_valid(), form.errors
    assert form.instance == schema()


def test_secrets_of_a_list_keep_their_places() -> None:
    schema = create_model("Schema", value=(list[SecretStr], [SecretStr("canary"), SecretStr("bird")]))
    page = str(build_input_form(schema)())
    assert page.count('type="password"') == 3, "two items, and the one to copy"
    form = build_input_form(schema)(QueryDict("value=0&value=1&value-1=new"))
    assert form.is_valid(), form.errors
    assert form.external_data == {"value": ["canary", "new"]}


def test_a_secret_of_many_lines_gets_a_textarea_that_is_drawn_empty() -> None:
    class Schema(BaseModel):
        key: str = Field(json_schema_extra={"format": "textarea", "writeOnly": True})
        other: int

    form = build_input_form(Schema)(QueryDict("key=canary%0D%0Acanary&other="))
    assert not form.is_valid()
    assert "<textarea" in str(form)
    assert "canary" not in str(form)
    assert build_input_form(Schema)(QueryDict("key=a%0D%0Ab&other=1")).is_valid()


def test_what_is_to_be_typed_is_told_as_without_a_secret() -> None:
    page = str(make_form(dict[str, SecretStr]))
    assert "additionalProperties" in page, "the JSON Schema of a JSON box"
    assert "Hours:minutes" in str(make_form(Secret[timedelta]))


def test_what_a_validator_quotes_of_a_secret_is_covered() -> None:
    def refuse(value: str) -> str:
        raise ValueError(f"{value} is known to thieves")

    form = make_form(Annotated[Plain, AfterValidator(refuse)], data={"value": "canary"})
    assert form.errors["value"] == ["********** is known to thieves"]


def test_so_is_what_a_defect_of_a_validator_quotes(caplog: pytest.LogCaptureFixture) -> None:
    def fail(value: str) -> str:
        raise RuntimeError(f"{value} cannot be looked up")

    form = make_form(Annotated[Plain, AfterValidator(fail)], data={"value": "canary"})
    for text in (str(form), caplog.text):
        assert "********** cannot be looked up" in text
        assert "canary" not in text


def test_further_values_beside_a_secret_or_of_secrets_are_not_drawn_either() -> None:
    class Beside(BaseModel, extra="allow"):
        code: SecretStr

    class Kept(BaseModel, extra="allow"):
        __pydantic_extra__: dict[str, SecretStr]

    for schema in (Beside, Kept):
        form = build_input_form(schema)(initial={"code": "canary", "another": "canary"})
        assert isinstance(form.fields["_extra"], SecretField)
        assert "canary" not in str(form)
