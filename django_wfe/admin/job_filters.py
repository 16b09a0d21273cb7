"""The filters of the Job list. None of them asks for more than the workflows' names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_wfe import states
from django_wfe.admin.labels import load_step_labels
from django_wfe.engine.rights import list_visible_workflows
from django_wfe.models import Job
from django_wfe.rendering.states import get_job_look

OPEN = "open"
OPEN_STATES = sorted(states.LIVE_JOB_STATES | {states.JobState.FAILED})

WORKFLOWS_LISTED = 200


class StateFilter(admin.SimpleListFilter):
    """By state, or all that is still open: live, or failed and not repaired."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [
            (OPEN, _("open (not ended, or failed)")),
            *((state.value, get_job_look(state).words) for state in states.JobState),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        value = self.value()
        if value == OPEN:
            return queryset.filter(state__in=OPEN_STATES)
        return queryset.filter(state=value) if value else queryset


class WorkflowFilter(admin.SimpleListFilter):
    """By workflow, among those that the user may see."""

    title = gettext_lazy("workflow")
    parameter_name = "workflow"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        workflows = list_visible_workflows(request.user).only("name", "label")[:WORKFLOWS_LISTED]
        return [(str(workflow.pk), str(workflow)) for workflow in workflows]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        value = self.value()
        if not value:
            return queryset
        return queryset.filter(workflow_id=int(value)) if value.isdecimal() else queryset.none()


class NodeFilter(admin.SimpleListFilter):
    """By the node that the job is at. Shown once a page of the console has led to it."""

    title = gettext_lazy("current step")
    parameter_name = "node"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        chosen = request.GET.get(self.parameter_name, "")
        return load_step_labels([chosen]).items() if chosen else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        value = self.value()
        return queryset.filter(current_step=value) if value else queryset


class MineFilter(admin.SimpleListFilter):
    """Those that the user started."""

    title = gettext_lazy("started by")
    parameter_name = "mine"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [("yes", _("me"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        return queryset.filter(created_by_id=request.user.pk) if self.value() == "yes" else queryset
