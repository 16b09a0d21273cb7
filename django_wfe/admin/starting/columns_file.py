"""The columns of a file to start many Jobs from, as a file to fill in."""

from __future__ import annotations

import csv
import io

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext as _

from django_wfe.admin.frame.base import ConsoleAdmin, refuse_other_methods
from django_wfe.admin.starting.one import explain_no_start, find_startable
from django_wfe.engine.lifecycle import read_row_meaning
from django_wfe.exceptions import CodeNotLoaded
from django_wfe.models import Workflow
from django_wfe.spreadsheets import Columns


def show_columns_file(model_admin: ConsoleAdmin[Workflow], request: HttpRequest, workflow_id: int) -> HttpResponseBase:
    """Return a CSV file with the names of the columns and no row."""
    workflow = find_startable(model_admin, request, workflow_id)
    refused = refuse_other_methods(request, "GET", "HEAD")
    if refused is not None:
        return refused
    reason = explain_no_start(workflow, request.user)
    try:
        columns = Columns(read_row_meaning(workflow).load_schema()).list_columns() if not reason else []
    except CodeNotLoaded as error:
        reason = str(error)
    if reason:
        messages.warning(request, _("The file could not be made: %(reason)s") % {"reason": reason})
        return HttpResponseRedirect(model_admin.build_url("django_wfe_workflow_start_many", workflow.pk))
    stream = io.StringIO()
    csv.writer(stream).writerow(["key", *(column.name for column in columns)])
    return HttpResponse(
        stream.getvalue(),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{workflow.name}.csv"',
            "X-Content-Type-Options": "nosniff",
        },
    )
