"""Handing a verb over many jobs to the workers, and leading the user to the page that shows how it goes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.utils.translation import gettext as _

from django_wfe.admin.frame.base import ConsoleAdmin
from django_wfe.admin.frame.history import log_action
from django_wfe.engine.lifecycle import VERBS, Source, start_bulk
from django_wfe.exceptions import PermissionRequired
from django_wfe.models import Job


def start_bulk_run(
    model_admin: ConsoleAdmin[Any],
    request: HttpRequest,
    verb: str,
    jobs: QuerySet[Job],
    *,
    options: Mapping[str, Any] | None = None,
    reason: str,
    stop_on_fingerprint: str = "",
    stops_also_on: Collection[str] = (),
    stop_on_failure: bool = False,
) -> HttpResponseRedirect:
    """Start a BulkRun over these jobs, and lead to its page; to the Job list where none is left of them.

    Raises:
        PermissionDenied: if the user may not use the verb.
    """
    if not jobs.exists():
        messages.warning(request, _("None of these jobs is still in the state shown. Nothing was changed."))
        return HttpResponseRedirect(model_admin.build_url("django_wfe_job_changelist"))
    try:
        bulk = start_bulk(
            verb,
            jobs,
            options=options,
            actor=request.user,
            source=Source.ADMIN,
            reason=reason,
            stop_on_fingerprint=stop_on_fingerprint,
            stops_also_on=stops_also_on,
            stop_on_failure=stop_on_failure,
        )
    except PermissionRequired as error:
        raise PermissionDenied from error
    log_action(request, bulk, _("Started: %(verb)s. %(reason)s") % {"verb": VERBS[verb].label, "reason": reason})
    messages.success(request, _("%(verb)s: workers are processing the jobs.") % {"verb": VERBS[verb].label})
    return HttpResponseRedirect(model_admin.build_url("django_wfe_bulkrun_change", bulk.pk))
