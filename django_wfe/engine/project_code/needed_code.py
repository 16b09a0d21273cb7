"""Which open Jobs need code that this process lacks: what a rename or a removal would leave standing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef
from django.utils.formats import number_format
from django.utils.translation import ngettext

from django_wfe.definition.graph import Graph, has_input
from django_wfe.engine.project_code.classes import load_node
from django_wfe.exceptions import CodeNotLoaded
from django_wfe.models import Job, StepRun, StepRunState
from django_wfe.models.jobs import OPEN_JOBS
from django_wfe.models.workflows import load_graph
from django_wfe.values.sentences import gettext as _


@dataclass(frozen=True, slots=True)
class NeededCode:
    """A node that open Jobs of one workflow need, and what is wrong with it in the code of this process.

    ``standing`` Jobs are at it, ``coming`` Jobs may come to it by the graph that they were started with. ``reason`` is
    why its class cannot be loaded; "" if it is there, and no longer asks for the input that those Jobs wait for.
    """

    workflow: str
    step: str
    standing: int
    coming: int
    reason: str

    @property
    def jobs(self) -> int:
        """How many open Jobs need it."""
        return self.standing + self.coming


def list_needed_code() -> list[NeededCode]:
    """Return what open Jobs need and the code lacks, by workflow and node. Failed Jobs count: they can be retried.

    One query, whatever the number of Jobs, and one for each definition that was not looked at before.
    """
    looks: dict[str, _Look] = {}
    standing: dict[tuple[str, str], int] = defaultdict(int)
    coming: dict[tuple[str, str], int] = defaultdict(int)
    for workflow, definition_id, current_step, waits, count in _count_open_jobs():
        graph = load_graph(definition_id)
        for step in _list_reachable(graph, current_step):
            look = looks.get(step) or looks.setdefault(step, _look_at(step))
            node = graph.get_node(step)
            is_mute = not look.asks_input and node is not None and node.asks_input
            if step != current_step and (look.reason or is_mute):
                coming[workflow, step] += count
            elif step == current_step and (look.reason or (is_mute and waits)):
                standing[workflow, step] += count
    return [
        NeededCode(workflow, step, standing[workflow, step], coming[workflow, step], looks[step].reason)
        for workflow, step in sorted(standing.keys() | coming.keys())
    ]


@dataclass(frozen=True, slots=True)
class _Look:
    """What the code has of a node: ``reason`` is why its class cannot be loaded, or ""."""

    reason: str
    asks_input: bool


def say_needed_code(lack: NeededCode) -> str:
    """Return a sentence on how many open Jobs need a node, and what is wrong with it."""
    values = {
        "jobs": number_format(lack.jobs),
        "standing": number_format(lack.standing),
        "coming": number_format(lack.coming),
        "reason": lack.reason or _("it no longer asks for the input that they wait for, or will."),
    }
    sentence = ngettext(
        "%(jobs)s open job needs it (there now: %(standing)s, may reach it: %(coming)s): %(reason)s",
        "%(jobs)s open jobs need it (there now: %(standing)s, may reach it: %(coming)s): %(reason)s",
        lack.jobs,
    )
    return sentence % values


def say_cure(lack: NeededCode) -> str:
    """Describe what can be done before the code that lacks it is deployed."""
    if not lack.reason:
        return _("Leave the class its input schema until those jobs are done, or skip the step in them.")
    name = lack.step.rpartition(".")[2]
    return _(
        "If it was renamed, write “%(name)s = NewName” in its module. If it is gone, keep it until they are done."
    ) % {"name": name}


def _count_open_jobs() -> Iterator[tuple[str, int, str, bool, int]]:
    waiting = StepRun.objects.filter(job=OuterRef("pk"), state=StepRunState.INPUT_REQUIRED)
    jobs = Job.objects.filter(OPEN_JOBS).order_by().annotate(waits=Exists(waiting))
    groups = jobs.values_list("workflow__path", "definition_id", "current_step", "waits").annotate(count=Count("pk"))
    yield from groups


def _list_reachable(graph: Graph, step: str) -> list[str]:
    """List a node and all that can come after it."""
    reached = [step]
    for source in reached:
        reached += [edge.target for edge in graph.list_edges_from(source) if edge.target not in reached]
    return list(dict.fromkeys(reached))


def _look_at(step: str) -> _Look:
    try:
        step_class = load_node(step)
    except CodeNotLoaded as error:
        return _Look(str(error), asks_input=False)
    return _Look("", asks_input=has_input(step_class))
