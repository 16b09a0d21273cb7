"""What is said of input that does not validate: never the values that were given.

Pydantic's own text quotes them, and of a field that is missing it quotes all that stands beside it.
"""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError
from pydantic_core.core_schema import ErrorType

from django_wfe.secret_places import MASK, find_secret_places

SHORTEST = 3
"""How many characters of a secret are looked for in a validator's message: "a" is in each of them."""

_KNOWN = frozenset(get_args(ErrorType))


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
    places = find_secret_places(schema)
    if not places:
        return error
    secrets = list[str]()
    places.change(data, lambda secret: secrets.extend(_list_texts(secret)))
    found = error.errors(include_url=False, include_input=False)
    hidden = [_hide(details, sorted(secrets, key=len, reverse=True)) for details in found]
    return ValidationError.from_exception_data(error.title, hidden, "json", hide_input=True)


def _hide(details: ErrorDetails, secrets: list[str]) -> InitErrorDetails:
    message = details["msg"]
    for secret in secrets:
        message = message.replace(secret, MASK)
    if details["type"] in _KNOWN and message == details["msg"]:
        return {"type": details["type"], "loc": details["loc"], "input": MASK, "ctx": details.get("ctx", {})}
    build: Any = PydanticCustomError  # its type is no literal here
    return {"type": build(details["type"], message), "loc": details["loc"], "input": MASK}


def _list_texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for part in value for text in _list_texts(part)]
    text = value if isinstance(value, str) else str(value)
    return [text] if len(text) >= SHORTEST and not isinstance(value, bool) else []
