"""The processes that run steps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_wfe.admin.elements.drawing import draw_json, draw_time
from django_wfe.admin.frame.base import ConsoleAdmin
from django_wfe.admin.frame.lists import ConsoleList
from django_wfe.engine.access import find_nodes_in_sight, list_visible_workflows
from django_wfe.engine.project_code.outdated_workers import Outdated, list_outdated
from django_wfe.engine.recovery.liveness import annotate_silence
from django_wfe.models import Worker


class WorkerAdmin(ConsoleAdmin[Worker]):
    """One row a process: whether it lives, and what it could not import."""

    list_display = ("name", "condition", "code_condition", "threads", "started", "seen")
    list_display_links = ("name",)
    search_fields = ("hostname",)
    search_help_text = gettext_lazy("Finds workers by a part of their host's name.")
    sortable_by = ()
    ordering = ("-id",)
    fields = (
        "hostname",
        "pid",
        "threads",
        "condition",
        "started_at",
        "last_seen",
        "stopped_at",
        "queues",
        "code_written",
        "lacks_written",
        "foreign_written",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Worker]:
        """Return the workers with whether they are silent."""
        return annotate_silence(super().get_queryset(request))

    @admin.display(description=gettext_lazy("worker"))
    def name(self, worker: Worker) -> str:
        """Its host and process id."""
        return str(worker)

    @admin.display(description=gettext_lazy("condition"))
    def condition(self, worker: Worker) -> SafeString:
        """Whether it lives, in a word."""
        text, css_class = describe_worker(worker)
        return format_html('<span class="wfe-condition wfe-condition--{}">{}</span>', css_class, text)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ConsoleList]:
        return _WorkerList

    @admin.display(description=gettext_lazy("code"))
    def code_condition(self, worker: Worker) -> SafeString | str:
        """Whether it runs the code of the definitions, in a word."""
        outdated: Outdated | None = getattr(worker, "outdated", None)
        if outdated is None:
            return ""
        text = _("older") if outdated.is_older else _("different")
        return format_html('<span class="wfe-condition wfe-condition--bad" title="{}">{}</span>', outdated, text)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Worker | None:
        worker = super().get_object(request, object_id, from_field)
        if worker is not None:
            _attach_outdated(request, [worker])
            leave_out_closed_nodes(request.user, [worker])
        return worker

    @admin.display(description=gettext_lazy("code"))
    def code_written(self, worker: Worker) -> str:
        """Which definitions it has other code of, and what to do."""
        outdated: Outdated | None = getattr(worker, "outdated", None)
        return str(outdated) if outdated is not None else _("that of the definitions, as far as it has loaded them")

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


class _WorkerList(ConsoleList):
    """The list's page, with what is wrong with the code of its workers: one query for all of them."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        _attach_outdated(request, self.result_list)


def leave_out_closed_nodes(user: Any, workers: Iterable[Worker]) -> None:
    """Leave out of what these rows say that the workers lack, which are not to be saved, what the user may not see."""
    workers = list(workers)
    seen = find_nodes_in_sight(user, {path for worker in workers for path in worker.lacks})
    for worker in workers:
        worker.lacks = {path: reason for path, reason in worker.lacks.items() if path in seen}


def _attach_outdated(request: HttpRequest, workers: Iterable[Any]) -> None:
    found = list_outdated((worker for worker in workers if is_at_work(worker)), list_visible_workflows(request.user))
    by_worker = {outdated.worker.pk: outdated for outdated in found}
    for worker in workers:
        worker.outdated = by_worker.get(worker.pk)


def is_at_work(worker: Worker) -> bool:
    """Return whether a worker was neither stopped nor declared dead."""
    return worker.stopped_at is None and worker.declared_dead_at is None


def describe_worker(worker: Worker) -> tuple[str, str]:
    """Return the condition of a worker that ``annotate_silence`` has looked at, as a text and a CSS class's suffix."""
    if worker.declared_dead_at is not None:
        return _("declared dead"), "bad"
    if worker.stopped_at is not None:
        return _("stopped"), "off"
    if worker.is_silent:  # type: ignore[attr-defined]
        return _("silent"), "bad"
    return _("alive"), "good"
