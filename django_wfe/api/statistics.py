"""The numbers over time."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from django_wfe.api.definitions import FORBIDDEN, NOT_FOUND
from django_wfe.api.frame.base import WFEView
from django_wfe.api.shapes.schema import Answer, Parameter, component, describe
from django_wfe.api.shapes.serializers import ProblemSerializer
from django_wfe.engine.access import VIEW_DATA, has_permission, list_workflows_in_sight
from django_wfe.engine.statistics.queries import (
    DEFAULT_PERIOD,
    JOB_MEASURES,
    PERIODS,
    Sums,
    are_available,
    build_report,
)
from django_wfe.values.identifiers import parse_id
from django_wfe.values.moments import get_now
from django_wfe.values.sentences import gettext as _


@component
class SumsSerializer(serializers.Serializer[Any]):
    """What was counted; durations are in seconds, shares from 0 to 1."""

    started = serializers.IntegerField()
    finished = serializers.IntegerField()
    failed = serializers.IntegerField()
    canceled = serializers.IntegerField()
    done = serializers.IntegerField(help_text="Step runs that ended well.")
    answered = serializers.IntegerField()
    overdue = serializers.IntegerField(help_text="Answers after their time.")
    success_rate = serializers.FloatField(allow_null=True)
    duration_p50 = serializers.FloatField(allow_null=True)
    duration_p95 = serializers.FloatField(allow_null=True)
    worked_p50 = serializers.FloatField(allow_null=True, help_text="Of a node, when one workflow is asked for.")
    worked_p95 = serializers.FloatField(allow_null=True, help_text="Of a node, when one workflow is asked for.")
    worked_seconds = serializers.FloatField()
    waited_seconds = serializers.FloatField()
    answer_seconds = serializers.FloatField()


@component
class StatisticsSerializer(serializers.Serializer[Any]):
    """The numbers of a period."""

    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    sums = SumsSerializer()
    before = SumsSerializer(help_text="The same of the period before.")
    points = serializers.ListField(child=serializers.DictField(), help_text="By hour, or by UTC day from 30d on.")
    nodes = serializers.DictField(child=SumsSerializer(), help_text="By the node's dotted path.")
    people = serializers.ListField(child=serializers.DictField(), help_text="Who answered; needs view_job_data.")


class StatisticsView(WFEView):
    """Statistics."""

    permissions = {"GET": ("django_wfe.view_job",)}

    @describe(
        "get_statistics",
        "Get the statistics",
        answers={
            200: Answer("The numbers.", StatisticsSerializer),
            400: Answer("There is no such period.", ProblemSerializer),
            403: FORBIDDEN,
            404: NOT_FOUND,
        },
        parameters=[
            Parameter("period", f"Default: {DEFAULT_PERIOD}.", choices=list(PERIODS)),
            Parameter("workflow_id", "One workflow. Default: all that the user sees.", int),
        ],
        tag="statistics",
    )
    def get(self, request: Request) -> Response:
        """What was counted in a period, and in the one before. Not for users of whom a policy keeps jobs."""
        user = request.user
        if not are_available(user):
            raise PermissionDenied
        period = request.query_params.get("period", DEFAULT_PERIOD)
        if period not in PERIODS:
            raise ValidationError({"period": [_("Use one of: %(names)s.") % {"names": ", ".join(PERIODS)}]})
        workflow_id = None
        if given := request.query_params.get("workflow_id"):
            workflow_id = parse_id(given)
            if workflow_id is None or not list_workflows_in_sight(user).filter(pk=workflow_id).exists():
                raise Http404
        report = build_report(user, period, get_now(), workflow_id=workflow_id, people=has_permission(user, VIEW_DATA))
        return Response(
            {
                "since": report.since,
                "until": report.until,
                "sums": _show(report.sums),
                "before": _show(report.before),
                "points": [
                    {
                        "since": point.since,
                        **{measure: point.counts[measure] for measure in JOB_MEASURES},
                        "duration_p50": point.find_percentile(0.5),
                        "duration_p95": point.find_percentile(0.95),
                    }
                    for point in report.points
                ],
                "nodes": {path: _show(sums) for path, sums in sorted(report.nodes.items())},
                "people": [
                    {"person": person, "answered": count, "average_seconds": seconds}
                    for person, count, seconds in report.people
                ],
            }
        )


def _show(sums: Sums) -> dict[str, Any]:
    return {
        **{measure: sums.counts[measure] for measure in (*JOB_MEASURES, "done", "answered", "overdue")},
        "success_rate": sums.success_rate,
        "duration_p50": sums.find_percentile("finished", 0.5),
        "duration_p95": sums.find_percentile("finished", 0.95),
        "worked_p50": sums.find_percentile("done", 0.5),
        "worked_p95": sums.find_percentile("done", 0.95),
        "worked_seconds": sums.seconds["done"],
        "waited_seconds": sums.seconds["waited"],
        "answer_seconds": sums.seconds["answered"],
    }
