"""What a storm has shown: figures from the engine's tables, held against the side tables."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import connection

from django_wfe.models import Job
from django_wfe.steps import dotted_path
from tests.chaos.storm.workflows import ATOMIC_STEPS, MIX

if TYPE_CHECKING:
    from tests.chaos.storm.driver import Options
    from tests.chaos.storm.faults import Fault
    from tests.chaos.storm.fleet import Fleet
    from tests.chaos.storm.load import Load

_EXECUTIONS = """
FROM storm_execution AS execution
JOIN django_wfe_job AS job ON job.uuid = execution.job_uuid
JOIN django_wfe_steprun AS mine
    ON mine.job_id = job.id AND mine.number = execution.number AND mine.attempt = execution.attempt
"""

_DONE = """
JOIN django_wfe_steprun AS done
    ON done.job_id = job.id AND done.number = execution.number AND done.state = 'FINISHED'
WHERE execution.began > done.finished_at
"""

# Its own attempt was committed before, or it was claimed when another attempt was committed.
COMMITTED_AGAIN = f"SELECT count(*) {_EXECUTIONS} {_DONE} AND (mine.id = done.id OR mine.started_at > done.finished_at)"

# A worker that was frozen between its claim and its work, and woke up when another had done it.
WOKEN_LATE = f"SELECT count(*) {_EXECUTIONS} {_DONE} AND mine.id <> done.id AND mine.started_at <= done.finished_at"

ATTEMPTS_TWICE = """
SELECT count(*) FROM (
    SELECT FROM storm_execution GROUP BY job_uuid, number, attempt HAVING count(*) > 1
) AS twice
"""

NOT_ONCE_FINISHED = """
SELECT count(*) FROM (
    SELECT FROM django_wfe_steprun AS run JOIN django_wfe_job AS job ON job.id = run.job_id
    WHERE job.state = 'FINISHED'
    GROUP BY run.job_id, run.number HAVING count(*) FILTER (WHERE run.state = 'FINISHED') <> 1
) AS numbers
"""

INTERRUPTED_AGAIN = f"""
SELECT count(*) {_EXECUTIONS}
JOIN django_wfe_steprun AS before
    ON before.job_id = job.id AND before.number = mine.number AND before.attempt = mine.attempt - 1
WHERE before.state = 'LOST'
"""

NOT_RECORDED = """
SELECT count(*) FROM django_wfe_steprun AS run JOIN django_wfe_job AS job ON job.id = run.job_id
WHERE run.state = 'FINISHED' AND run.number > 0 AND NOT EXISTS (
    SELECT FROM storm_execution AS execution
    WHERE execution.job_uuid = job.uuid AND execution.number = run.number AND execution.attempt = run.attempt
)
"""

WRONG_ATOMIC = """
SELECT count(*) FROM (
    SELECT job.uuid || ':' || run.number AS key
    FROM django_wfe_steprun AS run JOIN django_wfe_job AS job ON job.id = run.job_id
    WHERE run.state = 'FINISHED' AND run.step = ANY(%s)
) AS promised
FULL JOIN (SELECT key, count(*) AS rows FROM storm_atomic_row GROUP BY key) AS written ON written.key = promised.key
WHERE promised.key IS NULL OR written.rows IS DISTINCT FROM 1
"""

LOST_RUNS = """
SELECT run.started_at, run.finished_at, next.started_at, worker.pid
FROM django_wfe_steprun AS run
LEFT JOIN django_wfe_steprun AS next
    ON next.job_id = run.job_id AND next.number = run.number AND next.attempt = run.attempt + 1
