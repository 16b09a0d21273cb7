"""Which Workflow, and which of its definitions, a start means: by id, row, class or dotted path."""

from __future__ import annotations

import json
from typing import Any

from django.db import connections
from django.db.models.base import ModelState

from django_wfe.conf import DATABASE
from django_wfe.definition.texts import is_storable
from django_wfe.engine.access import is_in_sight
from django_wfe.engine.operations.declared_workflows import build_unknown, find_declared
from django_wfe.engine.project_code.classes import read_graph
from django_wfe.engine.project_code.recording import describe_workflow, record_workflow
from django_wfe.engine.rules.start_rules import explain_no_start, require_startable
from django_wfe.engine.store import statements
from django_wfe.engine.store.prepared import Statement, fetch_row
from django_wfe.engine.store.transactions import atomic
from django_wfe.models import Definition, Workflow
from django_wfe.models.workflows import load_graph
from django_wfe.steps import dotted_path
from django_wfe.workflows import Workflow as WorkflowClass

COLUMNS = statements.WORKFLOW_COLUMNS

MOST_REMEMBERED = 1_000

_remembered: dict[Any, Workflow] = {}
"""The rows that Jobs were started of, by the database and what the row was asked for."""


def find_workflow(workflow: Any, actor: Any = None) -> Workflow:
    """Return the row of a workflow named by id, row, class or dotted path.

    A class that is new is recorded, and so is one that ``WFE_WORKFLOWS`` declares under the path.

    Args:
        actor: the user in whose sight it must be. Default None: trusted code.

    Raises:
        UnknownWorkflow: if there is none.
        InvalidWorkflow: for a class with problems.
    """
    row = _find_or_record(workflow, actor)
    if not is_in_sight(actor, row):
        raise build_unknown(row.pk if isinstance(workflow, Workflow) else workflow, actor)
    return row


def recall_workflow(workflow: Any, actor: Any) -> Workflow | None:
    """Return the row of a workflow as this process has read it before, or None: then it is to be read.

    Saves a start the time to read it. It may be out of date: whoever uses it has the statement that starts the Job
    compare its ``row_version``, and reads it anew if that has changed, and before an error is told because of it.
    """
    remembered = _remembered.get(_name(workflow))
    if remembered is None:
        return None
    row = _copy_row(remembered)
    return row if is_in_sight(actor, row) else None


def forget_workflows() -> None:
    """Read each row anew when it is asked for next."""
    _remembered.clear()


def _name(workflow: Any) -> Any:
    """Return what a row is remembered under; rows that are given are not."""
    if isinstance(workflow, type):
        workflow = dotted_path(workflow)
    is_name = isinstance(workflow, (int, str)) and not isinstance(workflow, bool)
    return (connections[DATABASE].settings_dict["NAME"], str(workflow)) if is_name else None


def _find_or_record(workflow: Any, actor: Any) -> Workflow:
    if isinstance(workflow, Workflow):
        return workflow
    if isinstance(workflow, type) and issubclass(workflow, WorkflowClass):
        row = _find_row(workflow, statements.FIND_WORKFLOW_BY_PATH, {"path": dotted_path(workflow)})
        return row if row is not None else _record(workflow)
    row = None
    if isinstance(workflow, str) and not is_storable(workflow):
        pass  # PostgreSQL would raise an error of its own
    elif isinstance(workflow, str) and not workflow.isdecimal():
        row = _find_row(workflow, statements.FIND_WORKFLOW_BY_PATH, {"path": workflow})
    elif isinstance(workflow, (int, str)) and not isinstance(workflow, bool) and 0 < int(workflow) < 2**63:
        row = _find_row(workflow, statements.FIND_WORKFLOW, {"workflow_id": int(workflow)})
    return row if row is not None else _record_declared(workflow, actor)


def _find_row(asked: Any, statement: Statement, parameters: dict[str, Any]) -> Workflow | None:
    """Return a row with the columns that a start needs; the others load when they are asked for."""
    values = fetch_row(statement, parameters)
    if values is None:
        return None
    row = _build_row(values)
    if not row.groups and explain_no_start(row) is None:
        if len(_remembered) >= MOST_REMEMBERED:
            _remembered.clear()
        _remembered[_name(asked)] = _copy_row(row)
    return row


def _copy_row(row: Workflow) -> Workflow:
    """Return a row of its own for each caller: what one looks up on it, another must not find there.

    A tenth of the time that Django takes to make one of the columns.
    """
    copied = Workflow.__new__(Workflow)
    copied.__dict__.update(row.__dict__)
    state = ModelState()
    state.adding, state.db = False, row._state.db
    copied._state = state
    return copied


def _build_row(values: tuple[Any, ...]) -> Workflow:
    columns = [json.loads(value) if name == "groups" else value for name, value in zip(COLUMNS, values, strict=False)]
    row = Workflow.from_db(DATABASE, COLUMNS, columns)
    row.row_version = values[-1]
    return row


def choose_definition(asked: Any, row: Workflow) -> int:
    if not isinstance(asked, type):
        return require_startable(row)
    # The caller holds the class: its Job runs by that class's graph, whatever version the database has seen last.
    fingerprint = read_graph(asked).fingerprint
    if row.current_definition_id is not None and load_graph(row.current_definition_id).fingerprint == fingerprint:
        return row.current_definition_id
    found = Definition.objects.filter(workflow=row, fingerprint=fingerprint).values_list("pk", flat=True).first()
    if found is not None:
        return found
    return require_startable(_record(asked))


def _record(workflow: type[WorkflowClass]) -> Workflow:
    read_graph(workflow)
    with atomic():
        return record_workflow(describe_workflow(workflow))


def _record_declared(asked: Any, actor: Any) -> Workflow:
    """Record a workflow that is declared and that no watchdog has read yet, as a class is."""
    declared = find_declared(asked) if isinstance(asked, str) and not asked.isdecimal() else None
    if declared is None:
        raise build_unknown(asked, actor)
    return _record(declared)
