"""A project that keeps local times, in the hour that autumn doubles: 26 October 2025, from 2 to 3 in Berlin, twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.projects.running import Project, execute, project_set_up
from tests.projects.story import set_up

pytestmark = pytest.mark.integration

WORKERS = """
INSERT INTO django_wfe_worker (id, hostname, pid, threads, started_at, last_seen, lacks)
SELECT gen_random_uuid(), name, 1, 1, moment, moment, '{}'
FROM (VALUES ('before', '2025-10-26 02:30:00.123456+02'::timestamptz), ('after', '2025-10-26 02:30:00.123456+01'))
    AS died (name, moment)
"""

# It began at 2:50 in the first of the two hours, and ended twenty minutes later, at 2:10 in the second.
TIMES = """
UPDATE django_wfe_steprun SET created_at = '2025-10-26 02:45+02', due_at = '2025-10-26 02:45+02',
    started_at = '2025-10-26 02:50+02', finished_at = '2025-10-26 02:10+01';
UPDATE django_wfe_job SET created_at = '2025-10-26 02:45+02', started_at = '2025-10-26 02:50+02',
    finished_at = '2025-10-26 02:10+01';
"""

SHOW = """
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from django_wfe.engine.lifecycle import run_workflow
from tests.workflows import Linear
from django.db import connection
from tests.support.demo.pages import Page
from django_wfe.models import Job, StepRun
from django_wfe.values.moments import add_seconds, count_seconds, get_now
from django.db.models import Max, Min
from django.db.models.functions import Now

job_id = run_workflow(Linear)
with connection.cursor() as cursor:
    cursor.execute({times!r})
client = Client()
client.force_login(get_user_model().objects.create_superuser("boss"))
job = Job.objects.get(pk=job_id)
run = StepRun.objects.filter(job=job, number=1).get()
ends = StepRun.objects.aggregate(first=Min("started_at"), last=Max("finished_at"))
page = Page("/", 200, client.get(reverse("admin:django_wfe_job_change", args=[job_id])).content.decode())
answer = {{
    "times": [str(job.started_at), str(job.finished_at), job.started_at.fold, job.finished_at.fold],
    "seconds": count_seconds(job.started_at, job.finished_at),
    "of ends": count_seconds(ends["first"], ends["last"]),
    "later": [str(add_seconds(run.started_at, 1200)), add_seconds(run.started_at, 1200).fold],
    "text": page.text,
    "now": abs(count_seconds(StepRun.objects.annotate(now=Now()).latest("pk").now, get_now())) < 60,
    # What the database itself goes on with stays a time.
    "same": Job.objects.filter(created_at=StepRun.objects.filter(pk=run.pk).values("created_at")[:1]).count(),
    "distinct": Job.objects.order_by("created_at").values_list("state", flat=True).distinct().count(),
    "day": [str(day) for day in Job.objects.dates("created_at", "day")],
}}
"""


@pytest.fixture
def project(tmp_path: Path, redis_url: str, broker_namespace: str) -> Iterator[Project]:
    """The project, before anything runs in it."""
    with project_set_up("no_time_zones", tmp_path, redis_url, broker_namespace) as project:
        set_up(project)
        yield project


def test_a_worker_that_died_in_either_of_the_two_hours_is_declared_dead(project: Project) -> None:
    database = project.databases["default"]
    execute(database, WORKERS)
    project.manage("wfe_watchdog", "--once")
    dead = execute(database, "SELECT hostname FROM django_wfe_worker WHERE declared_dead_at IS NOT NULL ORDER BY 1")
    assert dead == [("after",), ("before",)]


def test_what_took_twenty_minutes_over_the_change_is_told_to_have_taken_twenty_minutes(project: Project) -> None:
    told = project.ask("evaluate", SHOW.format(times=TIMES))
    assert told["times"] == ["2025-10-26 02:50:00", "2025-10-26 02:10:00", 0, 1]
    assert told["seconds"] == told["of ends"] == 1200
    assert told["later"] == ["2025-10-26 02:10:00", 1]
    assert "after 20 min" in told["text"], told["text"]
    assert told["now"]
    assert (told["same"], told["distinct"], told["day"]) == (1, 1, ["2025-10-26"])
