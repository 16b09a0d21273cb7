"""What an operator can do with a whole Workflow: pause it while something upstream is down, and resume it."""

from __future__ import annotations

from typing import Any

from django.db.models.functions import Now

from django_wfe.engine.access import PAUSE_WORKFLOW, name_actor, require_permission
from django_wfe.engine.delivery.dispatcher import dispatch_on_commit
from django_wfe.engine.store.transactions import atomic
from django_wfe.exceptions import UnknownWorkflow, WrongState
from django_wfe.models import JobEvent, StepRun, StepRunState, Workflow, WorkflowEvent
from django_wfe.values.sentences import gettext as _

FIRST_BATCH = 500
"""How many step runs are dispatched at once when a workflow is resumed; recovery sends the others, oldest first."""


def pause_workflow(
    workflow_id: int, *, actor: Any = None, source: str = JobEvent.Source.PYTHON, reason: str = ""
) -> None:
    """Hold a Workflow: running steps finish, Jobs can be started and given input, and nothing new runs.

    It holds for every claim that begins after this has returned.

    Raises:
        UnknownWorkflow, PermissionRequired: as their names say.
        WrongState: if it is paused already.
    """
    _require(actor, workflow_id)
    with atomic():
        paused = Workflow.objects.filter(pk=workflow_id, paused=False).update(
            paused=True, paused_at=Now(), paused_by=name_actor(actor), pause_reason=reason
        )
        if not paused:
            raise WrongState(_("Workflow %(workflow)s is paused already.") % {"workflow": workflow_id})
        _record(WorkflowEvent.Kind.PAUSED, workflow_id, actor, source, reason)


def resume_workflow(
    workflow_id: int, *, actor: Any = None, source: str = JobEvent.Source.PYTHON, reason: str = ""
) -> None:
    """Let a paused Workflow go on: what is ready runs in the order in which it became so.

    Raises:
        UnknownWorkflow, PermissionRequired: as their names say.
        WrongState: if it is not paused.
    """
    _require(actor, workflow_id)
    with atomic():
        resumed = Workflow.objects.filter(pk=workflow_id, paused=True).update(
            paused=False, paused_at=None, paused_by="", pause_reason=""
        )
        if not resumed:
            raise WrongState(_("Workflow %(workflow)s is not paused.") % {"workflow": workflow_id})
        _record(WorkflowEvent.Kind.RESUMED, workflow_id, actor, source, reason)
        ready = StepRun.objects.filter(state=StepRunState.READY, job__workflow_id=workflow_id)
        dispatch_on_commit(ready.order_by("due_at", "id").values_list("pk", flat=True)[:FIRST_BATCH])


def _record(kind: WorkflowEvent.Kind, workflow_id: int, actor: Any, source: str, reason: str) -> None:
    WorkflowEvent.objects.create(
        kind=kind, workflow_id=workflow_id, actor=actor, actor_name=name_actor(actor), source=source, reason=reason
    )


def _require(actor: Any, workflow_id: int) -> None:
    workflow = Workflow.objects.filter(pk=workflow_id).first()
    if workflow is None:
        raise UnknownWorkflow(_("There is no workflow %(workflow)s.") % {"workflow": workflow_id})
    require_permission(actor, PAUSE_WORKFLOW, workflow)
