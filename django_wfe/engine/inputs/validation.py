"""External input: validated when it is given, and read back when its step runs."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, RootModel, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticSerializationError

from django_wfe.definition.secret_places import find_secret_places
from django_wfe.engine.errors.database_trouble import explain_database_error
from django_wfe.engine.errors.invalid_input import cover_quoted, hide_secrets, rebuild
from django_wfe.engine.errors.tracebacks import format_traceback, get_location, quotes_input
from django_wfe.engine.inputs.given_times import settle_times
from django_wfe.exceptions import InputCheckFailed, NotEncodable, WFEException
from django_wfe.steps import dotted_path
from django_wfe.values.encoding import begin_sentence, dump, encode
from django_wfe.values.revealing import reveal
from django_wfe.values.sealing import MARK, holds_mark, holds_sealed, seal_places, unseal
from django_wfe.values.sentences import gettext as _

What = str | Callable[[], str]
"""What a value is, for the messages of errors, or what gives that text: to translate it takes its time."""

logger = logging.getLogger("django_wfe.engine")

NOT_GIVEN: Any = object()
"""Stands for input that was not given, where None is a value like others."""


@dataclass(frozen=True, slots=True)
class ValidInput:
    """Input that a door has validated, such as a form: given on in the place of the data, it is not validated again.

    ``given`` is what was given, as JSON, with the meaning of its times settled.
    """

    schema: type[BaseModel]
    # Not in its repr, which a report of an error shows: they may hold a secret.
    model: BaseModel = field(repr=False)
    given: str = field(repr=False)


def encode_input(schema: type[BaseModel], external_data: Any, what: What, *, reveals: bool = False) -> str:
    """Validate what was given for a step, unless it is a ``ValidInput`` of this schema, and give it as JSON text.

    It is kept as the model writes it, defaults included, so that each attempt gets the same; where that would not read
    back as an equal model (secrets, write-only fields), it is kept as it was given.

    Secrets in it are encrypted.

    Args:
        reveals: whether a model with secrets is kept as it writes itself too. Default False: as it was given.

    Raises:
        pydantic.ValidationError: if it does not fit the schema; without what was given, if that holds a secret.
        NotEncodable: if it cannot be kept as JSON.
        CodeNotLoaded: it holds a secret, and the package that encrypts it is not installed.
        InputCheckFailed: if the schema's own code, such as a validator, raised something else.
    """
    return encode_valid(validate_input(schema, external_data, what), what, reveals=reveals)


def encode_valid(valid: ValidInput, what: What, *, reveals: bool = False) -> str:
    """Return what was validated as ``encode_input`` does."""
    with _telling_of_own_code(valid.schema, valid.given):
        kept = _choose_form(valid.schema, valid.model, valid.given, what, reveals=reveals)
    places = find_secret_places(valid.schema)
    return dump(seal_places(json.loads(kept), places)) if places else kept


def validate_input(schema: type[BaseModel], external_data: Any, what: What) -> ValidInput:
    """Validate what was given for a step.

    Raises:
        pydantic.ValidationError, NotEncodable, InputCheckFailed: as of ``encode_input``.
    """
    valid = external_data if isinstance(external_data, ValidInput) else None
    given = encode(json.loads(valid.given) if valid is not None else external_data, what)
    if valid is not None and valid.schema is schema:  # else the step's code was loaded anew since
        _refuse_mark(given, what)
        return valid
    return validate_encoded(schema, given, what)


def validate_encoded(schema: type[BaseModel], given: str, what: What) -> ValidInput:
    """Validate what ``encode`` has written of what was given.

    Raises:
        pydantic.ValidationError, NotEncodable, InputCheckFailed: as of ``encode_input``.
    """
    _refuse_mark(given, what)
    with _telling_of_own_code(schema, given):
        return ValidInput(schema, *read_given(schema, given))


def _refuse_mark(given: str, what: What) -> None:
    if holds_sealed(given) and holds_mark(json.loads(given)):
        raise NotEncodable(
            _("%(what)s holds the name “%(name)s”, which is kept for encrypted values. Use another name.")
            % {"what": begin_sentence(what), "name": MARK}
        )


def read_given(schema: type[BaseModel], given: str) -> tuple[BaseModel, str]:
    """Return the model of what was given as JSON, and that JSON with the meaning of its times settled.

    Every door passes through here, the forms included: what is taken, and what it means, is the same at each.

    Raises:
        pydantic.ValidationError: if it does not fit, or a time in it would have to be guessed.
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
    told = ValidationError.from_exception_data(schema.__name__, [*guessed, *map(_keep_error, others)], "json")
    raise hide_secrets(told, schema, json.loads(given))


