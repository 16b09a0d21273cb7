"""Imports the definition modules anew into a running process: all of them, or none."""

from __future__ import annotations

import importlib
import linecache
import os
import sys
import time
from types import ModuleType

from django.apps import apps
from django.db import models

from django_wfe.conf import settings
from django_wfe.discovery.files import FileState, fresh_sources, is_project_module, look_at
from django_wfe.discovery.modules import list_defining_modules, list_failed_files, list_watched_files
from django_wfe.discovery.reading import read_modules
from django_wfe.engine import code
from django_wfe.exceptions import CodeNotLoaded

RETRY_SECONDS = 30.0
"""After how long a failed reload is tried again although no file has changed."""

_STARTED = time.time_ns()
_seen: dict[str, FileState] | None = None
_failure = ""
_failed_files: set[str] = set()
_failed_at = 0.0


def reload_if_changed() -> None:
    """Reload the definitions, unless their files are as they were at the last reload.

    At the first call in a process, that is: unless they are older than the process. A child process tries the files
    first, so that one that hangs, exits or crashes does not take this process along.

    Raises:
        CodeNotLoaded: where the reload fails, or failed and no file has changed since.
    """
    global _seen, _failure, _failed_files, _failed_at
    with code.lock:
        names = settings.workflows
        before = look_at(list_watched_files(names) | _failed_files)
        if _seen is None and all(state is None or state[0] < _STARTED for state in before.values()):
            _seen = before
        if _seen is not None and all(_seen.get(path, None) == state for path, state in before.items()):
            if not _failure:
                return
            if time.monotonic() - _failed_at < RETRY_SECONDS:
                raise CodeNotLoaded(_failure)
        _failure, _failed_files = "", set()
        try:
            _try_in_child(names)
            reload_definitions()
        except CodeNotLoaded as error:
            _failure, _failed_at = str(error), time.monotonic()
            _failed_files = set(error.files) if isinstance(error, _FailedInChild) else list_failed_files(error)
            raise
        finally:
            # A file that changed meanwhile must look changed the next time.
            _seen = {**look_at(list_watched_files(names) | _failed_files), **before}


def reload_definitions() -> None:
    """Import the modules of ``WFE_WORKFLOWS`` anew, with the project's modules that their classes come from.

    Never touched: modules that define Django models, libraries, and django-wfe itself. Other modules keep the classes
    they have. Safe in a process with threads; steps that run go on with their old classes.

    Raises:
        CodeNotLoaded: with the reason, where one of them cannot be imported. Then everything is as before.
    """
    with code.lock:
        importlib.invalidate_caches()
        linecache.checkcache()
        names = settings.workflows
        loaded_before = set(sys.modules)
        old = _take_out(names)
        try:
            with fresh_sources():
                for name in names:
                    code.import_module(name)
        except BaseException:
            _put_back(old, loaded_before)
            raise
        code.clear()


class _FailedInChild(CodeNotLoaded):
    """A module cannot be imported by a child process, so this one does not try."""

    def __init__(self, message: str, files: frozenset[str]) -> None:
        super().__init__(message)
        self.files = files


def _try_in_child(names: tuple[str, ...]) -> None:
    # Inside a server that embeds Python, sys.executable is the server.
    if "py" not in os.path.basename(sys.executable or ""):
        return
    for reading in read_modules(names):
        if reading.error:
            raise _FailedInChild(reading.error, reading.files)


def _take_out(names: tuple[str, ...]) -> dict[str, ModuleType]:
    loaded = [module for name in names if (module := sys.modules.get(name)) is not None]
    taken = {}
    for name in list_defining_modules(loaded):
        module = sys.modules.get(name)
        if module is not None and _may_be_reloaded(module):
            taken[name] = module
    for name in taken:
        del sys.modules[name]
    return taken


def _put_back(old: dict[str, ModuleType], loaded_before: set[str]) -> None:
    for name, module in list(sys.modules.items()):
        # Modules that are new hold classes of the modules that go away.
        if name not in loaded_before and _may_be_reloaded(module):
            del sys.modules[name]
    for name, module in old.items():
        sys.modules[name] = module
        package, _, tail = name.rpartition(".")
        if package in sys.modules:
            setattr(sys.modules[package], tail, module)


def _may_be_reloaded(module: ModuleType) -> bool:
    return is_project_module(module) and module.__name__ != "__main__" and not _defines_models(module)


def _defines_models(module: ModuleType) -> bool:
    if any(model.__module__ == module.__name__ for model in apps.get_models(include_auto_created=True)):
        return True
    return any(
        isinstance(value, type) and issubclass(value, models.Model) and value.__module__ == module.__name__
        for value in vars(module).values()
    )
