"""Who exported what: the list of the exports, for those who may see them."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_wfe.admin.elements.drawing import NOTHING, draw_time
from django_wfe.admin.frame.base import ConsoleAdmin
from django_wfe.engine.access import count_seen
from django_wfe.models import Export


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
    """Describe what was exported. Not how many rows: that depends on who asks."""
    return _("Exported: %(kind)s, %(format)s.") % {"kind": export.get_kind_display(), "format": export.file_format}
