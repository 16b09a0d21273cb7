"""External input: validated when it is given, and read back when its step runs."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, RootModel, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError, PydanticSerializationError
from pydantic_core.core_schema import ErrorType

from django_wfe.encoding import encode
from django_wfe.engine.given_times import settle_times


def encode_input(schema: type[BaseModel], external_data: Any, what: str) -> str:
    """Validate what was given for a step and give it as JSON text.

    It is kept as the model writes it, defaults included, so that each attempt gets the same; where that would not read
    back as an equal model (secrets, write-only fields), it is kept as it was given.

    Raises:
        pydantic.ValidationError: where it does not fit the schema.
        NotEncodable: where it cannot be kept as JSON.
    """
    model, given = read_given(schema, encode(external_data, what))
    try:
        written = encode(model.model_dump(mode="json", by_alias=False, round_trip=True), what)
        if load_input(schema, written) == model:
            return written
    except (ValidationError, PydanticSerializationError):
        # The model does not read what it writes; the given form has just been read.
        return given
    return given


def read_given(schema: type[BaseModel], given: str) -> tuple[BaseModel, str]:
    """Give the model of what was given as JSON, and that JSON with the meaning of its times settled.

    Every door passes through here, the forms included: what is taken, and what it means, is the same at each.

    Raises:
        pydantic.ValidationError: where it does not fit, or a time in it would have to be guessed.
    """
    settled, guessed = settle_times(schema, given)
    if not guessed:
        return load_input(schema, settled), settled
    try:
        load_input(schema, settled)
        others = []
    except ValidationError as error:
        places = [details["loc"] for details in guessed]
        others = [details for details in error.errors(include_url=False) if details["loc"] not in places]
    raise ValidationError.from_exception_data(schema.__name__, [*guessed, *map(_keep_error, others)], "json")


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


def _keep_error(details: Any) -> InitErrorDetails:
    kind, context = details["type"], details.get("ctx", {})
    if kind not in get_args(ErrorType):  # a validator's own
        kind = PydanticCustomError(kind, details["msg"])
    return {"type": kind, "loc": details["loc"], "input": details["input"], "ctx": context}
