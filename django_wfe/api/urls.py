"""The addresses of the REST API. Each works with and without its trailing slash, and redirects nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.urls import re_path

from django_wfe.api.assignments import HandOverView, JobAssignView
from django_wfe.api.bulk import BulkDetailView, BulkListView, BulkStopView
from django_wfe.api.definitions import StepDetailView, StepListView, WorkflowDetailView, WorkflowListView
from django_wfe.api.inputs import JobInputView
from django_wfe.api.jobs import JobDetailView, JobListView, JobLogsView
from django_wfe.api.operations import build_verb_view
from django_wfe.api.statistics import StatisticsView
from django_wfe.api.workflow_operations import WorkflowPauseView, WorkflowResumeView
from django_wfe.engine.lifecycle import VERBS

if TYPE_CHECKING:
    from django.urls import URLPattern

    from django_wfe.api.frame.base import WFEView


def _route(path: str, view: type[WFEView], name: str) -> URLPattern:
    """Serve a path whose ``<name>`` parts are ids; what is not an id gets the API's own 404."""
    pattern = path.replace("<", "(?P<").replace(">", ">[^/]+)")
    return re_path(rf"^{pattern}/?\Z", view.as_view(), name=name)


urlpatterns = [
    _route("workflows", WorkflowListView, "workflow_list"),
    _route("workflows/<workflow_id>", WorkflowDetailView, "workflow_detail"),
    _route("workflows/<workflow_id>/pause", WorkflowPauseView, "workflow_pause"),
    _route("workflows/<workflow_id>/resume", WorkflowResumeView, "workflow_resume"),
    _route("statistics", StatisticsView, "statistics"),
    _route("steps", StepListView, "step_list"),
    _route("steps/<step_id>", StepDetailView, "step_detail"),
    _route("jobs", JobListView, "job_list"),
    _route("jobs/<job_id>", JobDetailView, "job_detail"),
    _route("jobs/<job_id>/logs", JobLogsView, "job_logs"),
    _route("jobs/<job_id>/input", JobInputView, "job_input"),
    _route("jobs/<job_id>/assign", JobAssignView, "job_assign"),
    *(_route(f"jobs/<job_id>/{name}", build_verb_view(verb), f"job_{name}") for name, verb in sorted(VERBS.items())),
    _route("inbox/hand-over", HandOverView, "hand_over"),
    _route("bulk", BulkListView, "bulk_list"),
    _route("bulk/<bulk_id>", BulkDetailView, "bulk_detail"),
    _route("bulk/<bulk_id>/stop", BulkStopView, "bulk_stop"),
]
