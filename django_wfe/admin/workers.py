"""The processes that run steps."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import admin
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_wfe.admin.base import ConsoleAdmin
from django_wfe.admin.drawing import draw_json, draw_time
from django_wfe.conf import settings
from django_wfe.models import Worker


class WorkerAdmin(ConsoleAdmin[Worker]):
    """One row a process: whether it lives, and what it could not import."""

    list_display = ("name", "condition", "threads", "started", "seen")
    list_display_links = ("name",)
    search_fields = ("hostname",)
    search_help_text = gettext_lazy("Finds workers by a part of their host's name.")
    sortable_by = ()
    ordering = ("-started_at",)
    fields = (
        "hostname",
        "pid",
        "threads",
        "condition",
        "started_at",
        "last_seen",
        "stopped_at",
        "queues",
        "lacks_written",
        "foreign_written",
    )
    readonly_fields = fields

    @admin.display(description=gettext_lazy("worker"))
    def name(self, worker: Worker) -> str:
        """Its host and process id."""
        return str(worker)

    @admin.display(description=gettext_lazy("condition"))
    def condition(self, worker: Worker) -> SafeString:
        """Whether it lives, in a word."""
        text, css_class = describe_worker(worker)
        return format_html('<span class="wfe-condition wfe-condition--{}">{}</span>', css_class, text)

    @admin.display(description=gettext_lazy("started"))
    def started(self, worker: Worker) -> SafeString | str:
        """When the process began."""
        return draw_time(worker.started_at)

    @admin.display(description=gettext_lazy("last seen"))
    def seen(self, worker: Worker) -> SafeString | str:
        """Its last heartbeat."""
        return draw_time(worker.last_seen)

    @admin.display(description=gettext_lazy("could not import"))
    def lacks_written(self, worker: Worker) -> SafeString | str:
        """The nodes that it was asked to run and could not import."""
        if not worker.lacks:
            return _("nothing")
        return draw_json(worker.lacks)

    @admin.display(description=gettext_lazy("messages of other databases"))
    def foreign_written(self, worker: Worker) -> SafeString | str:
        """How many messages it got that are about another project's database."""
        if not worker.foreign_messages:
            return _("none")
        return draw_json(worker.foreign_messages)


def describe_worker(worker: Worker) -> tuple[str, str]:
    """Give a worker's condition as a text and the suffix of its CSS class."""
    if worker.declared_dead_at is not None:
        return _("declared dead"), "bad"
    if worker.stopped_at is not None:
        return _("stopped"), "off"
    if worker.last_seen < timezone.now() - timedelta(seconds=settings.worker_timeout):
        return _("silent"), "bad"
    return _("alive"), "good"
