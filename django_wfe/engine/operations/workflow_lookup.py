"""Which Workflow, and which of its definitions, a start means: by id, row, class or dotted path."""

from __future__ import annotations

import json
from typing import Any

from django_wfe.conf import DATABASE
from django_wfe.definition.texts import is_storable
from django_wfe.engine.access import is_in_sight
from django_wfe.engine.operations.declared_workflows import build_unknown, find_declared
from django_wfe.engine.project_code.classes import read_graph
from django_wfe.engine.project_code.recording import describe_workflow, record_workflow
from django_wfe.engine.rules.start_rules import require_startable
from django_wfe.engine.store import statements
from django_wfe.engine.store.prepared import Statement, fetch_row
from django_wfe.engine.store.transactions import atomic
from django_wfe.models import Definition, Workflow
from django_wfe.models.workflows import load_graph
from django_wfe.steps import dotted_path
from django_wfe.workflows import Workflow as WorkflowClass

COLUMNS = statements.WORKFLOW_COLUMNS


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


def _find_or_record(workflow: Any, actor: Any) -> Workflow:
    if isinstance(workflow, Workflow):
        return workflow
    if isinstance(workflow, type) and issubclass(workflow, WorkflowClass):
        row = _find_row(statements.FIND_WORKFLOW_BY_PATH, {"path": dotted_path(workflow)})
        return row if row is not None else _record(workflow)
    row = None
    if isinstance(workflow, str) and not is_storable(workflow):
        pass  # PostgreSQL would raise an error of its own
    elif isinstance(workflow, str) and not workflow.isdecimal():
        row = _find_row(statements.FIND_WORKFLOW_BY_PATH, {"path": workflow})
    elif isinstance(workflow, (int, str)) and not isinstance(workflow, bool) and 0 < int(workflow) < 2**63:
        row = _find_row(statements.FIND_WORKFLOW, {"workflow_id": int(workflow)})
    return row if row is not None else _record_declared(workflow, actor)


def _find_row(statement: Statement, parameters: dict[str, Any]) -> Workflow | None:
    """Return a row with the columns that a start needs; the others load when they are asked for."""
    row = fetch_row(statement, parameters)
    if row is None:
        return None
    values = [json.loads(value) if name == "groups" else value for name, value in zip(COLUMNS, row, strict=True)]
    return Workflow.from_db(DATABASE, COLUMNS, values)


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
