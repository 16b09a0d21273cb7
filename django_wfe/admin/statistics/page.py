"""The page of the statistics, and the same as CSV."""

from __future__ import annotations

import csv
import io
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from django_wfe.admin.frame.base import ConsoleAdmin, refuse_other_methods
from django_wfe.admin.statistics.heat import HEAT, PERIOD, WORKED, build_heat_map, name_periods
from django_wfe.engine.access import VIEW_DATA, has_permission, list_workflows_in_sight
from django_wfe.engine.rules.node_names import load_node_names
from django_wfe.engine.statistics.queries import (
    DEFAULT_PERIOD,
    JOB_MEASURES,
    PERIODS,
    Report,
    Sums,
    are_available,
    build_report,
)
from django_wfe.models import Workflow
from django_wfe.rendering.charts.columns import HEIGHT, WIDTH, stack_columns
from django_wfe.rendering.charts.lines import draw_lines
from django_wfe.rendering.diagram.picture import render_workflow_diagram
from django_wfe.values.identifiers import parse_id
from django_wfe.values.moments import get_now
from django_wfe.wording.durations import describe_duration

NODES_SHOWN = 50
WORKFLOWS_OFFERED = 200
NOTHING = "–"


def show_statistics(model_admin: ConsoleAdmin[Workflow], request: HttpRequest) -> HttpResponseBase:
    """Show the numbers of ``?period=``, of all workflows or of ``?workflow=``; with ``?format=csv`` as a file."""
    user = request.user
    if not has_permission(user, "django_wfe.view_job"):
        raise PermissionDenied
    refused = refuse_other_methods(request, "GET", "HEAD")
    if refused is not None:
        return refused
    period = request.GET.get("period", DEFAULT_PERIOD)
    if period not in PERIODS:
        period = DEFAULT_PERIOD
    context: dict[str, Any] = {"available": are_available(user)}
    if context["available"]:
        workflows = list(list_workflows_in_sight(user).order_by("name", "pk").only("name", "label", "path"))
        chosen = next((row for row in workflows if row.pk == parse_id(request.GET.get("workflow", ""))), None)
        may_name = has_permission(user, VIEW_DATA)
        report = build_report(user, period, get_now(), workflow_id=chosen.pk if chosen else None, people=may_name)
        if request.GET.get("format") == "csv":
            return _write_csv(report)
        context |= _describe(report, workflows, chosen, may_name=may_name)
        if chosen is not None:
            context |= _draw_heat(model_admin, request, report, chosen)
    return model_admin.render(
        request,
        "django_wfe/console/statistics.html",
        title=_("Statistics"),
        media=forms.Media(css={"all": ["django_wfe/statistics.css", "django_wfe/diagram.css"]}),
        period=period,
        **context,
    )


def _describe(report: Report, workflows: list[Workflow], chosen: Workflow | None, *, may_name: bool) -> dict[str, Any]:
    bars, highest = stack_columns(
        [[(kind, point.counts[kind]) for kind in ("finished", "failed", "canceled")] for point in report.points]
    )
    shares = {"half": 0.5, "most": 0.95}
    durations = {kind: [point.find_percentile(share) for point in report.points] for kind, share in shares.items()}
    lines, longest = draw_lines(list(durations.items()))
    slowest = sorted(
        ((path, sums) for path, sums in report.nodes.items()), key=lambda item: (-item[1].seconds["done"], item[0])
    )[:NODES_SHOWN]
    labels = load_node_names([path for path, _sums in slowest])
    names = {row.pk: str(row) for row in workflows}
    query = {"period": report.period, **({"workflow": chosen.pk} if chosen else {})}
    return {
        "workflows": workflows[:WORKFLOWS_OFFERED],
        "chosen": chosen,
        "periods": list(name_periods().items()),
        "figures": _list_figures(report),
        "bars": bars,
        "highest": highest,
        "lines": lines,
        "longest": describe_duration(longest),
        "first_point": report.points[0].since,
        "last_point": report.points[-1].since,
        "width": f"{WIDTH:.0f}",
        "height": f"{HEIGHT:.0f}",
        "points": [
            (
                point.since,
                [point.counts[measure] for measure in JOB_MEASURES],
                [_say_duration(found) for found in taken],
            )
            for point, *taken in reversed([*zip(report.points, *durations.values(), strict=True)])
            if any(point.counts.values())
        ],
        "nodes": [
            {
                "label": labels[path],
                "path": path,
                "done": sums.counts["done"],
                "failed": sums.counts["failed"],
                "worked": describe_duration(sums.seconds["done"]),
                "average": _average(sums, "done"),
                "half": _percentile(sums, 0.5, "done"),
                "most": _percentile(sums, 0.95, "done"),
                "waited": _average(sums, "waited"),
                "answered": sums.counts["answered"],
                "answer": _average(sums, "answered"),
                "overdue": _percent(sums.overdue_share),
            }
            for path, sums in slowest
        ],
        "by_workflow": [
            (pk, names[pk], [sums.counts[measure] for measure in JOB_MEASURES], _percent(sums.success_rate))
            for pk, sums in sorted(report.workflows.items(), key=lambda item: -item[1].counts["started"])
            if pk in names
        ][:WORKFLOWS_OFFERED]
        if chosen is None
        else [],
        "people": [(name, count, describe_duration(seconds)) for name, count, seconds in report.people],
        "may_name": may_name,
        "csv_query": urlencode({**query, "format": "csv"}),
    }


