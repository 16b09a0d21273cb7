"""Starts many Jobs of one Workflow, a row each: first what would happen, then the same for real.

Where the first step asks for input, a row brings its input along. No file formats here: a row is a key and values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from django.utils.formats import number_format
from pydantic import BaseModel, ValidationError

from django_wfe.definition.graph import Node, has_input
from django_wfe.definition.texts import is_storable
from django_wfe.engine.access import (
    PROVIDE_INPUT,
    START_JOBS,
    START_VERB,
    is_allowed,
    narrow_jobs,
    renew_actor,
    require_permission,
)
from django_wfe.engine.errors.invalid_input import cover_quoted, list_problems
from django_wfe.engine.errors.tracebacks import say_briefly
from django_wfe.engine.inputs.validation import NOT_GIVEN, ValidInput, encode_input, validate_input
from django_wfe.engine.operations.answering import describe_today
from django_wfe.engine.operations.starting import MAX_KEY_LENGTH, build_candidate, find_workflow, start_job
from django_wfe.engine.project_code.classes import load_node
from django_wfe.engine.rules.start_rules import require_startable
from django_wfe.exceptions import CodeNotLoaded, InputCheckFailed, NotEncodable, WFEException
from django_wfe.models import Job, JobEvent, Workflow
from django_wfe.models.workflows import load_graph
from django_wfe.steps import Step
from django_wfe.values.sentences import gettext as _

MAX_ROWS = 5_000
"""How many rows are started in one go."""

ERRORS_KEPT = 5
"""How many errors of a row are told."""

Outcome = Literal["start", "known", "refused"]


@dataclass(frozen=True, slots=True)
class StartRow:
    """A Job to start. ``number`` says which row of the source it is; ``key`` is None if it has none.

    ``errors`` say why the source could not be read at this row: no Job is started then.
    """

    number: int
    key: str | None
    values: dict[str, Any]
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """What would become, or became, of a row.

    ``outcome`` is "start" (a Job is started), "known" (the Job ``job_id`` was started with this key before) or
    "refused", for the reasons in ``errors``.
    """

    row: StartRow
    outcome: Outcome
    job_id: int | None = None
    errors: tuple[str, ...] = ()
    valid: ValidInput | None = field(default=None, repr=False, compare=False)


def get_first_node(workflow: Workflow) -> Node:
    """Return the first step of the current definition: what a row's values are the input of, where it asks for input.

    What it asks is described by the code that will check the answer, where this process has it.

    Raises:
        WorkflowDeleted, InvalidWorkflow: no Job of it can start.
    """
    node = load_graph(require_startable(workflow)).first
    if not node.asks_input:
        return node
    try:
        step_class = load_node(node.path)
    except CodeNotLoaded:
        return node
    return describe_today(node, step_class) if has_input(step_class) else node


def get_first_schema(workflow: Workflow) -> type[BaseModel] | None:
    """Return the model that a row's values are the input for, or None if the first step asks for nothing.

    Raises:
        CodeNotLoaded: this process lacks the first step's code.
        WorkflowDeleted, InvalidWorkflow: no Job of it can start.
    """
    step_class = _load_asking(get_first_node(workflow))
    return step_class.UserInputSchema if step_class is not None else None


def plan_starts(workflow: Any, rows: Sequence[StartRow], *, actor: Any = None) -> list[PlannedRow]:
    """Return what would become of each row. Changes nothing.

    Args:
        workflow: as of ``start_job``.
        rows: at most ``MAX_ROWS``.
        actor: the user whose permissions are asked for: ``add_job`` or ``run_workflow``, and ``provide_input_job``
            where the first step asks for input. Default None: trusted code.

    Raises:
        ValueError: more than ``MAX_ROWS`` rows.
        CodeNotLoaded: this process lacks the first step's code, and cannot check its input.
        UnknownWorkflow, WorkflowDeleted, InvalidWorkflow, PermissionRequired: as their names say.
    """
    found = find_workflow(workflow, actor)
    asking = _prepare(found, rows, actor)
    schema = asking.UserInputSchema if asking is not None else None
    started = _find_started(found, [row.key for row in rows if row.key])
    known_ids = Job.objects.filter(pk__in=started.values()).order_by()
    seen_ids = set(narrow_jobs(actor, known_ids).values_list("pk", flat=True)) if started else set()
    first_rows: dict[str, int] = {}
    for row in rows:
        if row.key:
            first_rows.setdefault(row.key, row.number)
    planned = []
    for row in rows:
        errors, valid = list(row.errors), None
        if not errors and row.key and first_rows[row.key] != row.number:
            errors = [_("key: row %(row)s has the same key.") % {"row": first_rows[row.key]}]
        if not errors and row.key in started:
            if started[row.key] in seen_ids:
                planned.append(PlannedRow(row, "known", started[row.key]))
                continue
            errors = [_("key: it belongs to a job that you may not see.")]
        if not errors:
            errors, valid = validate_row(row, schema)
        if not errors and not is_allowed(actor, START_VERB, build_candidate(found, row.key, actor)):
            errors = [_("The policy of this project refuses it.")]
        outcome: Outcome = "refused" if errors else "start"
        planned.append(PlannedRow(row, outcome, errors=tuple(errors[:ERRORS_KEPT]), valid=valid))
    return planned


def start_many(
    workflow: Any,
    rows: Sequence[StartRow],
    *,
    actor: Any = None,
    source: str = JobEvent.Source.PYTHON,
    batch: str = "",
) -> list[PlannedRow]:
    """Start a Job for each row that can start, and return it its input; say of each row what became of it.

    A Job and its input are committed together, row by row: where the process dies in the midst, the rows before are
    started as a whole, and a second call with the same keys starts the others.

    Args:
        rows: at most ``MAX_ROWS``.
        batch: a text that names this call; a row without a key gets one from it, so that the same call again starts
            nothing twice. Default "": such rows have no key and start each time.

    Raises:
        ValueError, CodeNotLoaded, UnknownWorkflow, WorkflowDeleted, InvalidWorkflow, PermissionRequired: as of
            ``plan_starts``.
    """
    found = find_workflow(workflow, actor)
    keyed = [_give_key(row, batch) for row in rows]
    asking = _prepare(found, keyed, actor)
    return [
        _start(found, planned, asking, actor=renew_actor(actor), source=source)
        if planned.outcome == "start"
        else planned
        for planned in plan_starts(found, keyed, actor=actor)
    ]


def _prepare(workflow: Workflow, rows: Sequence[StartRow], actor: Any) -> type[Step] | None:
    """Return the step that a row's values are the input of, or None if the first one asks for nothing."""
    if len(rows) > MAX_ROWS:
        raise ValueError(
            _("%(rows)s rows are too many: at most %(most)s are started in one go.")
            % {"rows": number_format(len(rows)), "most": number_format(MAX_ROWS)}
        )
    require_permission(actor, START_JOBS)
    node = get_first_node(workflow)
    if node.asks_input:
        require_permission(actor, PROVIDE_INPUT)
    return _load_asking(node)


