"""Where the open Jobs of a Workflow stand: at which nodes, and in which versions. Bounded, whatever an outage piles up.

What waits for somebody or something (input, a repair, a retry) is found by the index ``wfe_job_standing``. What runs or
is about to has none by definition, since each step would pay for it: it is looked for among the newest of its state.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django_wfe.engine.access import list_visible_jobs
from django_wfe.engine.queries.reading import compile_rows, fetch_rows
from django_wfe.models import Job, Workflow
from django_wfe.states import OPEN_JOB_STATES, STANDING_JOB_STATES, JobState

COUNTED = 2_000
"""Jobs of one version and state that are counted, the newest first."""

LOOKED_AT = 5_000
"""Of all Jobs in a state that moves by itself, the newest that are looked at."""

FEW = 1_000
"""Up to so many Jobs of one version and state are named one by one."""

SEARCHED = 200_000
"""Up to so many Jobs of a state that moves by itself are searched for those of one version."""

VERSIONS = 200
"""The newest versions of a Workflow that are looked at."""

_STANDING, _MOVING = sorted(STANDING_JOB_STATES), sorted(OPEN_JOB_STATES - STANDING_JOB_STATES)

# The ids come first, from the index of the state alone: with more columns the planner would rather walk through all
# that is open, as if each state were spread evenly over time.
_NEWEST = """
{name} AS MATERIALIZED (
    SELECT job.definition_id, job.current_step
    FROM (SELECT id FROM ({jobs}) AS job (id, definition_id) ORDER BY id DESC LIMIT %s) AS newest
    JOIN django_wfe_job AS job USING (id)
)
"""
_NEWEST_AT_NODE = "(SELECT current_step, '{state}' FROM {name} WHERE definition_id = %s LIMIT %s)"
_STANDING_AT_NODE = """
(SELECT job.current_step, '{state}' FROM (
    SELECT id FROM ({jobs}) AS job (id, definition_id) WHERE definition_id = %s ORDER BY id DESC LIMIT %s
) AS newest JOIN django_wfe_job AS job USING (id))
"""
_AT_NODES = """
WITH {newest}
SELECT step, state, count(*) FROM ({found}) AS found (step, state) GROUP BY 1, 2
UNION ALL SELECT NULL, state, number FROM ({sizes}) AS looked (state, number) WHERE number >= %s
"""

_STANDING_OF_VERSION = """
(SELECT count(*) FROM (
    SELECT FROM ({jobs}) AS job (id, definition_id) WHERE job.definition_id = version.id LIMIT %s
) AS counted)
"""
_BY_VERSION = """
WITH {newest}, moving AS (SELECT definition_id, count(*) AS number FROM ({moving}) AS job GROUP BY 1)
SELECT workflow.id, version.id, COALESCE(moving.number, 0), {is_full}, {standing}
FROM unnest(%s::bigint[]) AS workflow (id) CROSS JOIN LATERAL (
    SELECT id FROM django_wfe_definition WHERE workflow_id = workflow.id ORDER BY id DESC LIMIT %s
) AS version
LEFT JOIN moving ON moving.definition_id = version.id ORDER BY version.id DESC
"""

_MOVING_OF_VERSION = """
WITH newest AS MATERIALIZED (
    SELECT id, definition_id FROM django_wfe_job WHERE state = %s ORDER BY id DESC LIMIT %s
)
(SELECT id FROM newest WHERE definition_id = %s LIMIT %s)
UNION ALL (SELECT NULL FROM newest HAVING count(*) >= %s)
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
    newest, parameters = _build_newest(actor)
    parts: list[str] = []
    for state in _MOVING:
        parts.append(_NEWEST_AT_NODE.format(name=_name(state), state=state))
        parameters += [definition_id, COUNTED]
    for state in _STANDING:
        jobs, of_jobs = _compile(actor, state)
        parts.append(_STANDING_AT_NODE.format(jobs=jobs, state=state))
        parameters += [*of_jobs, definition_id, COUNTED]
    sizes = " UNION ALL ".join(f"SELECT '{state}', count(*) FROM {_name(state)}" for state in _MOVING)  # noqa: S608
    statement = _AT_NODES.format(newest=newest, found=" UNION ALL ".join(parts), sizes=sizes)
    counts: dict[str, dict[str, int]] = {}
    totals: dict[str, int] = {}
    at_least: set[str] = set()
    for step, state, number in fetch_rows(statement, [*parameters, LOOKED_AT]):
        if step is None:
            at_least.add(state)
            continue
        counts.setdefault(step, {})[state] = number
        totals[state] = totals.get(state, 0) + number
    at_least |= {state for state, total in totals.items() if total >= COUNTED}
    return JobsAtNodes(counts, frozenset(at_least))