def _draw_heat(
    model_admin: ConsoleAdmin[Workflow], request: HttpRequest, report: Report, workflow: Workflow
) -> dict[str, Any]:
    """Draw the graph of a workflow's newest version, with heat."""
    row = list_workflows_in_sight(request.user).select_related("current_definition").get(pk=workflow.pk)
    heat_map = build_heat_map(request.user, row, request.GET, report=report, default=WORKED)
    if row.current_definition is None or heat_map is None:
        return {}
    address = model_admin.build_url("django_wfe_workflow_change", row.pk)
    query = urlencode({HEAT: heat_map.kind, PERIOD: report.period})
    return {
        "heat_map": heat_map,
        "diagram": render_workflow_diagram(row.current_definition, heat=heat_map.heat),
        "workflow_url": f"{address}?{query}",
    }


def _list_figures(report: Report) -> list[tuple[str, ...]]:
    """Return each figure: its name, now, and in the period before."""
    pair = (report.sums, report.before)
    counted = [
        (name, *(str(number_format(sums.counts[measure], force_grouping=True)) for sums in pair))
        for name, measure in (
            (_("Started"), "started"),
            (_("Finished"), "finished"),
            (_("Failed"), "failed"),
            (_("Canceled"), "canceled"),
        )
    ]
    return [
        *counted,
        (_("Success rate"), *(_percent(sums.success_rate) for sums in pair)),
        (_("Half of the jobs take at most"), *(_percentile(sums, 0.5) for sums in pair)),
        (_("95 of 100 jobs take at most"), *(_percentile(sums, 0.95) for sums in pair)),
        (_("Steps worked"), *(describe_duration(sums.seconds["done"]) for sums in pair)),
        (_("Steps waited"), *(describe_duration(sums.seconds["waited"]) for sums in pair)),
        (_("Average time to answer"), *(_average(sums, "answered") for sums in pair)),
        (_("Answered too late"), *(_percent(sums.overdue_share) for sums in pair)),
    ]


def _percent(share: float | None) -> str:
    return NOTHING if share is None else _("%(number)s %%") % {"number": number_format(share * 100, 1)}


def _percentile(sums: Sums, share: float, measure: str = "finished") -> str:
    return _say_duration(sums.find_percentile(measure, share))


def _say_duration(seconds: float | None) -> str:
    return NOTHING if seconds is None else describe_duration(seconds)


def _average(sums: Sums, measure: str) -> str:
    count = sums.counts[measure]
    return describe_duration(sums.seconds[measure] / count) if count else NOTHING


def _write_csv(report: Report) -> HttpResponse:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["since", *JOB_MEASURES, "duration_p50", "duration_p95"])
    for point in report.points:
        durations = [point.find_percentile(share) for share in (0.5, 0.95)]
        counts = [point.counts[measure] for measure in JOB_MEASURES]
        writer.writerow(
            [point.since.isoformat(), *counts, *("" if found is None else f"{found:.3f}" for found in durations)]
        )
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="statistics-{report.period}.csv"'
    return response
