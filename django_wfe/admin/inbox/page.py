"""The inbox: what waits for me? What waits for input, the most urgent first, with the form of one of it beside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_wfe.admin.elements.counts import write_count
from django_wfe.admin.frame.base import ConsoleAdmin, refuse_other_methods
from django_wfe.admin.frame.job_lookup import find_job
from django_wfe.admin.frame.trouble import warn_of_no_workflows
from django_wfe.admin.inbox.answering import Asked, Place, ask
from django_wfe.admin.inbox.assigning import change_assignment
from django_wfe.admin.inbox.filters import Filters, read_choices
from django_wfe.engine.access import PROVIDE_INPUT, has_permission, list_visible_step_runs
from django_wfe.engine.lifecycle import find_next, get_due, list_waiting
from django_wfe.engine.queries import inbox
from django_wfe.engine.queries.inbox import Assigned, list_page
from django_wfe.engine.rules.node_names import load_node_names
from django_wfe.engine.rules.obstacles import find_obstacles
from django_wfe.exceptions import PermissionRequired, UnknownJob, WFEException
from django_wfe.models import Assignment, Job, StepRun
from django_wfe.values.moments import count_seconds, get_now, localize

PAGE_SIZE = 50
COUNTED = 1_000
"""How many of a filter's rows are counted at most."""

TITLES = {"all": gettext_lazy("All"), "mine": gettext_lazy("Mine"), "unassigned": gettext_lazy("Unassigned")}
SECTIONS = {"overdue": gettext_lazy("Overdue"), "today": gettext_lazy("Today"), "later": gettext_lazy("Later")}


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

    @property
    def has_draft(self) -> bool:
        """Whether something was typed for it, by whomever."""
        kept: Assignment | None = getattr(self.step_run, "assignment", None)
        return kept is not None and kept.drafted_at is not None


@dataclass(frozen=True, slots=True)
class Section:
    """Rows that are overdue, due today, or later."""

    code: str
    title: Any
    items: list[Item]


class ActionForm(forms.Form):
    """What a button of the inbox posts; ``holder`` is whom the page showed as having it."""

    step_run = forms.IntegerField(min_value=1, max_value=2**63 - 1)
    action = forms.ChoiceField(choices=[(name, name) for name in ("assign", "release", "take_over")])
    holder = forms.CharField(required=False, max_length=255)


def show_inbox(model_admin: ConsoleAdmin[Job], request: HttpRequest) -> HttpResponseBase:
    """Show what waits for the user; take an assignment or, of what is open beside the list, an answer."""
    refused = refuse_other_methods(request, "GET", "HEAD", "POST")
    if refused is not None:
        return refused
    model_admin.require_view_permission(request)
    if not has_permission(request.user, PROVIDE_INPUT):
        raise PermissionDenied
    filters = Filters.read(request.GET)
    if request.method == "POST" and (filters.open is None or "action" in request.POST):
        _act(request)
        return HttpResponseRedirect(_build_url(model_admin, Filters.read(request.POST).write(open=None)))
    choices, filters = read_choices(request.user, filters)
    asked = None
    if filters.open is not None:
        opened = _open(model_admin, request, filters, filters.open)
        if isinstance(opened, HttpResponseBase):
            return opened
        asked = opened
    now = get_now()
    waiting = list_waiting(request.user, assigned=filters.assigned, **filters.options)
    shown = list_page(waiting, _find_last(request.user, filters.after), PAGE_SIZE + 1)
    items = build_items(shown[:PAGE_SIZE], request.user, now)
    if not items:
        warn_of_no_workflows(request)
    return model_admin.render(
        request,
        "django_wfe/console/inbox.html",
        title=_("Inbox"),
        media=forms.Media(css={"all": ["django_wfe/inbox.css"]})
        + (asked.media if asked is not None else forms.Media()),
        sections=build_sections(items, now),
        filters=filters,
        tabs=build_tabs(request.user, filters),
        choices=choices,
        list_query=filters.write(open=None),
        hand_over_url=_build_hand_over_url(model_admin, filters),
        first_page=_build_url(model_admin, filters.write(after=None, open=None)),
        next_page=filters.write(after=items[-1].step_run.pk, open=None) if len(shown) > PAGE_SIZE else "",
        **{"now": now, **(asked.context if asked is not None else {})},
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


def build_sections(items: list[Item], now: datetime) -> list[Section]:
    """Return the rows by when they are due, in their order; the day ends in the viewer's time zone."""
    today = localize(now).date()
    rows: dict[str, list[Item]] = {code: [] for code in SECTIONS}
    for item in items:
        if item.is_overdue:
            rows["overdue"].append(item)
        elif item.due is not None and localize(item.due).date() <= today:
            rows["today"].append(item)
        else:
            rows["later"].append(item)
    return [Section(code, SECTIONS[code], of_section) for code, of_section in rows.items() if of_section]


def build_tabs(user: Any, filters: Filters) -> list[Tab]:
    """Return the filters by whose it is, each with its bounded count."""
    tabs = []
    for name in get_args(Assigned):
        count = count_waiting(user, assigned=name, **filters.options)
        query = filters.write(assigned=name, after=None, open=None)
        tabs.append(Tab(TITLES[name], query, count, name == filters.assigned))
    return tabs


def count_waiting(user: Any, **options: Any) -> str:
    """Count what ``list_waiting`` would give, in words: "3", "1,000+"."""
    count, is_more = inbox.count_waiting(user, COUNTED, **options)
    return write_count(count, is_more=is_more)


def _open(
    model_admin: ConsoleAdmin[Job], request: HttpRequest, filters: Filters, step_run_id: int
) -> HttpResponseBase | Asked:
    """Return the question that is open beside the list, or where to go if it is none any more."""
    run = list_visible_step_runs(request.user).filter(pk=step_run_id).only("job_id").first()
    the_list = _build_url(model_admin, filters.write(open=None))

    def find_following(job_id: int) -> str:
        following = find_next(request.user, after_job=job_id, assigned=filters.assigned, **filters.options)
        return "" if following is None else _build_url(model_admin, filters.write(open=following.pk, after=None))

    place = Place(
        here=_build_url(model_admin, filters.write()),
        back=the_list,
        back_text=_("Back to the list"),
        find_following=find_following,
    )
    asked = None
    if run is not None:
        asked = ask(model_admin, request, find_job(model_admin, request, run.job_id), place, step_run_id=run.pk)
    if asked is None:
        messages.warning(request, _("This no longer waits for input."))
        return HttpResponseRedirect(the_list)
    return asked


def _build_url(model_admin: ConsoleAdmin[Job], query: str) -> str:
    return model_admin.build_url("django_wfe_inbox") + (f"?{query}" if query else "")


def _build_hand_over_url(model_admin: ConsoleAdmin[Job], filters: Filters) -> str:
    query = urlencode({"person": filters.person}) if filters.person else ""
    return model_admin.build_url("django_wfe_hand_over") + (f"?{query}" if query else "")


def _find_last(user: Any, after: int | None) -> StepRun | None:
    """Return the step run after which the page begins, whether or not it still waits."""
    if after is None:
        return None
    return list_visible_step_runs(user).filter(pk=after).only("created_at", "expires_at").first()


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
