"""From Workflow classes to what the database knows of them."""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.utils import translation

from django_wfe.engine.code import read_graph
from django_wfe.engine.transactions import atomic
from django_wfe.graph import Graph, Node, Problem, get_description, get_label
from django_wfe.models import Definition, Step, Workflow
from django_wfe.steps import dotted_path
from django_wfe.workflows import Workflow as WorkflowClass
from django_wfe.workflows import list_problems

LONGEST_TEXT = 255
"""How many characters the database keeps of a path, a name and a label."""

_BASES_OF_ALL = frozenset({"builtins", "abc", "typing", "django_wfe.steps", "django_wfe.workflows"})


@dataclass(frozen=True, slots=True)
class DeclaredWorkflow:
    """A Workflow class as plain data, to be carried between processes. ``graph`` is None where it has problems."""

    path: str
    name: str
    label: str
    description: str
    graph: Graph | None
    problems: tuple[Problem, ...]
    code_hash: str
    groups: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Give it as data that ``from_json`` reads."""
        return {
            "path": self.path,
            "name": self.name,
            "label": self.label,
            "description": self.description,
            "graph": self.graph.to_json() if self.graph else None,
            "problems": [asdict(problem) for problem in self.problems],
            "code_hash": self.code_hash,
            "groups": list(self.groups),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> DeclaredWorkflow:
        """Read what ``to_json`` gave."""
        return cls(
            path=data["path"],
            name=data["name"],
            label=data["label"],
            description=data["description"],
            graph=Graph.from_json(data["graph"]) if data["graph"] else None,
            problems=tuple(Problem(**problem) for problem in data["problems"]),
            code_hash=data["code_hash"],
            groups=tuple(data["groups"]),
        )


@translation.override(None)  # labels that are to be translated are kept as they stand in the source
def describe_workflow(workflow: type[WorkflowClass]) -> DeclaredWorkflow:
    """Give a Workflow class as data, with every problem that keeps it from running."""
    problems = [*list_problems(workflow)]
    problems += _find_storage_problems(workflow, known={problem.node for problem in problems})
    graph = None
    if not problems:
        try:
            graph = read_graph(workflow)
        except Exception as error:  # what a schema's own hooks, or a label's, may raise
            problems.append(
                Problem(
                    "describe",
                    dotted_path(workflow),
                    "",
                    f"describing it raised {type(error).__name__}: {error}.",
                    "Look at the hooks of its schemas and at its labels.",
                )
            )
    return DeclaredWorkflow(
        path=dotted_path(workflow),
        name=workflow.__name__,
        label=get_label(workflow),
        description=get_description(workflow),
        graph=graph,
        problems=tuple(problems),
        code_hash=hash_code(workflow),
        groups=tuple(workflow.groups),
    )


@atomic()
def record_workflow(declared: DeclaredWorkflow) -> Workflow:
    """Write what is declared: the Workflow (no longer deleted, if it was), its Definition and its Steps.

    With problems only the Workflow is written: its ``load_error`` tells them, and the last good definition stays.
    """
    workflow, _ = Workflow.objects.update_or_create(
        path=declared.path,
        defaults={
            "name": declared.name,
            "label": declared.label,
            "description": declared.description,
            "deleted": False,
            "groups": list(declared.groups),
            "load_error": "\n".join(str(problem) for problem in declared.problems),
        },
    )
    if declared.graph is None:
        return workflow
    definition, created = Definition.objects.get_or_create(
        workflow=workflow,
        fingerprint=declared.graph.fingerprint,
        defaults={"graph": declared.graph.to_json(), "code_hash": declared.code_hash},
    )
    if not created and definition.code_hash != declared.code_hash:
        definition.code_hash = declared.code_hash
        definition.save(update_fields=["code_hash"])
    if workflow.current_definition_id != definition.pk:
        workflow.current_definition = definition
        workflow.save(update_fields=["current_definition"])
    _record_steps(declared.graph)
    return workflow


@atomic()
def record_deleted(paths_that_exist: set[str]) -> list[str]:
    """Mark every Workflow whose path is not among these as deleted, and every Step that no other Workflow has.

    Jobs keep their history and go on. Returns the paths of the Workflows that were not marked before.
    """
    gone = Workflow.objects.filter(deleted=False).exclude(path__in=paths_that_exist)
    paths = sorted(gone.values_list("path", flat=True))
    if paths:
        Workflow.objects.filter(path__in=paths).update(deleted=True, load_error="")
    graphs = Definition.objects.filter(pk__in=Workflow.objects.filter(deleted=False).values("current_definition"))
    used = {node["path"] for graph in graphs.values_list("graph", flat=True) for node in graph["nodes"]}
    Step.objects.filter(deleted=False).exclude(path__in=used).update(deleted=True)
    return paths


def hash_code(workflow: type[WorkflowClass]) -> str:
    """Give the SHA-256 of the source files that the workflow's class, its nodes and their bases come from."""
    modules: dict[str, list[type]] = {}
    for declared in (workflow, *list_nodes(workflow)):
        for base in declared.__mro__:
            if base.__module__ not in _BASES_OF_ALL:
                modules.setdefault(base.__module__, []).append(base)
    digest = hashlib.sha256()
    for name in sorted(modules):
        digest.update(name.encode() + b"\0" + _read_source(name, modules[name]) + b"\0")
    return digest.hexdigest()


