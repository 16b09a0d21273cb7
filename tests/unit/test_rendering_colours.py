"""The colours of states have enough contrast, light and dark."""

import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders

from django_wfe.wording.states import LOOKS

pytestmark = pytest.mark.unit
TEXT = 4.5
SHAPE = 3.0


def read_themes() -> dict[str, dict[str, str]]:
    path = finders.find("django_wfe/states.css")
    assert path
    css = Path(path).read_text()
    dark_by_system, dark_by_choice = (
        dict(re.findall(r"(--wfe-[\w-]+):\s*(#[0-9a-f]+|var[^;]+);", css.split(start, 1)[1].split("}", 1)[0]))
        for start in ("@media (prefers-color-scheme: dark)", 'html[data-theme="dark"]')
    )
    assert dark_by_system == dark_by_choice
    light = dict(re.findall(r"(--wfe-[\w-]+):\s*(#[0-9a-f]+|var[^;]+);", css.split("}", 1)[0]))
    assert light.keys() == dark_by_choice.keys()
    return {
        "light": {**light, "--wfe-surface": "#ffffff", "--wfe-ink": "#333333", "--wfe-raised": "#f8f8f8"},
        "dark": {**dark_by_choice, "--wfe-surface": "#121212", "--wfe-ink": "#eeeeee", "--wfe-raised": "#212121"},
    }


def measure_contrast(one: str, other: str) -> float:
    lighter, darker = sorted((measure_luminance(one), measure_luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def measure_luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    parts = [int(digits[index : index + 2], 16) / 255 for index in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_texts_and_shapes_can_be_told_from_their_ground(theme: str) -> None:
    colours = read_themes()[theme]
    states = [name for name in colours if f"{name}-ground" in colours]
    assert len(states) == 8
    pairs = [("--wfe-quiet", "--wfe-surface", TEXT), ("--wfe-quiet", "--wfe-raised", TEXT)]
    pairs += [("--wfe-taken", "--wfe-surface", TEXT), ("--wfe-line", "--wfe-surface", SHAPE)]
    pairs += [("--wfe-focus", "--wfe-surface", SHAPE)]
    for state in states:
        pairs += [
            (state, f"{state}-ground", TEXT),
            ("--wfe-ink", f"{state}-ground", TEXT),
            ("--wfe-on-state", state, TEXT),
            (state, "--wfe-surface", SHAPE),
        ]
    weak = [
        f"{one} on {other}: {measure_contrast(colours[one], colours[other]):.2f}"
        for one, other, least in pairs
        if measure_contrast(colours[one], colours[other]) < least
    ]
    assert weak == []


def test_every_look_has_its_colours() -> None:
    path = finders.find("django_wfe/states.css")
    assert path
    css = Path(path).read_text()
    assert [look.css_class for look in LOOKS if f".{look.css_class}" not in css] == []
