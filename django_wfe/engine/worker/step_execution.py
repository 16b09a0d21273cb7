"""Runs one claimed step run: finds its class, gives it what it asks for, and says what came of it."""

from __future__ import annotations

import inspect
import json
import sys
from contextlib import nullcontext
from datetime import timedelta
from types import CoroutineType

from pydantic import BaseModel, ValidationError

from django_wfe.conf import settings
from django_wfe.definition.graph import has_input
from django_wfe.engine.errors.database_errors import is_connection_broken, is_connection_error
from django_wfe.engine.errors.failures import describe_failure, describe_reason
from django_wfe.engine.errors.tracebacks import list_members, say
from django_wfe.engine.inputs.job_input import load_job_input
from django_wfe.engine.inputs.validation import list_values, load_input
from django_wfe.engine.isolation.contexts import enter_context
from django_wfe.engine.isolation.coroutines import run_coroutine
from django_wfe.engine.isolation.interrupts import ActiveRun, get_run, release_logging_locks
from django_wfe.engine.isolation.job_context import enter, get_job_context, leave
from django_wfe.engine.isolation.sessions import SessionWatch
from django_wfe.engine.isolation.stacks import Place
from django_wfe.engine.large_values.keeping import keep_value
from django_wfe.engine.output.capture import Capture
from django_wfe.engine.project_code.classes import find_refusal, has_refusals, load_node
from django_wfe.engine.runs.edges import choose_edge, find_target
from django_wfe.engine.runs.outcomes import Canceled, Failed, Finished, InputRefused, Lost, Outcome, Parked
from django_wfe.engine.store.claims import Claim
from django_wfe.engine.store.crash_points import Death, cross
from django_wfe.engine.worker.heartbeat import WorkerProcess
from django_wfe.exceptions import (
    CodeNotLoaded,
    ContextFailed,
    Interrupt,
    LargeValueUnavailable,
    StepCanceled,
    UnreadableSecret,
)
from django_wfe.models import Job
from django_wfe.models.workflows import load_graph
from django_wfe.steps import Step, StepContext, plan_execute, plan_transition
from django_wfe.values.attributes import encode_attributes
from django_wfe.values.encoding import encode
from django_wfe.values.sentences import gettext as _
from django_wfe.values.sentences import read_error

CUT_OFF = (KeyboardInterrupt, GeneratorExit, Death)
"""What ends the process, or stands for its end: no failure of the step."""

ENGINE_FRAMES = 3
"""How many frames of a step's traceback are this module's and CallPlan's."""


def perform(claim: Claim, step_class: type[Step], worker: WorkerProcess, capture: Capture) -> Outcome:
    """Run the step of a claim. Never raises what the step raised, except KeyboardInterrupt and its like.

    The thread is afterwards as it was: its database sessions, and all that context variables hold, such as the active
    language, time zone and decimal context.
    """
    watch = SessionWatch(own_transaction=step_class.atomic)
    outcome: Outcome | None = None
    try:
        run_it = _perform if get_job_context() is None else _perform_within
        outcome = enter_context().run(run_it, claim, step_class, worker, capture, watch)
    finally:
        run = watch.run
        was_interrupted = outcome is None or (run is not None and run.asked is not None)
        left_open = watch.finish(interrupted=was_interrupted)
        if run is not None and run.raised is not None:
            _repair(run, worker)
    if left_open and isinstance(outcome, Finished):
        reason = _(
            "The step returned, but %(left_open)s: what it wrote there was rolled back. "
            "Use 'with transaction.atomic():' around it, or atomic = True."
        ) % {"left_open": left_open}
        return Failed(failure=describe_reason(reason, claim.step, "OpenTransaction"))
    return outcome


def _perform_within(
    claim: Claim, step_class: type[Step], worker: WorkerProcess, capture: Capture, watch: SessionWatch
) -> Outcome:
    """Run the step in what surrounded the start of its Job."""
    context = get_job_context()
    assert context is not None  # noqa: S101  (perform has looked)
    try:
        manager = enter(context, claim.context)
        # What it has changed in a session it puts back itself: the session need not be replaced for that.
        watch.forgive()
        try:
            outcome = _perform(claim, step_class, worker, capture, watch)
        except BaseException:
            manager.__exit__(*sys.exc_info())
            raise
        with watch.forgiving():
            leave(context, manager)
    except ContextFailed as error:
        return describe_error(claim, step_class, error.__cause__ or error)
    return outcome


