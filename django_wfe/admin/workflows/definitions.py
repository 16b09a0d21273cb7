"""Definitions and Steps: what is declared in code, as the database knows it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_wfe.admin.elements.drawing import draw_json, draw_time
from django_wfe.admin.frame.base import ConsoleAdmin
from django_wfe.admin.jobs.downloads import FORMATS
from django_wfe.engine.access import has_permission
from django_wfe.models import Definition, Step, Workflow
from django_wfe.rendering.diagram.picture import render_workflow_diagram


class DefinitionAdmin(ConsoleAdmin[Definition]):
    """The versions of the workflows' graphs. The list loads no graph."""

    list_display = ("short_fingerprint", "workflow", "created")
    list_display_links = ("short_fingerprint",)
    list_select_related = ("workflow",)
    search_fields = ("=fingerprint",)
    search_help_text = gettext_lazy("Finds a definition by its whole fingerprint.")
    sortable_by = ()
    ordering = ("-id",)
    fields = ("workflow_link", "jobs_link", "fingerprint", "code_hash", "created_at", "diagram", "downloads")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Definition]:
        rows = super().get_queryset(request)
        return rows.select_related("workflow").defer("graph", "layout", "workflow__description").order_by("-id")

    def get_workflow_of(self, obj: Definition) -> Workflow:
        return obj.workflow

    def get_fields(self, request: HttpRequest, obj: Definition | None = None) -> list[Any]:
        shown: list[Any] = list(self.fields)
        if not has_permission(request.user, "django_wfe.view_job"):
            shown.remove("jobs_link")
        return shown

    @admin.display(description=gettext_lazy("fingerprint"))
    def short_fingerprint(self, definition: Definition) -> str:
        """The first characters of the fingerprint."""
        return str(definition)

    @admin.display(description=gettext_lazy("created"))
    def created(self, definition: Definition) -> SafeString | str:
        """When it was loaded first."""
        return draw_time(definition.created_at)

    @admin.display(description=gettext_lazy("workflow"))
    def workflow_link(self, definition: Definition) -> SafeString:
        """The workflow that it is a version of."""
        url = self.build_url("django_wfe_workflow_change", definition.workflow_id)
        return format_html('<a href="{}">{}</a>', url, definition.workflow)

    @admin.display(description=gettext_lazy("jobs"))
    def jobs_link(self, definition: Definition) -> SafeString:
        """The way to its open jobs."""
        query = urlencode({"workflow": definition.workflow_id, "definition": definition.pk, "state": "open"})
        return format_html('<a href="{}?{}">{}</a>', self.build_url("django_wfe_job_changelist"), query, _("Open jobs"))

    @admin.display(description=gettext_lazy("graph"))
    def diagram(self, definition: Definition) -> SafeString | str:
        """The graph, or a table's worth of words where it cannot be drawn."""
        return render_workflow_diagram(definition) or "; ".join(
            f"{edge.source} → {edge.target}" for edge in definition.load_graph().edges
        )

    @admin.display(description=gettext_lazy("download"))
    def downloads(self, definition: Definition) -> SafeString:
        """The graph as a file."""
        addresses = (
            (self.build_url("django_wfe_workflow_graph", definition.workflow_id, name), name) for name in FORMATS
        )
        links = ((f"{address}?definition={definition.pk}", name.upper()) for address, name in addresses)
        return format_html_join(" ", '<a href="{}">{}</a>', links)


class StepAdmin(ConsoleAdmin[Step]):
    """The Steps and Decisions that discovery has found in workflows."""

    list_display = ("label_or_name", "kind", "asks", "condition", "path")
    list_display_links = ("label_or_name",)
    list_filter = ("kind", "deleted")
    search_fields = ("name", "label", "path")
    sortable_by = ()
    ordering = ("name", "path")
    fields = ("label", "path", "kind", "description", "schema", "condition")
    readonly_fields = fields

    @admin.display(description=gettext_lazy("step"))
    def label_or_name(self, step: Step) -> str:
        """The name for people."""
        return str(step)

    @admin.display(description=gettext_lazy("asks for input"))
    def asks(self, step: Step) -> str:
        """Whether it waits for external input."""
        return _("yes") if step.input_schema is not None else _("no")

    @admin.display(description=gettext_lazy("condition"))
    def condition(self, step: Step) -> SafeString:
        """Whether a workflow still has it, in a word."""
        text, css_class = (_("deleted"), "off") if step.deleted else (_("in use"), "good")
        return format_html('<span class="wfe-condition wfe-condition--{}">{}</span>', css_class, text)

    @admin.display(description=gettext_lazy("input schema"))
    def schema(self, step: Step) -> SafeString | str:
        """The JSON Schema of its input."""
        if step.input_schema is None:
            return _("none: it asks for no input")
        return draw_json(step.input_schema)
