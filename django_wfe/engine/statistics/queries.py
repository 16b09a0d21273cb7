"""What the pages about statistics ask: sums over a period, beside those of the period before it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connections

from django_wfe.conf import DATABASE
from django_wfe.engine.access import list_workflows_in_sight
from django_wfe.engine.access.policy import is_narrowed
from django_wfe.engine.statistics.histogram import find_percentile

PERIODS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30), "90d": timedelta(days=90)}
DEFAULT_PERIOD = "7d"
HOURLY = frozenset({"24h", "7d"})
"""The periods that are summed by hour; the others are by UTC day."""

PEOPLE_SHOWN = 50
JOB_MEASURES = ("started", "finished", "failed", "canceled")


@dataclass(frozen=True, slots=True)
class Point:
    """One column of a chart: what happened from ``since`` on, for an hour or a day."""

    since: datetime
    counts: Counter[str]
    buckets: Counter[int]

    def find_percentile(self, share: float) -> float | None:
        """Return how long a share of the Jobs that finished then took at most, in seconds; None if none did."""
        return find_percentile(self.buckets, share)


@dataclass(slots=True)
class Sums:
    """Counts, seconds and percentiles by measure."""

    counts: Counter[str] = field(default_factory=Counter)
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    buckets: defaultdict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))

    @property
    def success_rate(self) -> float | None:
        """The share of what ended well among what finished or failed, from 0 to 1; None if nothing did."""
        ended = self.counts["finished"] + self.counts["failed"]
        return self.counts["finished"] / ended if ended else None

    @property
    def overdue_share(self) -> float | None:
        """The share of answers that came after their time; None if there was none."""
        answered = self.counts["answered"]
        return self.counts["overdue"] / answered if answered else None

    def find_percentile(self, measure: str, share: float) -> float | None:
        """Return a percentile in seconds, or None if nothing was counted."""
        return find_percentile(self.buckets[measure], share)


@dataclass(frozen=True, slots=True)
class Report:
    """The numbers of one period."""

    period: str
    since: datetime
    until: datetime
    sums: Sums
    before: Sums
    points: Sequence[Point]
    workflows: dict[int, Sums]
    nodes: dict[str, Sums]
    people: list[tuple[str, int, float]]


def are_available(actor: Any) -> bool:
    """Return whether a user may see statistics: sums cannot be split by Job, as a policy would have it."""
    return not is_narrowed(actor)


def count_finished(actor: Any, since: datetime) -> dict[int, int] | None:
    """Count the Jobs that finished since a moment, by Workflow in a user's sight; None if there are no statistics.

    By whole hours, as far as the watchdog has counted them.
    """
    if not are_available(actor):
        return None
    ids = list(list_workflows_in_sight(actor).order_by().values_list("pk", flat=True))
    return dict(_ask(_FINISHED, {"ids": ids, "is_day": False, "since": since}))


def build_report(actor: Any, period: str, now: datetime, *, workflow_id: int | None = None, people: bool) -> Report:
    """Return the numbers of the Workflows in a user's sight, or of one of them, in six queries.

    Args:
        period: a key of ``PERIODS``.
        workflow_id: a Workflow that the user sees. Default: all of these.
        people: whether to name who answered.
    """
    workflows = list_workflows_in_sight(actor).order_by()
    if workflow_id is not None:
        workflows = workflows.filter(pk=workflow_id)
    is_day = period not in HOURLY
    step = timedelta(days=1) if is_day else timedelta(hours=1)
    now = now.astimezone(UTC)
    until = now.replace(hour=0 if is_day else now.hour, minute=0, second=0, microsecond=0) + step
    since = until - PERIODS[period]
    values: dict[str, Any] = {
        "ids": list(workflows.values_list("pk", flat=True)),
        "is_day": is_day,
        "since": since,
        "before": since - PERIODS[period],
    }
    sums, before, by_workflow = Sums(), Sums(), defaultdict[int, Sums](Sums)
    nodes: defaultdict[str, Sums] = defaultdict(Sums)
    for is_new, workflow, node, measure, count, seconds in _ask(_SUMS, values):
        if is_new:
            targets = [nodes[node]] if node else [sums, by_workflow[workflow]]
            if node:
                by_workflow[workflow].counts[f"node_{measure}"] += count
        else:
            targets = [] if node else [before]
        if node and measure in ("answered", "overdue", "done", "waited"):
            # Of whole Jobs nobody answers and nothing is done: these are sums over their nodes.
            targets.append(sums if is_new else before)
        for target in targets:
            target.counts[measure] += count
            target.seconds[measure] += seconds
    for is_new, node, measure, bucket, count in _ask(_BUCKETS, {**values, "nodes": workflow_id is not None}):
        target = (nodes[node] if node else sums) if is_new else before
        if is_new or not node:
            target.buckets[measure][bucket] += count
    points = _build_points(_ask(_POINTS, values), _ask(_DURATIONS, values), since, until, step)
    named = _ask(_PEOPLE, {**values, "limit": PEOPLE_SHOWN}) if people else []
    return Report(period, since, until, sums, before, points, dict(by_workflow), dict(nodes), named)


def _build_points(
    rows: list[Any], durations: list[Any], since: datetime, until: datetime, step: timedelta
) -> list[Point]:
    counts: defaultdict[int, Counter[str]] = defaultdict(Counter)
    buckets: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for moment, bucket, count in durations:
        buckets[moment][bucket] += count
    for moment, measure, count in rows:
        counts[moment][measure] += count
    number = round((until - since) / step)
    moments = [since + index * step for index in range(number)]
    seconds = ((moment, round(moment.timestamp())) for moment in moments)
    return [Point(moment, counts[second], buckets[second]) for moment, second in seconds]


def _ask(statement: str, values: dict[str, Any]) -> list[Any]:
    with connections[DATABASE].cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())


_OF_PERIOD = "workflow_id = ANY(%(ids)s::bigint[]) AND is_day = %(is_day)s AND since >= "

_SUMS = f"""
SELECT since >= %(since)s, workflow_id, node, measure, sum(count)::bigint, sum(seconds)
FROM django_wfe_statistic WHERE {_OF_PERIOD} %(before)s GROUP BY 1, 2, 3, 4
"""  # noqa: S608  (of constants)

_BUCKETS = f"""
SELECT since >= %(since)s, node, measure, bucket, sum(count)::bigint
FROM django_wfe_statisticbucket WHERE {_OF_PERIOD} %(before)s
    AND (node = '' OR %(nodes)s AND measure IN ('done', 'waited', 'answered')) GROUP BY 1, 2, 3, 4
"""  # noqa: S608  (of constants)

_POINTS = f"""
SELECT EXTRACT(EPOCH FROM since)::bigint, measure, sum(count)::bigint
FROM django_wfe_statistic WHERE {_OF_PERIOD} %(since)s AND node = '' GROUP BY 1, 2
"""  # noqa: S608  (of constants)

_DURATIONS = f"""
SELECT EXTRACT(EPOCH FROM since)::bigint, bucket, sum(count)::bigint
FROM django_wfe_statisticbucket WHERE {_OF_PERIOD} %(since)s AND node = '' AND measure = 'finished' GROUP BY 1, 2
"""  # noqa: S608  (of constants)

_FINISHED = f"""
SELECT workflow_id, sum(count)::bigint
FROM django_wfe_statistic WHERE {_OF_PERIOD} %(since)s AND node = '' AND measure = 'finished' GROUP BY 1
"""  # noqa: S608  (of constants)

_PEOPLE = f"""
SELECT person, sum(count)::bigint, sum(seconds) / sum(count)
FROM django_wfe_statistic WHERE {_OF_PERIOD} %(since)s AND measure = 'answered' AND person <> ''
GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %(limit)s
"""  # noqa: S608  (of constants)