def clean_up(claim: Claim, step: Step) -> None:
    """Let a canceled step clean up after itself. What it raises is logged."""
    watch = SessionWatch(own_transaction=False)
    try:
        enter_context().run(_clean_up_within, claim, step)
    except (*CUT_OFF, Interrupt):
        raise
    except BaseException as error:
        # This function's, the next one's, and that of run_coroutine.
        engine_frames = 3 if inspect.iscoroutinefunction(step.on_cancel) else 2
        failure = describe_failure(error, claim.step, engine_frames=engine_frames)
        step.log.error(
            "on_cancel() of %s raised %s; the job is canceled all the same.\n%s",
            claim.step,
            failure,
            failure.traceback.rstrip(),
        )
    finally:
        watch.finish(interrupted=False)


def _clean_up_within(claim: Claim, step: Step) -> None:
    context = get_job_context()
    with nullcontext() if context is None else context.enter(claim.context):
        called = step.on_cancel()
        if type(called) is CoroutineType:
            run_coroutine(step, called, None)


def _perform(
    claim: Claim, step_class: type[Step], worker: WorkerProcess, capture: Capture, watch: SessionWatch
) -> Outcome:
    model: BaseModel | None = None
    try:
        if has_input(step_class):
            model = load_input(step_class.UserInputSchema, json.dumps(claim.external_data))
        context = StepContext(
            load_job=lambda: Job.objects.select_related("workflow").get(pk=claim.job_id),
            load_job_input=lambda: load_job_input(claim.job_id, claim.workflow_path),
            idempotency_key=claim.build_idempotency_key,
            attempt=claim.attempt,
            external_input_model=model,
            encode_attributes=encode_attributes,
        )
        step = step_class(context)
    except CUT_OFF:
        raise
    except BaseException as error:
        if model is None and has_input(step_class):
            refusal = _refuse_input(claim, error)
            if refusal is not None:
                return refusal
        # The schema's own validators and the step's __init__ may raise anything, as its execute may.
        return describe_error(claim, step_class, error, engine_frames=1)
    with worker.watch(claim, capture, _give_seconds(step_class.timeout)) as active:
        watch.run = active
        try:
            return _run(claim, step, context, active)
        except CUT_OFF:
            raise
        except BaseException as error:
            # A step's code may raise anything; all of it is its failure. sys.exit() must not end the worker, nor a
            # canceled asyncio task leave the run without an end.
            raised = error
            if issubclass(type(error), Interrupt) and get_run(error) not in (None, active):
                # This job was run by a step of another: that one is interrupted.
                raise
            if active.raised is not None and _holds(error, active.raised):
                if isinstance(active.raised, StepCanceled):
                    return Canceled(step=step)
                values = {"step": claim.step, "seconds": f"{_give_seconds(step_class.timeout):g}"}
                raised = TimeoutError(_("%(step)s ran longer than its timeout of %(seconds)s s.") % values)
            elif is_connection_error(error) and is_connection_broken():
                # The database went away under the step: it was interrupted, as if its worker had died.
                return Lost(
                    reason=_("the connection to the database broke in the middle of it (%(error)s)")
                    % {"error": say(error)}
                )
            return describe_error(claim, step_class, raised, engine_frames=ENGINE_FRAMES)


def _refuse_input(claim: Claim, error: BaseException) -> Outcome | None:
    """Return what comes of stored input that cannot be given to the step; None if the schema's own code failed."""
    values = {"step": claim.step, "error": say(error)}
    if issubclass(type(error), ValidationError):
        detail = _("The input given to %(step)s no longer validates; it is asked for again. %(error)s") % values
    elif issubclass(type(error), UnreadableSecret):
        detail = _("The input given to %(step)s cannot be decrypted; it is asked for again. %(error)s") % values
    elif issubclass(type(error), CodeNotLoaded):
        return Parked(reason=read_error(error))
    else:
        return None
    return InputRefused(reason=detail, external_data=claim.given_reference or claim.external_data)


