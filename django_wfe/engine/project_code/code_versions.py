"""Which code a workflow is made of, in the files and in this process; and telling it in the worker's row."""

from __future__ import annotations

import json
import logging
import sys
import threading
import uuid
from collections.abc import Mapping
from typing import Any

from django.db import DatabaseError, InterfaceError, connections

from django_wfe.conf import DATABASE, settings
from django_wfe.definition.graph import get_schema
from django_wfe.definition.source_trees import read_source
from django_wfe.engine.project_code.source_files import (
    Source,
    find_source,
    hash_file,
    hash_loaded,
    join_hashes,
    list_sources,
)
from django_wfe.steps import dotted_path
from django_wfe.workflows import Workflow, is_abstract

_BASES_OF_ALL = frozenset({"builtins", "abc", "typing", "django_wfe.steps", "django_wfe.workflows"})

logger = logging.getLogger("django_wfe.engine")

_held: dict[str, type[Workflow]] = {}


def list_nodes(workflow: type[Workflow]) -> list[type]:
    """List the classes that a DIGRAPH names, however wrong the rest of it is."""
    digraph = workflow.DIGRAPH
    if not isinstance(digraph, Mapping):
        return []
    named: dict[int, type] = {}
    for source, targets in digraph.items():
        for node in (source, *(targets if isinstance(targets, (list, tuple)) else ())):
            if isinstance(node, type):
                named.setdefault(id(node), node)
    return list(named.values())


def hash_code(workflow: type[Workflow]) -> str:
    """Return the SHA-256 of the files behind a workflow: those of its classes, and of all that they import here."""
    sources = _list_sources_behind(workflow)
    hashes = {name: hash_file(source.file) for name, source in sources.items()}
    return join_hashes({**hashes, **_hash_without_files(workflow, hashes)})


def hash_held_code(workflow: type[Workflow]) -> str:
    """Return what ``hash_code`` gave, or would have given, for the code that this process holds.

    "" if a file has changed before anybody looked: then it is another than that of the files.
    """
    hashes = {name: hash_loaded(source) for name, source in _list_sources_behind(workflow).items()}
    if not all(hashes.values()):
        return ""
    return join_hashes({**hashes, **_hash_without_files(workflow, hashes)})


def hold(path: str, workflow: type[Workflow]) -> None:
    """Note that this process holds a workflow, to be told in its worker's row at its next beat."""
    _held[path] = workflow


def forget_held() -> None:
    """Drop what was noted of classes that are imported anew."""
    _held.clear()


class CodeNote:
    """What a worker has told of the code that it holds. Costs a look at a dictionary where there is nothing new.

    What is new is worked out in a thread of its own: in a large project many files stand behind a workflow, and the
    heartbeat must not wait for that.
    """

    def __init__(self) -> None:
        self._worker_id: uuid.UUID | None = None
        self._told: dict[str, type[Workflow]] = {}
        self._hashes: dict[str, str] = {}
        self._thread: threading.Thread | None = None

    def tell(self, worker_id: uuid.UUID) -> threading.Thread | None:
        """Write the hashes of workflows that are new since the last call to the row of this worker.

        Return the thread that does it, or None if there is nothing to do.
        """
        if self._thread is not None and self._thread.is_alive():
            return self._thread
        if worker_id != self._worker_id:  # it has a new row
            self._worker_id = worker_id
            self._told.clear()
        held = {**_list_loaded(), **_held}
        new = {path: workflow for path, workflow in held.items() if self._told.get(path) is not workflow}
        if not new:
            return None
        self._thread = threading.Thread(target=self._write, args=(worker_id, new), name="django-wfe-code", daemon=True)
        self._thread.start()
        return self._thread

    def _write(self, worker_id: uuid.UUID, new: dict[str, type[Workflow]]) -> None:
        hashes = {**self._hashes, **{path: hash_held_code(workflow) for path, workflow in new.items()}}
        try:
            with connections[DATABASE].cursor() as cursor:
                cursor.execute(
                    "UPDATE django_wfe_worker SET code = %s::jsonb WHERE id = %s", [json.dumps(hashes), worker_id]
                )
        except (DatabaseError, InterfaceError) as error:
            logger.warning("Worker %s could not tell which code it runs, and tries again: %s", worker_id, error)
            return
        finally:
            connections[DATABASE].close()
        self._hashes = hashes
        self._told.update(new)


def _list_loaded() -> dict[str, type[Workflow]]:
    """List the workflows of the definition modules that are loaded, without loading any."""
    loaded: dict[str, type[Workflow]] = {}
    for name in settings.workflows:
        for value in list(vars(sys.modules.get(name, object)).values()):
            if isinstance(value, type) and issubclass(value, Workflow) and not is_abstract(value):
                loaded.setdefault(dotted_path(value), value)
    return loaded


def _list_sources_behind(workflow: type[Workflow]) -> dict[str, Source]:
    names = _list_classes_by_module(workflow)
    sources = list_sources(names)
    for name in names:  # a library's classes count, though not what that imports
        source = sources.get(name) or find_source(name)
        if source is not None:
            sources[name] = source
    return sources


def _list_classes_by_module(workflow: type[Workflow]) -> dict[str, list[type]]:
    modules: dict[str, list[type]] = {}
    for declared in (workflow, *list_nodes(workflow)):
        schema = get_schema(declared)
        for base in (*declared.__mro__, *(schema.__mro__ if isinstance(schema, type) else ())):
            if base.__module__ not in _BASES_OF_ALL and not base.__module__.startswith("pydantic."):
                modules.setdefault(base.__module__, []).append(base)
    return modules


def _hash_without_files(workflow: type[Workflow], hashes: Mapping[str, str]) -> dict[str, str]:
    """Return something to tell classes by that come from no file: typed into a shell, or out of an archive."""
    found: dict[str, str] = {}
    for name, classes in _list_classes_by_module(workflow).items():
        if not hashes.get(name):
            found[name] = "\n".join(sorted(_get_text(declared) for declared in classes))
    return found


def _get_text(declared: Any) -> str:
    return read_source(declared) or dotted_path(declared)
