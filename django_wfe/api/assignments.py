"""Assigning what waits for input: one question, or all that a person holds."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from django_wfe.api.definitions import FORBIDDEN
from django_wfe.api.frame.base import WFEView, parse_job_id
from django_wfe.api.frame.parsers import FORM_PARSERS
from django_wfe.api.inputs import NOTHING_ASKED, require_question
from django_wfe.api.jobs import JOB_ID, NO_JOB
from django_wfe.api.shapes.assignments import (
    AssignBody,
    AssignmentSerializer,
    HandedOverSerializer,
    HandOverBody,
)
from django_wfe.api.shapes.schema import Answer, describe
from django_wfe.api.shapes.serializers import FieldProblemsSerializer
from django_wfe.engine.access import PROVIDE_INPUT, find_person, is_job_in_sight
from django_wfe.engine.lifecycle import Source, assign_input, assign_to, get_assignment, hand_over
from django_wfe.exceptions import UnknownJob
from django_wfe.models import Job

NOT_VALID = Answer("The body is not valid.", FieldProblemsSerializer)


class JobAssignView(WFEView):
    """The person who holds what a job asks."""

    permissions = {"POST": (PROVIDE_INPUT,)}
    parser_classes = FORM_PARSERS

    @describe(
        "assign_job_input",
        "Assign what a job asks to a person",
        answers={
            200: Answer("Done; who has it now.", AssignmentSerializer),
            400: NOT_VALID,
            403: FORBIDDEN,
            404: NO_JOB,
            409: NOTHING_ASKED,
        },
        body=AssignBody,
        parameters=[JOB_ID],
        tag="jobs",
    )
    def post(self, request: Request, job_id: str) -> Response:
        """Assign the question to a person who may answer it. With ``person`` null it becomes your own."""
        number = parse_job_id(job_id)
        job = Job.objects.select_related("workflow").filter(pk=number).first()
        if job is None or not is_job_in_sight(request.user, job):
            raise UnknownJob(_("There is no job %(id)s.") % {"id": job_id})
        body = AssignBody(data=request.data)
        body.is_valid(raise_exception=True)
        person = _find("person", body.validated_data["person"])
        holder = _find("held_by", body.validated_data.get("held_by"))
        step_run = require_question(job).step_run
        held_by = holder.pk if holder is not None else None
        if person is None:
            assign_input(step_run.pk, request.user, take_over_from=held_by, source=Source.REST)
        else:
            assign_to(step_run.pk, person, request.user, held_by=held_by, source=Source.REST)
        assignment = get_assignment(step_run.pk)
        held = assignment.user.get_username() if assignment is not None and assignment.user is not None else None
        return Response(AssignmentSerializer({"step_run": step_run.pk, "person": held}).data)


class HandOverView(WFEView):
    """All that a person holds."""

    permissions = {"POST": (PROVIDE_INPUT,)}
    parser_classes = FORM_PARSERS

    @describe(
        "hand_over",
        "Hand a person's work over to another",
        answers={200: Answer("Done; how much of it.", HandedOverSerializer), 400: NOT_VALID, 403: FORBIDDEN},
        body=HandOverBody,
        tag="jobs",
    )
    def post(self, request: Request) -> Response:
        """Assign all that one person holds, and you may answer, to another. With ``to`` null it becomes your own."""
        body = HandOverBody(data=request.data)
        body.is_valid(raise_exception=True)
        given = body.validated_data
        holder = _find("from", given["from"])
        person = _find("to", given.get("to")) or request.user
        if holder.pk == person.pk:
            raise ValidationError({"to": [_("They have it already: name somebody else.")]})
        done = hand_over(holder, person, request.user, reason=given.get("reason", ""), source=Source.REST)
        return Response(HandedOverSerializer({"moved": done.moved, "kept": done.kept}).data)


def _find(field: str, name: str | None) -> Any:
    """Return the user of this name; None for None."""
    if name is None:
        return None
    person = find_person(name)
    if person is None:
        raise ValidationError({field: [_("There is no user “%(name)s”.") % {"name": name}]})
    return person
