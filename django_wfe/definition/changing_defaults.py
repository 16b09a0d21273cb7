"""What the source of a pydantic model tells: defaults that each process computes anew, validators that need a context.

Pydantic keeps the value of a default, not how it came about, so the class's own source is read.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Iterator
from datetime import date
from functools import lru_cache
from typing import Any, get_args

from pydantic import BaseModel

from django_wfe.definition.sentences import Finding
from django_wfe.definition.sentences import mark as _
from django_wfe.definition.source_trees import read_tree

CURE = _(
    "For a default write Field(default_factory=...), which is called for each input; for a bound write a validator."
)

_CHANGING_MODULES = frozenset({"random", "secrets", "time"})
_CHANGING_FUNCTIONS = frozenset(
    {
        ("uuid", "uuid1"),
        ("uuid", "uuid4"),
        ("uuid", "uuid6"),
        ("uuid", "uuid7"),
        ("os", "urandom"),
        ("posix", "urandom"),
        ("os", "getpid"),
        ("posix", "getpid"),
        ("builtins", "id"),
        ("django.utils.timezone", "now"),
        ("django.utils.timezone", "localtime"),
        ("django.utils.timezone", "localdate"),
        ("django.utils.crypto", "get_random_string"),
        ("socket", "gethostname"),
    }
)
_TIMELESS = frozenset({"sleep", "strptime", "mktime", "gmtime", "struct_time", "seed"})

_read_tree = lru_cache(maxsize=1024)(read_tree)


def list_models(schema: type[BaseModel]) -> list[type[BaseModel]]:
    """List the models that a schema is made of, itself first."""
    found: dict[type[BaseModel], None] = {}
    waiting: list[Any] = [schema]
    while waiting:
        value = waiting.pop()
        if isinstance(value, type) and issubclass(value, BaseModel):
            if value not in found:
                found[value] = None
                waiting.extend(field.annotation for field in reversed(value.model_fields.values()))
        else:
            waiting.extend(reversed(get_args(value)))
    return list(found)


def find_changing_defaults(schema: type[BaseModel]) -> Iterator[Finding]:
    """Yield a code, a message and a cure for each default that is computed when the module is imported."""
    for model in list_models(schema):
        for base in model.__mro__:
            if not (issubclass(base, BaseModel) and base is not BaseModel):
                continue
            for name, value in _list_defaults(base):
                call = _find_changing_call(value, base)
                if call is not None and name in model.model_fields:
                    message = _(
                        "%(model)s.%(field)s is worked out by %(call)s when the module is imported, so each "
                        "process has another value, and with it another definition."
                    ) % {"model": model.__name__, "field": name, "call": ast.unparse(call)}
                    yield "changing", message, CURE


def find_context_readers(schema: type[BaseModel]) -> Iterator[Finding]:
    """Yield a code, a message and a cure for each validator that reads ``info.context`` as if there were always one."""
    for model in list_models(schema):
        decorators = model.__pydantic_decorators__
        for group in (decorators.field_validators, decorators.model_validators, decorators.root_validators):
            for name, decorator in group.items():
                if _needs_context(decorator.func):
                    yield (
                        "context",
                        _("the validator %(model)s.%(field)s() reads info.context, which is always None here.")
                        % {"model": model.__name__, "field": name},
                        _("Look up what it needs inside the validator, or check it in execute()."),
                    )


def _list_defaults(model: type) -> Iterator[tuple[str, ast.expr]]:
    body = _read_tree(model)
    if not isinstance(body, ast.ClassDef) or body.name != model.__name__:
        return
    for statement in body.body:
        if isinstance(statement, ast.AnnAssign) and statement.value is not None:
            if isinstance(statement.target, ast.Name):
                yield statement.target.id, statement.value
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                if isinstance(target, ast.Name):
                    yield target.id, statement.value


def _find_changing_call(value: ast.AST, model: type) -> ast.Call | None:
    if isinstance(value, ast.Lambda):
        return None
    if isinstance(value, ast.Call):
        function, owner = _resolve(value.func, model)
        if _is_changing(function, owner):
            return value
    for child in ast.iter_child_nodes(value):
        found = _find_changing_call(child, model)
        if found is not None:
            return found
    return None


def _resolve(expression: ast.expr, model: type) -> tuple[Any, Any]:
    """Return what a dotted name stands for in the module of a class, and what it was taken from; None if unknown."""
    if isinstance(expression, ast.Name):
        names = vars(sys.modules.get(model.__module__, ast))
        builtins = sys.modules["builtins"]
        return names.get(expression.id, getattr(builtins, expression.id, None)), None
    if isinstance(expression, ast.Attribute):
        owner, _ = _resolve(expression.value, model)
        # Not every attribute may be looked at without an effect; those of modules and classes may.
        if isinstance(owner, type) or inspect.ismodule(owner):
            return getattr(owner, expression.attr, None), owner
    return None, None


def _is_changing(function: Any, owner: Any) -> bool:
    bound_to = getattr(function, "__self__", owner)
    name = getattr(function, "__name__", "")
    if isinstance(bound_to, type) and issubclass(bound_to, date):
        return name in ("now", "utcnow", "today")
    module = getattr(function, "__module__", None) or getattr(type(bound_to), "__module__", None)
    if module in _CHANGING_MODULES:
        return name not in _TIMELESS and not isinstance(function, type)
    return (module, name) in _CHANGING_FUNCTIONS


def _needs_context(function: Callable[..., Any]) -> bool:
    body = _read_tree(inspect.unwrap(getattr(function, "__func__", function)))
    if not isinstance(body, ast.FunctionDef):
        return False
    informed = {
        argument.arg
        for argument in body.args.args[1:]
        if argument.arg == "info" or (argument.annotation and "ValidationInfo" in ast.unparse(argument.annotation))
    }
    needing = mentions = 0
    for node in ast.walk(body):
        if isinstance(node, ast.Try):
            return False
        if _is_context(node, informed):
            mentions += 1
        elif isinstance(node, (ast.Subscript, ast.Attribute)) and _is_context(node.value, informed):
            needing += 1
    # One that is also looked at on its own ("if info.context") is prepared for None.
    return 0 < mentions == needing


def _is_context(node: ast.AST, informed: set[str]) -> bool:
    if not (isinstance(node, ast.Attribute) and node.attr == "context"):
        return False
    return isinstance(node.value, ast.Name) and node.value.id in informed
