"""The operator's verbs. Each is one call of the service that the console calls too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from django_wfe.api.definitions import FORBIDDEN
from django_wfe.api.frame.base import WFEView, parse_job_id
from django_wfe.api.frame.parsers import FORM_PARSERS
from django_wfe.api.inputs import NO_CODE
from django_wfe.api.jobs import JOB_ID, NO_JOB
from django_wfe.api.shapes.bodies import Body, OperatorBody, RerunBody, RetryBody, SkipBody
from django_wfe.api.shapes.schema import Answer, Function, describe
from django_wfe.api.shapes.serializers import (
    FieldProblemsSerializer,
    JobStateSerializer,
    ProblemSerializer,
    WrongStateSerializer,
)
from django_wfe.engine.lifecycle import VERBS, Source
from django_wfe.models import Job


class VerbView(WFEView):
    """One verb.

    Attributes:
        verb: its name in ``VERBS``.
        body: what it takes.
    """

    verb: ClassVar[str]
    body: ClassVar[type[Body]] = OperatorBody
    parser_classes = FORM_PARSERS

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.permissions = {"POST": (VERBS[cls.verb].permission,)}

    def apply(self, request: Request, job_id: str) -> Response:
        """Do it, and tell where the job stands then."""
        number = parse_job_id(job_id)
        body = self.body(data=request.data)
        body.is_valid(raise_exception=True)
        VERBS[self.verb].function(number, actor=request.user, source=Source.REST, **body.validated_data)
        return Response(JobStateSerializer(Job.objects.get(pk=number)).data)


def _describe_verb(
    name: str, summary: str, body: type[Body], more_answers: Mapping[int, Answer] | None = None
) -> Callable[[Function], Function]:
    answers: dict[int, Answer] = {
        200: Answer("Done; where the job stands now.", JobStateSerializer),
        400: Answer("The body is not valid.", FieldProblemsSerializer),
        403: FORBIDDEN,
        404: NO_JOB,
        409: Answer("The job is not in a state that allows this.", WrongStateSerializer),
    }
    return describe(
        f"{name}_job", summary, answers={**answers, **(more_answers or {})}, body=body, parameters=[JOB_ID], tag="jobs"
    )


class CancelView(VerbView):
    """End a job."""

    verb = "cancel"

    @_describe_verb("cancel", "End a job", OperatorBody)
    def post(self, request: Request, job_id: str) -> Response:
        """End a job for good. A step that runs is interrupted."""
        return self.apply(request, job_id)


class PauseView(VerbView):
    """Hold a job."""

    verb = "pause"

    @_describe_verb("pause", "Hold a job", OperatorBody)
    def post(self, request: Request, job_id: str) -> Response:
        """Start nothing new of this job until it is resumed."""
        return self.apply(request, job_id)


class ResumeView(VerbView):
    """Let a paused job go on."""

    verb = "resume"

    @_describe_verb("resume", "Let a paused job go on", OperatorBody)
    def post(self, request: Request, job_id: str) -> Response:
        """Go on where the job was when it was paused."""
        return self.apply(request, job_id)


class RetryView(VerbView):
    """Try a failed step again."""

    verb = "retry"
    body = RetryBody

    @_describe_verb(
        "retry",
        "Try the failed step again",
        RetryBody,
        {422: Answer("external_data does not validate.", FieldProblemsSerializer), 503: NO_CODE},
    )
    def post(self, request: Request, job_id: str) -> Response:
        """Open a new attempt at the failed step, with the same input or another."""
        return self.apply(request, job_id)


class SkipView(VerbView):
    """Give a step's result in place of running it."""

    verb = "skip"
    body = SkipBody

    @_describe_verb(
        "skip",
        "Give a step's result in place of running it",
        SkipBody,
        {422: Answer("The result cannot be kept, or transition names no edge.", ProblemSerializer)},
    )
    def post(self, request: Request, job_id: str) -> Response:
        """Take ``result`` as what the step returned, and go on."""
        return self.apply(request, job_id)


class RerunView(VerbView):
    """Run a job again from an earlier step."""

    verb = "rerun"
    body = RerunBody

    @_describe_verb("rerun", "Run a job again from an earlier step", RerunBody)
    def post(self, request: Request, job_id: str) -> Response:
        """Begin again at the step run of this number; what ran after it stays in the history and counts no more."""
        return self.apply(request, job_id)
