"""The verbs for a job: one route, made of each verb's class. Each is one call of the service that the console calls."""

from __future__ import annotations

import inspect
from typing import ClassVar

from pydantic import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from django_wfe.api.definitions import FORBIDDEN
from django_wfe.api.frame.base import WFEView, parse_job_id
from django_wfe.api.frame.parsers import FORM_PARSERS
from django_wfe.api.inputs import NO_CODE
from django_wfe.api.jobs import JOB_ID, NO_JOB
from django_wfe.api.shapes.schema import Answer, describe
from django_wfe.api.shapes.serializers import (
    FieldProblemsSerializer,
    JobStateSerializer,
    ProblemSerializer,
    WrongStateSerializer,
)
from django_wfe.api.shapes.verb_bodies import build_verb_body, name_class
from django_wfe.engine.lifecycle import Source, Verb
from django_wfe.exceptions import CodeNotLoaded, WFEException
from django_wfe.models import Job


class VerbView(WFEView):
    """One verb."""

    verb: ClassVar[Verb]
    parser_classes = FORM_PARSERS

    def apply(self, request: Request, job_id: str) -> Response:
        """Do it, and tell where the job stands then."""
        number = parse_job_id(job_id)
        body = build_verb_body(self.verb)(data=request.data)
        body.is_valid(raise_exception=True)
        self.verb.apply(number, actor=request.user, source=Source.REST, **body.validated_data)
        return Response(JobStateSerializer(Job.objects.get(pk=number)).data)


def build_verb_view(verb: Verb) -> type[VerbView]:
    """Return the view of a verb, described for OpenAPI by the verb's class."""
    name, text = verb.name, inspect.getdoc(type(verb))

    def post(self: VerbView, request: Request, job_id: str) -> Response:
        return self.apply(request, job_id)

    post.__doc__ = text
    described = describe(
        f"{name}_job",
        str(verb.summary or verb.label),
        answers=_list_answers(verb),
        body=build_verb_body(verb),
        parameters=[JOB_ID],
        tag="jobs",
    )(post)
    members = {"verb": verb, "permissions": {"POST": (verb.permission,)}, "post": described, "__doc__": text}
    return type(name_class(verb, "View"), (VerbView,), {**members, "__module__": __name__})


def _list_answers(verb: Verb) -> dict[int, Answer]:
    answers: dict[int, Answer] = {
        200: Answer("Done; where the job stands now.", JobStateSerializer),
        400: Answer("The body is not valid.", FieldProblemsSerializer),
        403: FORBIDDEN,
        404: NO_JOB,
        409: Answer("The job is not in a state that allows this.", WrongStateSerializer),
    }
    is_validated = verb.Options is not None and type(verb).read_options is Verb.read_options
    if is_validated or ValidationError in verb.raises:
        answers[422] = Answer("What is given does not validate.", FieldProblemsSerializer)
    elif any(issubclass(error, WFEException) and error is not CodeNotLoaded for error in verb.raises):
        answers[422] = Answer("What is given cannot be kept or used.", ProblemSerializer)
    if CodeNotLoaded in verb.raises:
        answers[503] = NO_CODE
    return answers
