"""Templates can be read: short lines, one element of the page a line, indented as they are nested."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2] / "templates"
TEMPLATES = sorted(path for path in ROOT.rglob("*") if path.suffix in (".html", ".svg"))
LONGEST_LINE = 120
ELEMENTS = "section|div|table|thead|tbody|tr|td|th|ul|ol|li|dl|dt|dd|p|form|fieldset|details|summary|h[1-4]|figure|nav"
OPENING = re.compile(rf"<({ELEMENTS})\b")


def test_there_are_templates() -> None:
    assert len(TEMPLATES) > 40


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_template_can_be_read(path: Path) -> None:
    text = path.read_text()
    assert "\t" not in text
    for number, line in enumerate(text.splitlines(), 1):
        assert len(line) <= LONGEST_LINE, f"{path.name}:{number} has {len(line)} characters"
        assert line == line.rstrip(), f"{path.name}:{number} ends in white space"
        assert len(OPENING.findall(line)) <= 1, f"{path.name}:{number} opens two elements: {line.strip()}"
        assert (len(line) - len(line.lstrip())) % 2 == 0 or line.lstrip().startswith('"'), f"{path.name}:{number}"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_opened_on_a_line_of_its_own_is_closed_at_the_same_depth(path: Path) -> None:
    blocks: list[tuple[str, int]] = []
    for line in path.read_text().splitlines():
        depth = len(line) - len(line.lstrip())
        for match in re.finditer(r"{% (end)?(if|for|with|block)\b", line):
            at_start = line.lstrip().startswith(match[0])
            if not match[1]:
                blocks.append((match[2], depth if at_start else -1))
            else:
                name, opened = blocks.pop()
                assert name == match[2]
                assert not at_start or opened in (-1, depth), f"{path.name}: {line.strip()} is not below its opening"
    assert blocks == []


def test_times_are_told_in_one_format() -> None:
    allowed = {
        "values/moments.py": 2,  # say_moment, the one format
        "admin/frame/days.py": 1,  # days, of a filter
        "rendering/timeline/axis.py": 5,  # ticks of a scale
    }
    package = ROOT.parent / "django_wfe"
    sources = [path for path in package.rglob("*.py") if "date_format(" in path.read_text()]
    used = {str(path.relative_to(package)): path.read_text().count("date_format(") for path in sources}
    used.pop("spreadsheets/number_formats.py", None)  # the format of a cell, which has the same name
    assert used == allowed
    for path in TEMPLATES:
        assert not re.search(r"\|\s*(date|time)\b", path.read_text()), f"{path.name}: use the tags of wfe_console"
