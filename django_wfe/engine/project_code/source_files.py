"""The project's source files: which of them stand behind a module, and whether this process loaded them as they are."""

from __future__ import annotations

import hashlib
import os
import re
import sys
import sysconfig
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

FileState = tuple[int, int, int] | None
"""When the file last changed in nanoseconds, its size and its inode; None where there is no such file."""

_LIBRARY_FOLDERS = frozenset({"site-packages", "dist-packages"})
_STANDARD_LIBRARY = tuple({os.path.join(sysconfig.get_path(name), "") for name in ("stdlib", "platstdlib")})
_OWN_PACKAGE = __name__.partition(".")[0]
_OWN_FOLDER = os.path.join(Path(__file__).absolute().parents[2], "")
_DEMO_FOLDER = os.path.join(_OWN_FOLDER, "demo", "")

_BEGAN = time.time_ns()
_TICK_NANOSECONDS = 20_000_000
_SETTLED_NANOSECONDS = 100_000_000

# By lines, twenty times as fast as a syntax tree. What looks like an import in a text does no harm: it is looked for,
# and not found, or counts as well in every process.
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+import\b[ \t]*(\((?:[^)#]|#[^\n]*)*\)|[^\n#;]*)|import[ \t]+([^\n#;]+))",
    re.MULTILINE,
)
_COMMENT_OR_BRACKET = re.compile(r"#[^\n]*|[()]")

_lock = threading.Lock()
_loaded_since: dict[str, int] = {}
_loaded_hashes: dict[str, str] = {}
_file_hashes: dict[str, tuple[FileState, str]] = {}
_imports: dict[tuple[str, str], tuple[FileState, frozenset[str]]] = {}


@dataclass(frozen=True, slots=True)
class Source:
    """A module and the file that it comes from, or would."""

    name: str
    file: str


def look_at(paths: Iterable[str]) -> dict[str, FileState]:
    """Return the state of each file: equal states mean that it has not changed."""
    return {path: _look_at_one(path) for path in paths}


def is_project_file(path: str) -> bool:
    """Return whether a file is the project's own: no library's, not Python's, not the engine's (its demo's is)."""
    path = os.path.abspath(path)
    if path.startswith(_OWN_FOLDER):
        return path.startswith(_DEMO_FOLDER)
    return not path.startswith(_STANDARD_LIBRARY) and _LIBRARY_FOLDERS.isdisjoint(path.split(os.sep))


def is_project_module(module: ModuleType | None) -> bool:
    """Return whether a loaded module comes from a file of the project."""
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and is_project_file(file)


def list_sources(names: Iterable[str]) -> dict[str, Source]:
    """List the project's modules that these modules need: themselves, their packages, and all that those import.

    Read from the files, not from what is loaded, so that two processes with the same files list the same. An import
    inside a function counts; a module that is imported by a computed name is not seen.
    """
    found: dict[str, Source] = {}
    seen: set[str] = set()
    libraries: dict[str, bool] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        top = name.partition(".")[0]
        if top not in libraries:
            libraries[top] = top in sys.builtin_module_names or _is_library(find_source(top))
        if libraries[top]:
            continue
        package = name.rpartition(".")[0]
        if package:
            waiting.append(package)
        source = find_source(name)
        if source is not None and is_project_file(source.file):
            found[name] = source
            waiting.extend(list_imports(source))
    return found


def find_source(name: str) -> Source | None:
    """Find the file of a module without importing it; None if it has none, or is not Python source."""
    module = sys.modules.get(name)
    if module is not None:
        file = getattr(module, "__file__", None)
        return Source(name, file) if isinstance(file, str) and file.endswith(".py") else None
    parent = name.rpartition(".")[0]
    path: Any = None
    if parent:
        path = _find_search_path(parent)
        if path is None:
            return None
    try:
        spec = PathFinder.find_spec(name, path)
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        return None
    return Source(name, spec.origin)


def list_imports(source: Source) -> frozenset[str]:
    """List the names that a file imports, as full names; what may be a module or a thing in one is listed as both."""
    state = _look_at_one(source.file)
    kept = _imports.get((source.name, source.file))
    if kept is not None and kept[0] == state:
        return kept[1]
    found = frozenset(_parse_imports(source))
    if state is not None and time.time_ns() - state[0] > _SETTLED_NANOSECONDS:
        _imports[source.name, source.file] = (state, found)
    return found


def resolve_relative(source: Source, level: int, module: str | None) -> str:
    """Return the full name of what ``from ..module import`` names in a file."""
    if not level:
        return module or ""
    package = source.name.split(".")
    if os.path.basename(source.file) != "__init__.py":
        package = package[:-1]
    base = package[: len(package) - level + 1]
    return ".".join([*base, *([module] if module else [])])


@contextmanager
def noting_imports() -> Iterator[None]:
    """Note for each module that is imported inside that it is loaded now, and the hash of the project's files."""
    before = set(sys.modules)
    try:
        yield
    finally:
        now = time.time_ns()
        new = set(sys.modules) - before
        with _lock:
            for name in new:
                _loaded_since[name] = now
                _loaded_hashes.pop(name, None)
        for name in new:
            source = find_source(name)
            if source is not None and is_project_file(source.file):
                hash_loaded(source)


def may_have_changed() -> bool:
    """Return whether the file of any loaded module of the project is newer than the module. Reads no file."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and is_project_file(file):
            state = _look_at_one(file)
            if state is None or state[0] >= _loaded_since.get(name, _BEGAN) - _TICK_NANOSECONDS:
                return True
    return False


def forget_loaded(names: Iterable[str]) -> None:
    """Drop what is known of modules that are to be imported anew."""
    with _lock:
        for name in names:
            _loaded_since.pop(name, None)
            _loaded_hashes.pop(name, None)


def hash_loaded(source: Source) -> str:
    """Return the hash of what this process loaded of a module, "" if its file has changed since and nobody knows.

    Of a module that is not loaded: the hash of its file, which is what would be loaded.
    """
    if source.name not in sys.modules:
        return hash_file(source.file)
    kept = _loaded_hashes.get(source.name)
    if kept is None:
        state = _look_at_one(source.file)
        # Whoever imported it: where its file is older than this process, it is the one that was loaded.
        known = state is not None and state[0] < _loaded_since.get(source.name, _BEGAN)
        kept = _loaded_hashes[source.name] = hash_file(source.file) if known else ""
    return kept


def hash_file(path: str) -> str:
    """Return the SHA-256 of a file, "" if it cannot be read. It is read again when its state has changed."""
    state = _look_at_one(path)
    kept = _file_hashes.get(path)
    if kept is not None and kept[0] == state:
        return kept[1]
    try:
        found = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return ""
    if state is not None and time.time_ns() - state[0] > _SETTLED_NANOSECONDS:
        # Of two edits within one tick of the file system's clock the second may not show.
        _file_hashes[path] = (state, found)
    return found


def is_changed(source: Source) -> bool:
    """Return whether the file of a loaded module is another than the one that was loaded."""
    return source.name in sys.modules and hash_loaded(source) != hash_file(source.file)


def join_hashes(hashes: Mapping[str, str]) -> str:
    """Return one hash for those of several modules, by their names."""
    digest = hashlib.sha256()
    for name in sorted(hashes):
        digest.update(f"{name}\0{hashes[name]}\0".encode())
    return digest.hexdigest()


def _look_at_one(path: str) -> FileState:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    # What unpacks or copies files sets st_mtime as it likes; nothing sets st_ctime back.
    return (max(found.st_mtime_ns, found.st_ctime_ns), found.st_size, found.st_ino)


def _is_library(source: Source | None) -> bool:
    # The engine's own package is none: its demo is a project's.
    return source is not None and not is_project_file(source.file) and source.name != _OWN_PACKAGE


def _find_search_path(package: str) -> list[str] | None:
    module = sys.modules.get(package)
    if module is not None:
        path = getattr(module, "__path__", None)
        return None if path is None else list(path)
    parent = package.rpartition(".")[0]
    above = _find_search_path(parent) if parent else None
    if parent and above is None:
        return None
    try:
        spec = PathFinder.find_spec(package, above)
    except (ImportError, ValueError):
        return None
    locations = spec.submodule_search_locations if spec is not None else None
    return None if locations is None else list(locations)


def _parse_imports(source: Source) -> Iterator[str]:
    try:
        text = Path(source.file).read_bytes().decode(errors="replace").replace("\\\n", " ")
    except OSError:
        return
    for module, names, plain in _IMPORT.findall(text):
        listed = [part.split()[0] for part in _COMMENT_OR_BRACKET.sub("", plain or names).split(",") if part.split()]
        if plain:
            yield from listed
            continue
        name = module.lstrip(".")
        base = resolve_relative(source, len(module) - len(name), name)
        if base:
            yield base
            yield from (f"{base}.{item}" for item in listed if item != "*")
