"""Where a Workflow's time goes and its failures come from, on its graph: the choice, and the numbers of its nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_wfe.engine.statistics.queries import DEFAULT_PERIOD, PERIODS, Report, Sums, are_available, build_report
from django_wfe.models import Workflow
from django_wfe.rendering.diagram.heat import Heat, NodeHeat
from django_wfe.values.moments import get_now
from django_wfe.wording.durations import describe_duration

HEAT, PERIOD = "heat", "period"
"""The parameters that say what the graph shows, and over which time."""

WORKED, WAITED, FAILED = "work", "waiting", "failures"
KINDS = (WORKED, WAITED, FAILED)
MEASURES = {WORKED: "done", WAITED: "waited"}


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that the graph can show, and the query that shows it."""

    name: str
    query: str
    is_shown: bool


@dataclass(frozen=True, slots=True)
class HeatMap:
    """The heat that was asked for; ``heat`` is None if it was none, and then the graph shows where Jobs are now."""

    heat: Heat | None
    kind: str
    kinds: list[Choice]
    periods: list[Choice]
    explanation: str


def build_heat_map(
    user: Any, workflow: Workflow, asked: QueryDict, *, report: Report | None = None, default: str = ""
) -> HeatMap | None:
    """Return the heat of a Workflow's nodes that an address asks for; None for users without statistics.

    Args:
        report: the numbers, where the page has them already. Default None: they are read if heat is asked for.
        default: the kind that is shown where none is asked for. Default "": none.
    """
    if not are_available(user):
        return None
    kind, period = asked.get(HEAT, default), asked.get(PERIOD, DEFAULT_PERIOD)
    kind = kind if kind in KINDS else default
    period = period if period in PERIODS else DEFAULT_PERIOD
    if kind and report is None:
        report = build_report(user, period, get_now(), workflow_id=workflow.pk, people=False)
    names = {"": _("Jobs now"), WORKED: _("Working time"), WAITED: _("Waiting time"), FAILED: _("Failures")}
    return HeatMap(
        heat=Heat(_measure(report, kind)) if kind and report is not None else None,
        kind=kind,
        kinds=[
            Choice(name, _build_query(asked, {HEAT: key}), key == kind)
            for key, name in names.items()
            if key or not default
        ],
        periods=[
            Choice(name, _build_query(asked, {PERIOD: key}), key == period) for key, name in name_periods().items()
        ],
        explanation=_explain(kind) if kind else "",
    )


def name_periods() -> dict[str, str]:
    """Return the words of each period."""
    return {"24h": _("24 hours"), "7d": _("7 days"), "30d": _("30 days"), "90d": _("90 days")}


def _build_query(asked: QueryDict, changed: dict[str, str]) -> str:
    kept = {name: value for name, value in {**asked.dict(), **changed}.items() if value and name != "format"}
    return f"?{urlencode(kept)}"


def _explain(kind: str) -> str:
    texts = {
        WORKED: _("The stronger the colour of a step, the more of the working time was spent in it."),
        WAITED: _("The stronger the colour of a step, the more of the waiting time was spent before it."),
        FAILED: _("The stronger the colour of a step, the more of the failures happened in it."),
    }
    return texts[kind]


def _measure(report: Report, kind: str) -> dict[str, NodeHeat]:
    if kind == FAILED:
        return {path: _describe_failures(sums) for path, sums in report.nodes.items() if sums.counts["failed"]}
    measure = MEASURES[kind]
    whole = sum(sums.seconds[measure] for sums in report.nodes.values())
    return {
        path: _describe_time(sums, measure, whole) for path, sums in report.nodes.items() if sums.seconds[measure] > 0
    }


def _describe_failures(sums: Sums) -> NodeHeat:
    failed, attempts = sums.counts["failed"], sums.counts["failed"] + sums.counts["done"]
    share = _write_percent(failed / attempts)
    values = {"count": number_format(failed, force_grouping=True), "share": share}
    words = ngettext(
        "%(count)s failure, %(share)s of its attempts", "%(count)s failures, %(share)s of its attempts", failed
    )
    return NodeHeat(failed, f"{values['count']} · {share}", words % values)


def _describe_time(sums: Sums, measure: str, whole: float) -> NodeHeat:
    seconds = sums.seconds[measure]
    duration, share = describe_duration(seconds), _write_percent(seconds / whole)
    values = {"duration": duration, "share": share}
    words = [
        _("worked %(duration)s in all, %(share)s of the time") % values
        if measure == "done"
        else _("waited %(duration)s in all, %(share)s of the time") % values
    ]
    half, most = (sums.find_percentile(measure, part) for part in (0.5, 0.95))
    if half is not None and most is not None:
        spread = {"half": describe_duration(half), "most": describe_duration(most)}
        words.append(_("half of the times at most %(half)s, 95 of 100 at most %(most)s") % spread)
    return NodeHeat(seconds, f"{duration} · {share}", "; ".join(words))


def _write_percent(share: float) -> str:
    if 0 < share < 0.01:
        return _("under %(number)s %%") % {"number": 1}
    return _("%(number)s %%") % {"number": number_format(share * 100, 0)}
