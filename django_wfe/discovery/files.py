"""The files behind modules: which belong to the project, whether they have changed, and reading them as they are."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

from django_wfe.engine.project_code.source_files import FileState, is_project_file, is_project_module, look_at

__all__ = [
    "FileState",
    "FreshSourceFinder",
    "fresh_sources",
    "is_project_file",
    "is_project_module",
    "list_candidates",
    "look_at",
]


def list_candidates(module: str) -> list[str]:
    """List the files that would be a module if they existed, so that one can wait for it to appear."""
    parts = module.split(".")
    return [
        os.path.join(folder or os.curdir, *parts) + ending
        for folder in sys.path
        for ending in (".py", f"{os.sep}__init__.py")
    ]


class FreshSourceFinder(MetaPathFinder):
    """Finds the project's modules so that they are compiled from their source, never taken from the bytecode cache.

    The cache tells sources apart by second and size: of two edits in one second it may keep the first for ever.

    Args:
        tell: called with each file that is found, before it is run. Default None: nobody is told.
    """

    def __init__(self, tell: Callable[[str], None] | None = None) -> None:
        self._tell = tell

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or type(spec.loader) is not SourceFileLoader or not spec.origin:
            return None
        if not is_project_file(spec.origin):
            return None
        spec.loader = _FreshSourceLoader(fullname, spec.origin)
        if self._tell is not None:
            self._tell(spec.origin)
        return spec


@contextmanager
def fresh_sources() -> Iterator[None]:
    """Import the project's modules from their sources as long as this lasts."""
    finder = FreshSourceFinder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _FreshSourceLoader(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)

    def exec_module(self, module: ModuleType) -> None:
        # A package that is imported anew while its submodules stay would not know them: Python names a submodule in
        # its package only when it loads the submodule.
        prefix = f"{module.__name__}."
        for name, loaded in list(sys.modules.items()):
            if name.startswith(prefix) and "." not in name[len(prefix) :]:
                setattr(module, name[len(prefix) :], loaded)
        super().exec_module(module)
