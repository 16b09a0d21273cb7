"""Where the open Jobs of a Workflow stand: at which nodes, and in which versions. Bounded, whatever an outage piles up.

The index ``wfe_job_open_version`` finds those of one version and state.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Max, Min, QuerySet

from django_wfe.engine.access import list_visible_jobs
from django_wfe.engine.queries.reading import compile_rows, fetch_rows
from django_wfe.models import Job, Workflow
from django_wfe.states import OPEN_JOB_STATES, JobState

COUNTED = 2_000
"""Jobs of one version and state that are counted, the newest first."""

FEW = 1_000
"""Up to so many Jobs of one version and state are named one by one."""

VERSIONS = 200
"""The newest versions of a Workflow that are looked at."""

_STATES = sorted(OPEN_JOB_STATES)
_RUNNING = frozenset({JobState.PENDING, JobState.ONGOING, JobState.INPUT_RECEIVED})

# The ids come first, from the index alone: with more columns the planner would rather walk through all that is open,
# as if each state were spread evenly over time.
_AT_NODE = """
(SELECT job.current_step, '{state}' FROM (
    SELECT id FROM ({jobs}) AS job (id, definition_id) WHERE definition_id = %s ORDER BY id DESC LIMIT %s
) AS newest JOIN django_wfe_job AS job USING (id))
"""
_AT_NODES = "SELECT step, state, count(*) FROM ({found}) AS found (step, state) GROUP BY 1, 2"

_OF_VERSION = """
(SELECT count(*) FROM (
    SELECT FROM ({jobs}) AS job (id, definition_id) WHERE job.definition_id = version.id LIMIT %s
) AS counted)
"""
_BY_VERSION = """
SELECT workflow.id, version.id, {counts}
FROM unnest(%s::bigint[]) AS workflow (id) CROSS JOIN LATERAL (
    SELECT id FROM django_wfe_definition WHERE workflow_id = workflow.id ORDER BY id DESC LIMIT %s
) AS version
WHERE EXISTS (
    SELECT FROM django_wfe_job AS job WHERE job.definition_id = version.id AND job.state = ANY(%s::text[])
) ORDER BY version.id DESC
"""


@dataclass(frozen=True, slots=True)
class JobsAtNodes:
    """How many open Jobs of one version stand at each node in each state; of some states there may be more.

    ``counts`` is by dotted path and state. Where a state is in ``at_least``, its counts are of its newest Jobs.
    """

    counts: Mapping[str, Mapping[str, int]]
    at_least: frozenset[str]


@dataclass(frozen=True, slots=True)
class JobsOfWorkflow:
    """How many open Jobs a Workflow has, by what they wait for: a worker, an input, a time or its end, a repair.

    Of what is in ``at_least``, the names of these numbers, there may be more.
    """

    running: int = 0
    asking: int = 0
    held: int = 0
    failed: int = 0
    at_least: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class JobsOfVersion:
    """How many open Jobs a version has; ``is_capped`` where there may be more."""

    definition_id: int
    count: int
    is_capped: bool


def count_at_nodes(actor: Any, definition_id: int) -> JobsAtNodes:
    """Count the open Jobs of a version by node and state, as far as the actor may see them. One bounded query."""
    parts: list[str] = []
    parameters: list[Any] = []
    for state in _STATES:
        jobs, of_jobs = _compile(actor, state)
        parts.append(_AT_NODE.format(jobs=jobs, state=state))
        parameters += [*of_jobs, definition_id, COUNTED]
    counts: dict[str, dict[str, int]] = {}
    totals: dict[str, int] = {}
    for step, state, number in fetch_rows(_AT_NODES.format(found=" UNION ALL ".join(parts)), parameters):
        counts.setdefault(step, {})[state] = number
        totals[state] = totals.get(state, 0) + number
    return JobsAtNodes(counts, frozenset(state for state, total in totals.items() if total >= COUNTED))


def count_by_version(actor: Any, workflow: Workflow) -> list[JobsOfVersion]:
    """Count the open Jobs of each version of a Workflow that has any, the newest first. One bounded query."""
    return [
        JobsOfVersion(
            definition_id=definition_id,
            count=sum(min(count, COUNTED) for count in counts.values()),
            is_capped=any(count > COUNTED for count in counts.values()),
        )
        for _workflow_id, definition_id, counts in _count_versions(actor, [workflow.pk])
    ]


def count_by_workflow(actor: Any, workflow_ids: Sequence[int]) -> dict[int, JobsOfWorkflow]:
    """Count the open Jobs of each of these Workflows, as far as the actor may see them. One bounded query."""
    found = dict.fromkeys(workflow_ids, JobsOfWorkflow())
    for workflow_id, _definition_id, counts in _count_versions(actor, workflow_ids):
        former = found[workflow_id]
        numbers = {
            "running": [counts[state] for state in _RUNNING],
            "asking": [counts[JobState.INPUT_REQUIRED]],
            "held": [counts[JobState.WAITING], counts[JobState.PAUSED]],
            "failed": [counts[JobState.FAILED]],
        }
        found[workflow_id] = JobsOfWorkflow(
            **{name: getattr(former, name) + sum(min(n, COUNTED) for n in of) for name, of in numbers.items()},
            at_least=former.at_least | {name for name, of in numbers.items() if any(n > COUNTED for n in of)},
        )
    return found


def find_few(definition_id: int, states: Collection[str]) -> list[int] | None:
    """Return the ids of all Jobs of a version that are in one of some open states, or None if they are not few.

    Whoever may see them. Of a version that had very many Jobs, PostgreSQL expects as many among the open ones, and
    would walk through all that is open for the few that are left. One bounded query for each state.
    """
    found: list[int] = []
    for state in states:
        ids = list(_of_version(definition_id, state).order_by("-pk").values_list("pk", flat=True)[: FEW + 1])
        if len(ids) > FEW:
            return None
        found += ids
    return found


def find_bounds(definition_id: int, states: Collection[str]) -> tuple[int, int]:
    """Return the lowest and the highest id of a version's Jobs in some open states; (0, 0) if there is none.

    Between them PostgreSQL finds these Jobs soon: those of one version lie together. Two look-ups for each state.
    """
    lows, highs = [], []
    for state in states:
        found = _of_version(definition_id, state).aggregate(low=Min("pk"), high=Max("pk"))
        if found["low"] is not None:
            lows.append(found["low"])
            highs.append(found["high"])
    return min(lows, default=0), max(highs, default=0)


def _of_version(definition_id: int, state: str) -> QuerySet[Job]:
    return Job.objects.filter(definition=definition_id, state=state).order_by()


def _count_versions(actor: Any, workflow_ids: Sequence[int]) -> Iterator[tuple[int, int, dict[str, int]]]:
    """Yield the versions of Workflows that have open Jobs, the newest first: how many are in each state.

    Before these numbers come the Workflow's id and the version's. Each is counted to one beyond ``COUNTED``.
    """
    columns: list[str] = []
    parameters: list[Any] = []
    for state in _STATES:
        jobs, of_jobs = _compile(actor, state)
        columns.append(_OF_VERSION.format(jobs=jobs))
        parameters += [*of_jobs, COUNTED + 1]
    parameters += [list(workflow_ids), VERSIONS, _STATES]
    for workflow_id, definition_id, *counts in fetch_rows(_BY_VERSION.format(counts=", ".join(columns)), parameters):
        yield workflow_id, definition_id, dict(zip(_STATES, counts, strict=True))


def _compile(actor: Any, state: str) -> tuple[str, tuple[Any, ...]]:
    jobs = list_visible_jobs(actor).filter(state=state).order_by()
    return compile_rows(jobs.values_list("pk", "definition_id"))
