"""Writes small projects with workflows files for the tests of discovery, and cleans up the modules they leave."""

import importlib
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from django_wfe.discovery import child, reading
from django_wfe.discovery.files import fresh_sources
from django_wfe.engine.project_code import classes

TWO_STEPS = """
from django_wfe.steps import *
from django_wfe.workflows import *

class Fetch(Step):
    def execute(self, _input=None): return 1

class Store(Step):
    def execute(self, _input=None): return 2

class Flow(Workflow):
    '''Moves one thing.'''
    DIGRAPH = {__start__: [Fetch], Fetch: [Store]}
"""

ANOTHER_WORKFLOW = """
class Another(Workflow):
    DIGRAPH = {__start__: [Store]}
"""

UNREACHABLE = """
from django_wfe.steps import *
from django_wfe.workflows import *

class Fetch(Step):
    def execute(self): return 1

class Lonely(Step):
    def execute(self): return 2

class Flow(Workflow):
    DIGRAPH = {__start__: [Fetch], Lonely: [Fetch]}
"""


class Project:
    """A folder on ``sys.path`` with a package whose name no other test uses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.package = f"project_{uuid4().hex[:12]}"
        self.write("__init__", "")

    @property
    def flows(self) -> str:
        """The dotted path of its workflows module."""
        return f"{self.package}.flows"

    def write(self, module: str, source: str) -> Path:
        """Write ``<package>.<module>`` and give its file."""
        path = self.path(module)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source).replace("PACKAGE", self.package))
        return path

    def read_here(self, names: Sequence[str], **options: object) -> list[reading.ModuleReading]:
        """Do what ``read_modules`` does, in this process: for tests that are not about the child."""
        self.unload()
        importlib.invalidate_caches()
        try:
            with fresh_sources():
                return [reading.build_reading(child.read(name)) for name in names]
        finally:
            self.unload()

    def unload(self) -> None:
        """Let this process forget the project's modules."""
        for name in list(sys.modules):
            if name.partition(".")[0] == self.package:
                del sys.modules[name]
        classes.clear()

    def path(self, module: str) -> Path:
        """Give the file of ``<package>.<module>``."""
        return self.folder.joinpath(self.package, *module.split(".")).with_suffix(".py")


@contextmanager
def open_project(folder: Path) -> Iterator[Project]:
    """Give a project that can be imported as long as this lasts."""
    project = Project(folder)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield project
    finally:
        sys.path.remove(str(folder))
        project.unload()
