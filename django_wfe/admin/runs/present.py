"""What matters of a Job now: the failure, the log that grows, the question that is asked, or the result."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from django_wfe import states
from django_wfe.admin.elements.payloads import (
    PAYLOAD_COLUMNS,
    PREVIEW_CHARACTERS,
    Preview,
    cut_lines,
    get_whole_size,
    load_json_previews,
    load_text_previews,
)
from django_wfe.admin.elements.readable import read_key_order
from django_wfe.admin.inbox.answering import load_given
from django_wfe.admin.runs.log_tail import LogTail, read_tail
from django_wfe.definition.graph import Graph
from django_wfe.engine.lifecycle import OpenQuestion, get_assignment, get_due
from django_wfe.engine.rules.node_names import name_node
from django_wfe.models import Assignment, Job, StepRun
from django_wfe.values.moments import count_seconds

TRACEBACK_LINES = 14
LOG_LINES = 14

Kind = Literal["failure", "log", "question", "result"]

_RUNNING: tuple[Kind, list[str]] = ("log", [states.StepRunState.RUNNING])
_LOOKED_FOR: dict[str, tuple[Kind, list[str]]] = {
    states.JobState.FAILED: ("failure", [states.StepRunState.FAILED, states.StepRunState.LOST]),
    states.JobState.WAITING: ("failure", [states.StepRunState.FAILED, states.StepRunState.LOST]),
    states.JobState.FINISHED: ("result", sorted(states.RESULT_STEP_RUN_STATES)),
}


@dataclass(slots=True)
class Present:
    """What stands under the sentence that says how it is with a Job.

    Attributes:
        run: the step run that it is about, and ``label`` the name of its node.
        error: of a failure, its message; ``traceback`` and ``log`` are the last lines.
        tail: the log that grows.
        result: what the last step gave.
        question: what is asked; ``fields`` are the titles of what is to be filled in, ``given`` what it is about.
        due: by when it is to be answered; ``assignment`` says who has it.
    """

    kind: Kind
    run: StepRun
    label: str
    error: str = ""
    traceback: str = ""
    log: str = ""
    tail: LogTail | None = None
    result: Preview | None = None
    question: OpenQuestion | None = None
    fields: list[str] = field(default_factory=list)
    given: Preview | None = None
    due: datetime | None = None
    is_overdue: bool = False
    assignment: Assignment | None = None

    @property
    def anchor(self) -> tuple[int, int]:
        """The number and the attempt of its step run."""
        return self.run.number, self.run.attempt

    @property
    def version(self) -> str:
        """Stay the same while a log grows here: its pieces are appended, and it must not be replaced."""
        return f"{self.run.pk}" if self.tail is not None else ""


def find_present(
    user: Any, job: Job, graph: Graph, question: OpenQuestion | None, *, now: datetime, may_see_data: bool
) -> Present | None:
    """Return what matters of a Job now, or None where the sentence says it all."""
    if job.state == states.JobState.INPUT_REQUIRED and question is not None:
        return _show_question(user, job, graph, question, now)
    if not may_see_data or job.state == states.JobState.CANCELED:
        return None
    kind, wanted = _LOOKED_FOR.get(job.state, _RUNNING)
    run = _find_subject(job, wanted)
    if run is None:
        return None
    present = Present(kind, run, name_node(graph, run.step))
    if kind == "failure":
        texts = load_text_previews([run.pk], PREVIEW_CHARACTERS).get(run.pk, {})
        present.error = texts["error"].shown if "error" in texts else ""
        if "traceback" in texts:
            present.traceback = cut_lines(texts["traceback"].text, TRACEBACK_LINES, is_end=True)
        present.log = cut_lines(read_tail(run.pk).text, LOG_LINES, is_end=True)
    elif kind == "log":
        present.tail = read_tail(run.pk)
    else:
        found = load_json_previews([run.pk], get_whole_size(), read_key_order(graph))
        present.result = found.get(run.pk, {}).get("result")
    return present if kind != "result" or present.result is not None else None


def _show_question(user: Any, job: Job, graph: Graph, question: OpenQuestion, now: datetime) -> Present:
    run, order = question.step_run, read_key_order(graph)
    properties = question.json_schema.get("properties", {})
    due = get_due(run)
    return Present(
        "question",
        run,
        question.label,
        question=question,
        fields=[order.label(key) for key in order.sort(properties)],
        given=load_given(user, job, run),
        due=due,
        is_overdue=due is not None and count_seconds(now, due) < 0,
        assignment=get_assignment(run.pk),
    )


def _find_subject(job: Job, wanted: list[str]) -> StepRun | None:
    rows = StepRun.objects.filter(job=job, superseded=False, state__in=wanted).defer(*PAYLOAD_COLUMNS)
    run = rows.order_by("-number", "-attempt").first()
    if run is not None:
        run.job = job  # a template that asks for it must not cost a query
    return run
