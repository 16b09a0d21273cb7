"""Bulk runs: a verb over many jobs, as the workers go through them. A list, and a page that shows the progress."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.urls import URLPattern
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_wfe.admin.elements.drawing import NOTHING, draw_look, draw_time
from django_wfe.admin.elements.form_fields import ReasonField
from django_wfe.admin.frame.base import ConsoleAdmin, refuse_other_methods
from django_wfe.admin.frame.history import log_action
from django_wfe.admin.frame.live import Live
from django_wfe.engine.access import count_seen, has_permission, list_visible_bulk_items
from django_wfe.engine.lifecycle import VERBS, Source, find_verb, get_permission, is_whole_or_own, stop_bulk
from django_wfe.engine.queries.bulk_progress import count_progress
from django_wfe.exceptions import PermissionRequired, UnknownBulkRun, WrongState
from django_wfe.models import BulkEvent, BulkItem, BulkRun
from django_wfe.values.identifiers import parse_id
from django_wfe.values.moments import get_now
from django_wfe.wording import states as looks
from django_wfe.wording.bulk_stops import explain_stop

ITEMS_SHOWN = 100
EVENTS_SHOWN = 10

_LOOKS = {
    BulkRun.State.WAITING: looks.Look("queued", gettext_lazy("waits for a worker"), looks.QUEUED.icon),
    BulkRun.State.RUNNING: looks.RUNNING,
    BulkRun.State.FINISHED: looks.Look("done", gettext_lazy("finished"), looks.DONE.icon),
    BulkRun.State.STOPPED: looks.Look("canceled", gettext_lazy("stopped"), looks.CANCELED.icon),
}
_ITEM_LOOKS = {
    BulkItem.State.PENDING: looks.Look("queued", gettext_lazy("pending"), looks.QUEUED.icon),
    BulkItem.State.DONE: looks.DONE,
    BulkItem.State.REFUSED: looks.Look("skipped", gettext_lazy("left alone"), looks.SKIPPED.icon),
}


class StopForm(forms.Form):
    """Why it is stopped."""

    reason = ReasonField(
        help_text=gettext_lazy("Optional. What is done stays done; the rest is left alone."),
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )


class BulkRunAdmin(ConsoleAdmin[BulkRun]):
    """Everybody who sees jobs sees the bulk runs that they started; those with its permission see all."""

    view_right = "django_wfe.view_job"
    object_history_template = "django_wfe/console/bulk_history.html"
    list_display = ("name", "state_drawn", "who", "total_seen", "reason_shown", "created", "finished")
    list_display_links = ("name",)
    list_filter = ("state",)
    search_fields = ("=id",)
    search_help_text = gettext_lazy("Finds a bulk run by its exact id.")
    sortable_by = ()
    ordering = ("-id",)

    def has_view_permission(self, request: HttpRequest, obj: BulkRun | None = None) -> bool:
        if not super().has_view_permission(request, obj):
            return False
        return obj is None or obj.actor_id == request.user.pk or has_permission(request.user, "django_wfe.view_bulkrun")

    def get_queryset(self, request: HttpRequest) -> QuerySet[BulkRun]:
        return super().get_queryset(request).defer("options").order_by("-id")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[BulkRun], search_term: str
    ) -> tuple[QuerySet[BulkRun], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        return queryset.filter(pk=parse_id(term) or 0), False

    def get_urls(self) -> list[URLPattern]:
        return [
            self.route("<int:bulk_run_id>/stop/", show_stop, "django_wfe_bulkrun_stop"),
            *super().get_urls(),
        ]

    @admin.display(description=gettext_lazy("bulk run"))
    def name(self, bulk: BulkRun) -> str:
        """Its verb and number."""
        return describe_bulk_run(bulk)

    @admin.display(description=gettext_lazy("state"))
    def state_drawn(self, bulk: BulkRun) -> SafeString:
        """The state as shape, colour and text."""
        return draw_look(_LOOKS[BulkRun.State(bulk.state)])

    @admin.display(description=gettext_lazy("who"))
    def who(self, bulk: BulkRun) -> str:
        """Who started it."""
        return bulk.actor_name or NOTHING

    @admin.display(description=gettext_lazy("jobs"))
    def total_seen(self, bulk: BulkRun) -> int:
        """How many jobs that the user may see it is about."""
        return count_seen(bulk)

    @admin.display(description=gettext_lazy("reason"))
    def reason_shown(self, bulk: BulkRun) -> str:
        """Why, cut to a line."""
        return bulk.reason if len(bulk.reason) <= 80 else f"{bulk.reason[:80]}…"

    @admin.display(description=gettext_lazy("created"))
    def created(self, bulk: BulkRun) -> SafeString | str:
        """When it was started."""
        return draw_time(bulk.created_at)

    @admin.display(description=gettext_lazy("finished"))
    def finished(self, bulk: BulkRun) -> SafeString | str:
        """When it ended."""
        return draw_time(bulk.finished_at)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show how far it has come, and what came of it for each job."""
        bulk = find_bulk_run(self, request, object_id)
        refused = refuse_other_methods(request, "GET", "HEAD")
        if refused is not None:
            return refused
        return self.render(
            request,
            "django_wfe/console/bulk_run.html",
            title=describe_bulk_run(bulk),
            crumbs=[self.list_crumb()],
            original=bulk,
            live=Live(1 if bulk.state in BulkRun.LIVE_STATES else 0, bulk.state, bulk.get_state_display()),
            **build_bulk_page(request, bulk),
        )

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show what was done in the admin, and below it the lines of its own history, from wherever they came."""
        self.require_view_permission(request)
        bulk = self.get_object(request, object_id)
        shown = {"events": list_events(bulk), "now": get_now()} if bulk is not None else {}
        return super().history_view(request, object_id, {**shown, **(extra_context or {})})


def find_bulk_run(model_admin: BulkRunAdmin, request: HttpRequest, pk: Any) -> BulkRun:
    """Return the BulkRun of this id, among those that the user may see.

    Raises:
        PermissionDenied: if the user may not see bulk runs.
        Http404: if there is none.
    """
    model_admin.require_view_permission(request)
    bulk = model_admin.get_queryset(request).filter(pk=parse_id(pk) or 0).first()
    if bulk is None:
        raise Http404(_("There is no bulk run with the id %(id)s.") % {"id": pk})
    return bulk


def build_bulk_page(request: HttpRequest, bulk: BulkRun) -> dict[str, Any]:
    """Gather what the page of a bulk run shows: its counts in one grouped query, and a window of its jobs."""
    is_known = find_verb(bulk.verb) is not None
    kind = request.GET.get("items", "")
    kind = kind if kind in BulkItem.State.values else ""
    after = parse_id(request.GET.get("after", ""))
    items = list_items(request.user, bulk, kind=kind, after=after or 0)
    shown = items[:ITEMS_SHOWN]
    is_live = bulk.state in BulkRun.LIVE_STATES
    may_stop = has_permission(request.user, get_permission(bulk)) and is_whole_or_own(bulk, request.user)
    return {
        "bulk": bulk,
        "verb": {"name": bulk.verb, "label": name_verb(bulk)},
        "is_known": is_known,
        "state_drawn": draw_look(_LOOKS[BulkRun.State(bulk.state)]),
        "progress": count_progress(bulk, request.user),
        "stop_reason": explain_stop(bulk),
        "events": list_events(bulk),
        "items": [(item, draw_look(_ITEM_LOOKS[BulkItem.State(item.state)])) for item in shown],
        "items_kind": kind,
        "items_after": str(after or ""),
        "next_after": getattr(shown[-1], _order_by(bulk)) if len(items) > ITEMS_SHOWN else None,
        "kinds": [("", _("all")), *BulkItem.State.choices],
        "is_live": is_live,
        "may_stop": may_stop,
        "stop_form": StopForm() if is_live and may_stop else None,
        "now": get_now(),
    }


def list_events(bulk: BulkRun) -> list[BulkEvent]:
    """Return the newest lines of a bulk run's history, the newest first."""
    return list(bulk.events.order_by("-pk")[:EVENTS_SHOWN])


