"""The base classes of what a workflow is made of: Step and Decision.

A file that declares workflows may say ``from django_wfe.steps import *``.
"""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache, partial
from typing import Any, ClassVar

from django_wfe.retry import Retry

__all__ = ["Decision", "Retry", "Step", "__start__"]

EXECUTE_KEYWORDS = frozenset({"external_input", "logfile"})
TRANSITION_KEYWORDS = frozenset({"external_input", "logfile", "result"})


@dataclass(slots=True, kw_only=True)
class StepContext:
    """What the engine tells one step run about its surroundings.

    ``idempotency_key`` is a text, or what makes it: most steps do not ask for theirs. ``attributes`` are those that
    the step has set, as ``encode_attributes`` gives them; None if it has set none.
    """

    load_job: Callable[[], Any]
    load_job_input: Callable[[], Any] = lambda: None
    idempotency_key: str | Callable[[], str]
    attempt: int
    external_input_model: Any = None
    encode_attributes: Callable[[Mapping[str, Any]], dict[str, Any]] = dict
    job: Any = field(default=None, init=False)
    job_input: Any = field(default=None, init=False)
    attributes: dict[str, Any] | None = field(default=None, init=False)


class Step:
    """An uninterrupted piece of work. Subclass it and define ``execute``.

    ``execute`` gets the result of the step run before as its first positional argument, and of the keywords
    ``external_input`` and ``logfile`` those that its signature can take. It returns something that JSON can hold.
    ``execute``, ``transition`` and ``on_cancel`` may be declared with ``async``.

    Attributes:
        UserInputSchema: a pydantic model; where it has a field, the step waits for external input before it runs.
        retry: when a failure is tried again by itself. Default None: never.
        timeout: seconds, or a timedelta, that one attempt may run. Default None: as long as it takes.
        input_within: seconds, or a timedelta, in which external input is expected; the inbox marks what is overdue,
            and nothing else happens then. Default None: whenever it comes.
        atomic: run ``execute`` and ``transition`` in the transaction that commits the result, so that the step's own
            ORM writes happen exactly once. Default False.
        label: the step's name for people. Default "": its class name in words.
    """

    UserInputSchema: ClassVar[Any] = None
    retry: ClassVar[Retry | None] = None
    timeout: ClassVar[float | timedelta | None] = None
    input_within: ClassVar[float | timedelta | None] = None
    atomic: ClassVar[bool] = False
    label: ClassVar[str] = ""

    def __init__(self, context: StepContext | None = None) -> None:
        self._context = context

    def execute(self, *args: Any, **kwargs: Any) -> Any:
        """Do the work and return its result."""
        raise NotImplementedError(f"{dotted_path(type(self))} has no execute(); define it.")

    def transition(self, *args: Any, **kwargs: Any) -> int | Awaitable[int]:
        """Return the index of the outgoing edge to take. A plain Step takes its only edge, 0."""
        return 0

    def on_cancel(self) -> Awaitable[None] | None:
        """Clean up after this run was canceled in the middle of ``execute``. Default: nothing.

        The worker that runs the step calls it, on the same instance. A Job that waits (for input, a retry, a worker,
        its code, or the end of a pause) has nothing in the middle, and may be canceled where no step code is: it is
        not called then. The signal ``job_canceled`` tells of every cancel.
        """
        return None

    @property
    def job(self) -> Any:
        """The ``django_wfe.models.Job`` that this run belongs to."""
        context = self._get_context()
        if context.job is None:
            context.job = context.load_job()
        return context.job

    @property
    def job_input(self) -> Any:
        """What the job was started with, as an instance of its workflow's ``InputSchema``; None if it started without.

        Secrets are in clear in it, and nowhere else.
        """
        context = self._get_context()
        if context.job_input is None:
            context.job_input = context.load_job_input()
        return context.job_input

    def set_attribute(self, name: str, value: Any) -> None:
        """Have the job found by a name and value from now on; what it had under this name is replaced.

        It is committed with the result of this step, so not if the step fails.

        Args:
            name: letters, digits, - and _, at most 63, with a letter or _ first.
            value: a text, a number, a date, a time, a UUID, True or False, of at most 255 characters as text. None
                takes the attribute away.

        Raises:
            NotEncodable: for another name or value.
        """
        context = self._get_context()
        context.attributes = (context.attributes or {}) | context.encode_attributes({name: value})

    @property
    def idempotency_key(self) -> str:
        """A text that stays the same over all attempts at this node, to give to external systems."""
        key = self._get_context().idempotency_key
        return key if isinstance(key, str) else key()

    @property
    def attempt(self) -> int:
        """Which attempt at this node this is, from 1."""
        return self._get_context().attempt

    @property
    def external_input_model(self) -> Any:
        """The validated instance of ``UserInputSchema``, or None if no input was asked."""
        return self._get_context().external_input_model

    @property
    def log(self) -> logging.Logger:
        """A logger whose records become part of this step run's log."""
        return logging.getLogger(f"django_wfe.step.{dotted_path(type(self))}")

    def _get_context(self) -> StepContext:
        if self._context is None:
            raise RuntimeError(
                f"{dotted_path(type(self))} was created without a job. Give it a StepContext, or run its workflow."
            )
        return self._context


