"""Starts Jobs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import DatabaseError, InterfaceError
from pydantic import ValidationError

from django_wfe.definition.graph import START, has_input
from django_wfe.definition.texts import is_storable
from django_wfe.engine.access import (
    PROVIDE_INPUT,
    START_JOBS,
    START_VERB,
    is_job_in_sight,
    key_actor,
    name_actor,
    require_allowed,
    require_permission,
)
from django_wfe.engine.delivery.signal_sending import notify_job_started
from django_wfe.engine.inputs.job_attributes import describe_job
from django_wfe.engine.inputs.job_input import DIGESTS, GivenInput, read_given_input, require_same_input
from django_wfe.engine.inputs.validation import NOT_GIVEN, encode_input
from django_wfe.engine.isolation.job_context import capture_context
from django_wfe.engine.large_values.keeping import fetch_row_and_hold, keep_value, refers_to_file
from django_wfe.engine.operations.workflow_lookup import choose_definition, find_workflow, recall_workflow
from django_wfe.engine.project_code.classes import load_node
from django_wfe.engine.runs.opening import announce, choose_first_opening, get_deadline
from django_wfe.engine.store.claims import Claim
from django_wfe.engine.store.start_statements import Opening, build_start
from django_wfe.engine.store.transactions import ATTEMPTS, fetch_committed_row
from django_wfe.engine.worker.heartbeat import get_worker
from django_wfe.engine.worker.loop import run_slice
from django_wfe.exceptions import (
    InputNotAsked,
    InvalidWorkflow,
    PermissionRequired,
    WFEException,
    WorkflowDeleted,
    WrongState,
)
from django_wfe.models import Job, JobEvent, StepRunState, Workflow
from django_wfe.models.workflows import load_graph
from django_wfe.values.encoding import dump
from django_wfe.values.identifiers import make_uuid
from django_wfe.values.sealing import cover_sealed
from django_wfe.values.sentences import gettext as _

MAX_KEY_LENGTH = 255


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
            JSON; the job cannot be found by an attribute or subject.
        OtherInput: a Job was started with this ``key`` and another ``job_input``.
        InputCheckFailed: a validator, or what the workflow says that the job is found by, raised something else.
        InputNotAsked: there is a ``job_input`` or ``first_input``, and the workflow or its first step asks for none.
        CodeNotLoaded: this process lacks the code that validates it.
        LargeValueUnavailable: the storage of large values does not take the input.
        ContextFailed: ``WFE_CONTEXT`` could not say what surrounds the start.
    """
    start = partial(
        _start,
        workflow,
        key=key,
        created_by=created_by,
        job_input=job_input,
        first_input=first_input,
        actor=actor,
        source=source,
        run_here=run_here,
    )
    recalled = recall_workflow(workflow, actor)
    if recalled is not None:
        try:
            return start(recalled)
        except _WorkflowChanged:
            pass
        except (DatabaseError, InterfaceError):
            raise
        except Exception:
            # Whatever it is may come of a row that is out of date: the definition that it names may be gone.
            if find_workflow(workflow, actor).row_version == recalled.row_version:
                raise
    for _attempt in range(ATTEMPTS):
        try:
            return start(find_workflow(workflow, actor))
        except _WorkflowChanged:
            pass  # it was written again while this start was prepared
    raise WrongState(_("The workflow changes all the time; no job was started. Try again."))


class _WorkflowChanged(Exception):
    """The row of the Workflow is no longer what the start was prepared for."""


def _start(
    workflow: Any,
    row: Workflow,
    *,
    key: str | None,
    created_by: Any,
    job_input: Any,
    first_input: Any,
    actor: Any,
    source: str,
    run_here: bool,
) -> Started:
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
        definition_id = choose_definition(workflow, row)
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
        attributes = describe_job(row, workflow, given.model if given is not None else None)
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
    context = capture_context()
    opening = choose_first_opening(node, is_answered=brings_input, is_claimed=run_here and not row.paused)
    if opening.run_state is StepRunState.RUNNING:
        worker = get_worker()
        worker.enlist()
    kept_job_input = keep_value(encoded_job_input) if encoded_job_input is not None else None
    kept = keep_value(encoded) if encoded is not None else None
    job_uuid = make_uuid()
    parameters = {
        "uuid": job_uuid,
        "workflow_id": row.pk,
        "version": row.row_version,
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
        "job_input": kept_job_input,
        "event_data": dump({DIGESTS: given.digest()}) if given is not None else "{}",
    }
    way: Opening = "plain"
    if brings_input:
        way, parameters["external_data"] = "answered", kept
    elif node.input_within is not None:
        way, parameters["input_within"] = "with_deadline", get_deadline(node)
    if attributes is not None:
        parameters["attributes"] = dump(attributes)
    if context is not None:
        parameters["context"] = context
    statement = build_start(way, has_attributes=attributes is not None, has_context=context is not None)
    if refers_to_file(kept_job_input) or refers_to_file(kept):
        inserted = fetch_row_and_hold(statement, parameters, kept_job_input, kept)
    else:
        inserted = fetch_committed_row(statement, parameters)
    if inserted is None:
        known = _find_started(row, key)
        if known is None:
            raise _WorkflowChanged
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
            context=json.loads(context) if context is not None else None,
        )
    else:
        announce(step_run_id, opening.run_state)
    return Started(job_id, created=True, claim=claim, step_run_id=step_run_id)


def run_job_here(started: Started) -> None:
    """Run a Job that was started with ``run_here``, until it ends or waits."""
    if started.claim is not None:
        run_slice(started.claim, get_worker(), until=None)


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