def _load_asking(node: Node) -> type[Step] | None:
    if not node.asks_input:
        return None
    step_class = load_node(node.path)
    if not has_input(step_class):
        raise CodeNotLoaded(
            _("%(step)s no longer asks for input, and the workflow has not been read again since.")
            % {"step": node.path}
        )
    return step_class


def _find_started(workflow: Workflow, keys: Iterable[str]) -> dict[str | None, int]:
    usable = [key for key in keys if is_storable(key)]
    return dict(Job.objects.filter(workflow=workflow, key__in=usable).order_by().values_list("key", "pk"))


def validate_row(row: StartRow, schema: type[BaseModel] | None) -> tuple[list[str], ValidInput | None]:
    """Return what is wrong with a row, and its input if it is valid."""
    errors: list[str] = []
    if row.key is not None and not (0 < len(row.key) <= MAX_KEY_LENGTH and is_storable(row.key)):
        errors.append(
            _("key: use a text of 1 to %(longest)s characters, without NUL or lone surrogates.")
            % {"longest": MAX_KEY_LENGTH}
        )
    valid = None
    if schema is None:
        return errors, valid
    try:
        valid = validate_input(schema, row.values, _("the input"))
        encode_input(schema, valid, _("the input"))
    except ValidationError as error:
        errors += _describe(error)
    except NotEncodable as error:
        errors.append(str(error))
    except InputCheckFailed as error:
        # A validator is code of the project: its defect is told for the row that meets it.
        errors.append(
            _("a validator of %(schema)s raised %(error)s")
            % {
                "schema": schema.__qualname__,
                "error": cover_quoted(say_briefly(error.__cause__ or error), schema, row.values),
            }
        )
    return errors, valid


def _describe(error: ValidationError) -> list[str]:
    """Return each error with its place, without the value: it may be a secret."""
    problems = list_problems(error, ERRORS_KEPT)
    return [f"{problem.place}: {problem.message}" if problem.place else problem.message for problem in problems]


def _give_key(row: StartRow, batch: str) -> StartRow:
    return replace(row, key=f"{batch} {row.number}") if batch and row.key is None else row


def _start(
    workflow: Workflow, planned: PlannedRow, asking: type[Step] | None, *, actor: Any, source: str
) -> PlannedRow:
    row = planned.row
    first_input = (planned.valid or row.values) if asking is not None else NOT_GIVEN
    try:
        started = start_job(workflow, key=row.key, first_input=first_input, actor=actor, source=source)
    except ValidationError as error:  # what fitted a moment ago need not fit now: a validator may look at the world
        return replace(planned, outcome="refused", errors=tuple(_describe(error)))
    except WFEException as error:
        return replace(planned, outcome="refused", errors=(str(error),))
    return replace(planned, outcome="start" if started.created else "known", job_id=started.job_id)
