"""A Job's step runs a window at a time, the newest first: found by number and attempt, whatever the Job's length."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from django.db.models import Q, QuerySet

from django_wfe.admin.elements.payloads import PAYLOAD_COLUMNS
from django_wfe.definition.graph import Graph
from django_wfe.models import Job, StepRun
from django_wfe.states import StepRunState
from django_wfe.values.identifiers import parse_id

RUNS_SHOWN = 100

IDLE_SHOWN = "shown"

ONLY_FAILED = "failed"

Place = tuple[int, int]
"""The number and the attempt of a step run."""

_PLACE = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,9}))?", re.ASCII)


@dataclass(slots=True)
class Window:
    """A window of step runs in their order, without payloads.

    Attributes:
        node: the path of the only node whose step runs are shown, or "" for all.
        older: the query of the window before this one, or "".
        size: how many step runs a window holds at most.
        place: what of the query put the window where it is.
        idle: "shown" where the timeline is to fold no idle time, or "".
        only: "failed" where the step runs are only those that failed or lost their worker, or "".
        newer: the query of the window after this one, or "" if this is the newest.
    """

    runs: list[StepRun]
    node: str = ""
    older: str = ""
    newer: str = ""
    size: int = RUNS_SHOWN
    place: dict[str, str] = field(default_factory=dict)
    idle: str = ""
    only: str = ""
    places: set[Place] = field(default_factory=set)

    @property
    def is_newest(self) -> bool:
        """Whether step runs to come belong into this window."""
        return not self.newer

    @property
    def newest(self) -> str:
        """The query of the newest window."""
        return build_query(node=self.node, idle=self.idle, only=self.only)

    @property
    def all_steps(self) -> str:
        """The query of the newest step runs of every node."""
        return build_query(idle=self.idle, only=self.only)

    @property
    def other_only(self) -> str:
        """The query of the newest step runs that failed where all are shown, and of all where only those are."""
        return build_query(node=self.node, idle=self.idle, only="" if self.only else ONLY_FAILED)

    @property
    def other_idle(self) -> str:
        """The query of this window with its idle time shown where it is folded, and folded where it is shown."""
        return build_query(node=self.node, **self.place, idle="" if self.idle else IDLE_SHOWN, only=self.only)

    @property
    def last_number(self) -> int:
        """The highest number that is shown."""
        return self.runs[-1].number

    def link(self, number: int, attempt: int) -> str:
        """Return the address, from this page, of a step run's row: in this window, or in that which ends with it."""
        anchor = f"#run-{number}-{attempt}"
        return anchor if (number, attempt) in self.places else f"{self._end_with(number, attempt)}{anchor}"

    def _end_with(self, number: int, attempt: int) -> str:
        return build_query(before=f"{number}.{attempt + 1}", idle=self.idle)


def load_window(job: Job, query: Mapping[str, str], graph: Graph) -> Window:
    """Return the window that ``query`` asks for: ``before`` or ``after`` a place, ``node``. Junk means the newest."""
    node = query.get("node", "")
    node = node if graph.get_node(node) is not None else ""
    rows: QuerySet[StepRun] = StepRun.objects.filter(job=job)
    if node:
        rows = rows.filter(step=node)
    only = ONLY_FAILED if query.get("only") == ONLY_FAILED else ""
    if only:
        rows = rows.filter(state__in=[StepRunState.FAILED, StepRunState.LOST])
    before, after = _read_place(query.get("before", "")), _read_place(query.get("after", ""))
    idle = IDLE_SHOWN if query.get("idle") == IDLE_SHOWN else ""
    if before is None and after is not None:
        found = _load(rows.filter(_is_after(after)).order_by("number", "attempt"))
        if len(found) > RUNS_SHOWN:
            runs = found[:RUNS_SHOWN]
            window = Window(runs, node, place={"after": query["after"]}, idle=idle, only=only)
            return _build_window(job, window, has_older=True, has_newer=True)
    bound = Q() if before is None else _is_before(before)
    found = _load(rows.filter(bound).order_by("-number", "-attempt"))
    runs = found[:RUNS_SHOWN][::-1]
    place = {} if before is None else {"before": query["before"]}
    window = Window(runs, node, place=place, idle=idle, only=only)
    return _build_window(job, window, has_older=len(found) > RUNS_SHOWN, has_newer=before is not None)


def find_place(job: Job, number: str) -> str | None:
    """Return the address, from the Job's page, of the last step run of this number, or of the last one before it.

    None where ``number`` is no number, or the Job has no step run so early.
    """
    wanted = parse_id(number)
    if wanted is None:
        return None
    rows = StepRun.objects.filter(job=job, number__lte=min(wanted, job.current_step_number))
    found = rows.order_by("-number", "-attempt").values_list("number", "attempt").first()
    if found is None:
        return None
    return load_window(job, {}, job.definition.load_graph()).link(*found)


def build_query(**values: str) -> str:
    """Return the query of a page with these values, those that are empty left out; "?" where all are."""
    return f"?{urlencode({name: value for name, value in values.items() if value})}"


def _load(rows: QuerySet[StepRun]) -> list[StepRun]:
    return list(rows.defer(*PAYLOAD_COLUMNS).select_related("worker")[: RUNS_SHOWN + 1])


def _build_window(job: Job, window: Window, *, has_older: bool, has_newer: bool) -> Window:
    runs, kept = window.runs, {"node": window.node, "idle": window.idle, "only": window.only}
    for run in runs:
        run.job = job  # a template that asks for it must not cost a query a row
    window.size = RUNS_SHOWN
    window.places = {(run.number, run.attempt) for run in runs}
    if runs and has_older:
        window.older = build_query(**kept, before=f"{runs[0].number}.{runs[0].attempt}")
    if has_newer:
        window.newer = build_query(**kept, after=f"{runs[-1].number}.{runs[-1].attempt}" if runs else "")
    return window


def _is_before(place: Place) -> Q:
    # The bound on the number alone lets PostgreSQL begin in the middle of the index.
    number, attempt = place
    return Q(number__lte=number) & (Q(number__lt=number) | Q(attempt__lt=attempt))


def _is_after(place: Place) -> Q:
    number, attempt = place
    return Q(number__gte=number) & (Q(number__gt=number) | Q(attempt__gt=attempt))


def _read_place(value: str) -> Place | None:
    found = _PLACE.fullmatch(value)
    return (int(found[1]), int(found[2] or 0)) if found else None
