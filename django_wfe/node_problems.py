"""What is wrong with one node of a DIGRAPH: its methods, its options, its schema."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast

from pydantic import BaseModel

from django_wfe.retry import Retry
from django_wfe.steps import Decision, Step, __start__, dotted_path, plan_execute, plan_transition


def find_node_problems(node: type[Step], edges: int) -> Iterator[tuple[str, str, str]]:
    """Yield a code, a message and a cure for each problem of a node with so many outgoing edges."""
    if "<locals>" in node.__qualname__:
        yield "local", "it is defined inside a function.", "Move the class to the top of a module."
    if node is __start__:
        return
    schema = node.UserInputSchema
    if schema is not None and not _is_model_or_empty(schema):
        yield (
            "schema",
            f"UserInputSchema is {describe_value(schema)}, not a pydantic model.",
            "Let it inherit from pydantic.BaseModel.",
        )
    if node.execute is Step.execute:
        yield "execute", "it has no execute().", "Define execute(self, _input=None, ...)."
    for name, plan in (("execute", plan_execute), ("transition", plan_transition)):
        # Seen through the class, a staticmethod looks like a method.
        is_static = isinstance(inspect.getattr_static(node, name), staticmethod)
        message = "is a staticmethod; write a plain method" if is_static else plan(node).problem
        if message:
            yield "signature", f"{name}() {message}.", "Change its signature."
    yield from _find_wrong_options(node)
    if edges > 1 and node.transition is Step.transition:
        yield (
            "transition",
            f"it is a plain Step with {edges} outgoing edges, and would always take the first.",
            "Make it a Decision, or define transition().",
        )
    if issubclass(node, Decision):
        if edges == 0:
            yield "decision", "it is a Decision without an outgoing edge.", "Give it edges, or make it a Step."
        if node.transition is Decision.transition:
            yield "transition", "it is a Decision without transition().", "Return the index of an edge from it."
        labels = cast(Any, node.labels)
        if not isinstance(labels, (list, tuple)):
            yield "labels", f"its labels are {describe_value(labels)}, not a list.", "Give one label for each edge."
        elif node.labels and len(node.labels) != edges:
            yield (
                "labels",
                f"it has {len(node.labels)} labels for {edges} edges.",
                "Give one label for each edge, or none.",
            )


def _find_wrong_options(node: type[Step]) -> Iterator[tuple[str, str, str]]:
    retry, timeout, atomic = cast(Any, node.retry), cast(Any, node.timeout), cast(Any, node.atomic)
    if retry is not None and not isinstance(retry, Retry):
        yield "retry", f"its retry is {describe_value(retry)}, not a Retry.", "Write retry = Retry(max_attempts=3)."
    for name, value in (("timeout", timeout), ("input_within", cast(Any, node.input_within))):
        seconds = value.total_seconds() if isinstance(value, timedelta) else value
        if value is not None and not _is_time_above_zero(seconds):
            yield (
                name,
                f"its {name} is {describe_value(value)}, not a time above 0.",
                "Give seconds, a timedelta, or None.",
            )
    if not isinstance(atomic, bool):
        yield "atomic", f"its atomic is {describe_value(atomic)}, not a bool.", "Write atomic = True, or take it out."


def _is_time_above_zero(seconds: Any) -> bool:
    return isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and 0 < seconds < float("inf")


def _is_model_or_empty(schema: Any) -> bool:
    if not isinstance(schema, type):
        return False
    # Upstream projects write "class UserInputSchema: pass" for "no input needed".
    has_fields = bool(getattr(schema, "__annotations__", {})) or any(not name.startswith("__") for name in vars(schema))
    return issubclass(schema, BaseModel) or not has_fields


def name_value(value: Any) -> str:
    """Return what a declaration names: the path of a class, else the value as Python writes it."""
    return dotted_path(value) if isinstance(value, type) else repr(value)


def describe_value(value: Any) -> str:
    """Return a value as an error message names it, with its kind."""
    return f"the class {name_value(value)}" if isinstance(value, type) else f"{value!r} ({type(value).__name__})"
