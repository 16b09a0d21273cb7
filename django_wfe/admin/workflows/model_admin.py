"""The Workflow page: where are jobs, where do they pile up or break? And its list."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, re_path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_wfe.admin.elements.drawing import draw_time
from django_wfe.admin.elements.payloads import write_json
from django_wfe.admin.elements.readable import list_asked_fields
from django_wfe.admin.frame.base import ConsoleAdmin, refuse_other_methods
from django_wfe.admin.frame.live import Live
from django_wfe.admin.home.page import show_home
from django_wfe.admin.jobs.downloads import FORMATS, show_workflow_graph
from django_wfe.admin.starting.columns_file import show_columns_file
from django_wfe.admin.starting.many import show_start_many
from django_wfe.admin.starting.one import explain_no_start, show_start
from django_wfe.admin.statistics.heat import build_heat_map
from django_wfe.admin.statistics.page import show_statistics
from django_wfe.admin.verbs.pausing import may_pause, show_pause, show_resume
from django_wfe.admin.workflows.comparing import show_comparison
from django_wfe.admin.workflows.versions import SHOWN, build_versions, choose_definition, count_nodes
from django_wfe.engine.access import has_permission, list_visible_jobs
from django_wfe.engine.rules.node_names import annotate_node_name
from django_wfe.models import Definition, Job, Workflow
from django_wfe.rendering.diagram.overlay import NodeCounts, describe_counts
from django_wfe.rendering.diagram.picture import render_workflow_diagram
from django_wfe.values.identifiers import parse_id
from django_wfe.values.moments import get_now

PACE = 5
"""Seconds until the page looks for news."""

RECENT_JOBS_SHOWN = 10
EVENTS_SHOWN = 10


class WorkflowAdmin(ConsoleAdmin[Workflow]):
    """The workflows that discovery has found; the console's home hangs on it."""

    list_display = ("label_or_name", "condition", "path", "created")
    list_display_links = ("label_or_name",)
    list_filter = ("deleted", "paused")
    search_fields = ("name", "label", "path")
    sortable_by = ()
    ordering = ("name", "path")

    def get_workflow_of(self, obj: Workflow) -> Workflow:
        return obj

    def get_urls(self) -> list[URLPattern]:
        return [
            self.route("console/", show_home, "django_wfe_console"),
            self.route("statistics/", show_statistics, "django_wfe_statistics"),
            self.route("<int:workflow_id>/start/", show_start, "django_wfe_workflow_start"),
            self.route("<int:workflow_id>/start-many/", show_start_many, "django_wfe_workflow_start_many"),
            self.route("<int:workflow_id>/start-many/columns.csv", show_columns_file, "django_wfe_workflow_columns"),
            self.route("<int:workflow_id>/pause/", show_pause, "django_wfe_workflow_pause"),
            self.route("<int:workflow_id>/resume/", show_resume, "django_wfe_workflow_resume"),
            self.route("<int:workflow_id>/compare/", show_comparison, "django_wfe_workflow_compare"),
            re_path(
                rf"^(?P<workflow_id>\d+)/graph\.(?P<file_format>{'|'.join(FORMATS)})$",
                self.route("", show_workflow_graph, "").callback,
                name="django_wfe_workflow_graph",
            ),
            *super().get_urls(),
        ]

    @admin.display(description=gettext_lazy("workflow"))
    def label_or_name(self, workflow: Workflow) -> str:
        """The name for people."""
        return str(workflow)

    @admin.display(description=gettext_lazy("condition"))
    def condition(self, workflow: Workflow) -> SafeString:
        """Whether a job of it can start, in a word."""
        text, css_class = describe_condition(workflow)
        return format_html('<span class="wfe-condition wfe-condition--{}">{}</span>', css_class, text)

    @admin.display(description=gettext_lazy("first seen"))
    def created(self, workflow: Workflow) -> SafeString | str:
        """When discovery found it first."""
        return draw_time(workflow.created_at)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the Workflow's page."""
        self.require_view_permission(request)
        workflow = find_workflow(self, request, object_id)
        self.require_view_permission(request, workflow)
        refused = refuse_other_methods(request, "GET", "HEAD")
        if refused is not None:
            return refused
        definition = choose_definition(workflow, request.GET.get(SHOWN, ""))
        may_see_jobs = has_permission(request.user, "django_wfe.view_job", workflow)
        jobs = list_visible_jobs(request.user).filter(workflow=workflow)
        counts, counted_up_to = count_nodes(request.user, definition) if may_see_jobs and definition else ({}, "")
        heat_map = build_heat_map(request.user, workflow, request.GET) if may_see_jobs and definition else None
        heat = heat_map.heat if heat_map is not None else None
        graph = definition.load_graph() if definition is not None else None
        nodes = [node for node in graph.nodes if not node.is_start] if graph is not None else []
        node_urls = {node.path: self._build_node_url(definition, node.path) for node in nodes} if may_see_jobs else {}
        condition, condition_class = describe_condition(workflow)
        return self.render(
            request,
            "django_wfe/console/workflow.html",
            title=str(workflow),
            crumbs=[self.list_crumb()],
            live=Live(PACE if may_see_jobs else 0, condition, condition),
            workflow=workflow,
            definition=definition,
            condition=condition,
            condition_class=condition_class,
            diagram=render_workflow_diagram(definition, counts=None if heat else counts, node_urls=node_urls, heat=heat)
            if definition
            else None,
            heat_map=heat_map,
            nodes=[
                {
                    "node": node,
                    "counts": describe_counts(counts.get(node.path, NodeCounts())),
                    "url": node_urls.get(node.path, ""),
                    "schema": write_json(node.input_schema) if node.asks_input else "",
                    "targets": [
                        {"edge": edge, "node": graph.get_node(edge.target)} for edge in graph.list_edges_from(node.path)
                    ]
                    if graph is not None
                    else [],
                }
                for node in nodes
            ],
            asked_at_start=list_asked_fields(graph.input_schema) if graph is not None and graph.input_schema else [],
            start_schema=write_json(graph.input_schema) if graph is not None and graph.input_schema else "",
            counted_up_to=counted_up_to,
            versions=build_versions(request.user, workflow, definition, request.GET, with_jobs=may_see_jobs),
            may_see_jobs=may_see_jobs,
            jobs_url=self.build_url("django_wfe_job_changelist") + "?" + urlencode({"workflow": workflow.pk}),
            recent_jobs=list_recent_jobs(jobs) if may_see_jobs else [],
            no_start=explain_no_start(workflow, request.user),
            may_pause=may_pause(request.user, workflow),
            events=list(workflow.events.order_by("-id")[:EVENTS_SHOWN]),
            graph_formats=list(FORMATS),
            now=get_now(),
        )

    def _build_node_url(self, definition: Definition | None, path: str) -> str:
        shown = {"workflow": definition.workflow_id, "definition": definition.pk} if definition is not None else {}
        query = {**shown, "current_step": path, "state": "open"}
        return f"{self.build_url('django_wfe_job_changelist')}?{urlencode(query)}"


def find_workflow(model_admin: ConsoleAdmin[Workflow], request: HttpRequest, pk: Any) -> Workflow:
    """Return the Workflow of this id, among those that the user may see.

    Raises:
        Http404: if there is none.
    """
    rows = model_admin.get_queryset(request).select_related("current_definition")
    workflow = rows.filter(pk=parse_id(pk) or 0).first()
    if workflow is None:
        raise Http404(_("There is no workflow with the id %(id)s.") % {"id": pk})
    return workflow


def describe_condition(workflow: Workflow) -> tuple[str, str]:
    """Return a Workflow's condition as a text and the suffix of its CSS class."""
    if workflow.deleted:
        return _("no longer declared"), "off"
    if workflow.load_error:
        return _("has problems"), "bad"
    if workflow.current_definition_id is None:
        return _("never loaded"), "bad"
    if workflow.paused:
        return _("paused"), "off"
    return _("ready"), "good"


def list_recent_jobs(jobs: QuerySet[Job]) -> list[Job]:
    """Return the newest jobs, with the label of the node that each is at."""
    rows = jobs.select_related("workflow").defer("error").annotate(step_label=annotate_node_name("current_step"))
    return list(rows.order_by("-pk")[:RECENT_JOBS_SHOWN])
