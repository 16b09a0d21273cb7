"""The versions of a Workflow on its page: whose Jobs the graph shows, how many stand in others, and the way to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q
from django.http import QueryDict
from django.utils.formats import number_format

from django_wfe.admin.elements.counts import write_count
from django_wfe.engine.queries.open_jobs import COUNTED, JobsOfVersion, count_at_nodes, count_by_version
from django_wfe.models import Definition, Workflow
from django_wfe.rendering.diagram.overlay import NodeCounts
from django_wfe.states import JobState
from django_wfe.values.identifiers import parse_id

SHOWN = "definition"
"""The parameter that says whose Jobs the graph shows."""

LISTED = 20

_COUNTED_AS = {
    JobState.INPUT_REQUIRED.value: "waiting",
    JobState.WAITING.value: "retrying",
    JobState.PAUSED.value: "paused",
    JobState.FAILED.value: "failed",
}


@dataclass(frozen=True, slots=True)
class Version:
    """One version, and the queries that show its graph and, in the Job list, its open Jobs."""

    definition: Definition
    count: str
    has_jobs: bool
    is_shown: bool
    is_current: bool
    query: str
    jobs_query: str


@dataclass(frozen=True, slots=True)
class Versions:
    """The newest versions; those to choose from; and in how many but the shown one how many open Jobs stand."""

    rows: list[Version]
    choices: list[Version]
    others: str
    number_of_others: int


def choose_definition(workflow: Workflow, given: str) -> Definition | None:
    """Return the version that the address names, or the current one if it names none of this Workflow."""
    pk = parse_id(given)
    if pk is None or pk == workflow.current_definition_id:
        return workflow.current_definition
    return Definition.objects.filter(workflow=workflow, pk=pk).first() or workflow.current_definition


def build_versions(
    user: Any, workflow: Workflow, shown: Definition | None, asked: QueryDict, *, with_jobs: bool
) -> Versions:
    """Return the versions, the newest first, with their open Jobs if the user may see them; in two bounded queries.

    Args:
        asked: the page's parameters, which a choice between the versions keeps.
    """
    counted = count_by_version(user, workflow) if with_jobs else []
    found = {version.definition_id: version for version in counted if version.count}
    kept = {shown.pk, *list(found)[:LISTED]} if shown is not None else set()
    definitions = Definition.objects.filter(workflow=workflow).only("fingerprint", "created_at", "workflow_id")
    newest = definitions.order_by("-pk")[:LISTED]
    rows = [
        _build(workflow, row, found.get(row.pk), asked, is_shown=shown is not None and row.pk == shown.pk)
        for row in (definitions.filter(Q(pk__in=kept) | Q(pk__in=newest.values("pk"))).order_by("-pk"))
    ]
    others = [version for pk, version in found.items() if shown is None or pk != shown.pk]
    return Versions(
        rows=rows,
        choices=[row for row in rows if row.has_jobs or row.is_shown or row.is_current],
        others=write_count(sum(version.count for version in others), is_more=any(each.is_capped for each in others)),
        number_of_others=len(others),
    )


def count_nodes(user: Any, definition: Definition) -> tuple[Mapping[str, NodeCounts], str]:
    """Count the open Jobs of a version at each node; also how many of a state were counted where there are more."""
    found = count_at_nodes(user, definition.pk)
    at_least = frozenset(_COUNTED_AS.get(state, "running") for state in found.at_least)
    counts = {path: NodeCounts(**_sum_up(states), at_least=at_least) for path, states in found.counts.items()}
    return counts, number_format(COUNTED, force_grouping=True) if at_least else ""


def _sum_up(states: Mapping[str, int]) -> dict[str, Any]:
    kinds: dict[str, int] = {}
    for state, count in states.items():
        kind = _COUNTED_AS.get(state, "running")
        kinds[kind] = kinds.get(kind, 0) + count
    return kinds


def _build(
    workflow: Workflow, row: Definition, counted: JobsOfVersion | None, asked: QueryDict, *, is_shown: bool
) -> Version:
    query = {"workflow": workflow.pk, "definition": row.pk, "state": "open"}
    return Version(
        definition=row,
        count=write_count(counted.count, is_more=counted.is_capped) if counted is not None else "0",
        has_jobs=counted is not None,
        is_shown=is_shown,
        is_current=row.pk == workflow.current_definition_id,
        query=f"?{urlencode({**asked.dict(), SHOWN: row.pk})}",
        jobs_query=f"?{urlencode(query)}",
    )
