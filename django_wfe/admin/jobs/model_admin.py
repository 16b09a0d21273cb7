"""The Job's admin: its list, and the way to its page, its input form and the operator verbs."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, re_path
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from django_wfe.admin.bulk.actions import BulkActions, show_bulk
from django_wfe.admin.bulk.filters import show_bulk_filter
from django_wfe.admin.elements.drawing import NOTHING, draw_job_state, draw_time
from django_wfe.admin.exports.optional import ExportableJobs
from django_wfe.admin.frame.base import ConsoleAdmin, refuse_other_methods
from django_wfe.admin.frame.job_lookup import find_job, search_jobs
from django_wfe.admin.inbox.answering import show_input
from django_wfe.admin.inbox.page import show_inbox
from django_wfe.admin.incidents.page import show_incident, show_incidents
from django_wfe.admin.incidents.repairs import show_repair
from django_wfe.admin.incidents.stages import STAGES
from django_wfe.admin.jobs.downloads import show_job_graph
from django_wfe.admin.jobs.filters import AgeFilter, IncidentFilter, MineFilter, NodeFilter, StateFilter, WorkflowFilter
from django_wfe.admin.jobs.log_tail import show_tail
from django_wfe.admin.jobs.page import build_job_page
from django_wfe.admin.verbs import addresses  # noqa: F401  (its parts of addresses)
from django_wfe.admin.verbs.job_verbs import show_verb
from django_wfe.engine.rules.node_names import annotate_node_name, read_node_name
from django_wfe.models import Job, Workflow


class JobAdmin(ExportableJobs, BulkActions, ConsoleAdmin[Job]):
    """The executions. Nothing is edited here: everything goes through the verbs of ``engine/lifecycle.py``."""

    list_display = ("name", "state_drawn", "workflow_label", "step_label", "created", "started", "finished")
    list_display_links = ("name",)
    list_filter = (StateFilter, WorkflowFilter, NodeFilter, IncidentFilter, AgeFilter, MineFilter)
    list_select_related = ("workflow",)
    search_fields = ("=id",)
    search_help_text = gettext_lazy("Finds a job by its exact id, UUID or key, or by the idempotency key of a step.")
    sortable_by = ()
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        rows = super().get_queryset(request).defer("error")
        return rows.annotate(step_label_text=annotate_node_name("current_step")).order_by("-id")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Job], search_term: str
    ) -> tuple[QuerySet[Job], bool]:
        return search_jobs(queryset, search_term), False

    def get_workflow_of(self, obj: Job) -> Workflow:
        return obj.workflow

    def get_urls(self) -> list[URLPattern]:
        stages = "|".join(STAGES)
        return [
            self.route("incidents/", show_incidents, "django_wfe_incidents"),
            self.route("incidents/<str:fingerprint>/", show_incident, "django_wfe_incident"),
            self.route_pattern(
                rf"^incidents/(?P<fingerprint>[^/]+)/retry/(?P<stage>{stages})/$",
                show_repair,
                "django_wfe_incident_repair",
            ),
            self.route_pattern(
                rf"^incidents/(?P<fingerprint>[^/]+)/(?P<verb>skip|cancel)/(?P<stage>{stages})/$",
                show_repair,
                "django_wfe_incident_verb",
            ),
            self.route("<int:job_id>/graph.svg", show_job_graph, "django_wfe_job_graph"),
            self.route("<int:job_id>/log/<int:step_run_id>/", show_tail, "django_wfe_job_log"),
            self.route("inbox/", show_inbox, "django_wfe_inbox"),
            self.route("<int:job_id>/input/", show_input, "django_wfe_job_input"),
            self.route("bulk/<wfe_verb:verb>/", show_bulk, "django_wfe_job_bulk"),
            self.route("bulk/<wfe_action:verb>/filter/", show_bulk_filter, "django_wfe_job_bulk_filter"),
            self.route("<int:job_id>/<wfe_verb:verb>/", show_verb, "django_wfe_job_verb"),
            *super().get_urls(),
        ]

    def route_pattern(self, pattern: str, view: Any, name: str) -> URLPattern:
        """Return a URL whose parts are among a few words, such as the stages of a repair."""
        plain = self.route("", view, name)
        return re_path(pattern, plain.callback, name=name)

    @admin.display(description=gettext_lazy("job"))
    def name(self, job: Job) -> str:
        """The job's number; its workflow stands beside it."""
        return f"#{job.pk}"

    @admin.display(description=gettext_lazy("state"))
    def state_drawn(self, job: Job) -> SafeString:
        """The state as shape, colour and text."""
        return draw_job_state(job.state)

    @admin.display(description=gettext_lazy("workflow"))
    def workflow_label(self, job: Job) -> str:
        """The workflow's name for people."""
        return str(job.workflow)

    @admin.display(description=gettext_lazy("current step"))
    def step_label(self, job: Job) -> str:
        """The label of the node that the job is at."""
        value: str = job.step_label_text  # type: ignore[attr-defined]
        return read_node_name(value, job.current_step) or NOTHING

    @admin.display(description=gettext_lazy("created"))
    def created(self, job: Job) -> SafeString | str:
        """When it was created."""
        return draw_time(job.created_at)

    @admin.display(description=gettext_lazy("started"))
    def started(self, job: Job) -> SafeString | str:
        """When its first step began."""
        return draw_time(job.started_at)

    @admin.display(description=gettext_lazy("finished"))
    def finished(self, job: Job) -> SafeString | str:
        """When it ended."""
        return draw_time(job.finished_at)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the Job's page."""
        job = find_job(self, request, object_id)
        refused = refuse_other_methods(request, "GET", "HEAD")
        if refused is not None:
            return refused
        return self.render(
            request,
            "django_wfe/console/job.html",
            title=job.title,
            crumbs=[self.list_crumb()],
            original=job,
            **build_job_page(self, request, job),
        )
