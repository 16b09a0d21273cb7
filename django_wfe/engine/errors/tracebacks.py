"""Tracebacks of exceptions that cannot be trusted: as Python writes them where that can be had, else more plainly.

Python's own description runs code of the exception (its text, its notes, what a SyntaxError holds), follows all that is
linked to it however long that takes, and fails as a whole where one part of it does.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from pydantic import ValidationError

from django_wfe.definition.source_trees import call_undisturbed
from django_wfe.engine.errors.invalid_input import say_invalid

MAX_LINKED = 100
"""How many exceptions (causes, contexts, members of groups) are described in full."""

MAX_PLAIN = 10
"""How many of them are described where something is wrong with one."""

MAX_DEPTH = 10
MAX_TRIES = 3
MAX_FRAMES = 100


def format_traceback(error: BaseException, location: TracebackType | None) -> str:
    """Return the traceback from ``location`` on, with causes and contexts. Never raises; shows no local variables."""
    try:
        if _is_small(error):
            # Python parses the lines of the frames to mark what failed in them.
            return leave_input_out(call_undisturbed(lambda: _format_as_python(error, location), MAX_TRIES), error)
        reason = "it is linked to many other exceptions"
    except BaseException as second:
        reason = f"describing it raised {name_type(type(second))}"
    try:
        return leave_input_out("".join(_format_plainly(error, location, reason)), error)
    except BaseException as second:
        return f"{name_type(type(error))}\n(without a traceback: describing it raised {name_type(type(second))})\n"


def get_location(error: BaseException) -> TracebackType | None:
    """Return where it was raised, whatever its class makes of the attribute."""
    location: TracebackType | None = BaseException.__dict__["__traceback__"].__get__(error)
    return location


def get_cause(error: BaseException) -> BaseException | None:
    """Return its cause, whatever its class makes of the attribute."""
    cause: BaseException | None = BaseException.__dict__["__cause__"].__get__(error)
    return cause


def get_context(error: BaseException) -> BaseException | None:
    """Return what was being handled when it was raised, unless it says that this does not matter."""
    if BaseException.__dict__["__suppress_context__"].__get__(error):
        return None
    context: BaseException | None = BaseException.__dict__["__context__"].__get__(error)
    return context


def list_members(error: BaseException) -> tuple[BaseException, ...]:
    """Return the exceptions that a group holds; none where it is not a group."""
    if not issubclass(type(error), BaseExceptionGroup):
        return ()
    members: tuple[BaseException, ...] = BaseExceptionGroup.__dict__["exceptions"].__get__(error)
    return members


def read_attribute(error: BaseException | None, name: str) -> Any:
    """Return an attribute, or None if it has none, or reading it raises."""
    try:
        return getattr(error, name, None)
    except BaseException:
        return None


def name_type(kind: type[Any], *, hidden: tuple[str, ...] = ("builtins",)) -> str:
    """Return the dotted name of a class, without its module where that is ``hidden``. Never raises."""
    try:
        name = type.__dict__["__qualname__"].__get__(kind)
        module = type.__dict__["__module__"].__get__(kind)
    except BaseException:
        return "an exception without a name"
    # A class may hold anything under this name.
    module = str.__str__(module) if issubclass(type(module), str) else ""
    return str.__str__(name) if module in ("", *hidden) else f"{module}.{str.__str__(name)}"


def say(error: BaseException) -> str:
    """Return what an exception says of itself, or that it cannot be read. Never raises."""
    try:
        return leave_input_out(str.__str__(str(error)), error)
    except BaseException as second:
        return f"(its message could not be read: {name_type(type(second))})"


def say_briefly(error: BaseException) -> str:
    """Return the type of an exception and what it says of itself, for a sentence. Never raises."""
    text = say(error)
    name = name_type(type(error)).rpartition(".")[2]
    return f"{name}: {text}" if text else name


def leave_input_out(text: str, error: BaseException) -> str:
    """Return a text about an exception without the values that a pydantic error in it, or linked to it, quotes.

    What was raised because of one quotes it too. In the traceback of a group its lines are indented.
    """
    for invalid in _list_invalid(error):
        quoted, plain = str(invalid), say_invalid(invalid)
        text = text.replace(quoted, plain)
        for depth in range(1, MAX_DEPTH + 1) if "| " in text else ():
            margin = "\n" + "  " * depth + "| "
            text = text.replace(quoted.replace("\n", margin), plain.replace("\n", margin))
    return text


def quotes_input(error: BaseException) -> bool:
    """Return whether a pydantic error, which quotes what it was given, is in an exception or linked to it."""
    return any(True for _invalid in _list_invalid(error))


def _list_invalid(error: BaseException) -> Iterator[ValidationError]:
    seen: set[int] = set()
    waiting = [error]
    while waiting and len(seen) < MAX_LINKED:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if issubclass(type(one), ValidationError):
            invalid: Any = one
            yield invalid
        # Also what a "from None" hides: its text may have been taken over.
        linked = (get_cause(one), BaseException.__dict__["__context__"].__get__(one), *list_members(one))
        waiting.extend(each for each in linked if each is not None)


def _format_as_python(error: BaseException, location: TracebackType | None) -> str:
    described = traceback.TracebackException(type(error), error, location, capture_locals=False, compact=True)
    return "".join(described.format())


def _is_small(error: BaseException) -> bool:
    """Return whether Python would describe it in bounded time and depth."""
    seen: set[int] = set()
    waiting = [(error, 0)]
    while waiting:
        one, depth = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if len(seen) > MAX_LINKED or depth > MAX_DEPTH:
            return False
        waiting.extend((linked, depth) for linked in (get_cause(one), get_context(one)) if linked is not None)
        waiting.extend((member, depth + 1) for member in list_members(one))
    return True


def _format_plainly(error: BaseException, location: TracebackType | None, reason: str) -> Iterator[str]:
    chain: list[tuple[BaseException, TracebackType | None, str]] = [(error, location, "")]
    seen = {id(error)}
    while len(chain) < MAX_PLAIN:
        last = chain[-1][0]
        before, link = get_cause(last), "\nThe exception above was the cause of the one below.\n\n"
        if before is None:
            before, link = get_context(last), "\nThe exception below was raised while the one above was handled.\n\n"
        if before is None or id(before) in seen:
            break
        seen.add(id(before))
        chain.append((before, get_location(before), link))
    for one, place, link in reversed(chain):
        if place is not None:
            yield "Traceback (most recent call last):\n"
            yield from _format_frames(place)
        yield f"{name_type(type(one))}: {say(one)}\n"
        members = list_members(one)
        if members:
            yield f"  ({len(members)} exceptions in it: {', '.join(name_type(type(each)) for each in members[:10])})\n"
        yield link
    yield f"(not as Python describes it: {reason})\n"


def _format_frames(location: TracebackType) -> Iterator[str]:
    try:
        yield from traceback.StackSummary.extract(_walk(location)).format()
    except BaseException:
        # The lines come from whatever loaded the module.
        for frame, line in _walk(location):
            yield f'  File "{frame.f_code.co_filename}", line {line}, in {frame.f_code.co_name}\n'


def _walk(location: TracebackType) -> list[tuple[Any, int]]:
    frames = list(traceback.walk_tb(location))
    if len(frames) > MAX_FRAMES:
        frames = frames[: MAX_FRAMES // 2] + frames[-MAX_FRAMES // 2 :]
    return frames
