"""What keeps a declared graph from running: every problem, each with its cure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django_wfe.definition.graph import iterate_nodes, list_targets
from django_wfe.definition.node_problems import find_node_problems, is_wrong_label
from django_wfe.definition.schema_problems import find_schema_problems
from django_wfe.definition.sentences import Finding, Sentence
from django_wfe.definition.sentences import mark as _
from django_wfe.definition.subject_problems import find_subject_problems
from django_wfe.definition.texts import describe_value, name_value
from django_wfe.steps import Decision, Step, __start__, dotted_path


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that keeps a workflow from running. ``code`` is stable; ``node`` is "" for the graph as a whole."""

    code: str
    workflow: str
    node: str
    message: Sentence
    cure: Sentence

    def __str__(self) -> str:
        return str(self.say())

    def say(self) -> Sentence:
        """Return the problem and its cure as a sentence, with where it is."""
        values = {"workflow": self.workflow, "node": self.node, "message": self.message, "cure": self.cure}
        if self.node:
            return _("%(workflow)s, node %(node)s: %(message)s %(cure)s") % values
        return _("%(workflow)s: %(message)s %(cure)s") % values

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON; ``from_json`` reads it."""
        texts = {"code": self.code, "workflow": self.workflow, "node": self.node}
        return {**texts, "message": self.message.to_json(), "cure": self.cure.to_json()}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Problem:
        """Return the problem that ``to_json`` described."""
        message, cure = Sentence.from_json(data["message"]), Sentence.from_json(data["cure"])
        return Problem(data["code"], data["workflow"], data["node"], message, cure)


def find_problems(workflow: str, digraph: Any) -> Iterator[Problem]:
    """Yield every problem of a declaration, so that a developer can mend all in one go."""

    def problem(code: str, node: Any, message: Sentence, cure: Sentence) -> Problem:
        return Problem(code, workflow, name_value(node) if node is not None else "", message, cure)

    if not isinstance(digraph, Mapping):
        yield problem(
            "digraph",
            None,
            _("DIGRAPH is %(value)s, not a dict.") % {"value": describe_value(digraph)},
            _("Write DIGRAPH = {steps.__start__: [FirstStep], ...}."),
        )
        return
    for source, targets in digraph.items():
        if not isinstance(targets, (list, tuple)):
            yield problem(
                "edges",
                source,
                _("its edges are %(value)s, not a list.") % {"value": describe_value(targets)},
                _("Write a list of nodes after it."),
            )
    for node in iterate_nodes(digraph):
        if not _is_node(node):
            yield problem(
                "node",
                node,
                _("%(node)s is not a node: it is %(value)s.")
                % {"node": name_value(node), "value": describe_value(node)},
                _("Name a class that inherits from Step or Decision."),
            )
        elif not _is_hashable(node):
            yield problem(
                "node",
                node,
                _("its metaclass makes it unhashable."),
                _("Define __hash__ beside __eq__ in the metaclass."),
            )
    nodes = [node for node in iterate_nodes(digraph) if _is_node(node) and _is_hashable(node)]
    for node in nodes:
        for code, message, cure in _examine(node, digraph):
            yield problem(code, node, message, cure)
    paths: dict[str, type[Step]] = {}
    for node in nodes:
        if paths.setdefault(dotted_path(node), node) is not node:
            yield problem(
                "path",
                node,
                _("two different classes have this path."),
                _("Give one of them another name, or import one."),
            )
    if __start__ not in digraph:
        yield problem("start", None, _("DIGRAPH has no steps.__start__."), _("Add steps.__start__: [FirstStep]."))
        return
    count = len(list_targets(digraph, __start__))
    if count != 1:
        yield problem(
            "start",
            __start__,
            _("it has %(count)s outgoing edges.") % {"count": count},
            _("Give it exactly one; a Decision after it can choose between several."),
        )
    if any(target is __start__ for node in nodes for target in list_targets(digraph, node)):
        yield problem("start", __start__, _("an edge leads back to it."), _("Point the edge at the first step."))
    reached = _reach(digraph)
    for node in nodes:
        if node is not __start__ and node not in reached:
            yield problem(
                "unreachable", node, _("it cannot be reached from the start."), _("Add an edge to it, or remove it.")
            )


def find_workflow_problems(path: str, workflow: Any) -> Iterator[Problem]:
    """Yield what is wrong with a Workflow class beside its DIGRAPH."""
    if is_wrong_label(workflow.label):
        message = _("its label is %(value)s, not a text.") % {"value": describe_value(workflow.label)}
        yield Problem("label", path, "", message, _('Write label = "...", or remove it.'))
    groups = workflow.groups
    if not isinstance(groups, (list, tuple, set, frozenset)) or not all(isinstance(name, str) for name in groups):
        message = _("its groups are %(value)s, not a list of names.") % {"value": describe_value(groups)}
        yield Problem("groups", path, "", message, _('Write groups = ["accounting"], the names of user groups.'))
    for find in (
        lambda: find_schema_problems(workflow.InputSchema, "InputSchema"),
        lambda: find_subject_problems(workflow),
    ):
        for code, message, cure in _inspect(find):
            yield Problem(code, path, "", message, cure)


def _examine(node: type[Step], digraph: Mapping[Any, Any]) -> list[Finding]:
    return _inspect(lambda: find_node_problems(node, len(list_targets(digraph, node))))


def _inspect(find: Callable[[], Iterator[Finding]]) -> list[Finding]:
    try:
        return list(find())
    except Exception as error:
        # A metaclass, a descriptor or a schema's hook may raise anything; that is the node's problem, not the check's.
        reason = _("inspecting it raised %(type)s: %(error)s.") % {"type": type(error).__name__, "error": error}
        return [("describe", reason, _("Look at its metaclass, its descriptors and the hooks of its schema."))]


def _reach(digraph: Mapping[Any, Any]) -> set[Any]:
    reached: set[Any] = set()
    waiting: list[Any] = [__start__]
    while waiting:
        source = waiting.pop()
        for target in list_targets(digraph, source):
            if _is_node(target) and _is_hashable(target) and target not in reached:
                reached.add(target)
                waiting.append(target)
    return reached


def _is_node(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Step) and value is not Step and value is not Decision


def _is_hashable(value: type) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
