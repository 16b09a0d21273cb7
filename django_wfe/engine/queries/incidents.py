"""Failures of one kind, over all Jobs that stand at one: how many, since when, and which Jobs they are.

A Job belongs to the incident of its latest step run that counts, and only while it is FAILED: a repair takes it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper, OuterRef, Q, QuerySet, Subquery

from django_wfe.definition.texts import is_storable
from django_wfe.engine.access import list_visible_jobs
from django_wfe.engine.errors.fingerprints import get_place_range, is_of_place
from django_wfe.engine.queries.reading import compile_rows, fetch_rows
from django_wfe.models import Job, JobState, StepRun
from django_wfe.values.moments import build_moment, read_seconds

SHOWN = 50
"""The most incidents that are listed, those seen last."""

EXACT_JOBS = 10_000
"""Up to this many failed Jobs each of them is looked at, so that every count is exact."""

COUNT_CAP = 100
"""Where there are more failed Jobs than that, the Jobs of one incident are counted up to this."""

KINDS_CAP = 5_000
"""The most kinds of failure, repaired ones included, that are gone through then."""

FEW_JOBS = 1_000
"""Up to so many Jobs of one incident are named one by one where they are asked for."""

MESSAGE_LENGTH = 500

# Of the newest failed Jobs, the run that each stands at: one look into an index for a Job.
_GROUP_JOBS = """
SELECT run.fingerprint, count(*), (EXTRACT(EPOCH FROM max(run.finished_at)) * 1000000)::bigint, max(run.id)
FROM ({jobs}) AS job (id)
CROSS JOIN LATERAL (
    SELECT id, state, fingerprint, finished_at FROM django_wfe_steprun
    WHERE job_id = job.id AND NOT superseded ORDER BY number DESC, attempt DESC LIMIT 1
) AS run
WHERE run.state IN ('FAILED', 'LOST')
GROUP BY run.fingerprint
HAVING max(run.finished_at) >= COALESCE(to_timestamp(%s), '-infinity'::timestamptz)
ORDER BY max(run.finished_at) DESC
LIMIT %s
"""

_CURRENT = """
    FROM django_wfe_steprun AS run CROSS JOIN LATERAL (
        -- OFFSET keeps the planner to one look for each run: reading all jobs is what is to be avoided.
        SELECT FROM ({jobs}) AS job (id, number) WHERE job.id = run.job_id AND job.number = run.number OFFSET 0
    ) AS failed
    WHERE run.state = 'FAILED' AND run.fingerprint = kind.fingerprint AND NOT run.superseded AND NOT EXISTS (
        SELECT FROM django_wfe_steprun AS later
        WHERE later.job_id = run.job_id AND later.number = run.number AND later.attempt > run.attempt
    )
    ORDER BY run.id DESC
"""

VARIANTS = 20
"""The most failures at one place that are told apart, in the order of their fingerprints."""

# From one fingerprint to the next in the index, without reading what lies between; then the newest of each.
_GROUP_KINDS = """
WITH RECURSIVE kind AS (
    (SELECT fingerprint FROM django_wfe_steprun WHERE state = 'FAILED' {within} ORDER BY fingerprint LIMIT 1)
    UNION ALL
    SELECT (
        SELECT next.fingerprint FROM django_wfe_steprun AS next
        WHERE next.state = 'FAILED' AND next.fingerprint > kind.fingerprint {within} ORDER BY next.fingerprint LIMIT 1
    ) FROM kind WHERE kind.fingerprint IS NOT NULL
), newest AS MATERIALIZED (
    SELECT kind.fingerprint, last.id, last.finished_at
    FROM (SELECT fingerprint FROM kind WHERE fingerprint IS NOT NULL LIMIT {kinds}) AS kind
    CROSS JOIN LATERAL (SELECT run.id, run.finished_at {current} LIMIT 1) AS last
    WHERE last.finished_at >= COALESCE(to_timestamp(%s), '-infinity'::timestamptz)
    ORDER BY last.finished_at DESC LIMIT %s
)
SELECT kind.fingerprint, (SELECT count(*) FROM (SELECT run.id {current} LIMIT %s) AS counted),
       (EXTRACT(EPOCH FROM kind.finished_at) * 1000000)::bigint, kind.id
