"""Sections of a project's own on the page of a Job: declare a class, and register it in ``AppConfig.ready``.

See docs/extending.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from django.utils.functional import Promise

from django_wfe.models import Job

__all__ = ["Panel", "list_panels", "register", "unregister"]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)


class Panel:
    """A section on the page of a Job, below its head. It is drawn anew whenever the page looks for news."""

    name: ClassVar[str] = ""
    """Small letters, digits and underscores; the section's ``id`` is ``panel-<name>``."""
    title: ClassVar[str | Promise] = ""
    template_name: ClassVar[str] = ""
    """A template of what stands below the title; it gets ``job`` and what ``get_context`` returns."""
    permission: ClassVar[str] = ""
    """Who sees it, as "app.codename". Default: everybody who sees the Job."""

    def applies_to(self, job: Job) -> bool:
        """Return whether the page of this Job has it. Default: yes."""
        return True

    def get_context(self, job: Job, user: Any) -> Mapping[str, Any]:
        """Return what the template needs, for the person who looks. Default: nothing."""
        return {}


Registered = TypeVar("Registered", bound="type[Panel]")

_panels: dict[str, Panel] = {}


def register(panel: Registered) -> Registered:
    """Have a panel appear on the page of each Job that it applies to, in the order of registration.

    Args:
        panel: a subclass of ``Panel``. It is returned: usable as a decorator.

    Raises:
        TypeError: it is not such a class.
        ValueError: its name is taken or cannot be one, or something is missing.
    """
    if not (isinstance(panel, type) and issubclass(panel, Panel)):
        raise TypeError(f"{panel!r} is not a panel: register a subclass of django_wfe.panels.Panel.")
    if not isinstance(panel.name, str) or not _NAME.fullmatch(panel.name):
        raise ValueError(f"{panel.__qualname__}.name = {panel.name!r}: use small letters, digits and underscores.")
    if panel.name in _panels:
        raise ValueError(f"The panel {panel.name!r} is registered already: choose another name.")
    for attribute in ("title", "template_name"):
        if not getattr(panel, attribute):
            raise ValueError(f"{panel.__qualname__}.{attribute} is empty: set it.")
    if panel.permission and panel.permission.count(".") != 1:
        raise ValueError(f"{panel.__qualname__}.permission = {panel.permission!r}: write it as 'app.codename'.")
    _panels[panel.name] = panel()
    return panel


def unregister(name: str) -> None:
    """Take a panel out again; tests need it.

    Raises:
        ValueError: there is no such panel.
    """
    if _panels.pop(name, None) is None:
        raise ValueError(f"{name!r} is not a panel that was registered.")


def list_panels() -> list[Panel]:
    """Return all panels, in the order of registration."""
    return list(_panels.values())
