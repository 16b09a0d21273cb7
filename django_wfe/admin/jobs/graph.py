"""A Job on its graph: what its step runs come to at each node, counted by PostgreSQL whatever their number."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import Count, Func, IntegerField, Max
from django.utils.safestring import SafeString

from django_wfe.admin.jobs.window import Window, build_query
from django_wfe.definition.graph import Graph
from django_wfe.models import Job, StepRun
from django_wfe.rendering.diagram.overlay import RunGroup, build_grouped_overlay
from django_wfe.rendering.diagram.picture import render_job_overlay


def draw_job_graph(job: Job, graph: Graph, window: Window) -> SafeString | None:
    """Draw the Job on its graph. A node leads to its step run in the table, or to the table of its step runs."""
    groups = load_groups(job)
    overlay = build_grouped_overlay(graph, groups, load_visits(job), job=job)
    return render_job_overlay(job.definition, overlay, node_urls=_link_nodes(groups, window))


def load_groups(job: Job) -> list[RunGroup]:
    """Return the Job's step runs, grouped by all that matters to the graph: few rows for a loop of thousands."""
    place: Any = Func("number", "attempt", template="ARRAY[%(expressions)s]", output_field=ArrayField(IntegerField()))
    rows = (
        StepRun.objects.filter(job=job)
        .order_by()
        .values_list("step", "state", "transition", "superseded")
        .annotate(count=Count("pk"), newest=Max(place))
    )
    return [
        RunGroup(step, state, transition, superseded, count, (newest[0], newest[1]))
        for step, state, transition, superseded, count, newest in rows
    ]


def load_visits(job: Job) -> dict[str, int]:
    """Return how many times the Job came by each node; attempts at one number are one visit."""
    rows = StepRun.objects.filter(job=job, superseded=False).order_by().values_list("step")
    return dict(rows.annotate(visits=Count("number", distinct=True)))


def _link_nodes(groups: list[RunGroup], window: Window) -> dict[str, str]:
    runs: dict[str, int] = {}
    newest: dict[str, tuple[int, int]] = {}
    for group in groups:
        runs[group.step] = runs.get(group.step, 0) + group.count
        newest[group.step] = max(newest.get(group.step, (0, 0)), group.newest)
    return {
        step: window.link(*newest[step])
        if count == 1 and newest[step] in window.places
        else f"{build_query(node=step, idle=window.idle)}#wfe-runs"
        for step, count in runs.items()
    }
