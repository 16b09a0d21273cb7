"""The exports, with django-import-export. Export only: nothing is imported here."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from import_export.admin import ExportMixin
from import_export.forms import ExportForm
from import_export.signals import post_export

from django_wfe.admin.exports.files import StreamedFormat, list_formats
from django_wfe.admin.exports.history import describe_export
from django_wfe.admin.exports.rows import JobResource, StepRunDataResource, StepRunResource
from django_wfe.admin.frame.base import Crumb
from django_wfe.admin.frame.history import log_action
from django_wfe.engine.access import VIEW_DATA, has_permission
from django_wfe.engine.lifecycle import Source, exporting

SENT_AT_ONCE = 1_048_576
"""Bytes; a larger file is streamed."""


class _Exportable(ExportMixin):
    """Exports what the list shows, to those who may see the list."""

    # Our own page: the package's has inline styles and scripts, which a strict CSP forbids.
    export_template_name = "django_wfe/console/export.html"
    export_form_class: Any = ExportForm
    # The package's template extends this one.
    change_list_template = "admin/django_wfe/change_list.html"

    def has_export_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may export: who may view, may, unless the project asks for a permission."""
        mixed_in: Any = self
        is_allowed: Any = super().has_export_permission
        return bool(mixed_in.has_view_permission(request) and is_allowed(request))

    def get_export_formats(self) -> list[type[StreamedFormat]]:
        """Return those that are written row by row."""
        mixed_in: Any = self
        return list_formats(mixed_in.export_formats)

    def get_export_resource_kwargs(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return what the resources are made with: for whom the rows are, too."""
        build: Any = super().get_export_resource_kwargs
        return {**build(request, **kwargs), "actor": request.user}

    def _do_file_export(
        self, file_format: Any, request: HttpRequest, queryset: QuerySet[Any], export_form: Any = None
    ) -> HttpResponseBase:
        """Record the export, and make its file."""
        mixed_in: Any = self
        if not self.has_export_permission(request):
            raise PermissionDenied
        resource = mixed_in.choose_export_resource_class(export_form, request)
        facts = {"kind": resource.kind, "file_format": file_format.get_extension(), "query": request.GET.urlencode()}
        with exporting(queryset, actor=request.user, source=Source.ADMIN, **facts) as line:
            log_action(request, line, describe_export(line))
            return self._make_file(
                file_format, request, queryset, resource(**mixed_in.get_export_resource_kwargs(request))
            )

    def _make_file(
        self, file_format: StreamedFormat, request: HttpRequest, queryset: QuerySet[Any], resource: Any
    ) -> HttpResponseBase:
        """Write the file to the disk, and send it from there. (The package would build all of it in memory, twice.)"""
        mixed_in: Any = self
        name = mixed_in.get_export_filename(request, queryset, file_format)
        response: HttpResponseBase
        with ExitStack() as closing:
            file = closing.enter_context(tempfile.TemporaryFile())
            file_format.write(file, resource.list_columns(), resource.iterate(queryset))
            size = file.tell()
            file.seek(0)
            if size > SENT_AT_ONCE:
                response = FileResponse(file, content_type=file_format.CONTENT_TYPE)
                closing.pop_all()  # the response closes it
            else:
                response = HttpResponse(file.read(), content_type=file_format.CONTENT_TYPE)
        response.headers["Content-Length"] = str(size)
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        post_export.send(sender=None, model=mixed_in.model)
        return response

    def init_request_context_data(self, request: HttpRequest, form: Any) -> dict[str, Any]:
        """Add what the console's pages need."""
        build: Any = super().init_request_context_data
        mixed_in: Any = self
        context: dict[str, Any] = build(request, form)
        return {**context, **mixed_in.build_frame(request, [mixed_in.list_crumb(), Crumb(str(context["title"]))])}


class ExportableJobs(_Exportable):
    """The Job list can be exported."""

    def get_export_resource_classes(self, request: HttpRequest) -> list[Any]:
        return [JobResource]


class ExportableStepRuns(_Exportable):
    """The list of step runs can be exported; inputs and results only by those who may see them."""

    def get_export_resource_classes(self, request: HttpRequest) -> list[Any]:
        if has_permission(request.user, VIEW_DATA):
            return [StepRunResource, StepRunDataResource]
        return [StepRunResource]
