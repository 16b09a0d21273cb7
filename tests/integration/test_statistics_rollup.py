"""Facts are counted once, in whatever order they are committed, repaired, rerun and deleted."""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Sum
from django.db.models.functions import Now

from django_wfe import run_workflow
from django_wfe.engine.lifecycle import cancel_job, provide_input, rerun_job, retry_job
from django_wfe.engine.statistics.queries import build_report
from django_wfe.engine.statistics.rollup import roll_up
from django_wfe.models import Job, JobEvent, Statistic, StatisticBucket, StatisticCursor, StepRun
from django_wfe.values.moments import get_now
from django_wfe.watchdog.process import Watchdog
from tests import workflows
from tests.declared.inbox_workflows import Approving
from tests.support.running.engine_helpers import run_ready

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

_COUNT_SCANS = "SELECT " + ", ".join(
    f"pg_stat_get_xact_numscans('{table}'::regclass)"
    for table in ("django_wfe_steprun", "django_wfe_jobevent", "django_wfe_job")
)


class Facts:
    """What happened, counted by the test where it does it."""

    def __init__(self) -> None:
        self.counted: Counter[tuple[str, str]] = Counter()

    def happened(self, measure: str, node: str = "") -> None:
        self.counted[node, measure] += 1

    def done(self, *nodes: str) -> None:
        for node in nodes:
            self.happened("done", node)
            self.happened("waited", node)


@pytest.mark.parametrize("seed", range(6))
def test_the_sums_equal_a_count_of_the_facts_that_was_kept_beside(seed: int) -> None:
    dice = random.Random(seed)
    facts = Facts()
    finished: list[int] = []
    failed: list[int] = []
    mended: list[int] = []
    open_transactions: list[AbstractContextManager[None]] = []

    def start_linear() -> None:
        finished.append(run_workflow(workflows.Linear))
        facts.happened("started")
        facts.done("Fetch", "Double", "Store")
        facts.happened("finished")

    def start_failing() -> None:
        failed.append(run_workflow(workflows.Failing))
        facts.happened("started")
        facts.done("Fetch")
        facts.happened("failed")
        facts.happened("failed", "Fail")

    def retry() -> None:
        if failed:
            job_id = failed.pop(dice.randrange(len(failed)))
            retry_job(job_id)
            run_ready(job_id)
            facts.done("Fail", "Done")
            facts.happened("finished")
            mended.append(job_id)

    def rerun() -> None:
        if finished:
            first = dice.randrange(3)
            job_id = finished.pop(dice.randrange(len(finished)))
            rerun_job(job_id, first + 1)
            run_ready(job_id)
            mended.append(job_id)
            facts.done(*["Fetch", "Double", "Store"][first:])
            facts.happened("finished")

    def ask_and_cancel() -> None:
        cancel_job(run_workflow(workflows.Asking))
        facts.happened("started")
        facts.done("Fetch")
        facts.happened("canceled")

    def delete() -> None:
        jobs = dice.choice([finished, failed, mended])
        if jobs:
            Job.objects.filter(pk=jobs.pop(dice.randrange(len(jobs)))).delete()

    def hold_open() -> None:
        held = commit_late(kept)
        held.__enter__()
        open_transactions.append(held)

    def commit() -> None:
        if open_transactions:
            open_transactions.pop(dice.randrange(len(open_transactions))).__exit__(None, None, None)
            facts.happened("canceled")

    def count() -> None:
        roll_up(dice.choice([1, 2, 7, 1000]))

    start_linear()
    kept = finished.pop()
    for _round in range(40):
        dice.choice([start_linear, start_failing, retry, rerun, ask_and_cancel, delete, hold_open, commit, count])()
    while open_transactions:
        commit()
    count_all()
    assert read_sums() == facts.counted
    assert read_sums(is_day=False) == facts.counted


