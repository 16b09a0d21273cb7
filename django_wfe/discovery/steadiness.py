"""Finds definitions that each process works out anew, by comparing two processes' readings of the same files.

Such a definition (a default of ``datetime.now()``, a list made from a set, a text with an object's address) would get a
new fingerprint with each start of the watchdog, and no worker would ever hold the one that a Job is pinned to.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from django_wfe.definition.changing_defaults import CURE
from django_wfe.definition.graph import Graph
from django_wfe.definition.problems import Problem
from django_wfe.definition.sentences import Sentence
from django_wfe.definition.sentences import mark as _
from django_wfe.definition.texts import name_value
from django_wfe.discovery.files import look_at
from django_wfe.discovery.reading import ModuleReading, read_modules
from django_wfe.engine.project_code.recording import DeclaredWorkflow


def read_steadily(names: Sequence[str]) -> list[ModuleReading]:
    """Read the modules as ``read_modules`` does, twice; a workflow whose two definitions differ has that as a problem.

    Raises:
        As ``read_modules``.
    """
    return confirm_readings(read_modules(names), read_again)


def read_again(names: Sequence[str], *, stop: threading.Event | None = None) -> list[ModuleReading]:
    """Read the modules in a process in which all differs that may differ between two: time, addresses, hashes."""
    return read_modules(names, stop=stop, variables={"PYTHONHASHSEED": "random"})


def confirm_readings(
    readings: Sequence[ModuleReading],
    read: Callable[[Sequence[str]], Sequence[ModuleReading]],
    *,
    only: set[str] | None = None,
) -> list[ModuleReading]:
    """Return the readings, with a problem for each workflow that a second reading by ``read`` defines in another way.

    Args:
        only: the paths of the workflows to confirm; modules without one are not read again. Default None: all.
    """
    doubtful = [reading for reading in readings if any(_is_doubtful(item, only) for item in reading.workflows)]
    if not doubtful:
        return list(readings)
    files = {file for reading in doubtful for file in reading.files}
    before = look_at(files)
    again = {
        workflow.path: workflow.graph
        for reading in read([reading.module for reading in doubtful])
        for workflow in reading.workflows
    }
    if look_at(files) != before:
        return list(readings)  # it was edited in between; the next look at the files reads it anew
    return [
        replace(
            reading, workflows=tuple(_compare(workflow, again.get(workflow.path)) for workflow in reading.workflows)
        )
        for reading in readings
    ]


def find_difference(first: Graph, second: Graph) -> tuple[str, Sentence] | None:
    """Return the node and a sentence on the first thing in which two graphs differ; None if they are equal."""
    if [node.path for node in first.nodes] != [node.path for node in second.nodes]:
        return "", _("its nodes come in another order in each process.")
    for one, other in zip(first.to_json()["nodes"], second.to_json()["nodes"], strict=True):
        for place, value, there in _list_differences(one, other, ()):
            values = {"place": _say_place(place), "one": name_value(value), "other": name_value(there)}
            return one["path"], _("%(place)s is %(one)s in one process and %(other)s in the next.") % values
    for place, value, there in _list_differences(first.input_schema, second.input_schema, ("input_schema",)):
        values = {"place": _say_place(place), "one": name_value(value), "other": name_value(there)}
        return "", _("%(place)s is %(one)s in one process and %(other)s in the next.") % values
    if first.edges != second.edges:
        return "", _("its edges come in another order, or with other labels, in each process.")
    return None


def _is_doubtful(workflow: DeclaredWorkflow, only: set[str] | None) -> bool:
    return workflow.graph is not None and (only is None or workflow.path in only)


def _compare(workflow: DeclaredWorkflow, again: Graph | None) -> DeclaredWorkflow:
    if workflow.graph is None or again is None:
        return workflow
    found = find_difference(workflow.graph, again)
    if found is None:
        return workflow
    problem = Problem(
        "changing",
        workflow.path,
        *found,
        _("Make sure that nothing differs between two processes. %(cure)s") % {"cure": CURE},
    )
    return replace(workflow, graph=None, problems=(*workflow.problems, problem))


def _list_differences(one: Any, other: Any, place: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any, Any]]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in [*one, *(key for key in other if key not in one)]:
            yield from _list_differences(one.get(key), other.get(key), (*place, key))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (item, there) in enumerate(zip(one, other, strict=True)):
            yield from _list_differences(item, there, (*place, index))
    elif one != other:
        yield place, one, other


def _say_place(place: tuple[Any, ...]) -> str:
    if place[:2] == ("input_schema", "properties") and len(place) > 3:
        return f"{'.'.join(map(str, place[3:]))} of the field {place[2]} of its input"
    return f"its {'.'.join(map(str, place))}"
