"""The Job's admin: its list, and the way to its page, its input form and the operator verbs."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, re_path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from django_wfe.admin.attributes.filter import AttributeFilter
from django_wfe.admin.bulk.actions import BulkActions, show_bulk
from django_wfe.admin.bulk.filters import show_bulk_filter
from django_wfe.admin.elements.drawing import NOTHING, draw_job_state, draw_job_title, draw_time
from django_wfe.admin.exports.optional import ExportableJobs
from django_wfe.admin.frame.base import ConsoleAdmin, refuse_other_methods
from django_wfe.admin.frame.days import DayFilter
from django_wfe.admin.frame.job_lookup import find_job
from django_wfe.admin.inbox.answering import show_input
from django_wfe.admin.inbox.handing_over import show_hand_over
from django_wfe.admin.inbox.page import show_inbox
from django_wfe.admin.incidents.page import show_incident, show_incidents
from django_wfe.admin.incidents.repairs import show_repair
from django_wfe.admin.incidents.stages import STAGES
from django_wfe.admin.jobs.comparing import show_job_comparison
from django_wfe.admin.jobs.downloads import show_job_graph
from django_wfe.admin.jobs.filters import (
    AgeFilter,
    DefinitionFilter,
    IncidentFilter,
    MineFilter,
    NodeFilter,
    StateFilter,
    WorkflowFilter,
)
from django_wfe.admin.jobs.page import build_job_page
from django_wfe.admin.jobs.search import show_comparison_choice, show_search
from django_wfe.admin.jobs.window import find_place
from django_wfe.admin.runs.log_tail import show_tail
from django_wfe.admin.verbs import addresses  # noqa: F401  (its parts of addresses)
from django_wfe.admin.verbs.job_verbs import show_verb
from django_wfe.engine.queries.job_search import search_jobs
from django_wfe.engine.rules.node_names import annotate_node_name, read_node_name
from django_wfe.models import Job, Workflow
from django_wfe.models.jobs import shorten_key

ATTRIBUTES_SHOWN = 4
"""The attributes that a row of the list has room for."""


class JobAdmin(ExportableJobs, BulkActions, ConsoleAdmin[Job]):
    """The executions. Nothing is edited here: everything goes through the verbs of ``engine/lifecycle.py``."""

    list_display = ("name", "key_drawn", "state_drawn", "step_label", "created", "started", "finished")
    list_display_links = ("name", "key_drawn")
    list_filter = (
        StateFilter,
        WorkflowFilter,
        AttributeFilter,
        DefinitionFilter,
        NodeFilter,
        IncidentFilter,
        AgeFilter,
        DayFilter,
        MineFilter,
    )
    list_select_related = ("workflow",)
    search_fields = ("=id",)
    search_help_text = gettext_lazy(
        "Finds jobs by key, the beginning of a key, a number in it, the value of an attribute, id or UUID, or by the "
        "idempotency key of a step."
    )
    sortable_by = ()
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        rows = super().get_queryset(request).defer("error").prefetch_related("attribute_rows")
        return rows.annotate(step_label_text=annotate_node_name("current_step")).order_by("-id")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Job], search_term: str
    ) -> tuple[QuerySet[Job], bool]:
        if not search_term.strip():
            return queryset, False
        return queryset.filter(pk__in=search_jobs(request.user, search_term).ids), False

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
            self.route("find/", show_search, "django_wfe_job_search"),
            self.route("<int:job_id>/compare/", show_comparison_choice, "django_wfe_job_compare_choice"),
            self.route("<int:job_id>/compare/<int:other_id>/", show_job_comparison, "django_wfe_job_compare"),
            self.route("inbox/", show_inbox, "django_wfe_inbox"),
            self.route("inbox/hand-over/", show_hand_over, "django_wfe_hand_over"),
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
    def name(self, job: Job) -> SafeString:
        """The job's workflow and number; its key stands beside it."""
        return format_html('{} <span class="wfe-id">#{}</span>', job.workflow, job.pk)

    @admin.display(description=gettext_lazy("key, attributes"))
    def key_drawn(self, job: Job) -> SafeString | str:
        """What the business calls it, and by what else it is found."""
        key = ""
        if job.key:
            key = format_html('<span class="wfe-key" title="{}">{}</span>', job.key, shorten_key(job.key))
        found_by = format_html_join(
            " ", '<span class="wfe-attribute">{} <b>{}</b></span>', list(job.attributes.items())[:ATTRIBUTES_SHOWN]
        )
        if not found_by:
            return key or NOTHING
        return format_html('{} <span class="wfe-found-by">{}</span>', key, found_by)

    @admin.display(description=gettext_lazy("state"))
    def state_drawn(self, job: Job) -> SafeString:
        """The state as shape, colour and text."""
        return draw_job_state(job.state)

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
        place = find_place(job, request.GET["number"]) if "number" in request.GET else None
        if place is not None:
            return HttpResponseRedirect(self.build_object_url(job.pk) + place)
        return self.render(
            request,
            "django_wfe/console/job.html",
            title=job.title,
            heading=draw_job_title(job),
            crumbs=[self.list_crumb()],
            original=job,
            **build_job_page(self, request, job),
        )
