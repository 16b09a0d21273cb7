"""Jobs of thousands of step runs, made by the database in a moment."""

from datetime import timedelta

from django.db import connection
from django.utils import timezone

from django_wfe.models import Job, JobEvent, StepRun

INSERT_RUNS = """
INSERT INTO django_wfe_steprun (job_id, number, attempt, step, state, result, transition, superseded, epoch, created_at,
    due_at, started_at, finished_at, lost_before, dispatched_at, dispatches, error_type, error, traceback, fingerprint)
SELECT %(job)s, number, 1,
    CASE WHEN number = 0 THEN '__start__' WHEN number %% 2 = 1 THEN %(step)s ELSE %(decision)s END,
    CASE WHEN number = %(length)s - 1 THEN 'RUNNING' ELSE 'FINISHED' END,
    jsonb_build_object('count', number, 'text', repeat('words ', 50)),
    CASE WHEN number %% 2 = 0 AND number > 0 THEN 0 END,
    false, 1, began, began, began + interval '1 second',
    CASE WHEN number < %(length)s - 1 THEN began + interval '5 seconds' END,
    0, began, 0, '', '', '', ''
FROM (SELECT number, now() - (%(length)s - number) * interval '8 seconds' AS began
    FROM generate_series(0, %(length)s - 1) AS number) AS numbers
"""
INSERT_LOGS = """
INSERT INTO django_wfe_joblog (step_run_id, sequence, text, created_at)
SELECT id, sequence, repeat('a line of the log' || chr(10), 20), now()
FROM django_wfe_steprun, generate_series(0, 1) AS sequence WHERE job_id = %s
"""


def lengthen(job_id: int, length: int) -> None:
    """Give a Job of ``tests.workflows.Looping`` that many step runs, the last of them running, with logs and events."""
    values = {"job": job_id, "length": length, "step": "tests.workflows.Count", "decision": "tests.workflows.Again"}
    StepRun.objects.filter(job_id=job_id).delete()
    with connection.cursor() as cursor:
        cursor.execute(INSERT_RUNS, values)
        cursor.execute(INSERT_LOGS, [job_id])
        cursor.execute("ANALYZE django_wfe_steprun, django_wfe_joblog")
    JobEvent.objects.bulk_create(JobEvent(job_id=job_id, kind="retried", source="admin") for _ in range(length // 2))
    last, began = length - 1, timezone.now() - timedelta(seconds=8 * length)
    Job.objects.filter(pk=job_id).update(
        state="ONGOING",
        current_step_number=last,
        current_step=values["step" if last % 2 else "decision"],
        created_at=began,
        started_at=began,
        finished_at=None,
    )
