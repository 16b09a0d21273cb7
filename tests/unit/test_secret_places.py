"""Where a schema holds secrets: one test for all who keep, show or hide what is given for it."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, Field, SecretStr, create_model

from django_wfe.definition.graph import describe_schema
from django_wfe.definition.schema_problems import find_schema_problems
from django_wfe.definition.secret_places import MASK, SecretPlaces, find_secret_places
from tests.support.forms.secret_schemas import KINDS, Aliased, Login, Plain

pytestmark = pytest.mark.unit


def mask(shown: Any) -> Any:
    if isinstance(shown, dict):
        return {key: mask(part) for key, part in shown.items()}
    return [mask(part) for part in shown] if isinstance(shown, list) else MASK if shown == "M" else shown


@pytest.mark.parametrize("kind", KINDS)
def test_each_secret_is_covered_and_nothing_beside_it(kind: str) -> None:
    annotation, given, shown = KINDS[kind]
    schema = create_model("Schema", value=(annotation, ...), beside=(int, 1), plain=(dict[str, Any], {}))
    data = {"value": given, "beside": 1, "plain": {"password": "no secret to the schema"}}
    assert find_secret_places(schema).cover(data) == {**data, "value": mask(shown)}


@pytest.mark.parametrize("kind", KINDS)
def test_the_json_schema_that_a_definition_keeps_tells_as_much(kind: str) -> None:
    annotation, given, shown = KINDS[kind]
    schema = create_model("Schema", value=(annotation, ...), beside=(int, 1))
    places = SecretPlaces.read(describe_schema(schema))
    assert places.cover({"value": given, "beside": 1}) == {"value": mask(shown), "beside": 1}


def test_a_secret_is_found_under_each_of_its_names() -> None:
    places = find_secret_places(Aliased)
    given = {"uno": "a", "zwei": "b", "numbers": {"tres": "c"}, "shown": 1}
    assert places.cover(given) == {"uno": MASK, "zwei": MASK, "numbers": MASK, "shown": 1}
    by_name = {"one": "a", "two": "b", "three": "c", "shown": 1}
    assert places.cover(by_name) == {"one": MASK, "two": MASK, "three": MASK, "shown": 1}


def test_nothing_is_no_secret() -> None:
    schema = create_model("Schema", value=(SecretStr | None, None))
    assert find_secret_places(schema).cover({"value": None}) == {"value": None}


def test_a_schema_without_secrets_has_no_places() -> None:
    places = find_secret_places(create_model("Schema", value=(dict[str, Any], {}), password=(str, "x")))
    assert not places
    data = {"value": {"format": "password", "writeOnly": True}}
    assert places.cover(data) is data


def test_a_default_that_looks_like_a_schema_makes_no_secret() -> None:
    assert not find_secret_places(create_model("Schema", value=(dict[str, Any], {"format": "password"})))
    assert find_secret_places(create_model("Schema", default=(SecretStr, ...), examples=(int, 1)))


def test_a_secret_beside_what_json_schema_cannot_express_is_found() -> None:
    schema = create_model("Schema", call=(Callable[[], int] | None, None), password=(SecretStr, ...))
    assert find_secret_places(schema).cover({"password": "canary"}) == {"password": MASK}
    described = describe_schema(create_model("Schema", call=(Callable[[], int], ...), password=(SecretStr, ...)))
    assert SecretPlaces.read(described).cover({"password": "canary"}) == MASK


def test_defaults_and_examples_of_secrets_are_in_no_schema() -> None:
    class Schema(BaseModel):
        plain: Plain = "canary"
        shown: str = Field("shown", examples=["seen"])
        example: str = Field(examples=["canary"], json_schema_extra={"format": "password"})
        login: Login = Login(password=SecretStr("canary"))
        dumped: dict[str, Plain] = {"a": "canary"}

    described = str(describe_schema(Schema))
    assert "canary" not in described
    assert "shown" in described
    assert "seen" in described


def test_without_the_package_a_schema_with_a_secret_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(find_schema_problems(Login)) == []
    monkeypatch.setattr("django_wfe.definition.schema_problems.find_spec", lambda name: None)
    ((code, message, cure),) = find_schema_problems(Login)
    assert (code, "cryptography" in message, 'pip install "django-wfe[secrets]"' in cure) == ("secret", True, True)
    assert list(find_schema_problems(create_model("Schema", value=(int, 1)))) == []
