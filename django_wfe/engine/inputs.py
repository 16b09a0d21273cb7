"""External input: validated when it is given, and read back when its step runs."""

from __future__ import annotations

import json
from typing import Any

from django.utils.translation import gettext as _
from pydantic import BaseModel, RootModel, ValidationError
from pydantic_core import PydanticSerializationError

from django_wfe.encoding import begin_sentence, dump, encode
from django_wfe.engine.invalid_input import hide_secrets
from django_wfe.exceptions import NotEncodable
from django_wfe.sealing import MARK, holds_mark, holds_sealed, seal_places, unseal
from django_wfe.secret_places import find_secret_places


def encode_input(schema: type[BaseModel], external_data: Any, what: str) -> str:
    """Validate what was given for a step and give it as JSON text.

    It is kept as the model writes it, defaults included, so that each attempt gets the same; where that would not read
    back as an equal model (secrets, write-only fields), it is kept as it was given.

    Secrets in it are encrypted.

    Raises:
        pydantic.ValidationError: where it does not fit the schema; without what was given, if that holds a secret.
        NotEncodable: where it cannot be kept as JSON.
        CodeNotLoaded: it holds a secret, and the package that encrypts it is not installed.
    """
    given = encode(external_data, what)
    if holds_sealed(given) and holds_mark(json.loads(given)):
        raise NotEncodable(
            _("%(what)s holds the name “%(name)s”, which is kept for encrypted values. Use another name.")
            % {"what": begin_sentence(what), "name": MARK}
        )
    model = load_input(schema, given)
    kept = _choose_form(schema, model, given, what)
    places = find_secret_places(schema)
    return dump(seal_places(json.loads(kept), places)) if places else kept


def load_input(schema: type[BaseModel], stored: str) -> BaseModel:
    """Give the model of what ``encode_input`` kept.

    Raises:
        pydantic.ValidationError: where it no longer fits, because the schema or the world has changed.
        UnreadableSecret: where no key decrypts a secret in it.
        CodeNotLoaded: where the package that decrypts it is not installed.
    """
    if holds_sealed(stored):
        stored = dump(unseal(json.loads(stored)))
    try:
        # As JSON, so that a strict model takes a date from its text.
        return schema.model_validate_json(stored, by_alias=True, by_name=True)
    except ValidationError as error:
        # Not as its cause: that would be printed with it.
        raise hide_secrets(error, schema, json.loads(stored)) from None


def _choose_form(schema: type[BaseModel], model: BaseModel, given: str, what: str) -> str:
    """Give the JSON text to keep: what the model writes, if that reads back as an equal one."""
    try:
        # Warnings would quote values.
        written = encode(model.model_dump(mode="json", by_alias=False, round_trip=True, warnings=False), what)
        return written if load_input(schema, written) == model else given
    except (ValidationError, PydanticSerializationError):
        # The model does not read what it writes; the given form has just been read.
        return given


def list_values(model: BaseModel | None) -> Any:
    """Give what a step gets as ``external_input``: a dict of Python values by field name, or None without input."""
    if model is None:
        return None
    if isinstance(model, RootModel):
        return model.root
    # No round trip: a field of type Json is to hold what its text says.
    return model.model_dump(mode="python", warnings=False)
