"""Jobs: start, list, look at, read the log."""

from __future__ import annotations

import re
from collections.abc import Sequence

from django.urls import reverse
from django.utils.translation import gettext as _
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from django_wfe.api.definitions import FORBIDDEN
from django_wfe.api.frame.base import WFEView
from django_wfe.api.frame.filters import filter_jobs
from django_wfe.api.frame.pagination import JobPagination
from django_wfe.api.frame.parsers import FORM_PARSERS
from django_wfe.api.frame.renderers import PlainTextRenderer
from django_wfe.api.frame.storage import Place, Storage, load_storages
from django_wfe.api.shapes.bodies import StartBody
from django_wfe.api.shapes.schema import Answer, Parameter, describe
from django_wfe.api.shapes.serializers import (
    FieldProblemsSerializer,
    JobPageSerializer,
    JobSerializer,
    JobStateSerializer,
    OtherInputSerializer,
    ProblemSerializer,
)
from django_wfe.conf import settings
from django_wfe.engine.access import (
    START_JOBS,
    VIEW_DATA,
    VIEW_DATA_VERB,
    list_visible_jobs,
    may_view_data,
    require_for_job,
)
from django_wfe.engine.lifecycle import NOT_GIVEN, Source, start_job
from django_wfe.engine.output.step_logs import read_log_part
from django_wfe.models import Job, JobState

JOB_ID = Parameter("job_id", "The job's id.", int, in_path=True)
NO_JOB = Answer("There is no job of this id.", ProblemSerializer)
AFTER = Parameter("after", "Where to begin, after the step run of this number and attempt: follow next, or Link.")

FOUND_BY = (
    Parameter("attribute", "Only jobs with all of these attributes, such as customer=ACME.", many=True),
    Parameter("subject", "Only jobs about this row of the project, such as shop.Order:17."),
)

_PLACE = re.compile(r"([0-9]{1,9})\.([0-9]{1,9})", re.ASCII)


class JobListView(WFEView):
    """Jobs."""

    permissions = {"GET": ("django_wfe.view_job",), "POST": (START_JOBS,)}
    parser_classes = FORM_PARSERS
    pagination_class = JobPagination

    @describe(
        "list_jobs",
        "List jobs",
        answers={
            200: Answer("One page of jobs.", JobPageSerializer),
            400: Answer("A filter is not valid.", FieldProblemsSerializer),
            403: FORBIDDEN,
            404: Answer("The cursor is not valid.", ProblemSerializer),
        },
        parameters=[
            Parameter("state", "Only jobs in one of these states.", many=True, choices=list(JobState)),
            Parameter("workflow", "Only jobs of one of these workflows, by id.", int, many=True),
            *FOUND_BY,
            Parameter("page_size", "How many jobs a page holds: 50 by default, at most 100.", int),
            Parameter("cursor", "Where the page begins: take it from next and previous."),
        ],
        tag="jobs",
    )
    def get(self, request: Request) -> Response:
        """Jobs, newest first, a page at a time. Follow ``next`` for older ones."""
        paginator = self.pagination_class()
        jobs = filter_jobs(list_visible_jobs(request.user), request.query_params)
        jobs = jobs.select_related("workflow").prefetch_related("attribute_rows")
        page = paginator.paginate_queryset(jobs, request, view=self) or []
        serializer = JobSerializer(page, many=True, context={"storages": load_visible_storages(request, page)})
        return paginator.get_paginated_response(serializer.data)

    @describe(
        "start_job",
        "Start a job",
        answers={
            200: Answer("The key has been seen: the job that it started then.", JobStateSerializer),
            201: Answer("The new job.", JobStateSerializer),
            400: Answer("The body is not valid, or the workflow cannot be started.", FieldProblemsSerializer),
            403: FORBIDDEN,
            409: Answer("The key has been seen, with other input; nothing was started.", OtherInputSerializer),
            422: Answer("input or first_input does not validate; nothing was started.", FieldProblemsSerializer),
            503: Answer(
                "This server cannot import the code that checks it now; nothing was started.", ProblemSerializer
            ),
        },
        body=StartBody,
        tag="jobs",
    )
    def post(self, request: Request) -> Response:
        """Start a job of a workflow. It is committed when this answers; a worker runs it."""
        body = StartBody(data=request.data)
        body.is_valid(raise_exception=True)
        given = body.validated_data
        started = start_job(
            given["workflow_id"],
            key=given.get("key"),
            job_input=given.get("input", NOT_GIVEN),
            first_input=given.get("first_input", NOT_GIVEN),
            actor=request.user,
            source=Source.REST,
        )
        data = JobStateSerializer(Job.objects.get(pk=started.job_id)).data
        return Response(data, status=status.HTTP_201_CREATED if started.created else status.HTTP_200_OK)


