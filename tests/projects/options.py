"""What a project asks of those who run it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.projects.running import Project


def _surround_with_nothing(project: Project) -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(frozen=True)
class Options:
    """``OPTIONS`` in a project's ``__init__.py``.

    Args:
        databases: the aliases of all its databases; each gets an empty one of its own, in ``DATABASES``.
        migrated: the aliases that ``migrate`` is run for. The others stay empty: what goes there finds no table.
        prepare: statements that are run in each database before anything else; ``{name}`` is the database's name.
        surroundings: entered once the databases are there and left before they are dropped. It may start what runs
            beside the project, and change ``project.environment`` and ``project.python`` (the interpreter).
        quiet: runs the children with warnings as errors. False for a project with a library that warns.
    """

    databases: tuple[str, ...] = ("default",)
    migrated: tuple[str, ...] = ("default",)
    prepare: tuple[str, ...] = ()
    surroundings: Callable[[Project], AbstractContextManager[None]] = _surround_with_nothing
    quiet: bool = True