LEFT JOIN django_wfe_worker AS worker ON worker.id = run.worker_id
WHERE run.state = 'LOST'
"""


@dataclass(frozen=True)
class Recovery:
    """How long it took from a fault to the next attempt at a step that it cost, and which faults came in between."""

    fault: str
    seconds: float
    until_found: float
    disturbed_by: list[str]


@dataclass
class Report:
    """The figures of a storm. All of ``violations`` must be zero."""

    options: dict[str, Any]
    violations: dict[str, int]
    figures: dict[str, Any]
    faults: list[dict[str, Any]]
    recoveries: list[dict[str, Any]]
    details: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not any(self.violations.values())

    def to_json(self) -> dict[str, Any]:
        return {"good": self.is_good, **asdict(self)}

    def to_text(self) -> str:
        rows = [*self.violations.items(), ("", ""), *self.figures.items()]
        lines = [f"  {name.replace('_', ' '):<34} {_show(value)}".rstrip() for name, value in rows]
        verdict = "Every promise was kept." if self.is_good else "A promise was broken."
        return "\n".join([verdict, *lines, *self.details])


def make_report(options: Options, schedule: list[Fault], load: Load, late: list[int], fleet: Fleet) -> Report:
    """Hold what was ordered, what was done and what is in the tables against each other."""
    rows = {key: (pk, state, error, path) for key, pk, state, error, path in _list_jobs()}
    finished = {key: row for key, row in rows.items() if row[1] == "FINISHED"}
    lost = [key for key, job_id in load.ordered.items() if key not in rows or rows[key][0] != job_id]
    lost += [f"never ordered, {options.jobs - len(load.ordered)} jobs"] * (len(load.ordered) < options.jobs)
    ended_badly = {key: row for key, row in rows.items() if row[1] in ("FAILED", "CANCELED")}
    wrong = _find_wrong_results(finished)
    last = max(fault.harmed_until for fault in schedule)
    recoveries, unexplained = _measure_recovery(schedule)
    times = [recovery.seconds for recovery in recoveries]
    undisturbed = [recovery.seconds for recovery in recoveries if not recovery.disturbed_by]
    violations = {
        "jobs_lost": len(lost),
        "jobs_stuck": len(late),
        "jobs_failed": len(ended_badly),
        "jobs_never_finished": len(rows) - len(finished) - len(ended_badly),
        "committed_steps_run_again": _count(COMMITTED_AGAIN),
        "attempts_run_twice": _count(ATTEMPTS_TWICE),
        "steps_not_finished_exactly_once": _count(NOT_ONCE_FINISHED),
        "atomic_steps_without_one_row": _count(WRONG_ATOMIC, [[dotted_path(step) for step in ATOMIC_STEPS]]),
        "wrong_results": len(wrong),
        "finished_steps_not_recorded": _count(NOT_RECORDED),
        "left_running": _count("SELECT count(*) FROM django_wfe_steprun WHERE state = 'RUNNING'"),
        "driver_troubles": len(load.troubles),
    }
    figures = {
        "jobs_finished": len(finished),
        "step_executions": _count("SELECT count(*) FROM storm_execution"),
        "atomic_rows": _count("SELECT count(*) FROM storm_atomic_row"),
        "faults": len(schedule),
        "step_runs_lost": _count("SELECT count(*) FROM django_wfe_steprun WHERE state = 'LOST'"),
        "interrupted_steps_run_again": _count(INTERRUPTED_AGAIN),
        "woken_late_and_refused": _count(WOKEN_LATE),
        "most_losses_of_one_step": _count("SELECT max(lost_before) FROM django_wfe_steprun"),
        "results_refused": fleet.count_in_logs(" was dropped: the run was given to another worker"),
        "messages_sent_again": _count("SELECT sum(dispatches) FROM django_wfe_steprun"),
        "starts_of_masters_and_watchdogs": sum(part.starts for part in fleet.parts),
        "losses_without_a_fault": unexplained,
        "recovery_seconds_p50": _give_percentile(times, 0.5),
        "recovery_seconds_p95": _give_percentile(times, 0.95),
        "recovery_seconds_max": max(times, default=0.0),
        "undisturbed_recoveries": len(undisturbed),
        "undisturbed_recovery_seconds_p50": _give_percentile(undisturbed, 0.5),
        "undisturbed_recovery_seconds_p95": _give_percentile(undisturbed, 0.95),
        "undisturbed_recovery_seconds_max": max(undisturbed, default=0.0),
        "last_fault_to_all_finished_seconds": max(0.0, _find_last_finish() - last),
    }
    details = [f"  lost: {key}" for key in lost[:10]]
    details += [f"  failed: job {row[0]} ({row[3]}): {row[2]}" for row in list(ended_badly.values())[:10]]
    details += [f"  late: {_describe_job(job_id)}" for job_id in late[:10]]
    details += [f"  wrong result: {text}" for text in wrong[:10]] + load.troubles
    return Report(
        {**asdict(options)},
        violations,
        figures,
        [{**asdict(fault), "text": str(fault)} for fault in schedule],
        [asdict(recovery) for recovery in recoveries],
        details,
    )


def _list_jobs() -> list[tuple[Any, ...]]:
    return list(Job.objects.values_list("key", "pk", "state", "error", "workflow__path"))


def _find_wrong_results(finished: dict[str, tuple[Any, ...]]) -> list[str]:
    expected = {dotted_path(workflow): result for workflow, result in MIX.items()}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT ON (job_id) job_id, result::text FROM django_wfe_steprun WHERE state = 'FINISHED'"
            " ORDER BY job_id, number DESC"
        )
        results = dict(cursor.fetchall())
    return [
        f"job {job_id} ({path}) gave {results.get(job_id)}, not {expected[path]}"
        for job_id, _, _, path in finished.values()
        if results.get(job_id) != str(expected[path])
    ]


def _measure_recovery(schedule: list[Fault]) -> tuple[list[Recovery], int]:
    """Give each recovery, and how many losses no fault explains."""
    with connection.cursor() as cursor:
        cursor.execute(LOST_RUNS)
        rows = cursor.fetchall()
    recoveries, unexplained = [], 0
    for began, lost, again, pid in rows:
        cause = _find_cause(schedule, began, lost, pid)
        if cause is None:
            unexplained += 1
        elif again is not None:
            seconds = again.timestamp() - cause.began
            others = _list_disturbances(schedule, cause, again.timestamp())
            recoveries.append(Recovery(str(cause), seconds, lost.timestamp() - cause.began, others))
    return recoveries, unexplained


def _list_disturbances(schedule: list[Fault], cause: Fault, until: float) -> list[str]:
    """List the faults that hit what recovery itself needs: the database, the broker or the watchdog that leads."""
    return [
        str(fault)
        for fault in schedule
        if fault is not cause
        and fault.kind in ("restart-database", "restart-broker", "empty-broker", "kill-leader")
        and fault.began <= until
        and max(fault.began, fault.ended) >= cause.began
    ]


def _find_cause(schedule: list[Fault], began: datetime, lost: datetime, pid: int | None) -> Fault | None:
    """Give the fault that cost a run its worker: the first that hit its process, else its database."""
    during = [fault for fault in schedule if began.timestamp() - 0.5 <= fault.began <= lost.timestamp()]
    for fault in during:
        if pid in fault.pids:
            return fault
    for fault in during:
        if fault.kind == "restart-database":
            return fault
    # A process that was frozen before may hold a claim that it made while the fault began.
    for fault in schedule:
        if pid in fault.pids and fault.began <= lost.timestamp() and began.timestamp() <= (fault.ended or fault.began):
            return fault
    return None


def _find_last_finish() -> float:
    latest = Job.objects.exclude(finished_at=None).order_by("-finished_at").values_list("finished_at", flat=True)[:1]
    return latest[0].timestamp() if latest else math.inf  # type: ignore[union-attr]


def _describe_job(job_id: int) -> str:
    job = Job.objects.get(pk=job_id)
    runs = job.step_runs.order_by("number", "attempt").values_list("number", "attempt", "state", "dispatches")
    return f"job {job_id} is {job.state} {job.error}: {list(runs)[-6:]}"


def _count(statement: str, parameters: list[Any] | None = None) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        row = cursor.fetchone()
    return int(row[0] or 0) if row else 0


def _give_percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def _show(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
