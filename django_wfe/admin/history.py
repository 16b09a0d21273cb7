"""The admin's own History of a Job. ``JobEvent`` is the truth; this only mirrors what operators did in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.http import HttpRequest
from django.utils.translation import gettext as _

from django_wfe.models import Job


def log_start(request: HttpRequest, job: Job) -> None:
    """Write that the user started this Job."""
    _log(request, job, ADDITION, _("Started."))


def log_action(request: HttpRequest, job: Job, sentence: str) -> None:
    """Write that the user did something to this Job."""
    _log(request, job, CHANGE, sentence)


def _log(request: HttpRequest, job: Job, flag: int, sentence: str) -> None:
    user: Any = request.user
    LogEntry.objects.log_actions(
        user_id=user.pk, queryset=[job], action_flag=flag, change_message=sentence, single_object=True
    )
