"""Tells from the bytecode where an exception that is set for a thread may be raised next.

CPython looks for one at the entry of a function of Python's, after a call, and at a jump backwards. Which of these
comes next in a frame is read off its instructions, along all ways that they may take.
"""

from __future__ import annotations

import dis
from functools import lru_cache
from types import CodeType

BAD_CALLS = frozenset({"acquire", "release", "__enter__", "__exit__", "__aenter__", "__aexit__"})
"""Methods after whose call something may be held, or at whose entry something is still to be given back."""

LONGEST_WAY = 200
"""How many instructions are followed; so many without a call or a jump are none that a person has written."""


def is_at_entry(code: CodeType, position: int) -> bool:
    """Return whether a frame at this offset has not begun with what it does."""
    return position <= _read(code).entry


def is_at_call(code: CodeType, position: int, name: str) -> bool:
    """Return whether the instruction at this offset calls a method of this name."""
    return _read(code).names.get(position) == name


def is_before_bad_call(frames: list[tuple[CodeType, int]]) -> bool:
    """Return whether the next look for an exception may be in a bad call, or the thread is in one.

    Args:
        frames: the code and offset of each frame, from the innermost outwards.
    """
    if not frames:
        return False
    (code, position), *_outer = frames
    if _read(code).names.get(position) in BAD_CALLS:
        return True
    for code, position in frames:
        verdict = _follow(code, position)
        if verdict is not None:
            return verdict
        # It returns without a look: what its caller does next counts.
    return False


class _Code:
    """The instructions of a code object, and the names of the methods that its calls are of."""

    __slots__ = ("entry", "index", "instructions", "names")

    def __init__(self, code: CodeType) -> None:
        self.instructions = list(dis.get_instructions(code))
        self.index = {instruction.offset: number for number, instruction in enumerate(self.instructions)}
        resumes = [i.offset for i in self.instructions if i.opname == "RESUME" and not (i.arg or 0) & 3]
        self.entry = resumes[0] if resumes else -1
        self.names: dict[int, str] = {}
        name, nones = "", 0
        for instruction in self.instructions:
            kind = instruction.opname
            if kind in ("LOAD_METHOD", "LOAD_ATTR"):
                name = str(instruction.argval)
            elif kind == "LOAD_SPECIAL":  # since Python 3.14: __enter__ and __exit__ of a with block
                name = instruction.argrepr
            elif kind.startswith(("CALL", "PRECALL")):
                # The end of a with block calls __exit__ with three times None.
                self.names[instruction.offset] = "__exit__" if nones >= 3 else name
            elif kind.startswith(("POP_", "STORE_")):
                name = ""
            is_none = kind == "LOAD_CONST" and instruction.argval is None
            nones = nones + 1 if is_none else nones if kind == "PRECALL" else 0


@lru_cache(maxsize=1024)
def _read(code: CodeType) -> _Code:
    return _Code(code)


@lru_cache(maxsize=4096)
def _follow(code: CodeType, position: int) -> bool | None:
    """Return whether some way from the instruction after this offset meets a bad call first; None if none meets any."""
    read = _read(code)
    if position not in read.index:
        return False
    ways, seen = [read.index[position] + 1], set[int]()
    has_met = False
    while ways and len(seen) < LONGEST_WAY:
        number = ways.pop()
        if number in seen or number >= len(read.instructions):
            continue
        seen.add(number)
        instruction = read.instructions[number]
        kind = instruction.opname
        if kind.startswith("CALL"):
            if read.names.get(instruction.offset) in BAD_CALLS:
                return True
            has_met = True
        elif "JUMP_BACKWARD" in kind or kind in ("YIELD_VALUE", "SEND", "RAISE_VARARGS", "RERAISE"):
            has_met = True
        elif kind in ("RETURN_VALUE", "RETURN_CONST"):
            continue
        else:
            if instruction.opcode in dis.hasjrel or instruction.opcode in dis.hasjabs:
                ways.append(read.index[instruction.argval])
            if kind != "JUMP_FORWARD":
                ways.append(number + 1)
    return False if has_met else None