def list_items(user: Any, bulk: BulkRun, *, kind: str, after: int) -> list[BulkItem]:
    """Return a window of what came of each job that the user may see, in the order in which it is done."""
    column = _order_by(bulk)
    chosen = Q(**{f"{column}__gt": after}) & (Q(state=kind) if kind else Q())
    rows = list_visible_bulk_items(user, bulk).filter(chosen).select_related("job__workflow")
    return list(rows.defer("options", "job__error", "job__workflow__description").order_by(column)[: ITEMS_SHOWN + 1])


def _order_by(bulk: BulkRun) -> str:
    """Return the column by which its entries come in their order: the index has the jobs, which came in by their order.

    Those of a verb that is not for jobs may have none.
    """
    return "job_id" if bulk.verb in VERBS and bulk.workflow_id is None else "id"


def describe_bulk_run(bulk: BulkRun) -> str:
    """Return a bulk run's name: its verb, and its number."""
    return _("%(verb)s, bulk run %(id)s") % {"verb": name_verb(bulk), "id": bulk.pk}


def name_verb(bulk: BulkRun) -> str:
    """Return the label of its verb; the plain name if there is no such verb any more."""
    verb = find_verb(bulk.verb)
    return str(verb.label) if verb is not None else bulk.verb


def show_stop(model_admin: BulkRunAdmin, request: HttpRequest, bulk_run_id: int) -> HttpResponseBase:
    """Stop a bulk run; what is done stays done."""
    bulk = find_bulk_run(model_admin, request, bulk_run_id)
    if not has_permission(request.user, get_permission(bulk)):
        raise PermissionDenied
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    form = StopForm(request.POST)
    if not form.is_valid():
        messages.warning(request, _("The reason is too long; nothing was changed."))
        return HttpResponseRedirect(model_admin.build_object_url(bulk.pk))
    try:
        stop_bulk(bulk.pk, actor=request.user, source=Source.ADMIN, reason=form.cleaned_data["reason"])
    except PermissionRequired as error:
        raise PermissionDenied from error
    except (UnknownBulkRun, WrongState) as error:
        messages.warning(request, _("Nothing was changed: %(reason)s") % {"reason": error})
    else:
        log_action(request, bulk, _("Stopped. %(reason)s") % {"reason": form.cleaned_data["reason"]})
        messages.success(request, _("It was stopped. What is done stays done."))
    return HttpResponseRedirect(model_admin.build_object_url(bulk.pk))
