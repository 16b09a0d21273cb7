"""Step runs that wait for input."""

from typing import Any

from django_wfe import run_workflow
from django_wfe.models import StepRun
from tests.declared.inbox_workflows import Numbering


def get_waiting(job_id: int) -> StepRun:
    return StepRun.objects.get(job_id=job_id, state="INPUT_REQUIRED")


def make_waiting(workflow: Any = Numbering, **options: Any) -> StepRun:
    """Start a Job, and run it until it asks."""
    return get_waiting(run_workflow(workflow, **options))
