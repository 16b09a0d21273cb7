"""The operator console, inside the Django admin. One module a page or concern; each registers what it shows."""

from __future__ import annotations

from django.contrib import admin

from django_wfe.admin.definitions import DefinitionAdmin, StepAdmin
from django_wfe.admin.events import JobEventAdmin
from django_wfe.admin.jobs import JobAdmin
from django_wfe.admin.step_runs import StepRunAdmin
from django_wfe.admin.workers import WorkerAdmin
from django_wfe.admin.workflows import WorkflowAdmin

__all__ = [
    "DefinitionAdmin",
    "JobAdmin",
    "JobEventAdmin",
    "StepAdmin",
    "StepRunAdmin",
    "WorkerAdmin",
    "WorkflowAdmin",
]

# Extends the project's own "admin/index.html", whichever that is. A site that chose a template of its own keeps it,
# and can include "django_wfe/console/index_block.html" there.
if admin.site.index_template is None:
    admin.site.index_template = "django_wfe/console/admin_index.html"
