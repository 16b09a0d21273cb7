"""Brings a running process up to date with its files, as far as that is safe: all of what a class needs, or nothing.

A module that this process lacks is imported, as any import would. A module that it has loaded, and whose file has
changed since, is imported anew only if it and every module here that imports it merely declare (``declaring``);
otherwise the process has to be restarted, and whoever asks is told so.
"""

from __future__ import annotations

import importlib
import linecache
import os
import sys
import time
from collections.abc import Iterable, Mapping
from types import ModuleType

from django.utils.translation import gettext as _

from django_wfe.conf import settings
from django_wfe.discovery.declaring import find_effect
from django_wfe.discovery.files import FileState, fresh_sources, is_project_module, look_at
from django_wfe.discovery.modules import list_failed_files
from django_wfe.discovery.reading import read_modules
from django_wfe.engine.project_code import classes
from django_wfe.engine.project_code.source_files import (
    Source,
    forget_loaded,
    is_changed,
    list_imports,
    list_sources,
    may_have_changed,
)
from django_wfe.exceptions import CodeNotLoaded

RETRY_SECONDS = 30.0
"""After how long a reload that failed is tried again although no file has changed."""

_failures: dict[str, tuple[float, Mapping[str, FileState], CodeNotLoaded]] = {}


def reload_if_changed(path: str = "") -> None:
    """Make sure that what a class needs is loaded as its files are now, before it is looked for (again).

    Does nothing if nothing that is loaded has changed. A child process tries the files before this one imports any
    anew, so that a file that hangs, exits or crashes does not take this process along.

    Args:
        path: the dotted path of the class, or of a workflow that is held and differs. Default: all definitions.

    Raises:
        RestartNeeded: if a module has changed that cannot be imported anew.
        CodeNotLoaded: if one cannot be imported. Then everything is as before.
    """
    with classes.lock:
        if not may_have_changed():
            return
        sources = list_sources(_list_names(path))
        states = look_at(source.file for source in sources.values())
        failed = _failures.pop(path, None)
        if failed is not None:
            since, seen, error = failed
            is_same = look_at(seen) == seen and states.items() <= seen.items()
            if is_same and (isinstance(error, classes.RestartNeeded) or time.monotonic() - since < RETRY_SECONDS):
                _failures[path] = failed
                raise error.with_traceback(None)
        changed = [source for source in sources.values() if is_changed(source)]
        if not changed:
            return
        files: set[str] = set()
        try:
            _reload(path, changed)
        except CodeNotLoaded as error:
            files = set(error.files) if isinstance(error, _FailedInChild) else list_failed_files(error)
            _failures[path] = (time.monotonic(), {**look_at(files), **states}, error)
            raise


def reload_definitions() -> None:
    """Import anew what has changed of the modules of ``WFE_WORKFLOWS`` and of those of the project that they need.

    Steps that run go on with their old classes. As ``reload_if_changed``, but without a failure of before.

    Raises:
        RestartNeeded, CodeNotLoaded: as there.
    """
    with classes.lock:
        _failures.clear()
        reload_if_changed()


class _FailedInChild(CodeNotLoaded):
    """A module cannot be imported by a child process, so this one does not try."""

    def __init__(self, message: str, files: frozenset[str]) -> None:
        super().__init__(message)
        self.files = files


def _list_names(path: str) -> list[str]:
    """List the names that a class's module may have; all definition modules where none is asked for."""
    parts = path.split(".")
    names = [".".join(parts[:length]) for length in range(1, len(parts))]
    return names or list(settings.workflows)


def _reload(path: str, changed: list[Source]) -> None:
    importing = _list_importing(path, {source.name for source in changed})
    for source in importing:
        effect = find_effect(source)
        if effect is not None:
            raise classes.RestartNeeded(_explain(changed, source, effect.line, effect.text))
    # Those that were loaded last first, as they import the others: where modules import each other, the order matters.
    order = {name: index for index, name in enumerate(list(sys.modules))}
    names = sorted((source.name for source in importing), key=lambda name: order.get(name, 0), reverse=True)
    _try_in_child(names)
    _import_anew(names)


def _list_importing(path: str, changed: set[str]) -> list[Source]:
    """List the changed modules and all that are loaded here for definitions and import them, however indirectly."""
    sources = list_sources([*settings.workflows, *_list_names(path)])
    found = set(changed)
    while True:
        more = {
            name
            for name, source in sources.items()
            if name not in found and name in sys.modules and not found.isdisjoint(list_imports(source))
        }
        if not more:
            break
        found |= more
    return [sources[name] for name in sorted(found) if name in sources]


def _explain(changed: list[Source], source: Source, line: int, text: str) -> str:
    values = {
        "changed": ", ".join(sorted(item.name for item in changed)),
        "module": source.name,
        "line": line,
        "text": text,
    }
    return (
        _(
            "Restart the workers: the file of %(changed)s has changed since this process loaded it, and %(module)s "
            "cannot be loaded again in a running process (line %(line)d %(text)s)."
        )
        % values
    )


def _try_in_child(names: list[str]) -> None:
    # Inside a server that embeds Python, sys.executable is the server.
    if "py" not in os.path.basename(sys.executable or ""):
        return
    for reading in read_modules(names):
        if reading.error:
            raise _FailedInChild(reading.error, reading.files)


def _import_anew(names: Iterable[str]) -> None:
    importlib.invalidate_caches()
    linecache.checkcache()
    loaded_before = set(sys.modules)
    old = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    forget_loaded(old)
    try:
        with fresh_sources():
            for name in old:
                classes.import_module(name)
    except BaseException:
        _put_back(old, loaded_before)
        raise
    classes.clear()


def _put_back(old: Mapping[str, ModuleType], loaded_before: set[str]) -> None:
    for name, module in list(sys.modules.items()):
        # Modules that are new hold classes of the modules that go away.
        if name not in loaded_before and is_project_module(module):
            del sys.modules[name]
    for name, module in old.items():
        sys.modules[name] = module
        package, _separator, tail = name.rpartition(".")
        if package in sys.modules:
            setattr(sys.modules[package], tail, module)
