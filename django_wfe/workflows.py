"""The base class of what a developer declares: Workflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar, cast

from django_wfe.definition.graph import Graph, build_graph
from django_wfe.definition.problems import Problem, find_problems, find_workflow_problems
from django_wfe.exceptions import InvalidWorkflow
from django_wfe.steps import Step, dotted_path

__all__ = ["Workflow"]


class Workflow:
    """A directed graph of Steps and Decisions. Subclass it and define ``DIGRAPH``.

    Attributes:
        DIGRAPH: maps each node to the list of nodes that may follow it. It begins at ``steps.__start__``, which has
            one outgoing edge. A node without an entry, or with an empty list, ends the job. A Workflow without a
            DIGRAPH is abstract: a base for others.
        InputSchema: a pydantic model; where it has a field, a job starts with data that fits it. Its first node gets
            them as ``_input``, as JSON has them and secrets masked, every step as ``self.job_input``, the model.
            Default None: jobs start without data.
        label: the workflow's name for people. Default "": its class name in words.
        subject: the model of the project's rows that its jobs are about, such as "shop.Order"; ``find_subject`` says
            which row. Default "": its jobs are about none.
        groups: the names of the user groups that may see it and its jobs, and act on them as far as their permissions
            go. Default (): everybody with the permissions. Superusers always may.
    """

    DIGRAPH: ClassVar[Mapping[type[Step], Sequence[type[Step]]] | None] = None
    InputSchema: ClassVar[Any] = None
    label: ClassVar[str] = ""
    subject: ClassVar[str] = ""
    groups: ClassVar[Sequence[str]] = ()

    @staticmethod
    def find_subject(job_input: Any) -> Any:
        """Return the row that a job is about, or its primary key; None if it is about none.

        It is called where the job starts, and the job is found by it: ``Job.objects.about(order)``.

        Args:
            job_input: what the job starts with, an instance of ``InputSchema``; None without.
        """
        return None

    @staticmethod
    def attributes(job_input: Any) -> Mapping[str, Any]:
        """Return what a job is found by: texts, numbers, dates, times, UUIDs, True or False by name.

        A value has at most 255 characters as text; None leaves it out. Who may see the job sees its attributes: they
        are no place for secrets. A step changes them by ``self.set_attribute``.

        Args:
            job_input: as of ``find_subject``.
        """
        return {}

    @staticmethod
    def suggest_input(subject: Any) -> Mapping[str, Any]:
        """Return what the form is filled in with where a person starts a job from the page of a row of ``subject``.

        Args:
            subject: the row.
        """
        return {}


def is_abstract(workflow: type[Workflow]) -> bool:
    """Return whether the class is a base for workflows, not one itself."""
    return workflow.DIGRAPH is None


def list_problems(workflow: type[Workflow]) -> tuple[Problem, ...]:
    """List what stands in the way of running this workflow, each with its cure. Empty: it can run."""
    # Not kept: a test may have patched a class for a moment, and what is wrong then is not wrong later.
    path = dotted_path(workflow)
    return (*find_problems(path, workflow.DIGRAPH), *find_workflow_problems(path, workflow))


def compile_graph(workflow: type[Workflow]) -> Graph:
    """Return the workflow's frozen graph.

    Raises:
        InvalidWorkflow: if ``list_problems`` finds any; the message holds them all.
    """
    return _compile_graph(cast(Any, workflow))


def forget_classes() -> None:
    """Drop what was worked out from classes that have been imported anew."""
    _compile_graph.cache_clear()


@lru_cache(maxsize=1024)
def _compile_graph(workflow: type[Workflow]) -> Graph:
    problems = list_problems(workflow)
    if problems:
        raise InvalidWorkflow(" ".join(str(problem) for problem in problems))
    assert workflow.DIGRAPH is not None  # noqa: S101  (find_problems has looked)
    return build_graph(workflow.DIGRAPH, workflow.InputSchema)
