"""What is said of input that does not validate: never the values that were given.

Pydantic's own text quotes them, and of a field that is missing it quotes all that stands beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError
from pydantic_core.core_schema import ErrorType

from django_wfe.definition.secret_places import MASK, find_secret_places

SHORTEST = 3
"""How many characters of a secret are looked for in a validator's message: "a" is in each of them."""

ERRORS_AT_ONCE = 1_000
"""So many errors are made at once; more are read from pydantic's JSON one by one."""

PYDANTICS_OWN = frozenset(get_args(ErrorType))
"""The types of errors that pydantic finds by itself; others are those of a validator."""


def say_invalid(error: ValidationError) -> str:
    """Return what ``str(error)`` says, without the values."""
    count = error.error_count()
    lines = [f"{count} validation error{'s' if count != 1 else ''} for {error.title}"]
    for problem in list_problems(error):
        lines += [*([problem.place] if problem.place else []), f"  {problem.message} [type={problem.code}]"]
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class InputProblem:
    """One thing that is wrong with an input: where ("lines.0.article", "" for the whole), and what pydantic says."""

    place: str
    message: str
    code: str


def list_problems(error: ValidationError, most: int | None = None) -> list[InputProblem]:
    """Return what is wrong with an input, without the values that were given.

    Args:
        most: how many to return. Default None: all. With it, an error of a million problems takes no more memory than
            its text.
    """
    if most is None or error.error_count() <= ERRORS_AT_ONCE:
        found: Iterable[Any] = error.errors(include_url=False, include_context=False, include_input=False)[:most]
    else:
        found = islice(_read_one_by_one(error), most)
    return [InputProblem(name_place(item["loc"]), item["msg"], item["type"]) for item in found]


def name_place(location: Iterable[int | str]) -> str:
    """Return pydantic's ``loc`` as people and REST read it: "lines.0.article"."""
    return ".".join(map(str, location))


def _read_one_by_one(error: ValidationError) -> Iterator[Any]:
    text = error.json(include_url=False, include_context=False, include_input=False)
    read = json.JSONDecoder().raw_decode
    place = 1  # after the bracket
    while text[place - 1] != "]":
        item, place = read(text, place)
        yield item
        place += 1  # after the comma


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
    return rebuild(details, message=message, value=MASK, context=context)


def rebuild(details: ErrorDetails, *, message: str, value: Any, context: dict[str, Any]) -> InitErrorDetails:
    """Return an error as ``ValidationError.from_exception_data`` takes it, with another message, value and context.

    Pydantic writes the message of its own types itself: with another message, the error becomes one of a validator.
    """
    is_own = details["type"] in PYDANTICS_OWN
    if is_own and (message == details["msg"] or isinstance(context.get("error"), Exception)):
        return {"type": details["type"], "loc": details["loc"], "input": value, "ctx": context}
    build: Any = PydanticCustomError  # its type is not a literal here
    return {"type": build(details["type"], message), "loc": details["loc"], "input": value}


def _list_texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for part in value for text in _list_texts(part)]
    text = value if isinstance(value, str) else str(value)
    return [text] if len(text) >= SHORTEST and not isinstance(value, bool) else []
