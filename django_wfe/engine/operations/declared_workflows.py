"""Workflows that ``WFE_WORKFLOWS`` declares and the database does not know yet."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from django_wfe.conf import settings
from django_wfe.definition.graph import get_label
from django_wfe.engine.access import list_visible_workflows
from django_wfe.engine.project_code.classes import import_module
from django_wfe.engine.rules.start_rules import explain_no_workflows
from django_wfe.exceptions import CodeNotLoaded, UnknownWorkflow
from django_wfe.steps import dotted_path
from django_wfe.values.sentences import gettext as _
from django_wfe.workflows import Workflow as WorkflowClass
from django_wfe.workflows import is_abstract

LONGEST_SEARCHED = 1000
"""How many known paths a wrong one is compared with."""


def find_declared(path: str) -> type[WorkflowClass] | None:
    """Return the Workflow class of this dotted path, if a module of ``WFE_WORKFLOWS`` names it; else None."""
    return next((found for found in _iterate_declared([]) if dotted_path(found) == path), None)


def list_declared_as(name: str) -> list[type[WorkflowClass]]:
    """List the declared Workflow classes of this dotted path, class name or label, each once."""
    found = {dotted_path(declared): declared for declared in _iterate_declared([])}
    return [declared for path, declared in found.items() if name in (path, declared.__name__, get_label(declared))]


def build_unknown(asked: Any, actor: Any = None) -> UnknownWorkflow:
    """Return the error for what names no workflow: the nearest name, a module that cannot be imported, no watchdog.

    Args:
        actor: as of ``explain_unknown``.
    """
    text = _("There is no workflow %(workflow)r.") % {"workflow": asked}
    return UnknownWorkflow(f"{text} {explain_unknown(asked, actor)}")


def explain_unknown(asked: Any, actor: Any = None) -> str:
    """Describe what to do where nothing is found under ``asked``.

    Args:
        actor: the user who asks. To users only what they may see is named, and nothing of the modules. Default
            None: trusted code.
    """
    failures: list[str] = []
    paths = {dotted_path(declared) for declared in _iterate_declared(failures)} if actor is None else set()
    known = list_visible_workflows(actor).filter(deleted=False).order_by("-pk").values_list("path", flat=True)
    paths.update(known[:LONGEST_SEARCHED])
    nearest = _find_nearest(asked, sorted(paths)) if isinstance(asked, str) and not asked.isdecimal() else ""
    if nearest:
        return _("Did you mean %(path)r?") % {"path": nearest}
    if failures:
        return " ".join(failures)
    return explain_no_workflows() or _("Use the id or dotted path of one that is listed, or its class.")


def _find_nearest(asked: str, paths: list[str]) -> str:
    name = asked.rpartition(".")[2].casefold()
    same = [path for path in paths if path.rpartition(".")[2].casefold() == name]
    return next(iter(same or get_close_matches(asked, paths, n=1, cutoff=0.8)), "")


def _iterate_declared(failures: list[str]) -> Iterator[type[WorkflowClass]]:
    """Yield what the modules name. Why one cannot be imported is appended to ``failures``."""
    try:
        modules = settings.workflows
    except ImproperlyConfigured as error:
        failures.append(str(error))
        return
    for name in modules:
        try:
            module = import_module(name)
        except CodeNotLoaded as error:
            failures.append(str(error))
            continue
        for value in list(vars(module).values()):
            if isinstance(value, type) and issubclass(value, WorkflowClass) and not is_abstract(value):
                yield value
