"""The external inputs that a test has ready, and which of them a waiting Job gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django_wfe.models import Job, StepRun
from django_wfe.models.workflows import load_graph
from django_wfe.steps import Step, dotted_path

Inputs = Mapping[type[Step] | str, Any]
"""By step class or dotted path: the data for each time it asks, or a list of data in the order in which it asks, or a
callable that gets the Job and gives the data."""

NOTHING: Any = object()
"""Stands for "no answer" where None is a value like others."""


class Answers:
    """Looks up what a Job is to be given.

    Which item of a list is next is read off the Job's own history, so an answer that was given before a crash is not
    given twice, and none is left out.
    """

    def __init__(self, inputs: Inputs | None) -> None:
        self._by_path = {
            key if isinstance(key, str) else dotted_path(key): value for key, value in (inputs or {}).items()
        }

    def check(self, job: Job) -> None:
        """Raise ValueError where an input is for a step that the Job's workflow never asks."""
        graph = load_graph(job.definition_id)
        asking = {node.path for node in graph.nodes if node.asks_input}
        strange = sorted(self._by_path.keys() - asking)
        if strange:
            known = ", ".join(sorted(asking)) or "none"
            raise ValueError(
                f"inputs= names {', '.join(strange)}, which {job.workflow.path} never asks for input. "
                f"The steps that ask: {known}."
            )

    def find(self, job: Job, waiting: StepRun) -> Any:
        """Return the data for a waiting step run, or NOTHING."""
        given = self._by_path.get(waiting.step, NOTHING)
        if isinstance(given, list):
            index = self._count_earlier(job, waiting)
            return given[index] if index < len(given) else NOTHING
        return self._call(given, job) if callable(given) else given

    def _count_earlier(self, job: Job, waiting: StepRun) -> int:
        earlier = job.step_runs.filter(step=waiting.step, number__lt=waiting.number)
        return earlier.order_by().values("number").distinct().count()

    def _call(self, given: Callable[[Job], Any], job: Job) -> Any:
        return given(job)
