"""The definition modules: which Workflows they name, and which other modules stand behind those."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

from django.utils.translation import gettext as _

from django_wfe.conf import settings
from django_wfe.definition.graph import get_schema
from django_wfe.definition.near_misses import find_near_misses
from django_wfe.definition.problems import Problem
from django_wfe.discovery.files import is_project_file, is_project_module, list_candidates
from django_wfe.engine.project_code.classes import import_module
from django_wfe.engine.project_code.code_versions import list_nodes
from django_wfe.engine.project_code.module_names import is_missing_module, suggest_module
from django_wfe.engine.project_code.source_files import list_sources
from django_wfe.exceptions import CodeNotLoaded
from django_wfe.steps import dotted_path
from django_wfe.values.sentences import read_error, say
from django_wfe.workflows import Workflow, is_abstract


def collect_workflows() -> list[type[Workflow]]:
    """Import the modules of ``WFE_WORKFLOWS`` into this process and list the Workflows that they name, each once.

    Raises:
        CodeNotLoaded: if a module cannot be imported.
    """
    found: dict[str, type[Workflow]] = {}
    for name in settings.workflows:
        for workflow in list_workflows(import_module(name)):
            found.setdefault(dotted_path(workflow), workflow)
    return list(found.values())


def list_workflows(module: ModuleType) -> list[type[Workflow]]:
    """List the Workflow classes that a module names, wherever they are defined; abstract ones do not count."""
    found: dict[int, type[Workflow]] = {}
    for value in list(vars(module).values()):
        if isinstance(value, type) and issubclass(value, Workflow) and not is_abstract(value):
            found.setdefault(id(value), value)
    return list(found.values())


def list_warnings(module: ModuleType) -> list[str]:
    """List what a module sets that looks like an option and that nothing reads, one sentence each with its cure."""
    return [str(problem) for problem in find_module_near_misses(module)]


def find_module_near_misses(module: ModuleType) -> Iterator[Problem]:
    """Yield the near misses of the Workflows that a module names, those without a DIGRAPH included, each once."""
    seen = set()
    for value in list(vars(module).values()):
        if isinstance(value, type) and issubclass(value, Workflow) and value is not Workflow:
            for problem in find_near_misses(value):
                if (problem.node or problem.workflow, problem.message) not in seen:
                    seen.add((problem.node or problem.workflow, problem.message))
                    yield problem


def explain_failure(name: str, error: CodeNotLoaded) -> str:
    """Explain why an entry of ``WFE_WORKFLOWS`` could not be imported and, where that is known, what was meant."""
    # An import of a relative path is a TypeError.
    is_wrong_name = is_missing_module(name, error) or isinstance(error.__cause__, (TypeError, ValueError))
    suggestion = suggest_module(name) if is_wrong_name else ""
    text = say(read_error(error))
    return f"{text}. {suggestion}" if suggestion else text


def explain_emptiness(name: str) -> str:
    """Describe what to do about a module of ``WFE_WORKFLOWS`` that names no Workflow."""
    return suggest_module(name) or _("Define or import one in it.")


def list_defining_modules(modules: Iterable[ModuleType]) -> set[str]:
    """List the modules in which the Workflows that ``modules`` name, their nodes, bases and schemas are defined."""
    names: set[str] = set()
    for module in modules:
        names.add(module.__name__)
        for workflow in list_workflows(module):
            for declared in (workflow, *list_nodes(workflow)):
                names.update(base.__module__ for base in declared.__mro__)
                schema = get_schema(declared)
                if isinstance(schema, type):
                    names.update(base.__module__ for base in schema.__mro__)
    return names


def list_watched_files(names: Iterable[str]) -> set[str]:
    """List the files whose change may change what the definition modules of these names declare.

    Those are the modules themselves (or where they could appear), and every module of the project that they reach
    through what they import.
    """
    files: set[str] = set()
    waiting: list[ModuleType] = []
    for name in names:
        module = sys.modules.get(name)
        if module is None or not getattr(module, "__file__", None):
            files.update(list_candidates(name))
        else:
            waiting.append(module)
    seen: set[str] = set()
    for name in list_defining_modules(waiting):
        module = sys.modules.get(name)
        if module is not None and is_project_module(module):
            waiting.append(module)
    # What is imported for a constant alone leaves no trace in the module: the files tell it.
    files.update(source.file for source in list_sources(module.__name__ for module in waiting).values())
    while waiting:
        module = waiting.pop()
        if module.__name__ in seen:
            continue
        seen.add(module.__name__)
        if module.__file__:
            files.add(module.__file__)
        waiting.extend(other for other in _list_neighbours(module) if is_project_module(other))
    return files


def list_failed_files(error: BaseException | None) -> set[str]:
    """List the files whose change may cure a failed import: those of its traceback, and those that were not there."""
    files: set[str] = set()
    seen: set[int] = set()
    # Exceptions may be linked in a circle, and may have a truth value of their own.
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, ModuleNotFoundError) and error.name:
            files.update(list_candidates(error.name))
        if isinstance(error, SyntaxError) and error.filename:
            files.add(error.filename)
        files.update(frame.filename for frame in traceback.extract_tb(error.__traceback__))
        error = error.__context__ if error.__cause__ is None else error.__cause__
    return {file for file in files if file.endswith(".py") and is_project_file(file)}


def _list_neighbours(module: ModuleType) -> Iterator[ModuleType]:
    for value in list(vars(module).values()):
        if isinstance(value, ModuleType):
            yield value
            continue
        name: Any = getattr(value, "__module__", None) if isinstance(value, type) or callable(value) else None
        if isinstance(name, str) and name in sys.modules:
            yield sys.modules[name]
