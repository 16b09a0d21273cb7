"""What was probably meant otherwise.

Attributes that look like an option of django-wfe and are none, so that nothing reads them: "retries", "DIAGRAPH". A
node that stands twice as a key of a DIGRAPH: Python keeps the last entry and drops the others without a word.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from django_wfe.definition.problems import Problem
from django_wfe.definition.sentences import mark as _
from django_wfe.definition.source_trees import read_tree
from django_wfe.definition.subject_problems import METHODS
from django_wfe.steps import Decision, Step, __start__, dotted_path

_STEP_SYNONYMS = {
    "retries": "retry",
    "maxretries": "retry",
    "numretries": "retry",
    "attempts": "retry",
    "maxattempts": "retry",
    "retrypolicy": "retry",
    "retryoptions": "retry",
    "autoretry": "retry",
    "timelimit": "timeout",
    "timeoutseconds": "timeout",
    "maxruntime": "timeout",
    "starttoclosetimeout": "timeout",
    "userinput": "UserInputSchema",
    "userinputmodel": "UserInputSchema",
    "userinputform": "UserInputSchema",
    "userschema": "UserInputSchema",
    "inputschema": "UserInputSchema",
    "inputmodel": "UserInputSchema",
    "externalinput": "UserInputSchema",
    "externalinputschema": "UserInputSchema",
    "inputtimeout": "input_within",
    "inputdeadline": "input_within",
    "isatomic": "atomic",
    "verbosename": "label",
    "labeltext": "label",
    "edgelabels": "labels",
    "oncancelled": "on_cancel",
    "oncanceled": "on_cancel",
}
_WORKFLOW_SYNONYMS = {
    "graph": "DIGRAPH",
    "dag": "DIGRAPH",
    "verbosename": "label",
    "labeltext": "label",
    "usergroups": "groups",
    "allowedgroups": "groups",
    "subjectmodel": "subject",
    "getsubject": "find_subject",
    "getattributes": "attributes",
    "searchattributes": "attributes",
    "listattributes": "attributes",
    "initialinput": "suggest_input",
    "inputmodel": "InputSchema",
    "inputform": "InputSchema",
    "jobinput": "InputSchema",
    "jobinputschema": "InputSchema",
    "jobschema": "InputSchema",
    "startinput": "InputSchema",
    "startinputschema": "InputSchema",
    "startschema": "InputSchema",
    "userinputschema": "InputSchema",
    "externalinputschema": "InputSchema",
}
"""Names under which other libraries know an option, in small letters and without underscores."""

_CURES = {
    "retry": _("Write retry = Retry(max_attempts=3)."),
    "UserInputSchema": _("Name the pydantic model UserInputSchema."),
    "attributes": _("Name the method attributes; it is a staticmethod that gets the job's input."),
    "find_subject": _("Name the method find_subject; it is a staticmethod that gets the job's input."),
    "InputSchema": _("Name the pydantic model InputSchema."),
    "input_within": _("Write input_within = timedelta(days=2), or a number of seconds."),
}

_LONG = 10
_SHORT = 5


def find_near_misses(workflow: Any) -> Iterator[Problem]:
    """Yield what a workflow and its nodes set that nothing reads, with the option that was probably meant."""
    seen: set[tuple[type, str]] = set()
    digraph = workflow.DIGRAPH
    edges: dict[Any, Any] = dict(digraph) if isinstance(digraph, Mapping) else {}
    for declared in (workflow, *_list_nodes(edges)):
        for place, name, option in _find_in(declared, is_workflow=declared is workflow):
            if option == "label" and name == "labels" and len(edges.get(declared) or ()) > 1:
                continue  # a plain Step with a transition() of its own may name its edges
            if (place, name) not in seen:
                seen.add((place, name))
                yield Problem(
                    "near_miss",
                    dotted_path(workflow),
                    "" if place is workflow else dotted_path(place),
                    _("it has %(name)s, which nothing reads. Did you mean %(option)s?")
                    % {"name": repr(name), "option": repr(option)},
                    _CURES.get(
                        option,
                        _("Rename it to %(option)s, or give it a name that looks less like it.") % {"option": option},
                    ),
                )


def _list_nodes(edges: Mapping[Any, Any]) -> list[type[Step]]:
    found: dict[int, type[Step]] = {}
    for source, targets in edges.items():
        for node in (source, *(targets if isinstance(targets, (list, tuple)) else ())):
            if isinstance(node, type) and issubclass(node, Step) and node is not __start__:
                found.setdefault(id(node), node)
    return list(found.values())


def _find_in(declared: type, *, is_workflow: bool) -> Iterator[tuple[type, str, str]]:
    root = _find_workflow_class(declared) if is_workflow else Step
    base = root if is_workflow else Decision if issubclass(declared, Decision) else Step
    known = {name for name in dir(base) if not name.startswith("_")}
    own = [place for place in declared.__mro__ if issubclass(place, root) and place.__module__ not in _BASES]
    given = {name for place in own for name in vars(place)}
    for place in own:
        for name, value in vars(place).items():
            if name.startswith("_") or name in known or isinstance(value, property):
                continue
            option = _guess_option(name, value, known, root if is_workflow else Decision, is_workflow=is_workflow)
            if option and option not in given:
                yield place, name, option


_BASES = frozenset({"django_wfe.steps", "django_wfe.workflows"})


def _find_workflow_class(workflow: type) -> type:
    # Not imported: django_wfe.workflows stands above this room.
    return next(base for base in workflow.__mro__ if base.__module__ == "django_wfe.workflows")


def _guess_option(name: str, value: Any, known: Iterable[str], base: type, *, is_workflow: bool) -> str:
    squashed = _squash(name)
    is_method = callable(value) and not isinstance(value, type)
    declared = {option for place in base.__mro__ for option in inspect.get_annotations(place)}
    methods = {"execute", "transition", "on_cancel", *METHODS}
    options = sorted(methods & set(known) if is_method else (declared & set(known)) - methods)
    guessed = (_WORKFLOW_SYNONYMS if is_workflow else _STEP_SYNONYMS).get(squashed, "")
    if guessed not in options:
        nearest = sorted(options, key=lambda option: _squash(option) != squashed)
        guessed = next((option for option in nearest if _is_near(squashed, _squash(option))), "")
    if guessed == "DIGRAPH" and not isinstance(value, Mapping):
        return ""
    asked = "InputSchema" if is_workflow else "UserInputSchema"
    if not guessed and asked in options and _is_input_model(squashed, value):
        return asked
    return guessed


def _is_input_model(squashed: str, value: Any) -> bool:
    is_model = isinstance(value, type) and issubclass(value, BaseModel)
    return is_model and ("input" in squashed or "schema" in squashed)


def _squash(name: str) -> str:
    return name.replace("_", "").casefold()


def _is_near(name: str, option: str) -> bool:
    allowed = 2 if len(option) >= _LONG else 1 if len(option) >= _SHORT else 0
    return abs(len(name) - len(option)) <= allowed and _count_edits(name, option) <= allowed


def _count_edits(first: str, second: str) -> int:
    """Count the letters to add, drop, replace or swap with their neighbour until one word is the other."""
    before: list[int] = []
    row = list(range(len(second) + 1))
    for i, letter in enumerate(first, 1):
        above, row, earlier = row, [i], before
        for j, other in enumerate(second, 1):
            edits = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == second[j - 2] and first[i - 2] == other:
                edits = min(edits, earlier[j - 2] + 1)
            row.append(edits)
        before = above
    return row[-1]


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
