"""Many Jobs over a real broker, by several processes of many threads."""

import pytest

from django_wfe import order_workflow_execution
from django_wfe.engine.output.step_logs import read_step_run_log
from django_wfe.models import Job, JobLog, JobState, StepRun, StepRunState
from tests import workflows
from tests.support.running.waiting import wait_until
from tests.support.running.workers import running_workers

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


def _count_unfinished() -> int:
    return Job.objects.exclude(state=JobState.FINISHED).count()


@pytest.mark.parametrize(("broker", "jobs"), [("rabbitmq_url", 1000), ("redis_url", 200)])
def test_a_thousand_jobs_finish_each_step_exactly_once_and_logs_are_not_mixed_up(
    broker: str, jobs: int, request: pytest.FixtureRequest, child_environment: dict[str, str]
) -> None:
    url = request.getfixturevalue(broker)
    with running_workers(child_environment, url, processes=2, threads=8, CONN_MAX_AGE=60) as workers:
        ids = [order_workflow_execution(workflows.Telling, key=str(number)) for number in range(jobs)]
        wait_until(
            lambda: _count_unfinished() == 0,
            timeout=120,
            message=lambda: f"{_count_unfinished()} jobs are not finished. {workers.read_log()[-2000:]}",
        )
        assert len(workers.list_pids()) == 2

    runs = StepRun.objects.filter(job_id__in=ids, number__gt=0)
    assert runs.count() == 3 * jobs
    assert set(runs.values_list("state", "attempt", "epoch").distinct()) == {(StepRunState.FINISHED, 1, 1)}
    used = set(runs.values_list("worker_id", flat=True).distinct())
    assert len(used) == 2, "both processes took part"
    # Each step says its own idempotency key, by print, by stderr and by logging: nothing else may stand in its log.
    for run in runs.select_related("job").order_by("id")[:300]:
        log = read_step_run_log(run)
        assert log.count(run.idempotency_key) == 3, log
        assert log.count(":") >= 3
        assert {line.split()[-1] for line in log.splitlines()} == {run.idempotency_key}
    assert JobLog.objects.filter(step_run__in=runs).count() == 3 * jobs