class Decision(Step):
    """A node that chooses the outgoing edge: define ``transition`` and return the edge's index, from 0.

    Without an ``execute`` of its own it passes its input on as its result.

    Attributes:
        labels: a text for people for each outgoing edge, in order. Default (): edges without text.
    """

    labels: ClassVar[tuple[str, ...] | list[str]] = ()

    def execute(self, *args: Any, **kwargs: Any) -> Any:
        """Pass the input on as the result."""
        return args[0] if args else None

    def transition(self, *args: Any, **kwargs: Any) -> int | Awaitable[int]:
        raise NotImplementedError(
            f"{dotted_path(type(self))} has no transition(); return the index of an edge from it."
        )


class __start__(Step):
    """The beginning of every workflow: has exactly one outgoing edge and does nothing."""

    label = "Start"

    def execute(self, *args: Any, **kwargs: Any) -> Any:
        return None


@dataclass(frozen=True, slots=True)
class CallPlan:
    """Which of the arguments on offer a function takes.

    ``input_keyword`` is the name to pass ``_input`` under: "" for by position, None for not at all.
    """

    input_keyword: str | None
    keywords: frozenset[str]
    problem: str = ""

    def call(self, function: Callable[..., Any], _input: Any, offered: Mapping[str, Any]) -> Any:
        """Call ``function`` (bound) with ``_input`` and what it takes out of ``offered``."""
        accepted = {name: offered[name] for name in self.keywords if name in offered}
        if self.input_keyword == "":
            return function(_input, **accepted)
        if self.input_keyword is not None:
            accepted[self.input_keyword] = _input
        return function(**accepted)


@lru_cache(maxsize=4096)
def plan_call(function: Callable[..., Any], offered: frozenset[str]) -> CallPlan:
    """Work out how to call an ``execute`` or ``transition`` (unbound), once for each function.

    A parameter that is named like a keyword on offer gets that keyword; the first other positional one gets ``_input``.
    """
    if _is_mock(function):
        # It takes what it gets. A test has put it there; it is not bound, so there is no self.
        return CallPlan("", offered)
    problem = _find_wrong_kind(function)
    if problem:
        return CallPlan(None, frozenset(), problem)
    try:
        parameters = list(read_signature(function).parameters.values())
    except (TypeError, ValueError):
        return CallPlan(None, frozenset(), "has no signature that Python can read; write a plain method")
    if not any(parameter.kind is not parameter.KEYWORD_ONLY for parameter in parameters):
        return CallPlan(None, frozenset(), "does not take self; write a plain method")
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][1:]
    input_keyword: str | None = None
    keywords, missing = set[str](), list[str]()
    for index, parameter in enumerate(positional):
        if parameter.name in offered and parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            keywords.add(parameter.name)
        elif input_keyword is None and (index == 0 or parameter.kind is parameter.POSITIONAL_OR_KEYWORD):
            input_keyword = "" if index == 0 else parameter.name
        elif parameter.default is parameter.empty:
            missing.append(parameter.name)
    for parameter in parameters:
        if parameter.kind is parameter.VAR_KEYWORD:
            keywords |= offered
        elif parameter.kind is parameter.VAR_POSITIONAL and not positional:
            input_keyword = ""
        elif parameter.kind is parameter.KEYWORD_ONLY:
            if parameter.name in offered:
                keywords.add(parameter.name)
            elif parameter.name == "_input" and input_keyword is None:
                input_keyword = "_input"
            elif parameter.default is parameter.empty:
                missing.append(parameter.name)
    if missing:
        problem = (
            f"asks for {', '.join(missing)}, which nothing gives; "
            f"it can take _input and {', '.join(sorted(offered))}, or give the parameter a default"
        )
    return CallPlan(input_keyword, frozenset(keywords), problem)


def read_signature(function: Callable[..., Any]) -> inspect.Signature:
    """Return a function's signature, whatever its annotations name: an import for the type checker alone does no harm.

    Raises:
        TypeError, ValueError: if it has none that Python can read.
    """
    if sys.version_info >= (3, 14):
        import annotationlib  # since then annotations are worked out when they are asked for

        return inspect.signature(function, annotation_format=annotationlib.Format.FORWARDREF)
    return inspect.signature(function)


def _is_mock(function: Any) -> bool:
    mock: Any = sys.modules.get("unittest.mock")
    return mock is not None and isinstance(function, mock.Mock)


def _find_wrong_kind(function: Callable[..., Any]) -> str:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return "uses 'yield'; return the result instead"
    # A partial has no self to bind; since Python 3.13 it has a __get__ all the same.
    if not (callable(function) and hasattr(function, "__get__")) or isinstance(function, partial):
        return "is not a function; write a plain method"
    if inspect.ismethod(function):
        return "is a classmethod; write a plain method"
    return ""


def plan_execute(step: type[Step]) -> CallPlan:
    """Return the plan for ``step.execute``."""
    return plan_call(step.execute, EXECUTE_KEYWORDS)


def plan_transition(step: type[Step]) -> CallPlan:
    """Return the plan for ``step.transition``."""
    return plan_call(step.transition, TRANSITION_KEYWORDS)


def dotted_path(declared: type) -> str:
    """Return the path under which a class is stored: its module and qualified name."""
    return f"{declared.__module__}.{declared.__qualname__}"
