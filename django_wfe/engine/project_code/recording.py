"""From Workflow classes to what the database knows of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from django.apps import apps
from django.db.models.functions import Now
from django.utils import translation

from django_wfe.definition.graph import Graph, Node, get_description, get_label
from django_wfe.definition.near_misses import find_repeated_keys
from django_wfe.definition.problems import Problem
from django_wfe.definition.sentences import mark as _
from django_wfe.definition.subject_problems import has_own
from django_wfe.definition.texts import find_unstorable, make_storable
from django_wfe.engine.errors.tracebacks import say_briefly
from django_wfe.engine.project_code.classes import read_graph
from django_wfe.engine.project_code.code_versions import hash_held_code, list_nodes
from django_wfe.engine.store.transactions import atomic
from django_wfe.models import Definition, Step, Workflow
from django_wfe.steps import dotted_path
from django_wfe.workflows import Workflow as WorkflowClass
from django_wfe.workflows import list_problems

LONGEST_TEXT = 255
"""How many characters the database keeps of a path, a name and a label."""


@dataclass(frozen=True, slots=True)
class DeclaredWorkflow:
    """A Workflow class as plain data, to be carried between processes. ``graph`` is None if it has problems."""

    path: str
    name: str
    label: str
    description: str
    graph: Graph | None
    problems: tuple[Problem, ...]
    code_hash: str
    groups: tuple[str, ...] = ()
    subject: str = ""
    has_attributes: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return it as data that ``from_json`` reads."""
        return {
            "path": self.path,
            "name": self.name,
            "label": self.label,
            "description": self.description,
            "graph": self.graph.to_json() if self.graph else None,
            "problems": [problem.to_json() for problem in self.problems],
            "code_hash": self.code_hash,
            "groups": list(self.groups),
            "subject": self.subject,
            "has_attributes": self.has_attributes,
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
            problems=tuple(Problem.from_json(problem) for problem in data["problems"]),
            code_hash=data["code_hash"],
            groups=tuple(data["groups"]),
            subject=data["subject"],
            has_attributes=data["has_attributes"],
        )


@translation.override(None)  # labels that are to be translated are kept as they stand in the source
def describe_workflow(workflow: type[WorkflowClass]) -> DeclaredWorkflow:
    """Return a Workflow class as data, with every problem that keeps it from running."""
    path = dotted_path(workflow)
    problems = [*_list_problems(workflow), *find_repeated_keys(workflow)]
    graph = None
    if not problems:
        try:
            graph = read_graph(workflow)
        except Exception as error:  # what a schema's own hooks, or a label's, may raise
            problems.append(
                Problem(
                    "describe",
                    path,
                    "",
                    _("describing it raised %(error)s.") % {"error": say_briefly(error)},
                    _("Look at the hooks of its schemas and at its labels."),
                )
            )
    declared = DeclaredWorkflow(
        path=path,
        name=workflow.__name__,
        label=_describe_safely(get_label, workflow),
        description=_describe_safely(get_description, workflow),
        graph=graph,
        problems=tuple(problems),
        code_hash=hash_held_code(workflow),
        groups=() if any(problem.code in ("groups", "describe") for problem in problems) else tuple(workflow.groups),
        # Of a workflow with problems the last good declaration stands.
        subject="" if problems else workflow.subject.lower(),
        has_attributes=not problems and has_own(workflow, "attributes"),
    )
    unstorable = tuple(_find_unstorable(declared))
    if not unstorable:
        return declared
    return replace(
        declared,
        label=make_storable(declared.label),
        description=make_storable(declared.description),
        graph=None,
        problems=(*problems, *unstorable),
        groups=tuple(make_storable(group) for group in declared.groups),
    )


