"""One verb over many jobs: preview, start, follow, stop. The workers do it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from django_wfe.api.definitions import FORBIDDEN, NOT_FOUND
from django_wfe.api.frame.base import WFEView, parse_row_id
from django_wfe.api.frame.pagination import BulkPagination
from django_wfe.api.frame.parsers import FORM_PARSERS
from django_wfe.api.shapes.bodies import ReasonBody
from django_wfe.api.shapes.bulk_bodies import (
    BulkBody,
    BulkPageSerializer,
    BulkPreviewSerializer,
    BulkResultSerializer,
    BulkRunSerializer,
)
from django_wfe.api.shapes.schema import Answer, Parameter, describe
from django_wfe.api.shapes.serializers import FieldProblemsSerializer, WrongStateSerializer
from django_wfe.engine.access import (
    list_visible_bulk_items,
    list_visible_bulk_runs,
    list_visible_jobs,
    require_permission,
)
from django_wfe.engine.lifecycle import VERBS, Source, preview_bulk, start_bulk, stop_bulk
from django_wfe.engine.queries.bulk_progress import count_progress
from django_wfe.engine.queries.incidents import jobs_of_incident
from django_wfe.exceptions import UnknownBulkRun
from django_wfe.models import BulkRun, Job

BULK_ID = Parameter("bulk_id", "The bulk run's id.", int, in_path=True)
MISSING_NAMED = 10


class BulkView(WFEView):
    """Bulk runs. Starting and stopping one needs the permission of its verb besides."""

    permissions = {"GET": ("django_wfe.view_job",), "POST": ("django_wfe.view_job",)}

    def get_bulk(self, bulk_id: str) -> BulkRun:
        """Return the bulk run of the id in the address.

        Raises:
            UnknownBulkRun: the user sees none of this id.
        """
        bulk = list_visible_bulk_runs(self.request.user).filter(pk=parse_row_id(bulk_id)).first()
        if bulk is None:
            raise UnknownBulkRun(_("There is no bulk run %(id)s.") % {"id": bulk_id})
        return bulk


class BulkListView(BulkView):
    """Starting bulk runs."""

    permissions = {"POST": ("django_wfe.view_job",)}

    @describe(
        "start_bulk",
        "Apply a verb to many jobs",
        answers={
            200: Answer("With preview: what would happen.", BulkPreviewSerializer),
            201: Answer("The bulk run; the workers are at it.", BulkRunSerializer),
            400: Answer("The body is not valid.", FieldProblemsSerializer),
            403: FORBIDDEN,
        },
        body=BulkBody,
        tag="bulk",
    )
    def post(self, request: Request) -> Response:
        """Fix a list of jobs and have the workers apply the verb to each, oldest first; or say what that would do."""
        body = BulkBody(data=request.data)
        body.is_valid(raise_exception=True)
        asked = body.validated_data
        require_permission(request.user, VERBS[asked["verb"]].permission)
        jobs = choose_jobs(request, asked)
        if asked["preview"]:
            foreseen = preview_bulk(asked["verb"], jobs, expected_state=asked["options"].get("expected_state"))
            return Response(BulkPreviewSerializer(asdict(foreseen)).data)
        bulk = start_bulk(
            asked["verb"],
            jobs,
            options=asked["options"],
            actor=request.user,
            source=Source.REST,
            reason=asked.get("reason", ""),
            stop_on_fingerprint=asked.get("stop_on_fingerprint", ""),
            stop_on_failure=asked["stop_on_failure"],
        )
        return Response(describe_bulk(bulk, request.user), status=status.HTTP_201_CREATED)


class BulkDetailView(BulkView):
    """One bulk run."""

    permissions = {"GET": ("django_wfe.view_job",)}
    pagination_class = BulkPagination

    @describe(
        "get_bulk",
        "See how far a bulk run is",
        answers={
            200: Answer("The bulk run, and one page of results.", BulkPageSerializer),
            403: FORBIDDEN,
            404: NOT_FOUND,
        },
        parameters=[
            BULK_ID,
            Parameter("page_size", "How many results a page holds: 50 by default, at most 100.", int),
            Parameter("cursor", "Where the page begins: take it from next and previous."),
        ],
        tag="bulk",
    )
    def get(self, request: Request, bulk_id: str) -> Response:
        """How far it is, and what came of each job, a page at a time. Those of others need ``view_bulkrun``."""
        bulk = self.get_bulk(bulk_id)
        paginator = self.pagination_class()
        items = list_visible_bulk_items(request.user, bulk)
        page = paginator.paginate_queryset(items, request, view=self) or []
        results = paginator.get_paginated_response(BulkResultSerializer(page, many=True).data).data
        return Response({**describe_bulk(bulk, request.user), **results})


class BulkStopView(BulkView):
    """Stopping a bulk run."""

    permissions = {"POST": ("django_wfe.view_job",)}
    parser_classes = FORM_PARSERS

    @describe(
        "stop_bulk",
        "Stop a bulk run",
        answers={
            200: Answer("Stopped.", BulkRunSerializer),
            400: Answer("The body is not valid.", FieldProblemsSerializer),
            403: FORBIDDEN,
            404: NOT_FOUND,
            409: Answer("It has ended already.", WrongStateSerializer),
        },
        body=ReasonBody,
        parameters=[BULK_ID],
        tag="bulk",
    )
    def post(self, request: Request, bulk_id: str) -> Response:
        """Stop after the job that it is at. What is done stays done."""
        bulk = self.get_bulk(bulk_id)
        body = ReasonBody(data=request.data)
        body.is_valid(raise_exception=True)
        reason = body.validated_data.get("reason", "")
        stop_bulk(bulk.pk, actor=request.user, source=Source.REST, reason=reason)
        return Response(describe_bulk(self.get_bulk(bulk_id), request.user))


def choose_jobs(request: Request, asked: Mapping[str, Any]) -> QuerySet[Job]:
    """Return the jobs that a body names, among those that the user may see.

    Raises:
        ValidationError: for the id of a job that there is not.
    """
    jobs = list_visible_jobs(request.user)
    if "jobs" in asked:
        ids = set(asked["jobs"])
        missing = sorted(ids - set(jobs.filter(pk__in=ids).values_list("pk", flat=True)))
        if missing:
            named = [_("There is no job %(id)s.") % {"id": number} for number in missing[:MISSING_NAMED]]
            raise ValidationError({"jobs": named})
        return jobs.filter(pk__in=ids)
    chosen = asked["filter"]
    if chosen.get("incident"):
        jobs = jobs & jobs_of_incident(chosen["incident"])
    if chosen.get("state"):
        jobs = jobs.filter(state__in=chosen["state"])
    if chosen.get("workflow"):
        jobs = jobs.filter(workflow_id__in=chosen["workflow"])
    for name in ("attribute", "subject"):
        if name in chosen:
            jobs = chosen[name].narrow_jobs(jobs)
    return jobs


def describe_bulk(bulk: BulkRun, user: Any) -> dict[str, Any]:
    """Return a bulk run and how far it is, as far as the user sees its jobs."""
    return dict(BulkRunSerializer(bulk, context={"progress": count_progress(bulk, user)}).data)