def test_what_is_committed_late_is_counted_once_and_ids_of_nobody_are_forgotten() -> None:
    job_id = run_workflow(workflows.Linear)
    with commit_late(job_id):
        run_workflow(workflows.Linear)
        count_all()
        assert read_sums()["", "started"] == 2
        assert StatisticCursor.objects.get(pk="events").gaps, "the id of the open transaction is remembered"
    for _round in range(2):
        count_all()
        assert read_sums()["", "canceled"] == 1
        assert read_sums()["", "started"] == 2
    cursor = StatisticCursor.objects.get(pk="events")
    # Whatever was open then is over, and the time that a missing id is looked for has passed.
    cursor.gaps = [[1, 1, 1, 99]]
    cursor.save()
    count_all()
    cursor.refresh_from_db()
    assert cursor.gaps == []


def test_a_crash_between_the_cells_and_the_cursor_changes_neither() -> None:
    run_workflow(workflows.Linear)
    with transaction.atomic():
        roll_up()
        assert read_sums()["", "finished"] == 1
        transaction.set_rollback(True)
    assert read_sums() == {}
    count_all()
    assert read_sums()["", "finished"] == 1
    assert StatisticBucket.objects.filter(is_day=True, node="").aggregate(n=Sum("count"))["n"] == 1


def test_an_answer_counts_for_who_gave_it_and_says_whether_it_was_late() -> None:
    lead = User.objects.create_superuser("lead")
    job_id = run_workflow(workflows.Asking)
    provide_input(job_id, {"some_data": 1}, actor=lead)
    count_all()
    row = Statistic.objects.get(is_day=True, measure="answered")
    assert (row.count, row.person) == (1, "lead")
    assert row.node.endswith(".Ask")
    assert 0 < row.seconds < 60


def test_an_answer_after_its_time_counts_as_overdue_by_how_much() -> None:
    late, timely = run_workflow(Approving), run_workflow(Approving)
    StepRun.objects.filter(job_id=late, state="INPUT_REQUIRED").update(created_at=Now() - timedelta(days=3))
    for job_id in (late, timely):
        provide_input(job_id, {"answer": "approve"})
    count_all()
    assert read_sums()["Approve", "answered"] == 2
    [overdue] = Statistic.objects.filter(is_day=True, measure="overdue")
    assert (overdue.count, round(overdue.seconds / 3600)) == (1, 24), "due after two days"
    report = build_report(None, "7d", get_now(), people=False)
    assert report.nodes["tests.declared.inbox_workflows.Approve"].overdue_share == 0.5


def test_a_round_reads_no_table_from_its_beginning_to_its_end() -> None:
    job_id = run_workflow(workflows.Linear)
    with commit_late(job_id):
        run_workflow(workflows.Linear)
        count_all()
    run_workflow(workflows.Linear)
    with transaction.atomic():
        # With a gap, of which the planner expects a tenth of the table.
        roll_up()
        with connection.cursor() as cursor:
            cursor.execute(_COUNT_SCANS)
            assert cursor.fetchone() == (0, 0, 0)
    assert read_sums()["", "canceled"] == 1
    assert read_sums()["", "started"] == 3


def test_the_watchdog_that_leads_counts() -> None:
    run_workflow(workflows.Linear)
    watchdog = Watchdog()
    watchdog.keep_statistics()
    assert read_sums()["", "finished"] == 1
    watchdog.keep_statistics()
    assert read_sums()["", "finished"] == 1
    assert JobEvent.objects.count() == 2


def count_all() -> None:
    """Count until nothing is left."""
    while roll_up():
        pass


def read_sums(*, is_day: bool = True) -> Counter[tuple[str, str]]:
    """Return the counts by the node's class and the measure."""
    sums: Counter[tuple[str, str]] = Counter()
    for node, measure, count in Statistic.objects.filter(is_day=is_day).values_list("node", "measure", "count"):
        sums[node.rpartition(".")[2], measure] += count
    return sums


@contextmanager
def commit_late(job_id: int) -> Iterator[None]:
    """Have another session write at once that a job was canceled, and commit it at the end of the block."""
    # Not through Django: the engine takes a transaction that this process holds open for one that a step has left.
    other = connection.get_new_connection(connection.get_connection_params())
    try:
        with other.cursor() as cursor:
            cursor.execute(
                "INSERT INTO django_wfe_jobevent (job_id, kind, actor_name, source, data, created_at)"
                " VALUES (%s, 'canceled', '', 'engine', '{}', statement_timestamp())",
                [job_id],
            )
        yield
        other.commit()
    finally:
        other.close()
