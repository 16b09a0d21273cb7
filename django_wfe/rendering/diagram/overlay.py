"""What is put on a graph: the state of each node and the edges taken, of one Job; or counts, of all live Jobs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_wfe.definition.graph import Graph
from django_wfe.states import ENDED_JOB_STATES, RESULT_STEP_RUN_STATES, JobState
from django_wfe.wording import states
from django_wfe.wording.states import UNREACHED, Look, get_step_run_look


class RunFacts(Protocol):
    """What an overlay asks of a step run: a ``StepRun``, or a row of ``values_list(*RUN_FIELDS, named=True)``."""

    @property
    def number(self) -> int: ...

    @property
    def attempt(self) -> int: ...

    @property
    def step(self) -> str: ...

    @property
    def state(self) -> str: ...

    @property
    def transition(self) -> int | None: ...

    @property
    def superseded(self) -> bool: ...


RUN_FIELDS = ("number", "attempt", "step", "state", "transition", "superseded")


@dataclass(frozen=True, slots=True)
class RunGroup:
    """Step runs of one node that are alike: ``count`` of them, ``newest`` the highest number and its attempt."""

    step: str
    state: str
    transition: int | None
    superseded: bool
    count: int
    newest: tuple[int, int]


class JobFacts(Protocol):
    """What an overlay asks of a Job."""

    @property
    def state(self) -> str: ...

    @property
    def current_step(self) -> str: ...


@dataclass(frozen=True, slots=True)
class NodeCounts:
    """How many open Jobs stand at a node: running (or about to), waiting for input or for a retry, paused, failed.

    ``at_least`` names those of them that are not counted to their end.
    """

    running: int = 0
    waiting: int = 0
    retrying: int = 0
    paused: int = 0
    failed: int = 0
    at_least: frozenset[str] = frozenset()

    def list_looks(self) -> list[tuple[Look, int, str]]:
        """Return what there is, each with its look and a plus where there may be more, in the order of a legend."""
        counted = (
            (states.RUNNING, "running"),
            (states.WAITING, "waiting"),
            (states.RETRYING, "retrying"),
            (states.PAUSED, "paused"),
            (states.FAILED, "failed"),
        )
        found = ((look, getattr(self, name), "+" if name in self.at_least else "") for look, name in counted)
        return [(look, count, plus) for look, count, plus in found if count]

    def write(self, name: str) -> str:
        """Return one of the counts in words: "3", "2,000+"."""
        return number_format(getattr(self, name), force_grouping=True) + ("+" if name in self.at_least else "")


@dataclass(frozen=True, slots=True)
class NodeState:
    """A node's part in one Job."""

    look: Look = UNREACHED
    visits: int = 0
    attempt: int = 0
    is_current: bool = False
    was_superseded: bool = False

    def describe(self) -> str:
        """Return it in words: "failed, attempt 2, 3 visits"."""
        parts = [str(self.look.words)]
        if self.is_current:
            parts.append(_("the job is here"))
        if self.attempt > 1:
            parts.append(_("attempt %(attempt)s") % {"attempt": self.attempt})
        if self.visits > 1:
            parts.append(ngettext("%(count)s visit", "%(count)s visits", self.visits) % {"count": self.visits})
        if not self.visits and self.was_superseded:
            parts.append(_("ran before the job was run again from an earlier step"))
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class JobOverlay:
    """A Job on its graph. ``taken`` counts each edge by (source, index); an end's edge has the index -1."""

    nodes: dict[str, NodeState] = field(default_factory=dict)
    taken: dict[tuple[str, int], int] = field(default_factory=dict)

    def get_node(self, path: str) -> NodeState:
        """Return a node's state; a node that the Job never came to is not reached."""
        return self.nodes.get(path, _NOWHERE)


def build_job_overlay(graph: Graph, step_runs: Iterable[RunFacts], *, job: JobFacts) -> JobOverlay:
    """Work out, from a Job's step runs in any order, the state of each node and how often each edge was taken.

    Step runs that a rerun superseded count for nothing but ``was_superseded``.
    """
    groups: list[RunGroup] = []
    numbers: dict[str, set[int]] = {}
    for run in step_runs:
        if not run.superseded:
            numbers.setdefault(run.step, set()).add(run.number)
        groups.append(RunGroup(run.step, run.state, run.transition, run.superseded, 1, (run.number, run.attempt)))
    visits = {path: len(found) for path, found in numbers.items()}
    return build_grouped_overlay(graph, groups, visits, job=job)


def build_grouped_overlay(
    graph: Graph, groups: Iterable[RunGroup], visits: Mapping[str, int], *, job: JobFacts
) -> JobOverlay:
    """As ``build_job_overlay``, from step runs that were counted in groups.

    ``visits`` tells for each node how many numbers its step runs have that were not superseded.
    """
    latest: dict[str, RunGroup] = {}
    superseded: set[str] = set()
    taken: Counter[tuple[str, int]] = Counter()
    for group in groups:
        if group.superseded:
            superseded.add(group.step)
            continue
        known = latest.get(group.step)
        if known is None or known.newest < group.newest:
            latest[group.step] = group
        if group.state in RESULT_STEP_RUN_STATES:
            edge = _find_edge_taken(graph, group)
            if edge is not None:
                taken[edge] += group.count
    # A Job that failed is still where it failed; one that ended well or was canceled is nowhere.
    current = job.current_step if job.state not in ENDED_JOB_STATES or job.state == JobState.FAILED else None
    nodes = {}
    for path, group in latest.items():
        attempt = group.newest[1]
        nodes[path] = NodeState(
            look=get_step_run_look(group.state, attempt=attempt, job_state=job.state),
            visits=visits.get(path, 0),
            attempt=attempt,
            is_current=path == current,
        )
    for path in superseded - nodes.keys():
        nodes[path] = NodeState(was_superseded=True)
    return JobOverlay(nodes=nodes, taken=dict(taken))


def describe_counts(counts: NodeCounts) -> str:
    """Return the counts of a node in words, or "" if all are zero."""
    parts = []
    if counts.running:
        parts.append(
            ngettext("%(count)s running", "%(count)s running", counts.running) % {"count": counts.write("running")}
        )
    if counts.waiting:
        parts.append(
            ngettext("%(count)s waiting for input", "%(count)s waiting for input", counts.waiting)
            % {"count": counts.write("waiting")}
        )
    if counts.retrying:
        parts.append(
            ngettext("%(count)s waiting to try again", "%(count)s waiting to try again", counts.retrying)
            % {"count": counts.write("retrying")}
        )
    if counts.paused:
        parts.append(
            ngettext("%(count)s paused", "%(count)s paused", counts.paused) % {"count": counts.write("paused")}
        )
    if counts.failed:
        parts.append(
            ngettext("%(count)s failed", "%(count)s failed", counts.failed) % {"count": counts.write("failed")}
        )
    return ", ".join(parts)


def _find_edge_taken(graph: Graph, run: RunGroup) -> tuple[str, int] | None:
    edges = graph.list_edges_from(run.step)
    if not edges:
        return run.step, -1
    if run.transition is not None:
        return run.step, run.transition
    return (run.step, edges[0].index) if len(edges) == 1 else None


_NOWHERE = NodeState()
