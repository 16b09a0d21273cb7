"""Text that somebody wrote, made harmless where it is shown: nothing in it is unseen, and nothing acts beyond its end.

Control characters are replaced by their pictures: in a terminal they move the cursor, change colours and titles, and
neither HTML nor XML can hold them. Those that turn the direction of writing are written out in terminals, and end with
their text on pages, so that no text changes how the one after it reads.
"""

from __future__ import annotations

import re

TURNS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Embeddings, overrides and isolates of a direction, and what ends them."""

_KEPT = "\t\n\r"
_CONTROLS = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_IN_A_LINE = re.compile(f"[\0-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u061c\u200e\u200f\u2028\u2029{TURNS}]")
_UNSEEN_IN_JSON = re.compile(f"[\x7f-\x9f\ud800-\udfff\ufffe\uffff\u061c\u200e\u200f\u2028\u2029{TURNS}]")
_TURNED = re.compile(f"<(/?[a-zA-Z][a-zA-Z0-9]*)([^>]*)>([^<{TURNS}]*[{TURNS}][^<]*)")
_TURNED_ATTRIBUTE = re.compile(f' ([a-z-]+)="([^"<>{TURNS}]*[{TURNS}][^"<>]*)"')
_WITHOUT_ELEMENTS = frozenset({"title", "option", "text", "tspan", "desc"})
_AS_IT_IS = frozenset({"script", "style"})
_TERMINAL_LOOKS = re.compile("(?:\x1b\\[|\x9b)[0-9:;]*[mK]")
_ACTING = re.compile(f"{_CONTROLS.pattern}|[{TURNS}]")
_TYPED = re.compile(r'(<textarea\b[^>]*>[^<]*|\svalue="[^"]*")')


def show_controls(text: str) -> str:
    """Return the text with pictures in the place of its control characters; tabs and the ends of lines stay."""
    return _CONTROLS.sub(_draw, text)


def strip_terminal_looks(text: str) -> str:
    """Return the text without the sequences that colour it in a terminal, or clear a line there.

    What moves the cursor stays, and is shown as pictures: it would tell another story than the text that is left.
    """
    return _TERMINAL_LOOKS.sub("", text)


def show_on_one_line(text: str) -> str:
    """Return the text as a terminal shows it on one line: no character of it does anything but be there."""
    return _IN_A_LINE.sub(_draw, text)


def show_in_terminal(text: str) -> str:
    """Return the text as ``show_on_one_line``, each line of it on its own."""
    return "\n".join(map(show_on_one_line, text.split("\n")))


def escape_unseen_in_json(text: str) -> str:
    """Return JSON text of the same value in which no character is unseen."""
    return _UNSEEN_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def show_on_page(html: str) -> str:
    """Return a page on which control characters are seen, and each text that turns the direction is isolated."""
    if not _ACTING.search(html):
        return html
    parts = _TYPED.split(html)
    # What a person edits is posted back, and so stays as it is.
    parts[::2] = map(_show_markup, parts[::2])
    return "".join(parts)


def _show_markup(html: str) -> str:
    return _TURNED.sub(_isolate, _TURNED_ATTRIBUTE.sub(_end_in_attribute, show_controls(html)))


def _draw(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\N{SYMBOL FOR DELETE}"
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"


def _isolate(match: re.Match[str]) -> str:
    name, attributes, text = match.groups()
    if name in _AS_IT_IS:
        return match[0]
    isolated = _end_turns(text) if name in _WITHOUT_ELEMENTS else f"<bdi>{_end_turns(text)}</bdi>"
    return f"<{name}{attributes}>{isolated}"


def _end_in_attribute(match: re.Match[str]) -> str:
    return f' {match[1]}="{_end_turns(match[2])}"'


def _end_turns(text: str) -> str:
    """Return the text with an end to each turn that it leaves open."""
    open_turns: list[str] = []
    for character in text:
        if character in "\u202a\u202b\u202d\u202e":
            open_turns.append("\u202c")
        elif character in "\u2066\u2067\u2068":
            open_turns.append("\u2069")
        elif character in "\u202c\u2069" and character in open_turns:
            while open_turns.pop() != character:
                pass
    return text + "".join(reversed(open_turns))
