"""The source of a declaration, and its syntax tree, where several threads read at once.

CPython's parser counts its depth for all threads of a process together: a thread that another one interrupts at the
wrong instant raises ``SystemError: AST constructor recursion depth mismatch`` over a source without a fault
(https://github.com/python/cpython/issues/106905). ``inspect.getsource`` parses too. So who reads a source here takes
turns with the others, and tries again, since a traceback that is written meanwhile disturbs it as well.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

TRIES = 20

_turn = threading.Lock()


def read_source(declared: Any) -> str | None:
    """Return the source of a class or function, or None without one: typed into a shell, or changed since."""
    try:
        return call_undisturbed(lambda: _in_turn(inspect.getsource, declared))
    except (OSError, TypeError, SyntaxError, SystemError):
        return None


def read_tree(declared: Any) -> ast.stmt | None:
    """Return the syntax tree of a class or function, or None if its source is not to be had."""
    source = read_source(declared)
    if source is None:
        return None
    try:
        body = parse(textwrap.dedent(source)).body
    except (SyntaxError, SystemError):
        return None
    return body[0] if body else None


def parse(source: str | bytes) -> ast.Module:
    """Return the syntax tree of a module's text.

    Raises:
        SyntaxError, ValueError: as ``ast.parse`` does.
    """
    tree: ast.Module = call_undisturbed(lambda: _in_turn(ast.parse, source))
    return tree


def call_undisturbed(call: Callable[[], T], tries: int = TRIES) -> T:
    """Return what a call returns that uses Python's parser, made again while another thread disturbs it."""
    for _try in range(tries - 1):
        try:
            return call()
        except SystemError:
            pass
    return call()


def _in_turn(read: Callable[[Any], T], argument: Any) -> T:
    with _turn:
        return read(argument)