FROM newest AS kind ORDER BY kind.finished_at DESC
"""

_WITHIN = "AND fingerprint BETWEEN %s AND %s"

# Which jobs stand at one kind, those that failed last first: as many looks as are asked for.
_FIND_JOBS = f"""
SELECT run.job_id FROM (SELECT %s AS fingerprint) AS kind CROSS JOIN LATERAL (SELECT run.job_id {_CURRENT}) AS run
"""  # noqa: S608  (constants of this module)

_FIRST_SEEN = """
SELECT asked.fingerprint, (EXTRACT(EPOCH FROM run.finished_at) * 1000000)::bigint
FROM unnest(%s::text[]) AS asked (fingerprint)
CROSS JOIN LATERAL (
    SELECT failed.finished_at FROM django_wfe_steprun AS failed CROSS JOIN LATERAL (
        SELECT FROM ({jobs}) AS job (id) WHERE job.id = failed.job_id OFFSET 0
    ) AS seen
    WHERE failed.state = 'FAILED' AND failed.fingerprint = asked.fingerprint ORDER BY failed.id LIMIT 1
) AS run
"""


@dataclass(frozen=True, slots=True)
class Incident:
    """One failure: the same node, the same exception, raised at the same place with the same words.

    ``jobs`` counts the Jobs that are FAILED with it now; where ``is_capped``, there are that many or more.
    ``first_seen`` is the oldest failure of this kind that is kept, repaired or not, in a Job that the user may see;
    ``last_seen`` the latest that is not repaired. ``step_run_id`` and ``job_id`` are the latest one's, ``message`` its
    error.
    """

    fingerprint: str
    step: str
    error_type: str
    message: str
    jobs: int
    is_capped: bool
    first_seen: datetime
    last_seen: datetime
    step_run_id: int
    job_id: int


def list_incidents(actor: Any, since: datetime | None = None, *, most: int = SHOWN) -> list[Incident]:
    """List the incidents among the Jobs that a user may see, those seen last first; at most ``most``.

    A fixed number of queries, of bounded work: up to ``EXACT_JOBS`` failed Jobs all counts are exact, beyond that they
    stop at ``COUNT_CAP``.

    Args:
        actor: the user; None for trusted code.
        since: only incidents seen since then. Default: all.
    """
    visible = list_visible_jobs(actor)
    failed = visible.filter(state=JobState.FAILED)
    number = failed.order_by()[: EXACT_JOBS + 1].count()
    if not number:
        return []
    is_exact = number <= EXACT_JOBS
    seconds = None if since is None else read_seconds(since)
    if is_exact:
        jobs, parameters = compile_rows(failed.order_by().values_list("pk"))
        rows = fetch_rows(_GROUP_JOBS.format(jobs=jobs), [*parameters, seconds, most])
    else:
        jobs, parameters = compile_rows(failed.order_by().values_list("pk", "current_step_number"))
        rows = fetch_rows(
            _GROUP_KINDS.format(current=_CURRENT.format(jobs=jobs), within="", kinds=KINDS_CAP),
            [*parameters, seconds, most, *parameters, COUNT_CAP],
        )
    return _build(visible, rows, is_exact=is_exact)


def list_variants(actor: Any, fingerprint: str) -> list[Incident]:
    """List the failures that differ from this one in their words alone, and this one, among Jobs that a user may see.

    At most ``VARIANTS``, those with most Jobs first. Their Jobs are counted up to ``COUNT_CAP``. A fixed number of
    queries, of bounded work.
    """
    if not is_of_place(fingerprint):
        return []
    visible = list_visible_jobs(actor)
    failed = visible.filter(state=JobState.FAILED)
    jobs, parameters = compile_rows(failed.order_by().values_list("pk", "current_step_number"))
    within = get_place_range(fingerprint)
    statement = _GROUP_KINDS.format(current=_CURRENT.format(jobs=jobs), within=_WITHIN, kinds=VARIANTS)
    rows = fetch_rows(statement, [*within, *within, *parameters, None, VARIANTS, *parameters, COUNT_CAP])
    return sorted(_build(visible, rows, is_exact=False), key=lambda variant: -variant.jobs)


def _build(visible: QuerySet[Job], rows: list[tuple[Any, ...]], *, is_exact: bool) -> list[Incident]:
    jobs, parameters = compile_rows(visible.order_by().values_list("pk"))
    kinds = [row[0] for row in rows]
    first_seen = dict(fetch_rows(_FIRST_SEEN.format(jobs=jobs), [kinds, *parameters])) if rows else {}
    samples = StepRun.objects.defer("result", "external_data", "edited_input", "traceback").in_bulk(
        [step_run_id for *_, step_run_id in rows]
    )
    return [
        Incident(
            fingerprint=fingerprint,
            step=samples[step_run_id].step,
            error_type=samples[step_run_id].error_type,
            message=samples[step_run_id].error[:MESSAGE_LENGTH],
            jobs=count,
            is_capped=not is_exact and count >= COUNT_CAP,
            first_seen=build_moment(first_seen.get(fingerprint, last_seen)),
            last_seen=build_moment(last_seen),
            step_run_id=step_run_id,
            job_id=samples[step_run_id].job_id,
        )
        for fingerprint, count, last_seen, step_run_id in rows
        if step_run_id in samples
    ]


def find_newest_jobs(actor: Any, fingerprint: str, most: int) -> list[int]:
    """Return the ids of at most so many Jobs that stand FAILED with this kind, those that failed last first.

    Those that ended as LOST are not among them: their fingerprint has no index. One query.
    """
    if not is_storable(fingerprint):
        return []
    failed = list_visible_jobs(actor).filter(state=JobState.FAILED).order_by()
    jobs, parameters = compile_rows(failed.values_list("pk", "current_step_number"))
    rows = fetch_rows(_FIND_JOBS.format(jobs=jobs) + " LIMIT %s", [fingerprint, *parameters, most])
    return [row[0] for row in rows]


def jobs_of_incident(fingerprint: str) -> QuerySet[Job]:
    """Return the Jobs that are FAILED now because of a failure of this kind, whoever may see them.

    Combine it with ``list_visible_jobs(actor)`` by ``&``. It asks one bounded question to choose its plan.
    """
    failed_jobs = Job.objects.filter(state=JobState.FAILED)
    if not is_storable(fingerprint):
        return failed_jobs.none()
    found = find_newest_jobs(None, fingerprint, FEW_JOBS + 1)
    if 0 < len(found) <= FEW_JOBS:
        return failed_jobs.filter(pk__in=found)
    # Many, or some that ended as LOST: each failed Job is asked, the newest first, and the asking stops with the page.
    last = StepRun.objects.filter(job=OuterRef("pk"), superseded=False).order_by("-number", "-attempt")
    is_it = ExpressionWrapper(Q(fingerprint=fingerprint), output_field=BooleanField())
    return failed_jobs.filter(Subquery(last.annotate(is_it=is_it).values("is_it")[:1], output_field=BooleanField()))


def list_fingerprints(jobs: QuerySet[Job], most: int) -> list[str]:
    """Return the failures that the first of these Jobs stand at, in their order; "" for one that stands at none.

    Args:
        most: how many Jobs are looked at, each once.
    """
    last = StepRun.objects.filter(job=OuterRef("pk"), superseded=False).order_by("-number", "-attempt")
    kinds = jobs.annotate(kind=Subquery(last.values("fingerprint")[:1])).values_list("kind", flat=True)
    return [kind or "" for kind in kinds[:most]]
