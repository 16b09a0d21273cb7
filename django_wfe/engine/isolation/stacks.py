"""Tells from the stack of a thread whether an exception may be raised there from outside.

A frame is judged by the module that its code is from, so a function that is wrapped or renamed is judged alike. What
decides is the innermost frame of the step's own code or of a guarded package; frames of other libraries stand for
those that called them.

An exception that is set for a thread arrives where CPython next looks for one: at the instruction that it is at, at the
entry of a function, after a call, or at a jump backwards. So the calls that come next count too
(``engine.checkpoints``).
"""

from __future__ import annotations

import concurrent.futures
import enum
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from types import CodeType, FrameType, TracebackType

from django_wfe.engine.isolation.checkpoints import is_at_call, is_at_entry, is_before_bad_call

DATABASE_PACKAGES = frozenset({"django", "psycopg2", "psycopg", "psycopg_pool", "psycopg_c", "psycopg_binary"})
"""What goes on here concerns a connection, which is discarded after each interrupt."""

IMPORT_PACKAGES = frozenset({"importlib", "_frozen_importlib", "_frozen_importlib_external", "zipimport"})

LOCKING_PACKAGES = frozenset({"threading", "queue", "concurrent", "multiprocessing", "weakref"})
"""These hold locks over several statements of Python."""

ENGINE_PACKAGE = "django_wfe"
_STEPS_OF_OURS = ("django_wfe.demo",)

_BAD_NAMES = frozenset({"__enter__", "__exit__", "__aenter__", "__aexit__", "__del__", "acquire", "release"})
"""Functions that leave something held or undone where they are cut off, in whatever module they are."""

_BAD_ENTRIES = frozenset({"__exit__", "__aexit__", "release", "<module>"})
"""Functions that count though they have not begun: what they were to give back is not given back. A module's code may
raise anything from its first line on; the import system around it may not."""

_BAD_CODES = {subprocess.Popen.__init__.__code__, subprocess.Popen._execute_child.__code__}  # type: ignore[attr-defined]

Spot = tuple[CodeType, int, str]
"""A frame: its code, the offset of its current instruction, the name of its module."""


class Place(enum.Enum):
    """Where a thread is in the code of a step."""

    GOOD = "good"
    """An exception from outside does there what one of the step's own would do."""
    OUTSIDE = "outside"
    """In no code of the step's."""
    ENGINE = "engine"
    DATABASE = "database"
    LOGGING = "logging"
    HELD = "held"
    """Where locks or other things may be held."""
    IMPORTING = "importing"
    """In the import system, which holds locks that all threads need, and stays there for no long time."""


def list_frames(frame: FrameType, boundary: FrameType) -> list[Spot] | None:
    """List the frames from ``frame`` outwards to ``boundary``, without it; None if that is not among them."""
    spots: list[Spot] = []
    current: FrameType | None = frame
    while current is not None and current is not boundary:
        spots.append((current.f_code, current.f_lasti, current.f_globals.get("__name__", "")))
        current = current.f_back
    return spots if current is boundary else None


def list_traceback(traceback: TracebackType | None, boundary: FrameType | None) -> list[Spot] | None:
    """List the frames of a traceback likewise, as they were when it was raised. All of them without a boundary."""
    spots: list[Spot] = []
    is_inside = boundary is None
    while traceback is not None:
        frame = traceback.tb_frame
        if is_inside:
            spots.append((frame.f_code, traceback.tb_lasti, frame.f_globals.get("__name__", "")))
        elif frame is boundary:
            is_inside = True
        traceback = traceback.tb_next
    if not is_inside and not spots:
        return None
    return spots[::-1]


def judge_place(spots: list[Spot] | None, *, has_arrived: bool = False) -> Place:
    """Return what kind of place a thread is at, by its frames from the innermost outwards.

    Args:
        has_arrived: the exception was raised there, and nothing comes next.
    """
    if not spots:
        return Place.OUTSIDE
    code, position, _ = spots[0]
    if has_arrived and is_at_entry(code, position) and code.co_name not in _BAD_ENTRIES:
        # The function was called and has not begun.
        spots = spots[1:]
    place = _judge_frames(spots)
    if place is not Place.GOOD or has_arrived or code in _LOCK_WAITS:
        return place
    is_bad_next = is_before_bad_call([(code, position) for code, position, _ in spots])
    return Place.HELD if is_bad_next else Place.GOOD


def _judge_frames(spots: list[Spot]) -> Place:
    place: Place | None = None
    for index, (code, position, module) in enumerate(spots):
        if code in _WAITING_CODES:
            if index == 0 and code in _LOCK_WAITS and not is_at_call(code, position, "acquire"):
                return Place.HELD
            continue
        if place is None:
            place = _judge_frame(code, module)
        if place in (None, Place.GOOD) and (code.co_name in _BAD_NAMES or code in _BAD_CODES):
            place = Place.HELD
    return place or Place.GOOD


def _judge_frame(code: CodeType, module: str) -> Place | None:
    """Return what a frame says of the place; None if the frame outside of it has to say."""
    package = module.partition(".")[0]
    if code.co_name == "<module>":
        # A module that is being imported may raise anything, and the import is undone.
        return Place.GOOD
    if package == "logging":
        return Place.LOGGING
    if package in IMPORT_PACKAGES:
        return Place.IMPORTING
    if package in LOCKING_PACKAGES:
        return Place.HELD
    if package in DATABASE_PACKAGES:
        return Place.DATABASE
    if package == ENGINE_PACKAGE and not module.startswith(_STEPS_OF_OURS):
        return Place.ENGINE
    return None if package in sys.stdlib_module_names else Place.GOOD


def _find_codes(*names: tuple[object, str]) -> Iterator[CodeType]:
    """Return the code of those functions that this version of Python has, and has in Python."""
    for owner, name in names:
        code = getattr(getattr(owner, name, None), "__code__", None)
        if code is not None:
            yield code


_LOCK_WAITS = frozenset(
    _find_codes((threading.Condition, "wait"), (threading.Thread, "_wait_for_tstate_lock")),
)
"""Made to be interrupted, as Ctrl-C does, while they wait for their lock."""

_WAITING_CODES = _LOCK_WAITS | frozenset(
    _find_codes(
        (threading.Condition, "wait_for"),
        (threading.Event, "wait"),
        (threading.Barrier, "wait"),
        (threading.Barrier, "_wait"),
        (threading.Semaphore, "acquire"),
        (threading.Thread, "join"),
        (queue.Queue, "get"),
        (queue.Queue, "put"),
        (queue.Queue, "join"),
        (concurrent.futures.Future, "result"),
        (concurrent.futures.Future, "exception"),
        (concurrent.futures, "wait"),
        (concurrent.futures, "as_completed"),
        (concurrent.futures.Executor, "__exit__"),
        (concurrent.futures.ThreadPoolExecutor, "shutdown"),
    )
)
"""Functions that only wait in one of those, and leave everything in order when an exception comes out of it."""
