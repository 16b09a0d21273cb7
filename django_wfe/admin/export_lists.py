"""The exports, with django-import-export. Export only: nothing is imported here."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy
from import_export.admin import ExportMixin
from import_export.forms import ExportForm
from import_export.resources import ModelResource

from django_wfe.admin.base import Crumb
from django_wfe.admin.export_history import RecordsExports
from django_wfe.engine.rights import has_permission
from django_wfe.models import Export, Job, StepRun
from django_wfe.sealing import cover_sealed

JOB_FIELDS = (
    "id",
    "uuid",
    "workflow__path",
    "state",
    "current_step",
    "current_step_number",
    "key",
    "created_at",
    "started_at",
    "finished_at",
)
STEP_RUN_FIELDS = (
    "id",
    "job",
    "number",
    "attempt",
    "step",
    "state",
    "transition",
    "superseded",
    "created_at",
    "due_at",
    "started_at",
    "finished_at",
    "error_type",
    "fingerprint",
)
PAYLOAD_FIELDS = ("external_data", "edited_input", "result", "error", "traceback")


class JobResource(ModelResource):
    """A row a job."""

    kind = Export.Kind.JOBS

    class Meta:
        model = Job
        name = gettext_lazy("jobs")
        fields = JOB_FIELDS
        export_order = JOB_FIELDS


class StepRunResource(ModelResource):
    """A row a step run, without what it was given and what it gave."""

    kind = Export.Kind.STEP_RUNS

    class Meta:
        model = StepRun
        name = gettext_lazy("step runs")
        fields = STEP_RUN_FIELDS
        export_order = STEP_RUN_FIELDS


class StepRunDataResource(ModelResource):
    """A row a step run, inputs, results and errors included."""

    kind = Export.Kind.STEP_RUNS_WITH_DATA

    class Meta:
        model = StepRun
        name = gettext_lazy("step runs with their data")
        fields = (*STEP_RUN_FIELDS, *PAYLOAD_FIELDS)
        export_order = (*STEP_RUN_FIELDS, *PAYLOAD_FIELDS)

    def filter_export(self, queryset: QuerySet[StepRun], **kwargs: Any) -> QuerySet[StepRun]:
        # The list leaves these columns out; fetching them row by row would be a query each.
        return queryset.defer(None)

    def dehydrate_external_data(self, run: StepRun) -> Any:
        """Give the input as it is shown, without its secrets."""
        return self.fields["external_data"].widget.render(cover_sealed(run.external_data))


class _Exportable(ExportMixin):
    """Exports what the list shows, to those who may see the list."""

    # Our own page: the package's has inline styles and scripts, which a strict CSP forbids.
    export_template_name = "django_wfe/console/export.html"
    export_form_class: Any = ExportForm

    def has_export_permission(self, request: HttpRequest) -> bool:
        """Tell whether the user may export: who may view, may, unless the project asks for a permission."""
        mixed_in: Any = self
        is_allowed: Any = super().has_export_permission
        return bool(mixed_in.has_view_permission(request) and is_allowed(request))

    def init_request_context_data(self, request: HttpRequest, form: Any) -> dict[str, Any]:
        """Add what the console's pages need."""
        build: Any = super().init_request_context_data
        mixed_in: Any = self
        context: dict[str, Any] = build(request, form)
        return {**context, **mixed_in.build_frame(request, [mixed_in.list_crumb(), Crumb(str(context["title"]))])}


class ExportableJobs(RecordsExports, _Exportable):
    """The Job list can be exported."""

    def get_export_resource_classes(self, request: HttpRequest) -> list[Any]:
        return [JobResource]


class ExportableStepRuns(RecordsExports, _Exportable):
    """The list of step runs can be exported; inputs and results only by those who may see them."""

    def get_export_resource_classes(self, request: HttpRequest) -> list[Any]:
        if has_permission(request.user, "django_wfe.view_job_data"):
            return [StepRunResource, StepRunDataResource]
        return [StepRunResource]