@atomic()
def record_workflow(declared: DeclaredWorkflow) -> Workflow:
    """Write what is declared: the Workflow (no longer deleted, if it was), its Definition and its Steps.

    With problems only the Workflow is written: its ``load_error`` tells them, and the last good definition stays.
    """
    workflow, _created = Workflow.objects.update_or_create(
        path=declared.path,
        defaults={
            "name": declared.name,
            "label": declared.label,
            "description": declared.description,
            "deleted": False,
            "groups": list(declared.groups),
            "load_error": "\n".join(str(problem) for problem in declared.problems),
            "problems": [problem.to_json() for problem in declared.problems] or None,
        },
    )
    if declared.graph is None:
        return workflow
    found_by = {"subject": declared.subject, "has_attributes": declared.has_attributes}
    if any(getattr(workflow, name) != value for name, value in found_by.items()):
        for name, value in found_by.items():
            setattr(workflow, name, value)
        workflow.save(update_fields=list(found_by))
    definition, created = Definition.objects.get_or_create(
        workflow=workflow,
        fingerprint=declared.graph.fingerprint,
        defaults={"graph": declared.graph.to_json(), "code_hash": declared.code_hash, "code_read_at": Now()},
    )
    if not created and declared.code_hash not in ("", definition.code_hash):
        Definition.objects.filter(pk=definition.pk).update(code_hash=declared.code_hash, code_read_at=Now())
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


def _list_problems(workflow: type[WorkflowClass]) -> list[Problem]:
    try:
        problems = [*list_problems(workflow)]
        known = {problem.node for problem in problems}
        return [*problems, *_find_storage_problems(workflow, known=known), *_find_missing_model(workflow, problems)]
    except Exception as error:
        # A metaclass, a descriptor or a repr() of the declaration may raise anything: that is a problem of its own.
        reason = _("inspecting it raised %(error)s.") % {"error": say_briefly(error)}
        return [Problem("describe", dotted_path(workflow), "", reason, _("Look at its metaclass and its attributes."))]


def _describe_safely(describe: Callable[[Any], str], workflow: type[WorkflowClass]) -> str:
    try:
        return describe(workflow)
    except Exception:  # it is among the problems already: reading the graph needs it too
        return ""


def _find_unstorable(declared: DeclaredWorkflow) -> Iterator[Problem]:
    """Yield what the database would refuse, such as a NUL character in a label."""
    for what in ("label", "description", "groups"):
        for _place, reason in find_unstorable(getattr(declared, what)):
            yield Problem(
                "text",
                declared.path,
                "",
                _("its %(what)s holds %(reason)s.") % {"what": what, "reason": reason},
                _("Take it out."),
            )
    for node in declared.graph.nodes if declared.graph is not None else ():
        for place, reason in find_unstorable(asdict(node)):
            yield Problem(
                "text",
                declared.path,
                node.path,
                _("its %(place)s holds %(reason)s.") % {"place": place, "reason": reason},
                _("Take it out."),
            )
    for edge in declared.graph.edges if declared.graph is not None else ():
        for _place, reason in find_unstorable(edge.label):
            message = _("its label of edge %(index)s holds %(reason)s.") % {"index": edge.index, "reason": reason}
            yield Problem("text", declared.path, edge.source, message, _("Take it out."))


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
                    _("its %(what)s has %(number)s characters; %(most)s can be kept.")
                    % {"what": what, "number": len(text), "most": LONGEST_TEXT},
                    _("Give it a shorter one."),
                )
        if node not in known and "<locals>" not in place and not _is_found_by_path(declared):
            yield Problem(
                "import",
                path,
                node,
                _("this path does not lead to this class."),
                _("Make the class available in its module under its own name."),
            )


def _find_missing_model(workflow: type[WorkflowClass], problems: list[Problem]) -> Iterator[Problem]:
    """Yield a problem if the project has no model of the name that is the subject."""
    if not workflow.subject or any(problem.code == "subject" for problem in problems):
        return
    try:
        apps.get_model(workflow.subject)
    except LookupError as error:
        yield Problem(
            "subject",
            dotted_path(workflow),
            "",
            _("its subject is %(subject)s, and there is no such model: %(error)s")
            % {"subject": workflow.subject, "error": error},
            _("Write the app's label and the model's name, and look at INSTALLED_APPS."),
        )


def _is_found_by_path(declared: type) -> bool:
    value: Any = sys.modules.get(declared.__module__)
    for part in declared.__qualname__.split("."):
        value = getattr(value, part, None)
    return value is declared


def _record_steps(graph: Graph) -> None:
    nodes: list[Node] = sorted((node for node in graph.nodes if not node.is_start), key=lambda node: node.path)
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
