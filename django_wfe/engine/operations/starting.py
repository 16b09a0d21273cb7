"""Starts Jobs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from django_wfe.conf import DATABASE
from django_wfe.definition.graph import START, has_input
from django_wfe.definition.texts import is_storable
from django_wfe.engine.access import (
    PROVIDE_INPUT,
    START_JOBS,
    START_VERB,
    is_in_sight,
    is_job_in_sight,
    key_actor,
    name_actor,
    require_allowed,
    require_permission,
)
from django_wfe.engine.delivery.signal_sending import notify_job_started
from django_wfe.engine.inputs.job_input import DIGESTS, GivenInput, read_given_input, require_same_input
from django_wfe.engine.inputs.validation import NOT_GIVEN, encode_input
from django_wfe.engine.operations.declared_workflows import build_unknown, find_declared
from django_wfe.engine.project_code.classes import load_node, read_graph
from django_wfe.engine.project_code.recording import describe_workflow, record_workflow
from django_wfe.engine.rules.start_rules import require_startable
from django_wfe.engine.runs.opening import announce, choose_first_opening, get_deadline
from django_wfe.engine.store import statements
from django_wfe.engine.store.claims import Claim
from django_wfe.engine.store.prepared import Statement, fetch_row
from django_wfe.engine.store.transactions import atomic, fetch_committed_row
from django_wfe.engine.worker.heartbeat import get_worker
from django_wfe.engine.worker.loop import run_slice
from django_wfe.exceptions import InputNotAsked, InvalidWorkflow, PermissionRequired, WFEException, WorkflowDeleted
from django_wfe.models import Definition, Job, JobEvent, StepRunState, Workflow
from django_wfe.models.workflows import load_graph
from django_wfe.steps import dotted_path
from django_wfe.values.encoding import dump
from django_wfe.values.identifiers import make_uuid
from django_wfe.values.sealing import cover_sealed
from django_wfe.values.sentences import gettext as _
from django_wfe.workflows import Workflow as WorkflowClass

MAX_KEY_LENGTH = 255
COLUMNS = statements.WORKFLOW_COLUMNS


@dataclass(frozen=True, slots=True)
class Started:
    """A started Job.

    ``created`` is False if its key was known, and ``step_run_id``, its first step run, is None then; ``claim`` is
    given where it is to run here.
    """

    job_id: int
    created: bool
    claim: Claim | None = None
    step_run_id: int | None = None


def start_job(
    workflow: Any,
    *,
    key: str | None = None,
    created_by: Any = None,
    job_input: Any = NOT_GIVEN,
    first_input: Any = NOT_GIVEN,
    actor: Any = None,
    source: str = JobEvent.Source.PYTHON,
    run_here: bool = False,
) -> Started:
    """Insert a Job, its finished start and its first step run in one transaction; send the message after it.

    A start with a known ``key`` and the same ``job_input`` gives the first Job.

    Args:
        workflow: the id or row of a Workflow, a Workflow class, or its dotted path.
        key: a text of at most 255 characters; a second start of this workflow with it gives the first Job.
        created_by: the user that the Job is kept under. Default: ``actor``.
        job_input: what the workflow's ``InputSchema`` asks for: a dict or a model. Default: no field is given.
        first_input: what the first step asks for. It is validated before anything is started, and committed with the
            Job, which never waits for it. Where ``key`` is known it is not looked at. Default: the Job asks for it.
        actor: the user who is asked for the permission ``add_job`` or ``run_workflow``, and with ``first_input`` for
            ``provide_input_job`` as well. Default None: trusted code.
        run_here: claim the first step run for this process in place of sending a message.

    Raises:
        UnknownWorkflow, WorkflowDeleted, InvalidWorkflow: if no Job can be started of it.
        PermissionRequired: if ``actor`` may not.
        pydantic.ValidationError, NotEncodable: ``job_input`` or ``first_input`` does not fit, or cannot be kept as
            JSON.
        OtherInput: a Job was started with this ``key`` and another ``job_input``.
        InputNotAsked: there is a ``job_input`` or ``first_input``, and the workflow or its first step asks for none.
        CodeNotLoaded: this process lacks the code that validates it.
    """
    row = find_workflow(workflow, actor)
    require_permission(actor, START_JOBS)
    brings_input = first_input is not NOT_GIVEN
    if brings_input:
        require_permission(actor, PROVIDE_INPUT)
    if key is not None and not (isinstance(key, str) and 0 < len(key) <= MAX_KEY_LENGTH and is_storable(key)):
        raise ValueError(
            _("key=%(key)r: use a text of 1 to %(longest)s characters, without NUL or lone surrogates.")
            % {"key": key, "longest": MAX_KEY_LENGTH}
        )
    try:
        definition_id = _choose_definition(workflow, row)
    except (WorkflowDeleted, InvalidWorkflow):
        # A call that is repeated is told what the first one was, though no new Job could start today.
        known = _find_started(row, key)
        if known is None:
            raise
        return _return_known(known, row, actor)
    given = read_given_input(row.path, definition_id, job_input)
    node = load_graph(definition_id).first
    encoded = worker = None
    if brings_input:
        known = _find_started(row, key)
        if known is not None:
            return _return_known(known, row, actor, key, given)
    try:
        encoded_job_input = given.encode() if given is not None else None
    except (ValidationError, WFEException):
        # What fitted when it was given first need not fit today: a validator may look at the world.
        known = _find_started(row, key)
        if known is None:
            raise
        return _return_known(known, row, actor, key, given)
    if brings_input:
        encoded = _encode_first_input(row, node.path, first_input)
    user = created_by if created_by is not None else actor
    if actor is not None:
        require_allowed(actor, START_VERB, START_JOBS, build_candidate(row, key, user))
    opening = choose_first_opening(node, is_answered=brings_input, is_claimed=run_here and not row.paused)
    if opening.run_state is StepRunState.RUNNING:
        worker = get_worker()
        worker.enlist()
    job_uuid = make_uuid()
    parameters = {
        "uuid": job_uuid,
        "workflow_id": row.pk,
        "definition_id": definition_id,
        "job_state": opening.job_state.value,
        "step": node.path,
        "key": key,
        "created_by_id": key_actor(user),
        "start": START,
        "run_state": opening.run_state.value,
        "worker_id": worker.id if worker else None,
        "epoch": 1 if worker else 0,
        "actor_name": name_actor(user),
        "source": str(source),
        "job_input": encoded_job_input,
        "event_data": dump({DIGESTS: given.digest()}) if given is not None else "{}",
    }
    if brings_input:
        inserted = fetch_committed_row(statements.START_ANSWERED, {**parameters, "external_data": encoded})
    elif node.input_within is None:
        inserted = fetch_committed_row(statements.START, parameters)
    else:
        parameters["input_within"] = get_deadline(node)
        inserted = fetch_committed_row(statements.START_WITH_DEADLINE, parameters)
    if inserted is None:
        known = Job.objects.values_list("pk", flat=True).get(workflow=row, key=key)
        return _return_known(known, row, actor, key, given)
    job_id, step_run_id = inserted
    notify_job_started(job_id)
    claim = None
    if worker is not None:
        claim = Claim(
            step_run_id=step_run_id,
            job_id=job_id,
            job_uuid=job_uuid,
            workflow_name=row.name,
            workflow_path=row.path,
            definition_id=definition_id,
            number=1,
            attempt=1,
            epoch=1,
            step=node.path,
            value=cover_sealed(json.loads(encoded_job_input)) if encoded_job_input is not None else None,
            external_data=json.loads(encoded) if encoded is not None else None,
            worker_id=worker.id,
        )
    else:
        announce(step_run_id, opening.run_state)
    return Started(job_id, created=True, claim=claim, step_run_id=step_run_id)


def run_job_here(started: Started) -> None:
    """Run a Job that was started with ``run_here``, until it ends or waits."""
    if started.claim is not None:
        run_slice(started.claim, get_worker(), until=None)


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


def _choose_definition(asked: Any, row: Workflow) -> int:
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


def _find_started(row: Workflow, key: str | None) -> int | None:
    """Return the Job that was started with this key: a repeated call must find it whatever it would be told today."""
    if key is None:
        return None
    return Job.objects.filter(workflow=row, key=key).values_list("pk", flat=True).first()


def build_candidate(row: Workflow, key: str | None, created_by: Any) -> Job:
    """Return the Job that is about to be started, not saved, for the project's policy to look at."""
    return Job(workflow=row, key=key, created_by_id=key_actor(created_by))


def _return_known(
    job_id: int, row: Workflow, actor: Any, key: str | None = None, given: GivenInput | None = None
) -> Started:
    """Return the Job that was started with the same key before.

    Raises:
        OtherInput: it was started with other input than is given now.
        PermissionRequired: it is out of the actor's sight.
    """
    if not is_job_in_sight(actor, Job(pk=job_id, workflow=row)):
        raise PermissionRequired(
            _("The key belongs to a job that %(actor)s may not see. Use another key.") % {"actor": name_actor(actor)},
            permission="django_wfe.view_job",
        )
    require_same_input(job_id, key, given)
    return Started(job_id, created=False)


def _encode_first_input(row: Workflow, step: str, first_input: Any) -> str:
    """Validate what was given for the first step, by the code that will read it, and return it as JSON text."""
    step_class = load_node(step)
    if not has_input(step_class):
        raise InputNotAsked(
            _(
                "%(workflow)s cannot start with first_input: its first step, %(step)s, asks for no input. "
                "Leave first_input out, or give the step a UserInputSchema with a field."
            )
            % {"workflow": row.path, "step": step}
        )
    return encode_input(step_class.UserInputSchema, first_input, _("the input for %(step)s") % {"step": step})


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