def _holds(error: BaseException, interrupt: Interrupt) -> bool:
    """Return whether an exception is the interrupt, or a group, such as a TaskGroup's, that it is in."""
    return error is interrupt or any(_holds(inner, interrupt) for inner in list_members(error))


def _repair(run: ActiveRun, worker: WorkerProcess) -> None:
    """Repair what an interrupt may have broken; if that cannot be known, have another process take over."""
    place, name = run.find_damage()
    release_logging_locks()
    if place in (Place.HELD, Place.IMPORTING):
        worker.retire(
            f"step run {run.claim.step_run_id} ({run.claim.step}) was interrupted in {name}, which may hold locks"
        )


def describe_error(claim: Claim, step_class: type[Step], error: BaseException, *, engine_frames: int = 0) -> Failed:
    """Return the failure that an exception stands for, with the wait before the next attempt where one may follow."""
    failure = describe_failure(error, claim.step, engine_frames=engine_frames)
    wait = None
    # What a worker's death cut off was not a try of the step's.
    tries = claim.attempt - claim.lost_before
    if step_class.retry is not None and step_class.retry.allows(error, tries):
        wait = step_class.retry.seconds_before(tries + 1)
    return Failed(failure=failure, wait_seconds=wait)


def describe_unavailable(claim: Claim, error: LargeValueUnavailable) -> Outcome:
    """Return what comes of a run whose input is in a storage that does not give it: it waits, if waiting may help."""
    if error.is_lost:
        return Failed(failure=describe_reason(read_error(error), claim.step, "LargeValueUnavailable"))
    return Parked(reason=read_error(error))


def find_step_class(claim: Claim) -> type[Step] | Outcome:
    """Return the class of the claim's node, or the outcome that stands for its absence."""
    if claim.number > settings.max_steps_per_job:
        reason = _(
            "The job has taken %(steps)s steps, the most that WFE_MAX_STEPS_PER_JOB allows. Fix the "
            "loop, or raise the setting and retry."
        ) % {"steps": f"{claim.number - 1:,}"}
        return Failed(failure=describe_reason(reason, claim.step, "TooManySteps"))
    if has_refusals():
        refusal = find_refusal(claim.workflow_path, load_graph(claim.definition_id).fingerprint)
        if refusal:
            return Parked(reason=refusal)
    try:
        return load_node(claim.step)
    except CodeNotLoaded as error:
        return Parked(reason=read_error(error))


def _run(claim: Claim, step: Step, context: StepContext, active: ActiveRun) -> Outcome:
    graph = load_graph(claim.definition_id)
    offered = {"external_input": list_values(context.external_input_model), "logfile": active.capture.logfile}
    step_class = type(step)
    outgoing = graph.list_edges_from(claim.step)
    cross("before execute")
    active.begin(sys._getframe())
    try:
        result = plan_execute(step_class).call(step.execute, claim.value, offered)
        if type(result) is CoroutineType:
            result = run_coroutine(step, result, active)
        # What the next step gets is what the database will give after a crash, so that both are the same.
        encoded = encode(result, lambda: _("the result of %(step)s") % {"step": claim.step})
        value = None if encoded == "null" else json.loads(encoded)
        transition = None
        if outgoing:
            offered["result"] = result
            transition = plan_transition(step_class).call(step.transition, claim.value, offered)
            if type(transition) is CoroutineType:
                transition = run_coroutine(step, transition, active)
    finally:
        active.capture.leave_forked_process()
        active.end()
    cross("after execute")
    encoded = keep_value(encoded)
    attributes = context.attributes
    if not outgoing:
        return Finished(encoded=encoded, value=value, transition=None, next_node=None, attributes=attributes)
    edge = choose_edge(claim.step, transition, outgoing)
    target = find_target(graph, edge)
    return Finished(encoded=encoded, value=value, transition=edge.index, next_node=target, attributes=attributes)


def _give_seconds(timeout: float | timedelta | None) -> float | None:
    return timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
