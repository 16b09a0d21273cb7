"""The operator console, inside the Django admin. One module a page or concern; each registers what it shows."""

from __future__ import annotations

from django.contrib import admin

from django_wfe.admin.bulk.runs import BulkRunAdmin
from django_wfe.admin.exports.history import ExportAdmin
from django_wfe.admin.frame.navigation import install_navigation
from django_wfe.admin.jobs.events import JobEventAdmin
from django_wfe.admin.jobs.model_admin import JobAdmin
from django_wfe.admin.jobs.step_runs import StepRunAdmin
from django_wfe.admin.workers import WorkerAdmin
from django_wfe.admin.workflows.definitions import DefinitionAdmin, StepAdmin
from django_wfe.admin.workflows.model_admin import WorkflowAdmin
from django_wfe.models import BulkRun, Definition, Export, Job, JobEvent, Step, StepRun, Worker, Workflow

__all__ = [
    "BulkRunAdmin",
    "DefinitionAdmin",
    "ExportAdmin",
    "JobAdmin",
    "JobEventAdmin",
    "StepAdmin",
    "StepRunAdmin",
    "WorkerAdmin",
    "WorkflowAdmin",
    "register_console",
]

INDEX_TEMPLATE = "django_wfe/console/admin_index.html"


def register_console(site: admin.AdminSite) -> None:
    """Put the whole console on an admin site. On the default site that is done already.

    The site's index and sidebar name the places of the console first, such as the inbox. The index gets a line that
    links to the console and tells what waits. It extends the project's own "admin/index.html"; a site that has set an
    ``index_template`` keeps it, and can include "django_wfe/console/index_block.html" there.
    """
    site.register(Workflow, WorkflowAdmin)
    site.register(Job, JobAdmin)
    site.register(StepRun, StepRunAdmin)
    site.register(BulkRun, BulkRunAdmin)
    site.register(JobEvent, JobEventAdmin)
    site.register(Export, ExportAdmin)
    site.register(Worker, WorkerAdmin)
    site.register(Definition, DefinitionAdmin)
    site.register(Step, StepAdmin)
    install_navigation(site)
    if site.index_template is None:
        site.index_template = INDEX_TEMPLATE


register_console(admin.site)
