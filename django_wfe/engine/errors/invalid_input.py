"""What is said of input that does not validate: never the values that were given.

Pydantic's own text quotes them, and of a field that is missing it quotes all that stands beside it.
"""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError
from pydantic_core.core_schema import ErrorType

from django_wfe.definition.secret_places import MASK, find_secret_places

SHORTEST = 3
"""How many characters of a secret are looked for in a validator's message: "a" is in each of them."""

PYDANTICS_OWN = frozenset(get_args(ErrorType))
"""The types of errors that pydantic finds by itself; others are those of a validator."""


def say_invalid(error: ValidationError) -> str:
    """Return what ``str(error)`` says, without the values."""
    count = error.error_count()
    lines = [f"{count} validation error{'s' if count != 1 else ''} for {error.title}"]
    for details in error.errors(include_url=False, include_context=False, include_input=False):
        place = ".".join(str(part) for part in details["loc"])
        lines += [*([place] if place else []), f"  {details['msg']} [type={details['type']}]"]
    return "\n".join(lines)


def hide_secrets(error: ValidationError, schema: type[BaseModel], data: Any) -> ValidationError:
    """Return the error that ``data`` met; if the schema holds a secret, without any value, whoever prints it.

    What a project's validator says is kept, with a mask in the place of each secret that it quotes.
    """
    if not find_secret_places(schema):
        return error
    found = error.errors(include_url=False, include_input=False)
    hidden = [_hide(details, schema, data) for details in found]
    return ValidationError.from_exception_data(error.title, hidden, "json", hide_input=True)


def cover_quoted(text: str, schema: type[BaseModel], data: Any) -> str:
    """Return a text that came of ``data``, such as what a validator raised, with a mask for each secret it quotes."""
    secrets = list[str]()
    find_secret_places(schema).change(data, lambda secret: secrets.extend(_list_texts(secret)))
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def _hide(details: ErrorDetails, schema: type[BaseModel], data: Any) -> InitErrorDetails:
    context = dict(details.get("ctx", {}))
    message = cover_quoted(details["msg"], schema, data)
    if isinstance(context.get("error"), Exception):  # what a validator raised
        context["error"] = ValueError(cover_quoted(str(context["error"]), schema, data))
    elif details["type"] not in PYDANTICS_OWN or message != details["msg"]:
        build: Any = PydanticCustomError  # its type is no literal here
        return {"type": build(details["type"], message), "loc": details["loc"], "input": MASK}
    return {"type": details["type"], "loc": details["loc"], "input": MASK, "ctx": context}


def _list_texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for part in value for text in _list_texts(part)]
    text = value if isinstance(value, str) else str(value)
    return [text] if len(text) >= SHORTEST and not isinstance(value, bool) else []
