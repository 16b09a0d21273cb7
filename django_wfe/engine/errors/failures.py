"""What is kept of an exception that a step raised: never the values of its local variables, which hold secrets.

The exception is the step's code, and may be as broken as the rest of it: each look at it may raise anything, or give
something that is not a text. So nothing here relies on it, and nothing here raises.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django_wfe.definition.texts import make_storable
from django_wfe.engine.errors.fingerprints import compute_fingerprint
from django_wfe.engine.errors.tracebacks import (
    format_traceback,
    get_cause,
    get_context,
    get_location,
    name_type,
    say,
)
from django_wfe.values.sentences import Sentence, write_english

MAX_ERROR_LENGTH = 10_000
MAX_TRACEBACK_LENGTH = 60_000


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed attempt, in words. ``fingerprint`` is equal for the same failure."""

    error_type: str
    message: str
    traceback: str
    fingerprint: str

    def __str__(self) -> str:
        return f"{self.error_type}: {self.message}" if self.message else self.error_type


def describe_failure(error: BaseException, step: str, *, engine_frames: int = 0) -> Failure:
    """Describe what a step raised, whatever that is. Never raises.

    Args:
        step: the dotted path of the node.
        engine_frames: how many of the outermost frames are the engine's own, and of no interest to anybody.
    """
    location = get_location(error)
    for _frame in range(engine_frames):
        if location is not None and location.tb_next is not None:
            location = location.tb_next
    error_type = make_storable(name_type(type(error), hidden=("builtins", "django_wfe.exceptions")))
    message = shorten(_say_in_english(error), MAX_ERROR_LENGTH)
    traceback = shorten(make_storable(format_traceback(error, location)), MAX_TRACEBACK_LENGTH)
    return _build(error_type[:255], message, traceback, step)


def describe_reason(reason: str, step: str, kind: str) -> Failure:
    """Describe a failure that the engine found by itself, as one of the given kind, without a traceback."""
    return _build(kind, write_english(reason), "", step)


def describe_engine_error(error: Exception, step: str) -> Failure:
    """Describe a failure of the engine itself with a step run, together with what the step raised before."""
    described = describe_failure(error, step)
    message = f"The engine could not record the outcome of this step: {described}."
    before = get_cause(error)
    if before is None:
        before = get_context(error)
    if before is not None:
        message += f" Before that came {describe_failure(before, step)}."
    return _build("EngineError", shorten(message, MAX_ERROR_LENGTH), described.traceback, step)


def name_function(function: Any) -> str:
    """Return the dotted name of a function, or of another callable's class. Never raises."""
    try:
        module, name = function.__module__, function.__qualname__
        if isinstance(module, str) and isinstance(name, str):
            return make_storable(f"{module}.{name}")
    except BaseException:  # an object that stands for a function may do anything when it is asked
        return name_type(type(function))
    return name_type(type(function))


def shorten(text: str, length: int) -> str:
    """Cut the middle out of a text that is too long, and say so."""
    if len(text) <= length:
        return text
    half = length // 2
    return f"{text[:half]}\n[... {len(text) - 2 * half:,} characters left out ...]\n{text[-half:]}"


def _say_in_english(error: BaseException) -> str:
    """Return what an exception says, in English where the engine raised it: rows hold no translations."""
    arguments = BaseException.args.__get__(error)  # type: ignore[attr-defined]
    made_with = arguments[0] if len(arguments) == 1 else None
    return write_english(made_with) if type(made_with) is Sentence else make_storable(say(error))


def _build(error_type: str, message: str, traceback: str, step: str) -> Failure:
    return Failure(error_type, message, traceback, compute_fingerprint(step, error_type, message, traceback))
