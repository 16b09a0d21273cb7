"""The inbox: what waits for me? Step runs that wait for input, the oldest first, to assign, release and open."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_wfe.admin.elements.counts import count_up_to, write_count
from django_wfe.admin.frame.base import ConsoleAdmin, refuse_other_methods
from django_wfe.admin.frame.trouble import warn_of_no_workflows
from django_wfe.admin.inbox.assigning import change_assignment
from django_wfe.engine.access import PROVIDE_INPUT, has_permission, list_visible_step_runs, list_visible_workflows
from django_wfe.engine.lifecycle import get_due, list_waiting
from django_wfe.engine.queries.inbox import Assigned
from django_wfe.engine.rules.node_names import load_node_names
from django_wfe.engine.rules.obstacles import find_obstacles
from django_wfe.exceptions import PermissionRequired, UnknownJob, WFEException
from django_wfe.models import Assignment, Job, StepRun, Workflow
from django_wfe.values.identifiers import parse_id
from django_wfe.values.moments import count_seconds, get_now

PAGE_SIZE = 50
COUNTED = 1_000
"""How many of a filter's rows are counted at most."""

WORKFLOWS_SHOWN = 200

TITLES = {"all": gettext_lazy("All"), "mine": gettext_lazy("Mine"), "unassigned": gettext_lazy("Unassigned")}


@dataclass(frozen=True, slots=True)
class Filters:
    """What the address says: whose, of which workflow, and after which step run the page begins."""

    assigned: Assigned = "all"
    workflow: int | None = None
    after: int | None = None

    @classmethod
    def read(cls, data: Any) -> Filters:
        """Read them; what makes no sense is left out."""
        assigned, workflow, after = (data.get(name, "") for name in ("assigned", "workflow", "after"))
        return cls(
            assigned=assigned if assigned in get_args(Assigned) else "all",
            workflow=parse_id(workflow),
            after=parse_id(after),
        )

    def write(self, **changes: Any) -> str:
        """Return them as the query of an address, with some of them changed."""
        values = {"assigned": self.assigned, "workflow": self.workflow, "after": self.after, **changes}
        return urlencode({name: value for name, value in values.items() if value not in (None, "all")})


@dataclass(frozen=True, slots=True)
class Tab:
    """One of the filters by whose it is, with how many there are."""

    title: Any
    query: str
    count: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class Item:
    """A row of the inbox."""

    step_run: StepRun
    label: str
    due: datetime | None
    is_overdue: bool
    assignment: Assignment | None
    is_mine: bool
    problem: str
    """Why it cannot be answered now, or ""."""


class ActionForm(forms.Form):
    """What a button of the inbox posts; ``holder`` is whom the page showed as having it."""

    step_run = forms.IntegerField(min_value=1, max_value=2**63 - 1)
    action = forms.ChoiceField(choices=[(name, name) for name in ("assign", "release", "take_over")])
    holder = forms.CharField(required=False, max_length=255)


def show_inbox(model_admin: ConsoleAdmin[Job], request: HttpRequest) -> HttpResponseBase:
    """Show what waits for the user, and assign or release when that is posted."""
    refused = refuse_other_methods(request, "GET", "HEAD", "POST")
    if refused is not None:
        return refused
    model_admin.require_view_permission(request)
    if not has_permission(request.user, PROVIDE_INPUT):
        raise PermissionDenied
    filters = Filters.read(request.POST if request.method == "POST" else request.GET)
    if request.method == "POST":
        _act(request)
        query = filters.write()
        return HttpResponseRedirect(model_admin.build_url("django_wfe_inbox") + (f"?{query}" if query else ""))
    now = get_now()
    waiting = list_waiting(request.user, assigned=filters.assigned, workflow=filters.workflow)
    shown = list(_cut(waiting, request.user, filters.after)[: PAGE_SIZE + 1])
    more = len(shown) > PAGE_SIZE
    items = build_items(shown[:PAGE_SIZE], request.user, now)
    if not items:
        warn_of_no_workflows(request)
    return model_admin.render(
        request,
        "django_wfe/console/inbox.html",
        title=_("Inbox"),
        media=forms.Media(css={"all": ["django_wfe/inbox.css"]}),
        items=items,
        filters=filters,
        tabs=build_tabs(request.user, filters),
        workflows=list_workflows(request.user),
        first_page=filters.write(after=None) if filters.after else "",
        next_page=filters.write(after=items[-1].step_run.pk) if more else "",
        now=now,
    )


def build_items(step_runs: list[StepRun], user: Any, now: datetime) -> list[Item]:
    """Return the rows of the inbox for these step runs, in at most two more queries."""
    labels = load_node_names(run.step for run in step_runs)
    obstacles = find_obstacles(step_runs)
    items = []
    for run in step_runs:
        assignment, due = _get_held(run), get_due(run)
        is_mine = assignment is not None and assignment.user_id == user.pk
        obstacle = obstacles.get(run.pk)
        problem = obstacle.sentence if obstacle is not None else ""
        is_overdue = due is not None and count_seconds(now, due) < 0
        items.append(Item(run, labels[run.step], due, is_overdue, assignment, is_mine, problem))
    return items


def build_tabs(user: Any, filters: Filters) -> list[Tab]:
    """Return the filters by whose it is, each with its bounded count."""
    tabs = []
    for name in get_args(Assigned):
        count = count_waiting(user, assigned=name, workflow=filters.workflow)
        query = filters.write(assigned=name, after=None)
        tabs.append(Tab(TITLES[name], query, count, name == filters.assigned))
    return tabs


def count_waiting(user: Any, **options: Any) -> str:
    """Count what ``list_waiting`` would give, in words: "3", "1,000+"."""
    # In its order, which is that of an index: PostgreSQL then stops at the last one that counts.
    return write_count(count_up_to(list_waiting(user, **options), COUNTED), COUNTED)


def list_workflows(user: Any) -> list[Workflow]:
    """Return the workflows to choose from. Who may not see workflows gets no choice."""
    return list(list_visible_workflows(user).filter(deleted=False).only("name", "label")[:WORKFLOWS_SHOWN])


def _cut(waiting: QuerySet[StepRun], user: Any, after: int | None) -> QuerySet[StepRun]:
    """Begin after a step run, whether or not it still waits."""
    if after is None:
        return waiting
    last = list_visible_step_runs(user).filter(pk=after).order_by().values("created_at")
    if not last.exists():
        return waiting
    return waiting.filter(created_at__gte=last).filter(Q(created_at__gt=last) | Q(pk__gt=after))


def _get_held(step_run: StepRun) -> Assignment | None:
    assignment: Assignment | None = getattr(step_run, "assignment", None)
    return assignment if assignment is not None and assignment.user_id is not None else None


def _act(request: HttpRequest) -> None:
    form = ActionForm(request.POST)
    if not form.is_valid():
        messages.warning(request, _("Nothing was changed: the form data was not valid."))
        return
    step_run_id, action = form.cleaned_data["step_run"], form.cleaned_data["action"]
    try:
        change_assignment(request, step_run_id, action, form.cleaned_data["holder"])
    except PermissionRequired as error:
        raise PermissionDenied from error
    except UnknownJob:
        messages.warning(request, _("Nothing was changed: it no longer exists."))
    except WFEException as error:
        messages.warning(request, _("Nothing was changed: %(reason)s") % {"reason": error})
