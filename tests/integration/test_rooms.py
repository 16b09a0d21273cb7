"""The rooms of the package: how large they are, and that no two of them need each other."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import django_wfe

pytestmark = [pytest.mark.integration, pytest.mark.versionless]

PACKAGE = Path(django_wfe.__file__).parent
MOST_LINES = 350
MOST_FILES = 12
FACES = {
    *("__init__", "apps", "conf", "exceptions", "lifecycle", "pytest_plugin", "retry", "signals", "states", "steps"),
    *(
        "contexts",
        "dispatchers",
        "inlines",
        "kinds",
        "panels",
        "policies",
        "programs",
        "tasks",
        "urls",
        "verbs",
        "version",
        "workflows",
    ),
}
"""The modules of the package itself: what projects import, and what Django looks for. All else lies in a room."""

FILES = sorted(path for path in PACKAGE.rglob("*.py") if "migrations" not in path.parts)
ROOMS = sorted({path.parent for path in FILES})


def test_no_file_is_too_long() -> None:
    assert len(FILES) > 300
    long = {str(path.relative_to(PACKAGE)): count for path in FILES if (count := count_lines(path)) > MOST_LINES}
    assert long == {}, f"more than {MOST_LINES} lines: split them"


def test_no_room_has_too_many_files() -> None:
    assert len(ROOMS) > 30
    rooms = {room: len([path for path in FILES if path.parent == room and path.stem != "__init__"]) for room in ROOMS}
    rooms.pop(PACKAGE)
    full = {str(room.relative_to(PACKAGE)): count for room, count in rooms.items() if count > MOST_FILES}
    assert full == {}, f"more than {MOST_FILES} files: make a room in it"


def test_the_package_itself_holds_its_faces_alone() -> None:
    assert {path.stem for path in PACKAGE.glob("*.py")} == FACES


def test_every_room_says_what_it_is() -> None:
    for room in ROOMS:
        text = (room / "__init__.py").read_text()
        if text:
            assert ast.get_docstring(ast.parse(text)), f"{room.relative_to(PACKAGE)}/__init__.py has no docstring"


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(PACKAGE.parent)))
def test_nothing_in_a_room_needs_itself_through_others(room: Path) -> None:
    needed: dict[str, set[str]] = {}
    for path in FILES:
        if path.is_relative_to(room) and (inside := name_part(path, room)):
            for target in list_imports(path):
                if target.is_relative_to(room) and (part := name_part(target, room)) and part != inside:
                    needed.setdefault(inside, set()).add(part)
    assert find_circle(needed) == []


def count_lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def name_part(path: Path, room: Path) -> str:
    """Return the module or the inner room that a file belongs to, or "" for the room's own ``__init__``."""
    return path.relative_to(room).parts[0].removesuffix(".py").removesuffix("__init__")


@cache
def list_imports(path: Path) -> tuple[Path, ...]:
    """Return the files of the package that a file imports, wherever in it, type checking included."""
    return tuple(_find_imports(path))


def _find_imports(path: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "django_wfe":
            for alias in node.names:
                yield from filter(None, [locate(f"{node.module}.{alias.name}") or locate(node.module)])
        elif isinstance(node, ast.Import):
            yield from filter(None, [locate(alias.name) for alias in node.names])


def locate(module: str) -> Path | None:
    place = PACKAGE.parent / Path(*module.split("."))
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.exists()), None)


def find_circle(needed: dict[str, set[str]]) -> list[str]:
    """Return the parts of a circle, or an empty list: parts that need nothing that is left are taken away in turn."""
    left = {part: set(targets) for part, targets in needed.items()}
    while free := [part for part, targets in left.items() if not targets & left.keys()]:
        for part in free:
            del left[part]
    return sorted(left)


def test_a_circle_is_found() -> None:
    assert find_circle({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert find_circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["a", "b", "c"]
