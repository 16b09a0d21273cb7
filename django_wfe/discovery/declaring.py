"""Whether a module only declares, so that it may be imported a second time in a running process.

The rule, read from the file without running it. At the top of the module, and in the bodies of its classes, there may
be imports, functions, classes and constants, and "if" and "try" around those. Refused is what has an effect beyond the
module, or keeps something in it: any call but of a few that only make a value (Retry, Field, timedelta, re.compile and
the like), any decorator but those of Python, pydantic and transaction.atomic, a base class that notes its subclasses
somewhere, an empty container that waits to be filled, an assignment to anything but a name, and "global".
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from django_wfe.definition.source_trees import parse
from django_wfe.engine.project_code.source_files import Source, resolve_relative

_HARMLESS_MODULES = frozenset(
    {
        "abc",
        "annotated_types",
        "collections.abc",
        "contextlib",
        "dataclasses",
        "datetime",
        "decimal",
        "django.utils.translation",
        "django_wfe.retry",
        "django_wfe.steps",
        "django_wfe.workflows",
        "enum",
        "fractions",
        "functools",
        "ipaddress",
        "math",
        "operator",
        "pathlib",
        "pydantic",
        "re",
        "string",
        "textwrap",
        "types",
        "typing",
        "typing_extensions",
        "uuid",
        "zoneinfo",
    }
)
_HARMLESS_CALLS = frozenset({"collections.namedtuple", "logging.getLogger", "django.db.transaction.atomic"})
_HARMLESS_BUILTINS = frozenset(
    {
        *("bool", "bytes", "classmethod", "dict", "enumerate", "filter", "float", "frozenset", "int", "len", "list"),
        *("map", "max", "min", "property", "range", "reversed", "round", "set", "slice", "sorted", "staticmethod"),
        *("str", "sum", "tuple", "zip"),
    }
)
_STATEFUL = frozenset({"dict", "list", "set"})
_STAR_IMPORTS = {
    "django_wfe.steps": ("Decision", "Retry", "Step", "__start__"),
    "django_wfe.workflows": ("Workflow",),
}
_ALLOWED_METACLASSES = ("builtins", "abc", "enum", "typing", "pydantic")
_HOOKS = frozenset({"__init_subclass__", "__set_name__"})
_MAKERS = frozenset({"__init__", "__new__", "__post_init__", "model_post_init"})


@dataclass(frozen=True, slots=True)
class Effect:
    """The first thing in a file that forbids to import it again: its line, and a clause that says what it does."""

    line: int
    text: str


def find_effect(source: Source) -> Effect | None:
    """Return what forbids to import a module again, or None if it only declares."""
    try:
        tree = parse(Path(source.file).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None  # whoever imports it says so better
    return next(_Reader(source, tree).read(), None)


@dataclass
class _Reader:
    source: Source
    tree: ast.Module
    names: dict[str, str] = field(default_factory=dict)
    classes: dict[str, ast.ClassDef] = field(default_factory=dict)

    def read(self) -> Iterator[Effect]:
        for node in ast.walk(self.tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                self._note_import(node)
            elif isinstance(node, ast.ClassDef):
                self.classes.setdefault(node.name, node)
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Global):
                yield Effect(node.lineno, f"sets {', '.join(node.names)} of the module from inside a function")
        yield from self._read_body(self.tree.body)

    def _note_import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            if isinstance(node, ast.Import):
                name = alias.asname or alias.name.partition(".")[0]
                self.names[name] = alias.name if alias.asname else name
                continue
            module = resolve_relative(self.source, node.level, node.module)
            if alias.name == "*":
                self.names.update({name: f"{module}.{name}" for name in _STAR_IMPORTS.get(module, ())})
            else:
                self.names[alias.asname or alias.name] = f"{module}.{alias.name}"

    def _read_body(self, body: Iterable[ast.stmt], *, in_class: bool = False) -> Iterator[Effect]:
        for statement in body:
            yield from self._read_statement(statement, in_class=in_class)

    def _read_statement(self, node: ast.stmt, *, in_class: bool) -> Iterator[Effect]:
        match node:
            case ast.Import() | ast.ImportFrom() | ast.Pass():
                return
            case ast.Expr(value=ast.Constant()):
                return
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from self._read_function(node, in_class=in_class)
            case ast.ClassDef():
                yield from self._read_class(node)
            case ast.Assign(targets=targets, value=value):
                yield from self._read_assignment(targets, value, is_field=False)
            case ast.AnnAssign(target=target, value=value, annotation=annotation):
                yield from self._read_expression(annotation)
                if value is not None:
                    yield from self._read_assignment([target], value, is_field=in_class)
            case ast.If(test=test, body=body, orelse=orelse):
                if not _never_runs(test):
                    yield from self._read_expression(test)
                    yield from self._read_body(body, in_class=in_class)
                yield from self._read_body(orelse, in_class=in_class)
            case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=finalbody):
                inside = [*body, *(item for handler in handlers for item in handler.body), *orelse, *finalbody]
                yield from self._read_body(inside, in_class=in_class)
            case _:
                yield Effect(node.lineno, f"has a statement that does something: {_quote(node)}")

    def _read_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, *, in_class: bool) -> Iterator[Effect]:
        if in_class and node.name in _HOOKS:
            yield Effect(node.lineno, f"defines {node.name}(), which may note classes somewhere")
        yield from self._read_decorators(node.decorator_list)
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        annotations = [argument.annotation for argument in every if argument is not None]
        for expression in (*arguments.defaults, *arguments.kw_defaults, *annotations, node.returns):
            if expression is not None:
                yield from self._read_expression(expression)

    def _read_class(self, node: ast.ClassDef) -> Iterator[Effect]:
        yield from self._read_decorators(node.decorator_list)
        for keyword in node.keywords:
            if keyword.arg == "metaclass" and self._name(keyword.value) not in ("abc.ABCMeta", "enum.EnumMeta"):
                yield Effect(node.lineno, f"gives {node.name} a metaclass, which may note it somewhere")
            yield from self._read_expression(keyword.value)
        for base in node.bases:
            yield from self._read_base(base)
        yield from self._read_body(node.body, in_class=True)

    def _read_base(self, base: ast.expr) -> Iterator[Effect]:
        yield from self._read_expression(base)
        name = self._name(base.value if isinstance(base, ast.Subscript) else base)
        if name.partition(".")[0] in self.classes or _is_harmless(name):
            return
        if not name or _notes_subclasses(name):
            yield Effect(base.lineno, f"inherits from {_quote(base)}, which may note its subclasses somewhere")

    def _read_assignment(self, targets: list[ast.expr], value: ast.expr, *, is_field: bool) -> Iterator[Effect]:
        for target in targets:
            if not isinstance(target, ast.Name):
                yield Effect(target.lineno, f"sets {_quote(target)}")
            elif not is_field and self._is_empty_container(value) and target.id not in ("DIGRAPH", "__all__"):
                yield Effect(target.lineno, f"keeps something in {target.id}, which begins empty")
        yield from self._read_expression(value)

    def _is_empty_container(self, value: ast.expr) -> bool:
        match value:
            case ast.List(elts=[]) | ast.Dict(keys=[]):
                return True
            case ast.Call(func=function, args=[], keywords=[]):
                return self._name(function) in {f"builtins.{name}" for name in _STATEFUL}
        return False

    def _read_decorators(self, decorators: Iterable[ast.expr]) -> Iterator[Effect]:
        for decorator in decorators:
            function = decorator.func if isinstance(decorator, ast.Call) else decorator
            is_part_of_property = isinstance(function, ast.Attribute) and function.attr in (
                "setter",
                "getter",
                "deleter",
            )
            if not is_part_of_property and not self._may_call(function):
                yield Effect(decorator.lineno, f"decorates with @{_quote(function)}")
            for argument in decorator.args if isinstance(decorator, ast.Call) else ():
                yield from self._read_expression(argument)

    def _read_expression(self, node: ast.AST) -> Iterator[Effect]:
        match node:
            case ast.Lambda():
                return
            case ast.Call(func=function) if not self._may_call(function):
                yield Effect(node.lineno, f"calls {_quote(function)}()")
            case ast.Await() | ast.Yield() | ast.YieldFrom():
                yield Effect(node.lineno, f"waits for {_quote(node)}")
        for child in ast.iter_child_nodes(node):
            yield from self._read_expression(child)

    def _may_call(self, function: ast.expr) -> bool:
        if isinstance(function, ast.Attribute) and isinstance(function.value, (ast.Constant, ast.JoinedStr)):
            return True  # a method of a text
        name = self._name(function)
        if name in self.classes:
            body = self.classes[name].body
            return not any(isinstance(item, ast.FunctionDef) and item.name in _MAKERS for item in body)
        return _is_harmless(name)

    def _name(self, expression: ast.expr) -> str:
        """Return the full name that an expression stands for; "" if it is none, or nobody knows."""
        if isinstance(expression, ast.Attribute):
            owner = self._name(expression.value)
            return f"{owner}.{expression.attr}" if owner else ""
        if not isinstance(expression, ast.Name):
            return ""
        if expression.id in self.names:
            return self.names[expression.id]
        if expression.id in self.classes:
            return expression.id
        return f"builtins.{expression.id}" if hasattr(builtins, expression.id) else ""


def _is_harmless(name: str) -> bool:
    if name in _HARMLESS_CALLS:
        return True
    owner, _, last = name.rpartition(".")
    if owner == "builtins":
        return last in _HARMLESS_BUILTINS or isinstance(getattr(builtins, last, None), type)
    parts = name.split(".")
    return any(".".join(parts[:length]) in _HARMLESS_MODULES for length in range(1, len(parts)))


def _notes_subclasses(name: str) -> bool:
    """Return whether a class of another module may do something when a class inherits from it."""
    module, _, attribute = name.rpartition(".")
    while module and module not in sys.modules:
        module, _, before = module.rpartition(".")
        attribute = f"{before}.{attribute}"
    if not module:
        return False  # it is not loaded, so it is imported for the first time as well
    value: object = sys.modules[module]
    for part in attribute.split("."):
        if not hasattr(value, part):
            return False  # its module is imported anew too, or whoever imports it says what is missing
        value = getattr(value, part)
    if not isinstance(value, type):
        return True
    if type(value).__module__.partition(".")[0] not in _ALLOWED_METACLASSES:
        return True
    return any(
        "__init_subclass__" in vars(base)
        and base.__module__.partition(".")[0] not in (*_ALLOWED_METACLASSES, "django_wfe")
        for base in value.__mro__
    )


def _never_runs(test: ast.expr) -> bool:
    match test:
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return True
        case ast.Compare(left=ast.Name(id="__name__")):
            return True
    return False


def _quote(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 60 else f"{text[:60]}..."
