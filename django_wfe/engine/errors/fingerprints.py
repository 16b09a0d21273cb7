"""Which failures are the same: the same step, the same exception, raised at the same place with the same words.

All of it is worked out from what a step run keeps, never from the exception: so stored failures can be compared with
those to come, without the code that raised them.

The place is the innermost function of the step's own module. What lies further in is a helper that others share, and
would make one incident of all that goes wrong through it. A step that inherits what it runs has no function there: then
it is the outermost one of the project, which is the inherited ``execute``.
"""

from __future__ import annotations

import hashlib
import os
import re

MARK = "k"
"""What these fingerprints begin with. Those of before 2.0.0 are hexadecimal, and sort below."""

PLACE_LENGTH = 32
"""How many of the first letters stand for the step, the exception and the place; the others stand for the words."""

MAX_WORDS = 2_000
"""How much of a message is compared."""

LEFT_OUT = "…"
"""What stands for a part that varies."""

_HEADER = re.compile(r"^(?:Traceback|  \+ Exception Group Traceback) \(most recent call last\):$", re.MULTILINE)
_FRAME = re.compile(r'^  (?:\| {2,3})?File "(?P<file>[^"\n]*)", line \d+(?:, in (?P<function>[^\n]*))?$')
_LIBRARY = re.compile(r"[/\\](?:site-packages|dist-packages|lib[/\\]python\d[\d.]*)[/\\]|^<frozen ")

# One alternative after another, at each place of the text; a number that names the kind of failure is kept.
_PARTS = re.compile(
    r"""
    (?P<kept>\b(?:HTTP(?:/[\d.]+)?|[Ss]tatus(?:[ _-]?code)?|[Ee]rrno)(?:\s*[:=]\s*|\s+)\d{1,3}\b)
    | \b[a-z][a-z0-9+.-]{1,20}://[^\s'"<>]+                                # an address
    | [\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,8}                      # an e-mail address
    | '(?<!\w')[^'\n]*'(?!\w) | "[^"\n]*" | `[^`\n]*` | “[^”\n]*” | «[^»\n]*» | „[^“”\n]*[“”] | ‘[^’\n]*’(?!\w)
    | <[^<>\n]*\ (?:object\ )?at\ 0x[0-9a-fA-F]+>                          # an object without a text of its own
    | (?<![\w.])~?(?:[A-Za-z]:)?(?:[/\\][\w.@%+~-]+){2,}[/\\]?             # a path
    | \b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?(?=\ \d)
    | [+-]?(?<!\w)[\w.:,/-]*\d[\w.:,/+-]*%?                                # what has a digit: numbers, times, ids
    | \b[0-9a-fA-F]{16,}\b
    """,
    re.VERBOSE,
)
_SEVERAL = re.compile(rf"{LEFT_OUT}(?:(?:,|;|\s|\band\b|\bor\b)*{LEFT_OUT})+")


def compute_fingerprint(step: str, error_type: str, message: str, traceback: str) -> str:
    """Hash what makes two failures the same: 64 letters, of which the first 32 tell the place. Never raises.

    A failure without a traceback was found by the engine: its kind says all, and its message names workers and times.

    Args:
        step: the dotted path of the node.
    """
    place = find_place(traceback, message, step)
    words = find_words(message) if traceback else ""
    head = _hash(step, error_type, place)[: PLACE_LENGTH - len(MARK)]
    return f"{MARK}{head}{_hash(words)[:PLACE_LENGTH]}"


def get_place_range(fingerprint: str) -> tuple[str, str]:
    """Return the lowest and the highest fingerprint of failures at the same place, whatever their words."""
    place = fingerprint[:PLACE_LENGTH]
    return place + "0" * PLACE_LENGTH, place + "f" * PLACE_LENGTH


def is_of_place(fingerprint: str) -> bool:
    """Return whether it tells the place by its first letters; those of before 2.0.0 do not."""
    return len(fingerprint) == 2 * PLACE_LENGTH and fingerprint.startswith(MARK)


def find_words(message: str) -> str:
    """Return a message without the parts that vary: numbers, ids, times, addresses, paths, what stands in quotes."""
    words = " ".join(message[:MAX_WORDS].split())
    words = _PARTS.sub(lambda found: found["kept"] or LEFT_OUT, words)
    return _SEVERAL.sub(LEFT_OUT, words)


def find_place(traceback: str, message: str, step: str) -> str:
    """Return the file and the function of the step's own code that a failure was raised in or below.

    Not the line: it changes with each edit of the file above it.
    """
    frames = _list_frames(traceback, message)
    if not frames:
        return ""
    module = step.rpartition(".")[0].replace(".", "/")
    own = [frame for frame in frames if module and _is_module(frame[0], module)]
    project = [frame for frame in frames if not _LIBRARY.search(frame[0])]
    file, function = own[-1] if own else project[0] if project else frames[0]
    return f"{os.path.basename(file)}:{function}"


def _list_frames(traceback: str, message: str) -> list[tuple[str, str]]:
    """Return the files and functions that the exception came through; not those of its causes, which stand before."""
    # A message may quote a traceback of its own.
    end = traceback.rfind(message[:200]) if message else -1
    headers = list(_HEADER.finditer(traceback, 0, end if end > 0 else len(traceback)))
    if not headers:
        return []
    frames = []
    for line in traceback[headers[-1].end() + 1 :].split("\n"):
        if not line.startswith(("  ", "    ")):
            break
        found = _FRAME.match(line)
        if found is not None:
            frames.append((found["file"], found["function"] or ""))
        elif line.startswith("  |") and not line.startswith("  |  "):
            break  # the message of a group; its members come after
    return frames


def _is_module(file: str, module: str) -> bool:
    path = file.replace("\\", "/")
    return f"/{path}".endswith((f"/{module}.py", f"/{module}/__init__.py"))


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode(errors="backslashreplace")).hexdigest()
