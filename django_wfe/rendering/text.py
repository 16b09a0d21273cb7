"""Text that must fit a shape: measuring and wrapping, without a font at hand."""

from __future__ import annotations

import unicodedata

from django_wfe.definition.texts import flatten_text

_NARROW = frozenset("iljItf.,:;'|!()[]{}` ")
_WIDE = frozenset("mwMW@%&QOGD")
ELLIPSIS = "…"


def measure_text(text: str, font_size: float) -> float:
    """Estimate the width of a text in pixels, in a sans-serif font of ``font_size`` pixels; rather too wide."""
    return sum(_measure_character(character) for character in text) * font_size


def wrap_text(text: str, font_size: float, *, width: float, lines: int) -> tuple[str, ...]:
    """Break a text into at most ``lines`` lines of ``width`` pixels; what does not fit ends in an ellipsis.

    A word that is wider than a line is broken inside.
    """
    wrapped: list[str] = []
    line = ""
    for word in _split_words(flatten_text(text), font_size, width):
        candidate = f"{line} {word}" if line else word
        if not line or measure_text(candidate, font_size) <= width:
            line = candidate
            continue
        wrapped.append(line)
        line = word
    if line:
        wrapped.append(line)
    if len(wrapped) > lines:
        wrapped = [*wrapped[: lines - 1], _shorten(wrapped[lines - 1], font_size, width)]
    return tuple(wrapped)


def _split_words(text: str, font_size: float, width: float) -> list[str]:
    pieces: list[str] = []
    for word in text.split():
        piece = ""
        for character in word:
            joins = bool(unicodedata.combining(character)) or character == "\u200d"
            if piece and not joins and measure_text(piece + character, font_size) > width:
                pieces.append(piece)
                piece = ""
            piece += character
        pieces.append(piece)
    return pieces


def _shorten(line: str, font_size: float, width: float) -> str:
    while line and measure_text(line + ELLIPSIS, font_size) > width:
        line = line[:-1]
    return line.rstrip() + ELLIPSIS


def _measure_character(character: str) -> float:
    if character in _NARROW:
        return 0.36
    if character in _WIDE:
        return 0.9
    if unicodedata.combining(character):
        return 0.0
    if unicodedata.east_asian_width(character) in {"W", "F"}:
        return 1.05
    return 0.72 if character.isupper() else 0.59
