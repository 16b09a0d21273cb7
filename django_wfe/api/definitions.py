"""Workflows and steps: what is declared."""

from __future__ import annotations

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from django_wfe.api.frame.base import WFEView, parse_row_id
from django_wfe.api.shapes.schema import Answer, Parameter, describe
from django_wfe.api.shapes.serializers import ProblemSerializer, StepSerializer, WorkflowSerializer
from django_wfe.engine.access import list_visible_steps, list_visible_workflows
from django_wfe.models import Step, Workflow

FORBIDDEN = Answer("Not signed in, or without the permission.", ProblemSerializer)
NOT_FOUND = Answer("There is none of this id.", ProblemSerializer)
WORKFLOW_ID = Parameter("workflow_id", "The workflow's id.", int, in_path=True)
STEP_ID = Parameter("step_id", "The step's id.", int, in_path=True)


class WorkflowView(WFEView):
    """Workflows."""

    permissions = {"GET": ("django_wfe.view_workflow",)}

    def list_workflows(self) -> QuerySet[Workflow]:
        """Return the workflows that are still declared and that the user sees, with their current definitions."""
        return (
            list_visible_workflows(self.request.user)
            .filter(deleted=False)
            .select_related("current_definition")
            .defer("current_definition__layout", "load_error")
        )


class WorkflowListView(WorkflowView):
    """All workflows."""

    @describe(
        "list_workflows",
        "List the workflows",
        answers={200: Answer("The workflows.", WorkflowSerializer(many=True)), 403: FORBIDDEN},
        tag="workflows",
    )
    def get(self, request: Request) -> Response:
        """All workflows that are still declared, by name."""
        return Response(WorkflowSerializer(self.list_workflows(), many=True).data)


class WorkflowDetailView(WorkflowView):
    """One workflow."""

    @describe(
        "get_workflow",
        "Get a workflow",
        answers={200: Answer("The workflow.", WorkflowSerializer), 403: FORBIDDEN, 404: NOT_FOUND},
        parameters=[WORKFLOW_ID],
        tag="workflows",
    )
    def get(self, request: Request, workflow_id: str) -> Response:
        """One workflow that is still declared."""
        workflow = get_object_or_404(self.list_workflows(), pk=parse_row_id(workflow_id))
        return Response(WorkflowSerializer(workflow).data)


class StepView(WFEView):
    """Steps and decisions."""

    permissions = {"GET": ("django_wfe.view_step",)}

    def list_steps(self) -> QuerySet[Step]:
        """Return the steps that are still declared and that the user sees."""
        return list_visible_steps(self.request.user).filter(deleted=False)


class StepListView(StepView):
    """All steps and decisions."""

    @describe(
        "list_steps",
        "List the steps and decisions",
        answers={200: Answer("The steps.", StepSerializer(many=True)), 403: FORBIDDEN},
        tag="steps",
    )
    def get(self, request: Request) -> Response:
        """All steps and decisions that are still declared, by name."""
        return Response(StepSerializer(self.list_steps(), many=True).data)


class StepDetailView(StepView):
    """One step or decision."""

    @describe(
        "get_step",
        "Get a step or decision",
        answers={200: Answer("The step.", StepSerializer), 403: FORBIDDEN, 404: NOT_FOUND},
        parameters=[STEP_ID],
        tag="steps",
    )
    def get(self, request: Request, step_id: str) -> Response:
        """One step or decision that is still declared."""
        return Response(StepSerializer(get_object_or_404(self.list_steps(), pk=parse_row_id(step_id))).data)
