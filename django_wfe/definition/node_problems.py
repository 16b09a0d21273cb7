"""What is wrong with one node of a DIGRAPH: its methods, its options, its schema."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast

from pydantic import BaseModel

from django_wfe.definition.schema_problems import find_schema_problems
from django_wfe.definition.sentences import Finding
from django_wfe.definition.sentences import mark as _
from django_wfe.definition.texts import describe_value, name_value
from django_wfe.retry import Retry
from django_wfe.steps import Decision, Step, StepContext, __start__, plan_execute, plan_transition, read_signature

LONGEST_WAIT_SECONDS = 100 * 365 * 86_400
"""A hundred years: due times beyond the year 9999 are none that Python or the database can tell."""

# As declared here, also while a test has patched the classes.
NO_EXECUTE, PLAIN_TRANSITION, NO_TRANSITION = Step.execute, Step.transition, Decision.transition

_GIVEN_BY_NAME = frozenset({"_input", "result", "external_input", "logfile"})


def find_node_problems(node: type[Step], edges: int) -> Iterator[Finding]:
    """Yield a code, a message and a cure for each problem of a node with so many outgoing edges."""
    if "<locals>" in node.__qualname__:
        yield "local", _("it is defined inside a function."), _("Move the class to the top of a module.")
    if node is __start__:
        return
    yield from find_schema_problems(node.UserInputSchema)
    yield from _find_creation_problems(node)
    if node.execute is NO_EXECUTE:
        yield "execute", _("it has no execute()."), _("Define execute(self, _input=None, ...).")
    for name, plan in (("execute", plan_execute), ("transition", plan_transition)):
        # Seen through the class, a staticmethod looks like a method.
        is_static = isinstance(inspect.getattr_static(node, name), staticmethod)
        message = _("is a staticmethod; write a plain method") if is_static else plan(node).problem
        if message:
            yield (
                "signature",
                _("%(name)s() %(message)s.") % {"name": name, "message": message},
                _("Change its signature."),
            )
        elif (first := _name_first_parameter(node, name)) in _GIVEN_BY_NAME:
            yield (
                "signature",
                _("the first parameter of %(name)s() is %(first)s, and would get the step itself.")
                % {"name": name, "first": first},
                _("Write %(name)s(self, %(first)s).") % {"name": name, "first": first},
            )
    if not _can_be_called(node.on_cancel, None):
        yield (
            "signature",
            _("on_cancel is %(value)s.") % {"value": describe_value(node.on_cancel)},
            _("Define on_cancel(self)."),
        )
    elif inspect.isgeneratorfunction(node.on_cancel) or inspect.isasyncgenfunction(node.on_cancel):
        yield "signature", _("on_cancel() uses 'yield', so calling it does nothing."), _("Write a plain method.")
    yield from _find_wrong_options(node)
    if edges > 1 and node.transition is PLAIN_TRANSITION:
        yield (
            "transition",
            _("it is a plain Step with %(edges)s outgoing edges, and would always take the first.") % {"edges": edges},
            _("Make it a Decision, or define transition()."),
        )
    if issubclass(node, Decision):
        if edges == 0:
            yield "decision", _("it is a Decision without an outgoing edge."), _("Give it edges, or make it a Step.")
        if node.transition is NO_TRANSITION:
            yield "transition", _("it is a Decision without transition()."), _("Return the index of an edge from it.")
        labels = cast(Any, node.labels)
        if not isinstance(labels, (list, tuple)):
            yield (
                "labels",
                _("its labels are %(value)s, not a list.") % {"value": describe_value(labels)},
                _("Give one label for each edge."),
            )
        elif node.labels and len(node.labels) != edges:
            yield (
                "labels",
                _("it has %(number)s labels for %(edges)s edges.") % {"number": len(node.labels), "edges": edges},
                _("Give one label for each edge, or none."),
            )


def _find_wrong_options(node: type[Step]) -> Iterator[Finding]:
    retry, timeout, atomic = cast(Any, node.retry), cast(Any, node.timeout), cast(Any, node.atomic)
    if retry is not None and not isinstance(retry, Retry):
        yield (
            "retry",
            _("its retry is %(value)s, not a Retry.") % {"value": describe_value(retry)},
            _("Write retry = Retry(max_attempts=3)."),
        )
    for name, value in (("timeout", timeout), ("input_within", cast(Any, node.input_within))):
        seconds = value.total_seconds() if isinstance(value, timedelta) else value
        if value is not None and not _is_time_above_zero(seconds):
            yield (
                name,
                _("its %(name)s is %(value)s, not a time above 0.") % {"name": name, "value": describe_value(value)},
                _("Give seconds, a timedelta, or None."),
            )
    longest: list[tuple[str, Any]] = [
        ("input_within", node.input_within),
        ("retry's max_backoff", getattr(retry, "max_backoff", None)),
    ]
    for name, value in longest:
        wait: Any = value.total_seconds() if isinstance(value, timedelta) else value
        if _is_time_above_zero(wait) and wait > LONGEST_WAIT_SECONDS:
            yield (
                "wait",
                _("its %(name)s is %(value)s, over a hundred years.") % {"name": name, "value": describe_value(value)},
                _("Use fewer seconds."),
            )
    label = cast(Any, node.label)
    if is_wrong_label(label):
        yield (
            "label",
            _("its label is %(value)s, not a text.") % {"value": describe_value(label)},
            _('Write label = "...", or remove it.'),
        )
    if not isinstance(atomic, bool):
        yield (
            "atomic",
            _("its atomic is %(value)s, not a bool.") % {"value": describe_value(atomic)},
            _("Write atomic = True, or remove it."),
        )


def is_wrong_label(label: Any) -> bool:
    """Return whether a label is not a text. A text that is to be translated is of a class of its own, and is one."""
    return label is not None and isinstance(label, (bytes, int, float, list, tuple, dict, set, type, property))


def _find_creation_problems(node: type[Step]) -> Iterator[Finding]:
    """Yield why the engine cannot make an instance with ``node(context)``."""
    if inspect.isabstract(node):
        names = ", ".join(sorted(cast(Any, node).__abstractmethods__))
        yield (
            "abstract",
            _("it is abstract: it lacks %(names)s.") % {"names": names},
            _("Define %(names)s, or name a class that does.") % {"names": names},
        )
    maker = next(base for base in node.__mro__ if "__init__" in vars(base))
    if issubclass(node, BaseModel):
        yield (
            "init",
            _("it is also a pydantic model, and such instances take no context."),
            _("Remove BaseModel from its bases; a UserInputSchema inside the step is the place for a model."),
        )
    elif getattr(vars(maker).get("__dataclass_params__"), "init", False) or "__attrs_attrs__" in vars(maker):
        inherited = "" if maker is node else f" by {name_value(maker)}"
        yield (
            "init",
            _(
                "it is a dataclass%(inherited)s: its __init__ takes fields, and the engine makes it with "
                "the context alone."
            )
            % {"inherited": inherited},
            _("Remove the decorator: what a step needs comes from _input, its input or class attributes."),
        )
    elif not all(
        _can_be_called(function, arguments)
        for function, arguments in ((node.__init__, (None, _CONTEXT)), (node.__new__, (node, _CONTEXT)))
        if function is not object.__new__
    ):
        yield (
            "init",
            _("its __init__ does not take the context, the only argument that the engine makes it with."),
            _("Write def __init__(self, context=None) and call super().__init__(context) in it, or remove it."),
        )
    elif type(node).__call__ is not type.__call__ and not _can_be_called(type(node).__call__, (node, _CONTEXT)):
        yield (
            "init",
            _("__call__() of its metaclass %(node)s takes no context.") % {"node": name_value(type(node))},
            _("Let it take *args and pass them on."),
        )


_CONTEXT = StepContext(load_job=lambda: None, idempotency_key="", attempt=1)


def _can_be_called(function: Any, arguments: tuple[Any, ...] | None) -> bool:
    """Return whether a signature takes these arguments; None stands for ``self`` alone. Unknown signatures do."""
    if not callable(function):
        return False
    try:
        read_signature(function).bind(*((None,) if arguments is None else arguments))
    except TypeError:
        return False
    except ValueError:
        return True
    return True


def _name_first_parameter(node: type[Step], name: str) -> str:
    try:
        return next(iter(read_signature(getattr(node, name)).parameters), "")
    except (TypeError, ValueError):
        return ""


def _is_time_above_zero(seconds: Any) -> bool:
    return isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and 0 < seconds < float("inf")
