"""Secrets at rest: the first key encrypts, all decrypt, and nobody can type what stands for one."""

from typing import Annotated, Any

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from pydantic import AfterValidator, SecretStr, ValidationError, create_model

from django_wfe.conf import settings
from django_wfe.definition.secret_places import MASK
from django_wfe.engine.inputs.validation import encode_input, load_input
from django_wfe.exceptions import CodeNotLoaded, NotEncodable, UnreadableSecret
from django_wfe.values.encoding import encode
from django_wfe.values.sealing import MARK, cover_sealed, reseal, seal, unseal, unseal_readable
from tests.support.forms.secret_schemas import KINDS, Aliased, Login

pytestmark = pytest.mark.unit

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.mark.parametrize("value", ["canary", "", "ä\n", 7351, 1.5, True, ["canary"], {"a": {"b": "canary"}}])
def test_what_is_sealed_is_read_as_it_was_and_shown_as_a_mask(value: Any) -> None:
    sealed = {"beside": [1, seal(value)]}
    assert "canary" not in encode(sealed, "it")
    assert unseal(sealed) == {"beside": [1, value]}
    assert cover_sealed(sealed) == {"beside": [1, MASK]}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "name beside" not in kind and "in its place" not in kind])
def test_input_is_kept_without_its_secrets_and_read_back_with_them(kind: str) -> None:
    annotation, given, _shown = KINDS[kind]
    schema = create_model("Schema", value=(annotation, ...), beside=(int, 1))
    kept = encode_input(schema, {"value": given, "beside": 2}, "the input")
    assert "canary" not in kept
    assert "7351" not in kept
    assert load_input(schema, kept) == schema(value=given, beside=2)


def test_input_is_kept_so_under_each_name() -> None:
    given = {"uno": "canary1", "zwei": "canary2", "numbers": {"tres": "canary3"}}
    kept = encode_input(Aliased, given, "the input")
    assert "canary" not in kept
    model: Any = load_input(Aliased, kept)
    assert [model.one.get_secret_value(), model.two.get_secret_value()] == ["canary1", "canary2"]


def test_each_key_decrypts_and_the_first_encrypts() -> None:
    by_django = seal("canary")
    with override_settings(WFE_SECRET_KEYS=[OLD]):
        by_old = seal("canary")
        assert unseal(by_django) == "canary", "what was kept before there were keys"
    with override_settings(WFE_SECRET_KEYS=[NEW, OLD], SECRET_KEY="another", SECRET_KEY_FALLBACKS=["only-for-tests"]):
        assert [unseal(by_old), unseal(by_django)] == ["canary", "canary"]
        renewed = [reseal(by_old), reseal(by_django)]
        assert reseal(renewed) == renewed, "what is under the first key stays as it is"
    with override_settings(WFE_SECRET_KEYS=[NEW], SECRET_KEY="a third"):
        assert unseal(renewed) == ["canary", "canary"]


def test_what_no_key_decrypts_is_told_and_never_guessed() -> None:
    sealed = {"password": seal("canary"), "user": "ada"}
    with override_settings(SECRET_KEY="another"):
        for read in (unseal, reseal):
            with pytest.raises(UnreadableSecret, match="WFE_SECRET_KEYS"):
                read(sealed)
        assert unseal_readable(sealed) == {"password": None, "user": "ada"}
        with pytest.raises(UnreadableSecret):
            load_input(Login, encode(sealed, "it"))


@pytest.mark.parametrize("given", [{MARK: "typed"}, {"user": {"a": [{MARK: "typed"}]}, "password": "x"}])
def test_nobody_can_type_what_stands_for_a_secret(given: Any) -> None:
    for schema in (Login, create_model("Schema", user=(Any, None))):
        with pytest.raises(NotEncodable, match="kept for encrypted values"):
            encode_input(schema, given, "the input")
    kept = encode_input(create_model("Schema", user=(Any, None)), {"user": f"the text {MARK}"}, "the input")
    assert MARK in kept, "a text may say it"


def test_an_error_says_nothing_of_what_was_given() -> None:
    def refuse(value: Any) -> Any:
        raise ValueError(f"{value.get_secret_value()} is known to thieves")

    schema = create_model("Schema", value=(Annotated[SecretStr, AfterValidator(refuse)], ...), beside=(int, ...))
    with pytest.raises(ValidationError) as raised:
        encode_input(schema, {"value": "canary", "besides": "canary"}, "the input")
    error = raised.value
    assert [(details["type"], details["loc"]) for details in error.errors()] == [
        ("value_error", ("value",)),
        ("missing", ("beside",)),
    ]
    for text in (str(error), repr(error), str(error.errors()), error.json()):
        assert "canary" not in text
        assert "is known to thieves" in text
    assert error.__suppress_context__


def test_an_error_of_a_schema_without_secrets_is_pydantics_own() -> None:
    with pytest.raises(ValidationError, match="input_value='abc'"):
        encode_input(create_model("Schema", value=(int, ...)), {"value": "abc"}, "the input")


def test_without_the_package_it_is_told_what_to_install(without_package: None) -> None:
    sealed = {"password": {MARK: "token"}}
    for call in (
        lambda: encode_input(Login, {"password": "canary"}, "it"),
        lambda: unseal(sealed),
        lambda: reseal(sealed),
    ):
        with pytest.raises(CodeNotLoaded, match=r"django-wfe\[secrets\]"):
            call()
    assert cover_sealed(sealed) == {"password": MASK}, "to hide it needs nothing"
    assert unseal_readable(sealed) == {"password": None}


@pytest.mark.parametrize("keys", ["text", ["short"], [7], [OLD, ""], {OLD: 1}])
def test_a_wrong_key_is_told_by_its_place_and_not_by_its_value(keys: Any) -> None:
    with override_settings(WFE_SECRET_KEYS=keys), pytest.raises(ImproperlyConfigured, match="WFE_SECRET_KEYS") as told:
        _ = settings.secret_keys
    assert "short" not in str(told.value)
    assert OLD not in str(told.value)
