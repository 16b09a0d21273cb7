"""The pictures of docs/architecture.md are those of their sources."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

DOCS = Path(__file__).parents[2] / "docs"
SOURCES = sorted((DOCS / "pictures").glob("*.dot"))


def test_there_are_pictures() -> None:
    assert {path.stem for path in SOURCES} == {"engine", "job", "rooms"}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_picture_has_the_nodes_of_its_source(source: Path) -> None:
    text = source.read_text()
    drawn = (DOCS / "images" / f"{source.stem}.svg").read_text()
    labels = re.findall(r'^\s+\w+ \[label="([^"]+)"', text, re.MULTILINE)
    assert len(labels) > 5
    for label in labels:
        for line in label.split(r"\n"):
            assert f">{line}</text>" in drawn, "run: make pictures"
    titles = set(re.findall(r"<g id=\"edge\d+\" class=\"edge\">\s*<title>([^<]+)</title>", drawn))
    named = {f"{a}&#45;&gt;{b}" for a, b in re.findall(r"(?m)^\s+(\w+) -> (\w+)", text)}
    assert named <= titles, "run: make pictures"
    assert (DOCS / "architecture.md").read_text().count(f"images/{source.stem}.svg") == 1


def test_each_file_that_the_page_names_is_there() -> None:
    page = (DOCS / "architecture.md").read_text()
    package, tests = DOCS.parent / "django_wfe", DOCS.parent / "tests"
    for name in re.findall(r"`((?:engine|admin)?/?[\w/]+\.py)`", page):
        places = [package / name, package / "engine" / name, DOCS.parent / name, tests / "integration" / name]
        places += [tests / "unit" / name, tests / "chaos" / name]
        assert any(place.exists() for place in places), name
    for room in re.findall(r"^\| `(\w+)/` \|", page, re.MULTILINE):
        assert (package / room).is_dir() or (package / "engine" / room).is_dir(), room
    engine = {path.name for path in (package / "engine").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert engine == set(re.findall(r"^\| `(\w+)/` \|", page.split("## Inside the engine")[1], re.MULTILINE))
