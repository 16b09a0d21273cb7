"""The history of all jobs, append-only: who did what, when."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_wfe.admin.elements.drawing import NOTHING, draw_job_title, draw_json, draw_time
from django_wfe.admin.elements.payloads import READABLE_CHARACTERS
from django_wfe.admin.frame.base import ConsoleAdmin
from django_wfe.admin.frame.days import DayFilter
from django_wfe.engine.access import may_view_data
from django_wfe.engine.inputs.job_input import DIGESTS
from django_wfe.exceptions import LargeValueUnavailable
from django_wfe.models import JobEvent, Workflow
from django_wfe.values.identifiers import parse_id
from django_wfe.values.large_values import read_reference
from django_wfe.values.sealing import cover_sealed


class JobEventAdmin(ConsoleAdmin[JobEvent]):
    """What happened to jobs. The list loads no data."""

    list_display = ("kind_drawn", "job_link", "actor_drawn", "source", "created")
    list_display_links = ("kind_drawn",)
    list_select_related = ("job__workflow",)
    list_filter = (DayFilter,)
    search_fields = ("=job__id",)
    search_help_text = gettext_lazy("Finds the events of a job by its exact id.")
    sortable_by = ()
    ordering = ("-id",)
    fields = ("kind_drawn", "job_link", "actor_drawn", "source", "created_at", "data_written")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[JobEvent]:
        return super().get_queryset(request).defer("data", "job__error").order_by("-id")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[JobEvent], search_term: str
    ) -> tuple[QuerySet[JobEvent], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        return queryset.filter(job_id=parse_id(term) or 0), False

    def get_workflow_of(self, obj: JobEvent) -> Workflow:
        return obj.job.workflow

    def get_fields(self, request: HttpRequest, obj: JobEvent | None = None) -> list[Any]:
        shown = list(self.fields)
        if obj is not None and not may_view_data(request.user, obj.job):
            shown.remove("data_written")
        return shown

    @admin.display(description=gettext_lazy("kind"))
    def kind_drawn(self, event: JobEvent) -> str:
        """What happened, in the words of the verb that a project has added, too."""
        return event.get_kind_display()

    @admin.display(description=gettext_lazy("job"))
    def job_link(self, event: JobEvent) -> SafeString:
        """The job that it happened to."""
        url = self.build_url("django_wfe_job_change", event.job_id)
        return format_html('<a href="{}">{}</a>', url, draw_job_title(event.job))

    @admin.display(description=gettext_lazy("who"))
    def actor_drawn(self, event: JobEvent) -> str:
        """Who did it, by the name that stays when the user is deleted."""
        return event.actor_name or NOTHING

    @admin.display(description=gettext_lazy("when"))
    def created(self, event: JobEvent) -> SafeString | str:
        """When it happened."""
        return draw_time(event.created_at)

    @admin.display(description=gettext_lazy("data"))
    def data_written(self, event: JobEvent) -> SafeString | str:
        """What was kept with it."""
        # The digests say nothing to people: they only tell whether a second start brings other input.
        data = {name: _show(value) for name, value in event.data.items() if name != DIGESTS}
        return draw_json(cover_sealed(data)) if data else _("nothing")


def _show(value: Any) -> Any:
    """Return a value as it is shown; of one that is in a file, what can be said of it if it is too long for a page."""
    reference = read_reference(value)
    if reference is None:
        return value
    if reference.characters > READABLE_CHARACTERS:
        return _("%(bytes)s bytes, in a file of their own") % {"bytes": f"{reference.bytes:,}"}
    try:
        return reference.load()
    except LargeValueUnavailable as error:
        return str(error)
