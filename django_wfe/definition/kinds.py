"""The kinds of nodes: what a definition stores of a node's class, and how a graph draws it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from django_wfe.steps import Decision, Step, __start__

Form = Literal["start", "step", "decision"]
"""How a graph draws a node: as a dot, a box or a diamond."""

_CODE = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)


@dataclass(frozen=True, slots=True)
class NodeKind:
    """One kind of node.

    Attributes:
        code: what definitions store: small letters, digits, underscores. It is part of a definition's fingerprint.
        base: the class whose subclasses are of this kind, where no base that is nearer to them has a kind of its own.
        form: how a graph draws it.
        words: what it is, for sentences: "a decision". A text, or a lazy translation of one. "" for a plain step.
    """

    code: str
    base: type[Step]
    form: Form = "step"
    words: Any = ""


START_KIND = NodeKind("start", __start__, "start")
STEP_KIND = NodeKind("step", Step)
DECISION_KIND = NodeKind("decision", Decision, "decision", "a decision")
OWN_KINDS = (START_KIND, STEP_KIND, DECISION_KIND)

_kinds: dict[str, NodeKind] = {kind.code: kind for kind in OWN_KINDS}


def register_kind(kind: NodeKind) -> None:
    """Have the subclasses of ``kind.base`` be nodes of this kind. Call it in the module that declares the base class.

    Raises:
        ValueError: its code is taken or cannot be one, or another kind has this base.
        TypeError: its base is not a Step.
    """
    if not (isinstance(kind.base, type) and issubclass(kind.base, Step)):
        raise TypeError(f"The base of the kind {kind.code!r} is {kind.base!r}: name a subclass of Step or Decision.")
    if not _CODE.fullmatch(kind.code):
        raise ValueError(f"{kind.code!r} cannot be the code of a kind: use small letters, digits and underscores.")
    taken = _kinds.get(kind.code) or next((known for known in _kinds.values() if known.base is kind.base), None)
    if taken is not None and taken != kind:
        raise ValueError(f"The kind {taken.code!r} of {taken.base.__qualname__} is there already: choose another.")
    _kinds[kind.code] = kind


def unregister_kind(code: str) -> None:
    """Take a kind out again; tests need it.

    Raises:
        ValueError: there is no such kind, or it is one of django-wfe's own.
    """
    if code in {kind.code for kind in OWN_KINDS} or code not in _kinds:
        raise ValueError(f"{code!r} is not a kind that was registered.")
    del _kinds[code]


def find_kind(node: type[Step]) -> NodeKind:
    """Return the kind of a node class: that of its nearest base."""
    by_base = {kind.base: kind for kind in _kinds.values()}
    return next(by_base[base] for base in node.__mro__ if base in by_base)


def get_kind(code: str) -> NodeKind:
    """Return the kind of a stored code; a plain box for one that this process does not know."""
    return _kinds.get(code) or NodeKind(code, Step, words=code)
