"""Step runs: a list to filter, and a page with everything about one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_wfe import states
from django_wfe.admin.elements.drawing import draw_job_title, draw_step_run_state, draw_time
from django_wfe.admin.elements.payloads import JSON_COLUMNS, PAYLOAD_COLUMNS, WRAPPED, get_whole_size
from django_wfe.admin.exports.optional import ExportableStepRuns
from django_wfe.admin.frame.base import ConsoleAdmin, Crumb, refuse_other_methods
from django_wfe.admin.frame.days import DayFilter
from django_wfe.admin.frame.live import Live
from django_wfe.admin.runs.rows import build_rows
from django_wfe.definition.texts import is_storable
from django_wfe.engine.access import list_visible_step_runs, may_view_data
from django_wfe.engine.output.step_logs import read_step_run_log
from django_wfe.engine.rules.node_names import annotate_node_name, name_node, read_node_name
from django_wfe.models import StepRun, Workflow
from django_wfe.models.jobs import STEP_RUN_STATE_CHOICES
from django_wfe.values.identifiers import parse_id
from django_wfe.values.large_values import load_whole
from django_wfe.values.moments import get_now
from django_wfe.values.sealing import cover_sealed_text

TRACEBACK = "traceback"


class StepRunStateFilter(admin.SimpleListFilter):
    """By state."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return STEP_RUN_STATE_CHOICES

    def queryset(self, request: HttpRequest, queryset: QuerySet[StepRun]) -> QuerySet[StepRun]:
        value = self.value()
        if not value:
            return queryset
        return queryset.filter(state=value) if value in set(states.StepRunState) else queryset.none()


class FingerprintFilter(admin.SimpleListFilter):
    """By the kind of failure. Shown once a page of the console has led to it."""

    title = gettext_lazy("incident")
    parameter_name = "fingerprint"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        chosen = request.GET.get(self.parameter_name, "")
        return [(chosen, chosen[:12])] if chosen else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[StepRun]) -> QuerySet[StepRun]:
        value = self.value()
        if value and not is_storable(value):
            return queryset.none()
        # The index of fingerprints holds failed step runs only.
        return queryset.filter(fingerprint=value, state=states.StepRunState.FAILED) if value else queryset


