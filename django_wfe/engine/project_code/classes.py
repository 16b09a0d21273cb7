"""From the dotted paths that the database keeps to the classes that this process holds."""

from __future__ import annotations

import importlib
import sys
import threading
import time
import traceback
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar, cast

from django.db import connections
from django.utils import translation

from django_wfe.conf import DATABASE
from django_wfe.definition.graph import Graph
from django_wfe.engine.errors.tracebacks import say
from django_wfe.engine.project_code.code_versions import forget_held, hold
from django_wfe.engine.project_code.source_files import noting_imports
from django_wfe.exceptions import CodeNotLoaded, InvalidWorkflow
from django_wfe.steps import Step, plan_call
from django_wfe.values.sentences import gettext as _
from django_wfe.values.sentences import read_error
from django_wfe.workflows import Workflow, compile_graph, forget_classes

Declared = TypeVar("Declared", bound=type)

MISMATCH_SECONDS = 5.0
"""How long a definition that differs from the held code is not looked at again."""

lock = threading.RLock()
"""Held while classes are looked for and while modules are imported anew."""

_IS_CURRENT = """
SELECT EXISTS (
    SELECT FROM django_wfe_workflow AS workflow
    JOIN django_wfe_definition AS definition ON definition.id = workflow.current_definition_id
    WHERE workflow.path = %s AND definition.fingerprint = %s
)
"""

_classes: dict[str, type] = {}
_mismatches: dict[tuple[str, str], float] = {}
_refusals: dict[tuple[str, str], str] = {}
_reloader: Callable[[str], None] | None = None


class RestartNeeded(CodeNotLoaded):
    """A module has changed that a running process cannot load again."""


def load_node(path: str) -> type[Step]:
    """Return the Step or Decision class of a dotted path such as ``shop.steps.Charge``, nested classes included.

    Where this process lacks it, the installed reloader is asked once and the class looked for again.

    Raises:
        CodeNotLoaded: with the reason, where no such class can be imported.
    """
    return _load(path, Step, "Step or Decision")


def load_workflow(path: str) -> type[Workflow]:
    """Return the Workflow class of a dotted path. As ``load_node``.

    Raises:
        CodeNotLoaded: with the reason, where no such class can be imported.
    """
    return _load(path, Workflow, "Workflow")


def read_graph(workflow: type[Workflow]) -> Graph:
    """Return a workflow's graph, with labels that are to be translated as they stand in the source.

    So its fingerprint does not depend on the language of the request in which it is first looked at.

    Raises:
        InvalidWorkflow: if the declaration has problems.
    """
    return _read_graph(cast(Any, workflow))


def hold_definition(workflow_path: str, fingerprint: str) -> bool:
    """Return whether this process's code of a workflow is the definition of this fingerprint; reload once to get there.

    False is not an error: a Job of an older definition goes on with the current code of its nodes.
    """
    key = (workflow_path, fingerprint)
    seen = _mismatches.get(key)
    if seen is not None and time.monotonic() - seen < MISMATCH_SECONDS:
        return False
    if _holds(workflow_path, fingerprint):
        return True
    with lock:
        _refusals.pop(key, None)
        try:
            if _reloader is not None:
                _reloader(workflow_path)
        except RestartNeeded as error:
            matches = False
            if _is_current(workflow_path, fingerprint):
                _refusals[key] = read_error(error)
        except CodeNotLoaded:
            matches = False
        else:
            matches = _holds(workflow_path, fingerprint)
        if matches:
            _mismatches.pop(key, None)
        else:
            _mismatches[key] = time.monotonic()
    return matches


def has_refusals() -> bool:
    """Return whether this process must not run the Jobs of some definition."""
    return bool(_refusals)


def find_refusal(workflow_path: str, fingerprint: str) -> str:
    """Return why this process must not run a Job of this definition; "" if it may.

    It must not where the definition is today's, and its own code an older one that only a restart replaces. As
    ``hold_definition`` found it last.
    """
    return _refusals.get((workflow_path, fingerprint), "")


def install_reloader(function: Callable[[str], None]) -> None:
    """Set what to call when a class is missing.

    Args:
        function: takes the dotted path of the class; imports anew what of its modules has changed since they were
            loaded, and otherwise does nothing. Raises RestartNeeded where that would not be safe and CodeNotLoaded
            where it fails, and then everything is as before.
    """
    global _reloader
    _reloader = function


