"""External input: validated when it is given, and read back when its step runs."""

from __future__ import annotations

import logging
from typing import Any

from django.utils.translation import gettext as _
from pydantic import BaseModel, RootModel, ValidationError
from pydantic_core import PydanticSerializationError

from django_wfe.encoding import encode
from django_wfe.engine.database_trouble import explain_database_error
from django_wfe.exceptions import InputCheckFailed, WFEException
from django_wfe.steps import dotted_path

logger = logging.getLogger("django_wfe.engine")


def encode_input(schema: type[BaseModel], external_data: Any, what: str) -> str:
    """Validate what was given for a step and give it as JSON text.

    It is kept as the model writes it, defaults included, so that each attempt gets the same; where that would not read
    back as an equal model (secrets, write-only fields), it is kept as it was given.

    Raises:
        pydantic.ValidationError: where it does not fit the schema.
        NotEncodable: where it cannot be kept as JSON.
        InputCheckFailed: where the schema's own code, such as a validator, raised something else.
    """
    given = encode(external_data, what)
    try:
        return _check(schema, given, what)
    except (ValidationError, WFEException):
        raise
    except (
        Exception,
        SystemExit,
    ) as error:  # a validator or a default_factory may raise anything
        if explain_database_error(error) is not None:
            raise
        logger.exception("The check of an input by %s failed", dotted_path(schema))
        # Not the error's own text: it may quote what the caller must not see.
        raise InputCheckFailed(
            _("The input could not be checked: the code of %(schema)s raised %(error)s. The server's log has more.")
            % {"schema": dotted_path(schema), "error": type(error).__name__}
        ) from error


def load_input(schema: type[BaseModel], stored: str) -> BaseModel:
    """Give the model of what ``encode_input`` kept.

    Raises:
        pydantic.ValidationError: where it no longer fits, because the schema or the world has changed.
    """
    # As JSON, so that a strict model takes a date from its text.
    return schema.model_validate_json(stored, by_alias=True, by_name=True)


def list_values(model: BaseModel | None) -> Any:
    """Give what a step gets as ``external_input``: a dict of Python values by field name, or None without input."""
    if model is None:
        return None
    if isinstance(model, RootModel):
        return model.root
    # No round trip: a field of type Json is to hold what its text says.
    return model.model_dump(mode="python", warnings=False)


def _check(schema: type[BaseModel], given: str, what: str) -> str:
    model = load_input(schema, given)
    try:
        written = encode(model.model_dump(mode="json", by_alias=False, round_trip=True), what)
        if load_input(schema, written) == model:
            return written
    except (ValidationError, PydanticSerializationError):
        # The model does not read what it writes; the given form has just been read.
        return given
    return given
