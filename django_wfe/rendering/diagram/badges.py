"""Badges: the pills on a node's border, and where they sit."""

from __future__ import annotations

from dataclasses import dataclass

from django_wfe.rendering.diagram.layout import NodeBox
from django_wfe.rendering.diagram.svg import format_number
from django_wfe.rendering.text import measure_text

BADGE_GAP = 3


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text around its middle."""

    x: str
    y: str
    words: str


@dataclass(frozen=True, slots=True)
class Badge:
    """A pill on a node's border: an icon, a text, or both. ``x`` and ``y`` are those of its corner."""

    css_class: str
    x: str
    y: str
    width: str
    icon: str = ""
    text: Text | None = None
    title: str = ""


def keep_inside(x: float, width: float, picture: float) -> float:
    """Move the left edge of what is ``width`` wide to where it does not reach beyond a picture of the width given."""
    return max(min(x, picture - width - 2), 2.0)


def build_badge(css_class: str, x: float, top: float, *, icon: str = "", text: str = "") -> Badge:
    """Make a badge from its left edge and the height of its middle."""
    width = measure_badge(text, icon)
    middle = x + (width + (15 if icon else 0)) / 2
    return Badge(
        css_class=f"wfe-badge {css_class}",
        x=format_number(x),
        y=format_number(top - 10),
        width=format_number(width),
        icon=icon,
        text=Text(format_number(middle), format_number(top + 4), text) if text else None,
    )


def measure_badge(text: str, icon: str) -> float:
    """Return the width of a badge in pixels."""
    if not text:
        return 20.0
    # A word is set in bold letters of any width, a count in digits.
    width = measure_text(text, 12) * 1.2 if text.isalpha() else len(text) * 8
    return round(width) + (24 if icon else 11)


def find_corners(box: NodeBox) -> tuple[float, float, float]:
    """Return where badges sit on a node: its left, its right and its top."""
    if box.form == "decision":
        # The middles of its upper sides: a diamond has no corners there.
        return box.x - box.width / 4 - 5, box.x + box.width / 4 + 5, box.y - box.height / 4 - 7
    return box.x - box.width / 2, box.x + box.width / 2, box.y - box.height / 2