class StepRunAdmin(ExportableStepRuns, ConsoleAdmin[StepRun]):
    """Every attempt at every node. Payloads are never loaded for the list."""

    list_display = ("name", "job_link", "state_drawn", "error_type", "created", "finished")
    list_display_links = ("name",)
    list_filter = (StepRunStateFilter, FingerprintFilter, DayFilter)
    list_select_related = ("job__workflow",)
    search_fields = ("=job__id",)
    search_help_text = gettext_lazy("Finds the step runs of a job by its exact id.")
    sortable_by = ()
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[StepRun]:
        rows = super().get_queryset(request).defer(*PAYLOAD_COLUMNS, "job__error")
        return rows.annotate(step_label_text=annotate_node_name("step")).order_by("-id")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[StepRun], search_term: str
    ) -> tuple[QuerySet[StepRun], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        return queryset.filter(job_id=parse_id(term) or 0), False

    def get_workflow_of(self, obj: StepRun) -> Workflow:
        return obj.job.workflow

    def get_urls(self) -> list[URLPattern]:
        return [
            self.route("<int:step_run_id>/log/", show_log, "django_wfe_steprun_log"),
            self.route("<int:step_run_id>/data/<str:column>/", show_data, "django_wfe_steprun_data"),
            *super().get_urls(),
        ]

    @admin.display(description=gettext_lazy("step run"))
    def name(self, run: StepRun) -> str:
        """Its number, attempt and node."""
        value: str = run.step_label_text  # type: ignore[attr-defined]
        label = read_node_name(value, run.step)
        if run.attempt == 1:
            return f"#{run.number} {label}"
        return _("#%(number)s %(label)s, attempt %(attempt)s") % {
            "number": run.number,
            "label": label,
            "attempt": run.attempt,
        }

    @admin.display(description=gettext_lazy("job"))
    def job_link(self, run: StepRun) -> SafeString:
        """The job that it belongs to."""
        url = self.build_url("django_wfe_job_change", run.job_id)
        return format_html('<a href="{}">{}</a>', url, draw_job_title(run.job))

    @admin.display(description=gettext_lazy("state"))
    def state_drawn(self, run: StepRun) -> SafeString:
        """The state as shape, colour and text."""
        return draw_step_run_state(run.state, attempt=run.attempt, job_state=run.job.state)

    @admin.display(description=gettext_lazy("created"))
    def created(self, run: StepRun) -> SafeString | str:
        """When the row came to be."""
        return draw_time(run.created_at)

    @admin.display(description=gettext_lazy("finished"))
    def finished(self, run: StepRun) -> SafeString | str:
        """When it ended."""
        return draw_time(run.finished_at)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show everything about one step run, in full."""
        run = find_step_run(self, request, object_id)
        refused = refuse_other_methods(request, "GET", "HEAD")
        if refused is not None:
            return refused
        now = get_now()
        may_see_data = may_view_data(request.user, run.job)
        graph = run.job.definition.load_graph()
        node = graph.get_node(run.step)
        row = build_rows([run], graph, now=now, may_see_data=may_see_data, preview_size=get_whole_size())[0]
        return self.render(
            request,
            "django_wfe/console/step_run.html",
            title=f"#{run.number} {name_node(graph, run.step)}",
            crumbs=[
                Crumb(run.job.title, self.build_url("django_wfe_job_change", run.job_id)),
            ],
            live=Live(1 if run.state in states.LIVE_STEP_RUN_STATES else 0, run.state, run.get_state_display()),
            original=run,
            run=run,
            job=run.job,
            row=row,
            node=node,
            may_see_data=may_see_data,
            now=now,
        )


def find_step_run(model_admin: StepRunAdmin, request: HttpRequest, pk: Any) -> StepRun:
    """Return the step run of this id, without its payloads, among those that the user may see.

    Raises:
        PermissionDenied: if the user may not see step runs, or not this one.
        Http404: if there is none.
    """
    model_admin.require_view_permission(request)
    rows = list_visible_step_runs(request.user).defer(*PAYLOAD_COLUMNS)
    rows = rows.select_related("job__workflow", "job__definition", "worker")
    run = rows.filter(pk=parse_id(pk) or 0).first()
    if run is None:
        raise Http404(_("There is no step run with the id %(id)s.") % {"id": pk})
    model_admin.require_view_permission(request, run)
    return run


def show_log(model_admin: StepRunAdmin, request: HttpRequest, step_run_id: int) -> HttpResponse:
    """Return one step run's whole log as plain text."""
    run = find_step_run(model_admin, request, step_run_id)
    if not may_view_data(request.user, run.job):
        raise PermissionDenied
    refused = refuse_other_methods(request, "GET", "HEAD")
    if refused is not None:
        return refused
    return HttpResponse(
        read_step_run_log(run),
        content_type="text/plain; charset=utf-8",
        headers={"X-Content-Type-Options": "nosniff"},
    )


def show_data(model_admin: StepRunAdmin, request: HttpRequest, step_run_id: int, column: str) -> HttpResponse:
    """Return one input or result of a step run whole, as a file with the JSON that is stored, without its secrets.

    A traceback comes as plain text.
    """
    run = find_step_run(model_admin, request, step_run_id)
    if not may_view_data(request.user, run.job):
        raise PermissionDenied
    refused = refuse_other_methods(request, "GET", "HEAD")
    if refused is not None:
        return refused
    # As text: to read megabytes as Python's objects, and write them again, would take hundreds of them.
    text: str | None = None
    if column in (*JSON_COLUMNS, TRACEBACK):
        text = StepRun.objects.values_list(Cast(column, TextField()), flat=True).get(pk=run.pk)
    if not text:
        raise Http404(_("Step run %(id)s has no “%(column)s”.") % {"id": step_run_id, "column": column})
    if column in JSON_COLUMNS:
        text = load_whole(text, is_wrapped=column == WRAPPED) or ""
    ending, content_type = ("txt", "text/plain") if column == TRACEBACK else ("json", "application/json")
    return HttpResponse(
        text if column == TRACEBACK else cover_sealed_text(text),
        content_type=f"{content_type}; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{column}-{run.job_id}-{run.number}-{run.attempt}.{ending}"',
            "X-Content-Type-Options": "nosniff",
        },
    )
