"""The admin's own History of a Job. ``JobEvent`` is the truth; this only mirrors what operators did in the admin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext as _

from django_wfe.models import Job


def log_start(request: HttpRequest, job: Job) -> None:
    """Write that the user started this Job."""
    _log(request, job, ADDITION, _("Started."))


def log_starts(request: HttpRequest, job_ids: Sequence[int]) -> None:
    """Write that the user started these Jobs."""
    user: Any = request.user
    jobs = Job.objects.select_related("workflow").defer("error").filter(pk__in=job_ids).order_by("pk")
    if job_ids:
        LogEntry.objects.log_actions(user_id=user.pk, queryset=jobs, action_flag=ADDITION, change_message=_("Started."))


def log_action(request: HttpRequest, row: Model, sentence: str) -> None:
    """Write that the user did something to this row: a Job, a Workflow, a BulkRun."""
    _log(request, row, CHANGE, sentence)


def _log(request: HttpRequest, row: Model, flag: int, sentence: str) -> None:
    user: Any = request.user
    LogEntry.objects.log_actions(
        user_id=user.pk, queryset=[row], action_flag=flag, change_message=sentence, single_object=True
    )
