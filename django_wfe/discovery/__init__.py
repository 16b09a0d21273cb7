"""From ``WFE_WORKFLOWS`` to the classes it names, and from those to the database.

The names below load at first use: the child process that reads definitions enters here before Django is set up.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django_wfe.discovery.modules import collect_workflows
    from django_wfe.discovery.reloading import reload_definitions, reload_if_changed
    from django_wfe.discovery.sync import DefinitionSync, SyncReport, sync_definitions

_MODULES = {
    "DefinitionSync": "django_wfe.discovery.sync",
    "SyncReport": "django_wfe.discovery.sync",
    "collect_workflows": "django_wfe.discovery.modules",
    "reload_definitions": "django_wfe.discovery.reloading",
    "reload_if_changed": "django_wfe.discovery.reloading",
    "sync_definitions": "django_wfe.discovery.sync",
}

__all__ = [
    "DefinitionSync",
    "SyncReport",
    "collect_workflows",
    "reload_definitions",
    "reload_if_changed",
    "sync_definitions",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
