"""Who exported what: each export writes its line, and those who may see them have a list of them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_wfe.admin.elements.drawing import NOTHING, draw_time
from django_wfe.admin.frame.base import ConsoleAdmin
from django_wfe.admin.frame.history import log_action
from django_wfe.engine.access import count_seen
from django_wfe.engine.lifecycle import Source
from django_wfe.engine.operations.recording_exports import record_export
from django_wfe.engine.store.transactions import atomic
from django_wfe.models import Export


class RecordsExports:
    """Writes the line before the file is made. Comes before what makes it among a class's bases."""

    def _do_file_export(
        self, file_format: Any, request: HttpRequest, queryset: QuerySet[Any], export_form: Any = None
    ) -> HttpResponseBase:
        mixed_in: Any = self
        make_file: Any = super()._do_file_export  # type: ignore[misc]
        resource = mixed_in.choose_export_resource_class(export_form, request)
        with atomic():  # where the file cannot be made, nothing was exported
            line = record_export(
                queryset,
                kind=resource.kind,
                file_format=file_format.get_extension(),
                actor=request.user,
                source=Source.ADMIN,
                query=request.GET.urlencode(),
            )
            log_action(request, line, describe_export(line))
            response: HttpResponseBase = make_file(file_format, request, queryset, export_form=export_form)
        return response


class ExportAdmin(ConsoleAdmin[Export]):
    """The lines of all exports. Nobody changes them."""

    list_display = ("kind", "total_seen", "file_format", "who", "source", "created")
    list_display_links = ("kind",)
    list_filter = ("kind",)
    sortable_by = ()
    ordering = ("-id",)
    fields = ("kind", "total_seen", "file_format", "query", "who", "source", "created_at")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Export]:
        return super().get_queryset(request).order_by("-id")

    @admin.display(description=gettext_lazy("rows"))
    def total_seen(self, export: Export) -> int:
        """How many rows that the user may see it holds."""
        return count_seen(export)

    @admin.display(description=gettext_lazy("who"))
    def who(self, export: Export) -> str:
        """Who got the file, by the name that stays when the user is deleted."""
        return export.actor_name or NOTHING

    @admin.display(description=gettext_lazy("when"))
    def created(self, export: Export) -> SafeString | str:
        """When it was made."""
        return draw_time(export.created_at)


def describe_export(export: Export) -> str:
    """Say what was exported. Not how many rows: that depends on who asks."""
    return _("Exported: %(kind)s, %(format)s.") % {"kind": export.get_kind_display(), "format": export.file_format}
