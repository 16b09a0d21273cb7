"""A node that stands twice as a key of a DIGRAPH: Python keeps the last entry and drops the others without a word."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from typing import Any

from django_wfe.definition.problems import Problem
from django_wfe.definition.sentences import mark as _
from django_wfe.definition.source_trees import read_tree
from django_wfe.steps import dotted_path


def find_repeated_keys(workflow: type) -> Iterator[Problem]:
    """Yield each node whose edges are written more than once, and differently, in the source of the class.

    Without a source, as in a shell, nothing is found.
    """
    declaring = next((base for base in workflow.__mro__ if "DIGRAPH" in vars(base)), None)
    written = _find_dict(declaring) if declaring is not None else None
    if declaring is None or written is None:
        return
    entries: dict[object, list[tuple[ast.expr, ast.expr]]] = {}
    for key, value in zip(written.keys, written.values, strict=True):
        if key is not None:  # None: "**other"
            entries.setdefault(_identify(key, declaring), []).append((key, value))
    for repeated in entries.values():
        if len({ast.dump(value) for _key, value in repeated}) > 1:
            name = ast.unparse(repeated[0][0])
            lists = " and ".join(ast.unparse(value) for _key, value in repeated)
            yield Problem(
                "repeated",
                dotted_path(workflow),
                "",
                _("%(name)s appears %(number)s times as a key of DIGRAPH, with %(lists)s; Python keeps only the last.")
                % {"name": name, "number": len(repeated), "lists": lists},
                _("Write it once, with all its edges in one list."),
            )


def _find_dict(declaring: type) -> ast.Dict | None:
    tree = read_tree(declaring)
    if not isinstance(tree, ast.ClassDef) or tree.name != declaring.__name__:
        return None
    found = None
    for statement in tree.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == "DIGRAPH" for target in targets):
            value = getattr(statement, "value", None)
            found = value if isinstance(value, ast.Dict) else None
    return found


def _identify(key: ast.expr, declaring: type) -> object:
    """Return the object that a key names, by which two spellings of one class are equal; else its text."""
    text = ast.unparse(key)
    value: Any = vars(sys.modules.get(declaring.__module__, object)) if text else {}
    first, *rest = text.split(".")
    if first not in value:
        return text
    value = value[first]
    for part in rest:
        value = getattr(value, part, None)
    return value if isinstance(value, type) else text
