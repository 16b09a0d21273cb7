"""What a waiting job asks for, and giving it."""

from __future__ import annotations

from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from django_wfe.api.definitions import FORBIDDEN
from django_wfe.api.frame.base import WFEView, parse_job_id
from django_wfe.api.jobs import JOB_ID, NO_JOB
from django_wfe.api.shapes.schema import Answer, Parameter, describe
from django_wfe.api.shapes.serializers import (
    FieldProblemsSerializer,
    JobStateSerializer,
    ProblemSerializer,
    QuestionSerializer,
    WrongStateSerializer,
)
from django_wfe.engine.access import PROVIDE_INPUT
from django_wfe.engine.lifecycle import OpenQuestion, Source, get_open_question, provide_external_input
from django_wfe.exceptions import WrongState
from django_wfe.models import Job
from django_wfe.values.identifiers import parse_id

NOTHING_ASKED = Answer("The job asks for nothing now.", WrongStateSerializer)
NO_CODE = Answer("This server cannot import the step's code now; the job goes on waiting.", ProblemSerializer)


class JobInputView(WFEView):
    """The input that a job waits for."""

    permissions = {"GET": ("django_wfe.view_job",), "POST": (PROVIDE_INPUT,)}

    @describe(
        "get_job_input",
        "See what input a job waits for",
        answers={
            200: Answer("What is asked.", QuestionSerializer),
            403: FORBIDDEN,
            404: NO_JOB,
            409: NOTHING_ASKED,
        },
        parameters=[JOB_ID],
        tag="jobs",
    )
    def get(self, request: Request, job_id: str) -> Response:
        """The step that waits, and the JSON Schema of what it wants."""
        question = require_question(self.get_visible_job(job_id))
        data = {
            "step_run": question.step_run.pk,
            "step": question.step_run.step,
            "label": question.label,
            "description": question.description,
            "input_schema": question.json_schema,
            "problem": question.load_error,
        }
        return Response(QuestionSerializer(data).data)

    @describe(
        "provide_job_input",
        "Give the input that a job waits for",
        answers={
            200: Answer("Taken; the job goes on.", JobStateSerializer),
            400: Answer("The body is not JSON.", ProblemSerializer),
            403: FORBIDDEN,
            404: NO_JOB,
            409: NOTHING_ASKED,
            422: Answer("The input does not validate; the job goes on waiting.", FieldProblemsSerializer),
            503: NO_CODE,
        },
        body={"application/json": {"description": "The input itself, as input_schema describes it."}},
        parameters=[
            JOB_ID,
            Parameter("step_run", "Only if this step run is the one that waits; otherwise 409.", int),
        ],
        tag="jobs",
    )
    def post(self, request: Request, job_id: str) -> Response:
        """The body is the input itself. It is validated with pydantic before it counts."""
        number = parse_job_id(job_id)
        provide_external_input(
            number, request.data, actor=request.user, source=Source.REST, step_run_id=_read_step_run_id(request)
        )
        return Response(JobStateSerializer(Job.objects.get(pk=number)).data)


def require_question(job: Job) -> OpenQuestion:
    """Return what the job asks for.

    Raises:
        WrongState: it asks for nothing.
    """
    question = get_open_question(job)
    if question is None:
        raise WrongState(
            _("Job %(id)s is “%(state)s” and asks for no input.") % {"id": job.pk, "state": job.get_state_display()},
            state=job.state,
        )
    return question


def _read_step_run_id(request: Request) -> int | None:
    text = request.query_params.get("step_run", "")
    number = parse_id(text)
    if text and number is None:
        raise ValidationError(
            {"step_run": [_("%(value)r is not the id of a step run. Use a number.") % {"value": text}]}
        )
    return number
