"""External input: what is asked, and giving it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from django_wfe.definition.graph import Node, describe_schema, get_description, get_input_within, get_label
from django_wfe.engine.access import ANSWER_VERB, PROVIDE_INPUT, key_actor, name_actor, require_for_job
from django_wfe.engine.inputs.validation import encode_input
from django_wfe.engine.isolation.job_context import in_context_of
from django_wfe.engine.large_values.keeping import fetch_row_and_hold, keep_value, refers_to_file
from django_wfe.engine.project_code.classes import load_node
from django_wfe.engine.rules.explanations import Explanation
from django_wfe.engine.rules.obstacles import find_obstacle
from django_wfe.engine.runs.opening import announce
from django_wfe.engine.store import statements
from django_wfe.engine.store.transactions import fetch_committed_row
from django_wfe.exceptions import CodeNotLoaded, FinishedWorkflow, UnknownJob, WrongState
from django_wfe.models import Job, JobEvent, JobState, StepRun, StepRunState
from django_wfe.models.jobs import name_job_state
from django_wfe.models.workflows import load_graph
from django_wfe.steps import Step, dotted_path
from django_wfe.values.sentences import gettext as _


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """What a Job waits for. If it cannot be answered here, ``schema`` is None and ``obstacle`` says why."""

    step_run: StepRun
    node: Node
    schema: type[BaseModel] | None
    obstacle: Explanation | None = None

    @property
    def load_error(self) -> str:
        """Why it cannot be answered here now, or ""."""
        return self.obstacle.sentence if self.obstacle is not None else ""

    @property
    def label(self) -> str:
        """The step's name for people."""
        return self.node.label

    @property
    def description(self) -> str:
        """The step's docstring."""
        return self.node.description

    @property
    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema of what is asked."""
        return self.node.input_schema or {}


def get_open_question(job: Job) -> OpenQuestion | None:
    """Return what the Job waits for, or None if it waits for no input."""
    step_run = _find_waiting(job.pk)
    if step_run is None:
        return None
    step_run.job = job
    node = load_graph(job.definition_id).get_node(step_run.step)
    if node is None:
        raise WrongState(
            _("Job %(job)s waits at %(step)s, which is not a node of its definition.")
            % {"job": job.pk, "step": step_run.step},
            state=job.state,
        )
    obstacle = find_obstacle(job.definition_id, step_run.step)
    if obstacle is not None:
        return OpenQuestion(step_run, node, None, obstacle)
    step_class = load_node(step_run.step)
    return OpenQuestion(step_run, describe_today(node, step_class), step_class.UserInputSchema)


def provide_external_input(
    job_id: int,
    external_data: Any,
    *,
    actor: Any = None,
    source: str = JobEvent.Source.PYTHON,
    step_run_id: int | None = None,
) -> None:
    """Give a waiting Job what it asks for, and have it go on.

    Args:
        external_data: what validates as the waiting step's ``UserInputSchema``.
        actor: the user whose permission ``provide_input_job`` is asked for. Default None: trusted code.
        step_run_id: the step run that the caller has seen waiting; another one is left alone. Default None: any.

    Raises:
        pydantic.ValidationError: the input does not fit; the Job goes on waiting.
        NotEncodable: the input cannot be kept as JSON; the Job goes on waiting.
        LargeValueUnavailable: the storage of large values does not take it; the Job goes on waiting.
        WrongState: the Job waits for no input, or not any more (of two callers, one wins).
        UnknownJob, CodeNotLoaded, ContextFailed, PermissionRequired: as their names say.
    """
    job = Job.objects.select_related("workflow").filter(pk=job_id).first()
    if job is None:
        raise UnknownJob(_("There is no job %(job)s.") % {"job": job_id})
    require_for_job(actor, ANSWER_VERB, PROVIDE_INPUT, job)
    step_run = _find_waiting(job_id)
    if step_run is None or (step_run_id is not None and step_run.pk != step_run_id):
        raise _describe_wrong_state(job_id)
    obstacle = find_obstacle(job.definition_id, step_run.step)
    if obstacle is not None and obstacle.code == "input_gone":
        raise WrongState(obstacle.sentence, state=job.state)
    if obstacle is not None:
        raise CodeNotLoaded(obstacle.sentence)
    step_class = load_node(step_run.step)
    with in_context_of(job):
        was_given = give_input(step_run, step_class, external_data, actor=actor, source=source)
    if not was_given:
        raise _describe_wrong_state(job_id)


def give_input(step_run: StepRun, step_class: type[Step], external_data: Any, *, actor: Any, source: str) -> bool:
    """Return a step run its input, and have its Job go on. Rights are not looked at.

    Returns:
        Whether it still waited.

    Raises:
        pydantic.ValidationError, NotEncodable: as of ``provide_external_input``.
    """
    encoded = keep_value(
        encode_input(
            step_class.UserInputSchema, external_data, _("the input for %(step)s") % {"step": dotted_path(step_class)}
        )
    )
    parameters = {
        "id": step_run.pk,
        "external_data": encoded,
        "actor_id": key_actor(actor),
        "actor_name": name_actor(actor),
        "source": str(source),
    }
    if refers_to_file(encoded):
        given = fetch_row_and_hold(statements.PROVIDE_INPUT, parameters, encoded, job_id=step_run.job_id)
    else:
        given = fetch_committed_row(statements.PROVIDE_INPUT, parameters)
    if given is None:
        return False
    announce(step_run.pk, StepRunState.READY)
    return True


def _find_waiting(job_id: int) -> StepRun | None:
    waiting = StepRun.objects.filter(job_id=job_id, state=StepRunState.INPUT_REQUIRED)
    return waiting.order_by("number", "attempt").first()


def _describe_wrong_state(job_id: int) -> WrongState:
    state = Job.objects.values_list("state", flat=True).get(pk=job_id)
    values = {"job": job_id, "state": name_job_state(state)}
    if state in (JobState.FINISHED, JobState.CANCELED):
        return FinishedWorkflow(_("Job %(job)s is “%(state)s” and takes no more input.") % values, state=state)
    return WrongState(
        _("Job %(job)s is “%(state)s” and does not wait for this input (or no longer).") % values, state=state
    )


def describe_today(node: Node, step_class: type[Step]) -> Node:
    """Describe what is asked by the code that will validate the answer, which may be newer than the definition."""
    return Node(
        path=node.path,
        name=step_class.__name__,
        kind=node.kind,
        label=get_label(step_class),
        description=get_description(step_class),
        input_schema=describe_schema(step_class.UserInputSchema),
        input_within=get_input_within(step_class),
    )
