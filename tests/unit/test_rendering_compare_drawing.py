"""Two definitions drawn side by side: what is marked, and where."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pytest
from django.utils import translation

from django_wfe.rendering.diagram import layout
from django_wfe.rendering.diagram.compare import compare_graphs
from django_wfe.rendering.diagram.compare_drawing import render_comparison
from django_wfe.rendering.diagram.dot import is_dot_available
from tests.support.forms.rendering_samples import build_definition, build_sample

pytestmark = [pytest.mark.unit, pytest.mark.skipif(not is_dot_available(), reason="there is no dot")]

VIEW_WIDTH = re.compile(r'wfe-diagram__picture.*?viewBox="0 0 ([\d.]+) ', re.DOTALL)
BADGE = re.compile(
    r'wfe-badge wfe-state--\w+">\s*<rect class="wfe-icon__ground" x="([^"]+)" y="([^"]+)" width="([^"]+)"'
)


def draw_both(old: Mapping[str, Sequence[str]], new: Mapping[str, Sequence[str]]) -> list[str]:
    """Give the drawings of the graph ``old`` and of ``new``; ``choose`` is a decision in both."""
    before, after = (build_definition(build_sample(edges, decisions=["choose"])) for edges in (old, new))
    drawn = render_comparison(before, after, compare_graphs(before.load_graph(), after.load_graph()))
    return [str(drawing) for drawing in drawn]


def list_badges(drawing: str) -> list[str]:
    return re.findall(r'class="wfe-badge wfe-state--(\w+)"', drawing)


def read_numbers(text: str) -> list[float]:
    return [float(number) for number in text.split()]


def test_each_drawing_marks_what_became_of_its_nodes() -> None:
    old, new = draw_both({"a": ["b"], "b": ["c"]}, {"a": ["d"], "d": ["c"]})
    assert sorted(list_badges(old)) == ["removed", "rewired"]
    assert sorted(list_badges(new)) == ["added", "rewired"]
    assert (old.count("wfe-edge--removed"), old.count("wfe-edge--added")) == (2, 0)
    assert (new.count("wfe-edge--removed"), new.count("wfe-edge--added")) == (0, 2)


def test_both_are_drawn_at_one_scale() -> None:
    wide = {"choose": ["b", "c", "d", "e"]}
    old, new = draw_both({"choose": ["b", "c"]}, wide)
    widths = [VIEW_WIDTH.findall(drawing)[0] for drawing in (old, new)]
    assert widths[0] == widths[1]


def test_a_badge_hides_no_arrow() -> None:
    """To the nodes left and right of a decision, and to the one under them, lines come in from different sides."""
    _old, new = draw_both({"choose": ["m"]}, {"choose": ["l", "m", "r"], "l": ["z"], "r": ["z"], "m": ["z"]})
    tips = [read_numbers(points)[:2] for points in re.findall(r'wfe-edge__arrow" points="([^"]+)"', new)]
    badges = [read_numbers(" ".join(found)) for found in BADGE.findall(new)]
    assert len(badges) == 5
    for left, top, width in badges:
        assert not [(x, y) for x, y in tips if left <= x <= left + width and top <= y <= top + 20]


@pytest.mark.parametrize("language", ["en", "de"])
def test_no_badge_reaches_beyond_a_narrow_picture(language: str) -> None:
    with translation.override(language):
        drawings = draw_both({"a": ["choose"], "choose": ["b"]}, {"choose": ["b"], "b": ["c"]})
    for drawing in drawings:
        width = float(VIEW_WIDTH.findall(drawing)[0])
        for left, _top, badge in (read_numbers(" ".join(found)) for found in BADGE.findall(drawing)):
            assert left >= 0
            assert left + badge <= max(width, badge + 4)


def test_without_a_dot_neither_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "find_dot", lambda: None)
    definition = build_definition(build_sample({"a": ["b"]}))
    difference = compare_graphs(definition.load_graph(), definition.load_graph())
    assert render_comparison(definition, definition, difference) == (None, None)