def _read_source(module: str, classes: list[type]) -> bytes:
    file = getattr(sys.modules.get(module), "__file__", None)
    if file:
        try:
            return Path(file).read_bytes()
        except OSError:  # a file inside an archive, or gone since
            pass
    sources = set()
    for declared in classes:
        try:
            sources.add(inspect.getsource(declared))
        except (OSError, TypeError):  # typed into a shell
            sources.add(dotted_path(declared))
    return "\n".join(sorted(sources)).encode()


def list_nodes(workflow: type[WorkflowClass]) -> list[type]:
    """List the classes that a DIGRAPH names, however wrong the rest of it is."""
    digraph = workflow.DIGRAPH
    if not isinstance(digraph, Mapping):
        return []
    named: dict[int, type] = {}
    for source, targets in digraph.items():
        for node in (source, *(targets if isinstance(targets, (list, tuple)) else ())):
            if isinstance(node, type):
                named.setdefault(id(node), node)
    return list(named.values())


def _find_storage_problems(workflow: type[WorkflowClass], *, known: set[str]) -> Iterator[Problem]:
    """Yield why a sound graph cannot be stored, or its nodes not be found again by a worker; not of ``known`` nodes."""
    path = dotted_path(workflow)
    for declared in (workflow, *list_nodes(workflow)):
        place = dotted_path(declared)
        node = "" if declared is workflow else place
        for what, text in (("path", place), ("label", get_label(declared) if hasattr(declared, "label") else "")):
            if len(text) > LONGEST_TEXT:
                yield Problem(
                    "length",
                    path,
                    node,
                    f"its {what} has {len(text)} characters; {LONGEST_TEXT} can be kept.",
                    "Give it a shorter one.",
                )
        if node not in known and "<locals>" not in place and not _is_found_by_path(declared):
            yield Problem(
                "import",
                path,
                node,
                "another class, or none, is found under this path.",
                "Let a module name the class as the class names itself.",
            )


def _is_found_by_path(declared: type) -> bool:
    value: Any = sys.modules.get(declared.__module__)
    for part in declared.__qualname__.split("."):
        value = getattr(value, part, None)
    return value is declared


def _record_steps(graph: Graph) -> None:
    nodes: list[Node] = sorted((node for node in graph.nodes if node.kind != "start"), key=lambda node: node.path)
    Step.objects.bulk_create(  # in one order everywhere, so that two writers cannot lock each other out
        [
            Step(
                path=node.path,
                name=node.name,
                label=node.label,
                kind=node.kind,
                description=node.description,
                input_schema=node.input_schema,
                deleted=False,
            )
            for node in nodes
        ],
        update_conflicts=True,
        unique_fields=["path"],
        update_fields=["name", "label", "kind", "description", "input_schema", "deleted"],
    )
