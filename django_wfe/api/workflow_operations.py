"""The operator's verbs for a whole workflow."""

from __future__ import annotations

from django.http import Http404
from rest_framework.request import Request
from rest_framework.response import Response

from django_wfe.api.definitions import FORBIDDEN, NOT_FOUND, WORKFLOW_ID
from django_wfe.api.frame.base import WFEView, parse_row_id
from django_wfe.api.frame.parsers import FORM_PARSERS
from django_wfe.api.shapes.bodies import Body, ReasonBody
from django_wfe.api.shapes.schema import Answer, describe
from django_wfe.api.shapes.serializers import FieldProblemsSerializer, ProblemSerializer, WorkflowStateSerializer
from django_wfe.engine.access import PAUSE_WORKFLOW
from django_wfe.engine.lifecycle import Source, pause_workflow, resume_workflow
from django_wfe.exceptions import UnknownWorkflow
from django_wfe.models import Workflow

ANSWERS = {
    200: Answer("Done; where the workflow stands now.", WorkflowStateSerializer),
    400: Answer("The body is not valid.", FieldProblemsSerializer),
    403: FORBIDDEN,
    404: NOT_FOUND,
    409: Answer("It is in that state already.", ProblemSerializer),
}


class WorkflowPauseView(WFEView):
    """Hold a workflow."""

    permissions = {"POST": (PAUSE_WORKFLOW,)}
    parser_classes = FORM_PARSERS

    @describe(
        "pause_workflow",
        "Hold a workflow",
        answers=ANSWERS,
        body=ReasonBody,
        parameters=[WORKFLOW_ID],
        tag="workflows",
    )
    def post(self, request: Request, workflow_id: str) -> Response:
        """Start nothing new of any of its jobs until it is resumed. Running steps finish."""
        number = parse_row_id(workflow_id)
        body = ReasonBody(data=request.data)
        body.is_valid(raise_exception=True)
        try:
            pause_workflow(number, actor=request.user, source=Source.REST, reason=body.validated_data.get("reason", ""))
        except UnknownWorkflow as error:
            raise Http404(str(error)) from error
        return _answer(number)


class WorkflowResumeView(WFEView):
    """Resume a paused workflow."""

    permissions = {"POST": (PAUSE_WORKFLOW,)}
    parser_classes = FORM_PARSERS

    @describe(
        "resume_workflow",
        "Let a paused workflow go on",
        answers=ANSWERS,
        body=None,
        parameters=[WORKFLOW_ID],
        tag="workflows",
    )
    def post(self, request: Request, workflow_id: str) -> Response:
        """Run what is ready, in the order in which it became so. The body is empty."""
        number = parse_row_id(workflow_id)
        Body(data=request.data).is_valid(raise_exception=True)
        try:
            resume_workflow(number, actor=request.user, source=Source.REST)
        except UnknownWorkflow as error:
            raise Http404(str(error)) from error
        return _answer(number)


def _answer(workflow_id: int) -> Response:
    return Response(WorkflowStateSerializer(Workflow.objects.get(pk=workflow_id)).data)
