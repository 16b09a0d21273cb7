"""The filters of the Job list. None of them asks for more than the workflows' names; each has an index to go by."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_wfe import states
from django_wfe.admin.frame.days import FROM, TO
from django_wfe.definition.texts import is_storable
from django_wfe.engine.access import find_nodes_in_sight, list_visible_definitions, list_visible_workflows
from django_wfe.engine.queries.ages import narrow_to_times
from django_wfe.engine.queries.incidents import jobs_of_incident
from django_wfe.engine.queries.open_jobs import find_bounds, find_few
from django_wfe.engine.rules.node_names import guess_node_name, load_node_names
from django_wfe.models import Definition, Job
from django_wfe.values.identifiers import parse_id
from django_wfe.values.moments import get_now
from django_wfe.wording.states import get_job_look

OPEN = "open"

WORKFLOWS_LISTED = 200
DEFINITIONS_LISTED = 20

LOOKED_THROUGH = 20_000
"""Of a workflow's jobs, the newest among which those of one definition that ended well are looked for."""


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
            return queryset.filter(state__in=sorted(states.OPEN_JOB_STATES))
        if not value:
            return queryset
        return queryset.filter(state=value) if value in set(states.JobState) else queryset.none()


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
        return queryset.filter(workflow_id=parse_id(value) or 0)


class DefinitionFilter(admin.SimpleListFilter):
    """By the version of a workflow, once a workflow is chosen.

    Open jobs have an index by it; of those that ended well the newest of the workflow are looked through, or those of
    the days that are chosen. Unless a state is asked for, only open jobs are looked at.
    """

    title = gettext_lazy("definition")
    parameter_name = "definition"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        workflow = parse_id(request.GET.get(WorkflowFilter.parameter_name, ""))
        given = request.GET.get(self.parameter_name, "")
        chosen = parse_id(given)
        if workflow is None and not given:
            return []
        definitions = list_visible_definitions(request.user).only("fingerprint", "workflow_id")
        if workflow is not None:
            definitions = definitions.filter(workflow=workflow)
        newest = definitions.order_by("-pk")[:DEFINITIONS_LISTED] if workflow is not None else definitions.none()
        found = definitions.filter(Q(pk=chosen or 0) | Q(pk__in=newest.values("pk"))).order_by("-pk")
        state = request.GET.get(StateFilter.parameter_name, "")
        is_cut = state in _WELL_ENDED and not any(request.GET.get(name) for name in _TIMES)
        text = _("%(definition)s (of the newest %(count)s jobs)") if is_cut else "%(definition)s"
        count = number_format(LOOKED_THROUGH, force_grouping=True)
        choices = {str(row.pk): text % {"definition": row, "count": count} for row in found}
        if given:
            choices.setdefault(given, given[:12])  # a filter without choices would not count
        return choices.items()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        value = self.value()
        if not value:
            return queryset
        definition = Definition.objects.filter(pk=parse_id(value) or 0).only("workflow_id").first()
        if definition is None:
            return queryset.none()
        # With the workflow its index can be used, whether or not it was chosen.
        queryset = queryset.filter(definition=definition, workflow_id=definition.workflow_id)
        state = request.GET.get(StateFilter.parameter_name, "")
        if state in ("", OPEN) or state in states.OPEN_JOB_STATES:
            asked = [state] if state in states.OPEN_JOB_STATES else sorted(states.OPEN_JOB_STATES)
            queryset, few = queryset.filter(state__in=asked), find_few(definition.pk, asked)
            if few is not None:
                return queryset.filter(pk__in=few)
            return queryset.filter(pk__range=find_bounds(definition.pk, asked))
        if state not in _WELL_ENDED or any(request.GET.get(name) for name in _TIMES):
            return queryset
        jobs = Job.objects.filter(workflow_id=definition.workflow_id).order_by("-pk").values_list("pk", flat=True)
        return queryset.filter(pk__gte=next(iter(jobs[LOOKED_THROUGH - 1 : LOOKED_THROUGH]), 0))


class NodeFilter(admin.SimpleListFilter):
    """By the node that the job is at. Shown once a page of the console has led to it.

    A job that ended well is at no node any more: unless a state is asked for, only open jobs are looked at.
    """

    title = gettext_lazy("current step")
    parameter_name = "current_step"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        chosen = request.GET.get(self.parameter_name, "")
        if not chosen or not is_storable(chosen):
            return []
        is_seen = bool(find_nodes_in_sight(request.user, [chosen]))
        return load_node_names([chosen]).items() if is_seen else [(chosen, guess_node_name(chosen))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        value = self.value()
        if not value or not is_storable(value):
            return queryset.none() if value else queryset
        if not request.GET.get(StateFilter.parameter_name):
            queryset = queryset.filter(state__in=sorted(states.OPEN_JOB_STATES))
        return queryset.filter(current_step=value)


class IncidentFilter(admin.SimpleListFilter):
    """By the kind of failure that the job stands failed with. Shown once a page of the console has led to it."""

    title = gettext_lazy("incident")
    parameter_name = "incident"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        chosen = request.GET.get(self.parameter_name, "")
        return [(chosen, chosen[:12])] if chosen else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        value = self.value()
        if not value or not is_storable(value):
            return queryset.none() if value else queryset
        return queryset & jobs_of_incident(value)


_WELL_ENDED = {states.JobState.FINISHED.value}
_TIMES = ("age", FROM, TO)


class AgeFilter(admin.SimpleListFilter):
    """By when the job was created."""

    title = gettext_lazy("created")
    parameter_name = "age"

    HOURS = {"hour": 1, "day": 24, "week": 7 * 24, "month": 30 * 24}

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [
            ("hour", _("in the last hour")),
            ("day", _("in the last 24 hours")),
            ("week", _("in the last 7 days")),
            ("month", _("in the last 30 days")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        value = self.value() or ""
        if value not in self.HOURS:
            return queryset
        return narrow_to_times(queryset, get_now() - timedelta(hours=self.HOURS[value]), None)


class MineFilter(admin.SimpleListFilter):
    """Those that the user started."""

    title = gettext_lazy("started by")
    parameter_name = "mine"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [("yes", _("me"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        return queryset.filter(created_by_id=request.user.pk) if self.value() == "yes" else queryset
