"""Starts many Jobs of one Workflow, a row each: first what would happen, then the same for real.

A row brings along what its Job starts with, or else the input of the first step. No file formats here: a row is a key
and values.
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
from django_wfe.engine.inputs.job_input import (
    Digests,
    GivenInput,
    load_digests,
    name_fields,
    require_job_input_schema,
)
from django_wfe.engine.inputs.validation import NOT_GIVEN, ValidInput, encode_input, validate_input
from django_wfe.engine.operations.answering import describe_today
from django_wfe.engine.operations.starting import MAX_KEY_LENGTH, build_candidate, start_job
from django_wfe.engine.operations.workflow_lookup import find_workflow
from django_wfe.engine.project_code.classes import load_node
from django_wfe.engine.rules.start_rules import require_startable
from django_wfe.exceptions import CodeNotLoaded, InputCheckFailed, NotEncodable, WFEException
from django_wfe.models import Job, JobEvent, Workflow
from django_wfe.models.workflows import load_graph
from django_wfe.steps import Step
from django_wfe.values.encoding import encode
from django_wfe.values.sentences import gettext as _

MAX_ROWS = 5_000
"""How many rows are started in one go."""

ERRORS_KEPT = 5
"""How many errors of a row are told."""

Outcome = Literal["start", "known", "refused"]


@dataclass(frozen=True, slots=True)
class RowMeaning:
    """What the values of a row are.

    ``kind`` is "job_input" (what the Job starts with; what ``first``, its first step, asks for is asked of people),
    "first_input" (the input of ``first``) or "nothing".
    """

    workflow_path: str
    first: Node
    kind: Literal["job_input", "first_input", "nothing"]

    def load_schema(self) -> type[BaseModel] | None:
        """Return the model that the values fit, or None if they are not used.

        Raises:
            CodeNotLoaded: this process lacks its code.
        """
        if self.kind == "job_input":
            return require_job_input_schema(self.workflow_path)
        return _load_asking(self.first).UserInputSchema if self.kind == "first_input" else None


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


def read_row_meaning(workflow: Workflow) -> RowMeaning:
    """Return what the values of a row are, by the current definition.

    What the first step asks is described by the code that will check the answer, where this process has it.

    Raises:
        WorkflowDeleted, InvalidWorkflow: no Job of it can start.
    """
    graph = load_graph(require_startable(workflow))
    if graph.input_schema is not None:
        return RowMeaning(workflow.path, graph.first, "job_input")
    if not graph.first.asks_input:
        return RowMeaning(workflow.path, graph.first, "nothing")
    return RowMeaning(workflow.path, _describe_today(graph.first), "first_input")


def plan_starts(workflow: Any, rows: Sequence[StartRow], *, actor: Any = None) -> list[PlannedRow]:
    """Return what would become of each row. Changes nothing.

    Args:
        workflow: as of ``start_job``.
        rows: at most ``MAX_ROWS``.
        actor: the user whose permissions are asked for: ``add_job`` or ``run_workflow``, and ``provide_input_job``
            where the rows are its input. Default None: trusted code.

    Raises:
        ValueError: more than ``MAX_ROWS`` rows.
        CodeNotLoaded: this process lacks the code that checks the values.
        UnknownWorkflow, WorkflowDeleted, InvalidWorkflow, PermissionRequired: as their names say.
    """
    found = find_workflow(workflow, actor)
    meaning = _prepare(found, rows, actor)
    schema = meaning.load_schema()
    started = _find_started(found, [row.key for row in rows if row.key])
    known_ids = Job.objects.filter(pk__in=started.values()).order_by()
    seen_ids = set(narrow_jobs(actor, known_ids).values_list("pk", flat=True)) if started else set()
    digests = load_digests(sorted(seen_ids)) if meaning.kind == "job_input" else {}
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
            job_id = started[row.key]
            if job_id not in seen_ids:
                errors = [_("key: it belongs to a job that you may not see.")]
            elif schema is not None and job_id in digests:
                errors = _find_other_input(row, schema, digests[job_id])
            if not errors:
                planned.append(PlannedRow(row, "known", job_id))
                continue
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
    meaning = _prepare(found, keyed, actor)
    return [
        _start(found, planned, meaning, actor=renew_actor(actor), source=source)
        if planned.outcome == "start"
        else planned
        for planned in plan_starts(found, keyed, actor=actor)
    ]


def _prepare(workflow: Workflow, rows: Sequence[StartRow], actor: Any) -> RowMeaning:
    """Return what a row's values are to this actor, who may start with them."""
    if len(rows) > MAX_ROWS:
        raise ValueError(
            _("%(rows)s rows are too many: at most %(most)s are started in one go.")
            % {"rows": number_format(len(rows)), "most": number_format(MAX_ROWS)}
        )
    require_permission(actor, START_JOBS)
    meaning = read_row_meaning(workflow)
    if meaning.kind == "first_input":
        require_permission(actor, PROVIDE_INPUT)
    return meaning


def _describe_today(node: Node) -> Node:
    try:
        step_class = load_node(node.path)
    except CodeNotLoaded:
        return node
    return describe_today(node, step_class) if has_input(step_class) else node


def _load_asking(node: Node) -> type[Step]:
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


def _find_other_input(row: StartRow, schema: type[BaseModel], digests: Digests) -> list[str]:
    """Return the error of a row whose Job was started with its key and other input: by the names of the fields."""
    try:
        fields = GivenInput(schema, encode(row.values, _("the input"))).find_differences(digests)
    except NotEncodable as error:
        return [str(error)]
    names = name_fields(fields)
    return [_("key: its job was started with other input: %(fields)s.") % {"fields": names}] if fields else []


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


def _start(workflow: Workflow, planned: PlannedRow, meaning: RowMeaning, *, actor: Any, source: str) -> PlannedRow:
    row = planned.row
    values = planned.valid or row.values
    try:
        started = start_job(
            workflow,
            key=row.key,
            job_input=values if meaning.kind == "job_input" else NOT_GIVEN,
            first_input=values if meaning.kind == "first_input" else NOT_GIVEN,
            actor=actor,
            source=source,
        )
    except ValidationError as error:  # what fitted a moment ago need not fit now: a validator may look at the world
        return replace(planned, outcome="refused", errors=tuple(_describe(error)))
    except WFEException as error:
        return replace(planned, outcome="refused", errors=(str(error),))
    return replace(planned, outcome="start" if started.created else "known", job_id=started.job_id)