class JobDetailView(WFEView):
    """One job."""

    permissions = {"GET": ("django_wfe.view_job",)}

    @describe(
        "get_job",
        "Get a job",
        answers={
            200: Answer("The job.", JobSerializer),
            400: Answer("after is not valid.", FieldProblemsSerializer),
            403: FORBIDDEN,
            404: NO_JOB,
        },
        parameters=[JOB_ID, AFTER],
        tag="jobs",
    )
    def get(self, request: Request, job_id: str) -> Response:
        """One job, with what has run; of a long one, the first part of it. Follow ``storage.next`` for the rest."""
        job = self.get_visible_job(job_id)
        storages = load_visible_storages(request, [job], after=_read_place(request))
        return Response(JobSerializer(job, context={"storages": storages}).data)


class JobLogsView(WFEView):
    """A job's log."""

    permissions = {"GET": ("django_wfe.view_job", VIEW_DATA)}
    renderer_classes = (JSONRenderer,)

    @describe(
        "get_job_logs",
        "Read a job's log",
        answers={200: Answer("The log.", str, "text/plain"), 403: FORBIDDEN, 404: NO_JOB},
        parameters=[JOB_ID, AFTER],
        tag="jobs",
    )
    def get(self, request: Request, job_id: str) -> Response:
        """All that the job's steps printed and logged, as plain text; of a long log, the first part of it.

        Follow the header ``Link`` for the rest. The last line of a part names the same address.
        """
        job = self.get_visible_job(job_id)
        require_for_job(request.user, VIEW_DATA_VERB, VIEW_DATA, job)
        part = read_log_part(job, most_bytes=settings.max_answer_bytes, after=_read_place(request))
        # Steps print what users wrote: no browser may take it for a page.
        response = Response(part.text, headers={"X-Content-Type-Options": "nosniff"})
        if part.rest_after is not None:
            rest = _build_rest_url(request, "job_logs", job.pk, part.rest_after)
            response.data += f"[… {rest}]\n"
            response["Link"] = f'<{rest}>; rel="next"'
        return response

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[BaseRenderer, str]:  # noqa: FBT001, FBT002
        """Answer in text, whatever the client accepts: a log has no other form."""
        return PlainTextRenderer(), PlainTextRenderer.media_type

    def handle_exception(self, exc: Exception) -> Response:
        """Answer errors in JSON as all other calls do."""
        response = super().handle_exception(exc)
        self.request.accepted_renderer = JSONRenderer()
        self.request.accepted_media_type = JSONRenderer.media_type
        return response


def load_visible_storages(request: Request, jobs: Sequence[Job], *, after: Place = (-1, 0)) -> dict[int, Storage]:
    """Return the storages of those of the jobs whose data the user may see, as far as one answer has room for them."""
    parts = load_storages([job.pk for job in jobs if may_view_data(request.user, job)], after=after)
    for job_id, part in parts.items():
        if part.rest_after is not None:
            part.storage["next"] = _build_rest_url(request, "job_detail", job_id, part.rest_after)
    return {job_id: part.storage for job_id, part in parts.items()}


def _build_rest_url(request: Request, name: str, job_id: int, place: Place) -> str:
    view = request.resolver_match
    assert view is not None  # noqa: S101  (a request that has come to a view was resolved)
    path = reverse(f"{view.namespace}:{name}" if view.namespace else name, args=[job_id])
    query = "" if place[0] < 0 else f"?after={place[0]}.{place[1]}"
    return request.build_absolute_uri(f"{path}{query}")


def _read_place(request: Request) -> Place:
    text = request.query_params.get("after", "")
    if not text:
        return (-1, 0)
    found = _PLACE.fullmatch(text)
    if found is None:
        raise ValidationError(
            {"after": [_("%(value)r is not a place in a job. Use the value of next.") % {"value": text[:40]}]}
        )
    return int(found[1]), int(found[2])
