"""Two Jobs of one Workflow side by side: where they parted, what differed, and their times at one scale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _

from django_wfe.admin.elements.payloads import PAYLOAD_COLUMNS
from django_wfe.admin.elements.readable import read_key_order
from django_wfe.admin.frame.base import ConsoleAdmin, Crumb, refuse_other_methods
from django_wfe.admin.frame.job_lookup import find_job
from django_wfe.admin.runs.differences import Difference, find_parting, load_differences
from django_wfe.definition.graph import Graph
from django_wfe.engine.access import has_permission, may_view_data
from django_wfe.engine.rules.node_names import name_node
from django_wfe.models import Job, StepRun
from django_wfe.rendering.timeline.pair import Course, build_pair_timeline
from django_wfe.rendering.timeline.parts import TimelineRow
from django_wfe.values.moments import get_now

NUMBERS_SHOWN = 60
"""Of long Jobs, this many numbers before and after the one at which they parted."""


@dataclass(slots=True)
class PairRow:
    """One step of either Job, or of both."""

    one: StepRun | None
    other: StepRun | None
    label: str
    is_parting: bool = False
    one_bar: TimelineRow | None = None
    other_bar: TimelineRow | None = None
    differences: list[Difference] = field(default_factory=list)


def show_job_comparison(
    model_admin: ConsoleAdmin[Job], request: HttpRequest, job_id: int, other_id: int
) -> HttpResponseBase:
    """Show a Job beside another of its Workflow. Both must be among those that the user may see."""
    job, other = find_job(model_admin, request, job_id), find_job(model_admin, request, other_id)
    refused = refuse_other_methods(request, "GET", "HEAD")
    if refused is not None:
        return refused
    if job.workflow_id != other.workflow_id:
        raise Http404(
            _("Job %(job)s and job %(other)s are of different workflows.") % {"job": job.pk, "other": other.pk}
        )
    user, now = request.user, get_now()
    may_see_data = may_view_data(user, job) and may_view_data(user, other)
    graph, other_graph = job.definition.load_graph(), other.definition.load_graph()
    parting = find_parting(job.pk, other.pk)
    runs, other_runs = load_runs(job, parting), load_runs(other, parting)
    timeline = build_pair_timeline(
        Course(runs, job.created_at, graph), Course(other_runs, other.created_at, other_graph), now=now
    )
    rows = list(align(runs, other_runs, graph, other_graph))
    for row in rows:
        row.is_parting = parting is not None and parting in {
            run.number for run in (row.one, row.other) if run is not None
        }
        row.one_bar = timeline.bars.get(row.one.pk) if row.one is not None else None
        row.other_bar = timeline.bars.get(row.other.pk) if row.other is not None else None
    if may_see_data:
        compare_data(rows, graph)
    return model_admin.render(
        request,
        "django_wfe/console/job_compare.html",
        title=_("Compare %(job)s with %(other)s") % {"job": job.title, "other": other.title},
        crumbs=[model_admin.list_crumb(), Crumb(job.title, model_admin.build_object_url(job.pk))],
        media=forms.Media(css={"all": ["django_wfe/compare.css"]}),
        job=job,
        other=other,
        workflow=job.workflow,
        is_same_definition=job.definition_id == other.definition_id,
        parting=describe_parting(rows, graph, other_graph),
        rows=rows,
        is_part=max(len(runs), len(other_runs)) > NUMBERS_SHOWN,
        timeline=timeline,
        may_see_data=may_see_data,
        may_see_runs=has_permission(user, "django_wfe.view_steprun", job.workflow),
        now=now,
    )


def load_runs(job: Job, parting: int | None) -> list[StepRun]:
    """Return the last attempts at the numbers around the parting, or at the first ones; without payloads."""
    middle = parting if parting is not None else 0
    rows: Any = StepRun.objects.filter(
        job=job, superseded=False, number__gte=middle - NUMBERS_SHOWN, number__lte=middle + NUMBERS_SHOWN
    )
    rows = rows.order_by("number", "-attempt").distinct("number").defer(*PAYLOAD_COLUMNS).select_related("worker")
    return list(rows)


def align(runs: list[StepRun], others: list[StepRun], graph: Graph, other_graph: Graph) -> Iterator[PairRow]:
    """Put the step runs of two Jobs beside each other where they are at the same node, in their order."""
    matcher = SequenceMatcher(None, [run.step for run in runs], [run.step for run in others], autojunk=False)
    for tag, start, end, other_start, other_end in matcher.get_opcodes():
        if tag == "equal":
            for one, other in zip(runs[start:end], others[other_start:other_end], strict=True):
                yield PairRow(one, other, name_node(graph, one.step))
            continue
        for one in runs[start:end]:
            yield PairRow(one, None, name_node(graph, one.step))
        for other in others[other_start:other_end]:
            yield PairRow(None, other, name_node(other_graph, other.step))


def compare_data(rows: list[PairRow], graph: Graph) -> None:
    """Fill in what differs where both Jobs were at the same node."""
    both = [(row, row.one.pk, row.other.pk) for row in rows if row.one is not None and row.other is not None]
    found = load_differences([(one, other) for _row, one, other in both], read_key_order(graph))
    for place, (row, _one, _other) in enumerate(both):
        row.differences = found.get(place, [])


def describe_parting(rows: list[PairRow], graph: Graph, other_graph: Graph) -> str:
    """Return where the two Jobs parted, in a sentence."""
    parted = [row for row in rows if row.is_parting]
    both = next((row for row in parted if row.one is not None and row.other is not None), None)
    if both is not None and both.one is not None and both.other is not None and both.one.state != both.other.state:
        return _("They parted at “%(step)s” (#%(number)s): here it is “%(one)s”, there “%(other)s”.") % {
            "step": both.label,
            "number": both.one.number,
            "one": both.one.get_state_display(),
            "other": both.other.get_state_display(),
        }
    one = next((row for row in parted if row.one is not None), None)
    other = next((row for row in parted if row.other is not None), None)
    if one is None and other is None:
        return _("They went the same way, and each step came to the same end.")
    ends = _("nowhere")
    return _("They parted at number %(number)s: this one went to “%(one)s”, the other to “%(other)s”.") % {
        "number": next(
            run.number for row in parted for run in (row.one, row.other) if run is not None and row.is_parting
        ),
        "one": one.label if one is not None else ends,
        "other": other.label if other is not None else ends,
    }