def count_by_version(actor: Any, workflow: Workflow) -> list[JobsOfVersion]:
    """Count the open Jobs of each version of a Workflow, the newest first. One bounded query."""
    return [
        JobsOfVersion(
            definition_id=definition_id,
            count=sum(min(count, COUNTED) for count in standing.values()) + running,
            is_capped=is_cut or any(count > COUNTED for count in standing.values()),
        )
        for _workflow_id, definition_id, running, is_cut, standing in _count_versions(actor, [workflow.pk])
    ]


def count_by_workflow(actor: Any, workflow_ids: Sequence[int]) -> dict[int, JobsOfWorkflow]:
    """Count the open Jobs of each of these Workflows, as far as the actor may see them. One bounded query."""
    found: dict[int, JobsOfWorkflow] = {}
    for workflow_id, _definition_id, running, is_cut, standing in _count_versions(actor, workflow_ids):
        former = found.get(workflow_id, JobsOfWorkflow())
        held = standing[JobState.WAITING] + standing[JobState.PAUSED]
        numbers = {"asking": standing[JobState.INPUT_REQUIRED], "held": held, "failed": standing[JobState.FAILED]}
        at_least = {name for name, number in numbers.items() if number > COUNTED} | ({"running"} if is_cut else set())
        found[workflow_id] = JobsOfWorkflow(
            running=former.running + running,
            **{name: getattr(former, name) + min(number, COUNTED) for name, number in numbers.items()},
            at_least=former.at_least | at_least,
        )
    return found


def find_few(definition_id: int, states: Collection[str]) -> list[int] | None:
    """Return the ids of all Jobs of a version that are in one of some open states, or None if they are not few.

    Whoever may see them. Of a version that had very many Jobs, PostgreSQL expects as many among the open ones, and
    would walk through all that is open for the few that are left. One bounded query for each state.
    """
    found: list[int] = []
    for state in (state for state in _STANDING if state in states):
        jobs = Job.objects.filter(state=state, definition=definition_id).order_by("-pk")
        ids = list(jobs.values_list("pk", flat=True)[: FEW + 1])
        if len(ids) > FEW:
            return None
        found += ids
    for state in (state for state in _MOVING if state in states):
        rows = fetch_rows(_MOVING_OF_VERSION, [state, SEARCHED, definition_id, FEW + 1, SEARCHED])
        if len(rows) > FEW or any(pk is None for (pk,) in rows):
            return None
        found += [pk for (pk,) in rows]
    return found


def _count_versions(actor: Any, workflow_ids: Sequence[int]) -> Iterator[tuple[int, int, int, bool, dict[str, int]]]:
    """Yield the versions of Workflows, the newest first: how many of their open Jobs move, and stand in each state.

    With each comes the Workflow's id, its own, and whether more may move. What stands is counted to one beyond
    ``COUNTED``.
    """
    newest, parameters = _build_newest(actor)
    standing: list[str] = []
    of_standing: list[Any] = []
    for state in _STANDING:
        jobs, of_jobs = _compile(actor, state)
        standing.append(_STANDING_OF_VERSION.format(jobs=jobs))
        of_standing += [*of_jobs, COUNTED + 1]
    moving = " UNION ALL ".join(f"SELECT definition_id FROM {_name(state)}" for state in _MOVING)  # noqa: S608
    is_full = " OR ".join(f"(SELECT count(*) FROM {_name(state)}) >= %s" for state in _MOVING)  # noqa: S608
    statement = _BY_VERSION.format(newest=newest, moving=moving, is_full=is_full, standing=", ".join(standing))
    parameters += [*[LOOKED_AT] * len(_MOVING), *of_standing, list(workflow_ids), VERSIONS]
    for workflow_id, definition_id, running, is_cut, *counts in fetch_rows(statement, parameters):
        yield workflow_id, definition_id, running, is_cut, dict(zip(_STANDING, counts, strict=True))


def _build_newest(actor: Any) -> tuple[str, list[Any]]:
    parts: list[str] = []
    parameters: list[Any] = []
    for state in _MOVING:
        jobs, of_jobs = _compile(actor, state)
        parts.append(_NEWEST.format(name=_name(state), jobs=jobs))
        parameters += [*of_jobs, LOOKED_AT]
    return ", ".join(parts), parameters


def _name(state: str) -> str:
    return f"newest_{state.lower()}"


def _compile(actor: Any, state: str) -> tuple[str, tuple[Any, ...]]:
    jobs = list_visible_jobs(actor).filter(state=state).order_by()
    return compile_rows(jobs.values_list("pk", "definition_id"))