def load_input(schema: type[BaseModel], stored: str) -> BaseModel:
    """Return the model of what ``encode_input`` kept.

    Raises:
        pydantic.ValidationError: if it no longer fits, because the schema or the world has changed.
        UnreadableSecret: if no key decrypts a secret in it.
        CodeNotLoaded: if the package that decrypts it is not installed.
    """
    if holds_sealed(stored):
        stored = dump(unseal(json.loads(stored)))
    try:
        # As JSON, so that a strict model takes a date from its text.
        return schema.model_validate_json(stored, by_alias=True, by_name=True)
    except ValidationError as error:
        # Not as its cause: that would be printed with it.
        raise hide_secrets(error, schema, json.loads(stored)) from None


def _choose_form(schema: type[BaseModel], model: BaseModel, given: str, what: What, *, reveals: bool) -> str:
    """Return the JSON text to keep: what the model writes, if that reads back as an equal one."""
    if _writes_as_given(model, given):
        return given
    try:
        written = _write_revealed(model, what) if reveals and find_secret_places(schema) else _write(model, what)
        return written if load_input(schema, written) == model else given
    except (ValidationError, PydanticSerializationError, UnicodeDecodeError):
        # The model does not read what it writes; the given form has just been read.
        return given


def _writes_as_given(model: BaseModel, given: str) -> bool:
    """Return whether a model writes just what was given: then that is known to read back as it."""
    try:
        return dump(model.model_dump(mode="json", by_alias=False, round_trip=True, warnings=False)) == given
    except (PydanticSerializationError, ValueError, RecursionError, UnicodeDecodeError):
        return False  # told by whoever writes it next


def _write(model: BaseModel, what: What) -> str:
    # Warnings would quote values.
    return encode(model.model_dump(mode="json", by_alias=False, round_trip=True, warnings=False), what)


def _write_revealed(model: BaseModel, what: What) -> str:
    """Return what a model writes, its secrets in clear. Of a value that only the model itself can write: with masks."""
    try:
        return encode(reveal(model.model_dump(mode="python", by_alias=False, round_trip=True, warnings=False)), what)
    except NotEncodable:
        return _write(model, what)


def list_values(model: BaseModel | None) -> Any:
    """Return what a step gets as ``external_input``: a dict of Python values by field name, or None without input."""
    if model is None:
        return None
    if isinstance(model, RootModel):
        return model.root
    # No round trip: a field of type Json is to hold what its text says.
    return model.model_dump(mode="python", warnings=False)


def log_defect(schema: type[BaseModel], error: BaseException, data: Any) -> None:
    """Log what the project's code raised that checks an input: as text if the exception itself may quote the input."""
    quotes = quotes_input(error) or bool(find_secret_places(schema))
    told = f"\n{format_traceback(error, get_location(error)).rstrip()}" if quotes else ""
    logger.error(
        "The code of %s, which checks an input, raised %s.%s",
        dotted_path(schema),
        type(error).__name__,
        cover_quoted(told, schema, data),
        exc_info=None if quotes else error,
    )


@contextmanager
def _telling_of_own_code(schema: type[BaseModel], given: str) -> Iterator[None]:
    try:
        yield
    except (ValidationError, WFEException):
        raise
    except (Exception, SystemExit) as error:  # a validator, a default_factory and a serializer may raise anything
        if explain_database_error(error) is not None:
            raise
        log_defect(schema, error, json.loads(given))
        # Not the error's own text: it may quote what the caller must not see.
        raise InputCheckFailed(
            _("The input could not be checked: the code of %(schema)s raised %(error)s. The server's log has more.")
            % {"schema": dotted_path(schema), "error": type(error).__name__}
        ) from error


def _keep_error(details: ErrorDetails) -> InitErrorDetails:
    return rebuild(details, message=details["msg"], value=details["input"], context=dict(details.get("ctx", {})))