def clear() -> None:
    """Forget every class, and all that was worked out from one. To be called after modules were imported anew."""
    with lock:
        _classes.clear()
        _mismatches.clear()
        _refusals.clear()
        forget_held()
        forget_classes()
        plan_call.cache_clear()
        _read_graph.cache_clear()


def resolve(path: str) -> Any:
    """Import what a dotted path names: a module, or an attribute of one at any depth.

    Raises:
        CodeNotLoaded: with the reason.
    """
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        name = ".".join(parts[:length])
        try:
            value: Any = import_module(name)
        except CodeNotLoaded as error:
            cause = error.__cause__
            missing = cause.name if isinstance(cause, ModuleNotFoundError) else None
            if missing and (name == missing or name.startswith(f"{missing}.")) and length > 1:
                continue
            raise
        for part in parts[length:]:
            try:
                value = getattr(value, part)
            except AttributeError:
                raise CodeNotLoaded(
                    _("%(path)s cannot be loaded: %(module)s has no %(name)s.")
                    % {"path": path, "module": name, "name": ".".join(parts[length:])}
                ) from None
        return value
    raise CodeNotLoaded(_("%(path)r is not a dotted path.") % {"path": path})


def import_module(name: str) -> Any:
    """Import a module of the project, whatever it does meanwhile.

    Raises:
        CodeNotLoaded: one line with the exception and the place in the project where it was raised.
    """
    if name in sys.modules:
        return importlib.import_module(name)
    try:
        with noting_imports():
            return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise CodeNotLoaded(
            _("%(module)s cannot be imported: %(reason)s") % {"module": name, "reason": explain_import_error(error)}
        ) from error


def explain_import_error(error: BaseException) -> str:
    """Return one line: the exception, what it says, and the last file and line outside of the import machinery."""
    text = " ".join(say(error).split())
    if isinstance(error, SyntaxError) and error.filename:
        return f"{type(error).__name__}: {error.msg} ({error.filename}, line {error.lineno})"
    if isinstance(error, SystemExit):
        text = f"it calls for the end of the process (exit code {error.code!r})"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_import_machinery(frame.filename)]
    place = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {text}{place}" if text else f"{type(error).__name__}{place}"


@lru_cache(maxsize=1024)
def _read_graph(workflow: type[Workflow]) -> Graph:
    with translation.override(None):
        return compile_graph(workflow)


def _load(path: str, base: type[Any], kind: str) -> type[Any]:
    found = _classes.get(path)
    if found is None:
        with lock:
            found = _load_anew(path, base, kind)
    if not issubclass(found, base):
        raise CodeNotLoaded(_("%(path)s is not a %(kind)s.") % {"path": path, "kind": kind})
    return found


def _load_anew(path: str, base: type[Any], kind: str) -> type[Any]:
    if _reloader is not None and not _is_loaded(path):
        # A new module must not be run with older versions of those that it imports.
        importlib.invalidate_caches()
        _reloader(path)
    try:
        found = _resolve_class(path, base, kind)
    except CodeNotLoaded:
        if _reloader is None:
            raise
        importlib.invalidate_caches()
        _reloader(path)
        found = _resolve_class(path, base, kind)
    _classes[path] = found
    if issubclass(found, Workflow):
        hold(path, found)
    return found


def _is_loaded(path: str) -> bool:
    """Return whether a class is found under its path without importing a module."""
    parts = path.split(".")
    length = next((length for length in range(len(parts) - 1, 0, -1) if ".".join(parts[:length]) in sys.modules), 0)
    value: Any = sys.modules.get(".".join(parts[:length]))
    for part in parts[length:]:
        value = getattr(value, part, None)
    return value is not None


def _resolve_class(path: str, base: type[Any], kind: str) -> type[Any]:
    value = resolve(path)
    if not (isinstance(value, type) and issubclass(value, base)):
        raise CodeNotLoaded(
            _("%(path)s is not a %(kind)s: it is %(value)r.") % {"path": path, "kind": kind, "value": value}
        )
    return value


def _holds(workflow_path: str, fingerprint: str) -> bool:
    try:
        return read_graph(load_workflow(workflow_path)).fingerprint == fingerprint
    except (CodeNotLoaded, InvalidWorkflow):
        return False


def _is_current(workflow_path: str, fingerprint: str) -> bool:
    with connections[DATABASE].cursor() as cursor:
        cursor.execute(_IS_CURRENT, [workflow_path, fingerprint])
        (is_current,) = cursor.fetchone()
    return bool(is_current)


def _is_import_machinery(filename: str) -> bool:
    return filename.startswith("<frozen importlib") or filename in (importlib.__file__, __file__)
