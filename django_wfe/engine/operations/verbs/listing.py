"""What can be done with a Job as it stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django_wfe.engine.operations.verbs.base import Verb, VerbStatus, find_last_run
from django_wfe.engine.operations.verbs.registry import VERBS
from django_wfe.engine.rules.verb_rules import judge
from django_wfe.models import Job, StepRun, StepRunState


def list_verbs(job: Job, actor: Any) -> list[VerbStatus]:
    """Return every verb with what it would do to this Job as it stands, or why it cannot."""
    has_running = job.step_runs.filter(state=StepRunState.RUNNING).exists()
    situation = judge(job, has_running=has_running, last=find_last_run(job))
    return [verb.judge(situation, actor, job) for verb in VERBS.values()]


def find_status(job: Job, actor: Any, name: str) -> VerbStatus:
    """Return what one verb would do to this Job as it stands, or why it cannot."""
    return next(status for status in list_verbs(job, actor) if status.verb.name == name)


def list_statuses(verb: Verb, jobs: Sequence[Job], actor: Any) -> list[VerbStatus]:
    """Return what a verb would do to each of these Jobs, or why it cannot, in two queries.

    The Jobs come with their workflows.
    """
    runs = StepRun.objects.filter(job__in=jobs)
    running = set(runs.filter(state=StepRunState.RUNNING).order_by().values_list("job_id", flat=True))
    newest = runs.filter(superseded=False).order_by("job_id", "-number", "-attempt").distinct("job_id")
    last = {run.job_id: run for run in newest.only("job_id", "number", "attempt")}
    return [verb.judge(judge(job, has_running=job.pk in running, last=last.get(job.pk)), actor, job) for job in jobs]
