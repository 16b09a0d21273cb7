"""Kinds of nodes of a project's own: base classes that a graph draws and names in their own way.

See docs/extending.md.
"""

from django_wfe.definition.kinds import NodeKind, register_kind, unregister_kind

__all__ = ["NodeKind", "register_kind", "unregister_kind"]
