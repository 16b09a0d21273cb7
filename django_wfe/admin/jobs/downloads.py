"""The graph as a file to download."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext as _

from django_wfe.admin.frame.base import ConsoleAdmin, refuse_other_methods
from django_wfe.admin.frame.job_lookup import find_job
from django_wfe.admin.jobs.page import RUNS_DRAWN
from django_wfe.models import Definition, Job, StepRun, Workflow
from django_wfe.rendering.diagram.dot import DotFailed
from django_wfe.rendering.diagram.graph_files import GraphFormat, write_graph_file
from django_wfe.rendering.diagram.picture import RUN_FIELDS
from django_wfe.rendering.diagram.standalone import write_job_svg
from django_wfe.values.identifiers import parse_id

FORMATS: dict[GraphFormat, str] = {
    "svg": "image/svg+xml; charset=utf-8",
    "png": "image/png",
    "dot": "text/vnd.graphviz; charset=utf-8",
}


def show_workflow_graph(
    model_admin: ConsoleAdmin[Workflow], request: HttpRequest, workflow_id: str, file_format: str
) -> HttpResponseBase:
    """Give the graph of a workflow's current definition, or of the one that ``?definition=`` names, as a file."""
    model_admin.require_view_permission(request)
    refused = refuse_other_methods(request, "GET", "HEAD")
    if refused is not None:
        return refused
    workflow = model_admin.get_queryset(request).filter(pk=parse_id(workflow_id) or 0).first()
    if workflow is None:
        raise Http404(_("There is no workflow with the id %(id)s.") % {"id": workflow_id})
    wanted = parse_id(request.GET.get("definition", "")) or workflow.current_definition_id or 0
    definition = Definition.objects.filter(workflow=workflow, pk=wanted).first()
    if definition is None:
        raise Http404(_("This workflow has no such definition."))
    name = f"{workflow.name}-{definition}"
    known_format = cast(GraphFormat, file_format)  # the address takes no other
    try:
        return _send(write_graph_file(definition, known_format, name=workflow.path), known_format, name)
    except DotFailed as error:
        messages.error(request, _("The file could not be made: %(reason)s") % {"reason": error})
        return HttpResponseRedirect(model_admin.build_object_url(workflow.pk))


def show_job_graph(model_admin: ConsoleAdmin[Job], request: HttpRequest, job_id: int) -> HttpResponseBase:
    """Give the graph with a Job's state on it as an SVG file."""
    job = find_job(model_admin, request, job_id)
    refused = refuse_other_methods(request, "GET", "HEAD")
    if refused is not None:
        return refused
    runs = StepRun.objects.filter(job=job).order_by("-number", "-attempt").values_list(*RUN_FIELDS, named=True)
    try:
        return _send(write_job_svg(job.definition, runs[:RUNS_DRAWN], job=job).encode(), "svg", str(job))
    except DotFailed as error:
        messages.error(request, _("The file could not be made: %(reason)s") % {"reason": error})
        return HttpResponseRedirect(model_admin.build_object_url(job.pk))


def _send(content: bytes, file_format: GraphFormat, name: str) -> HttpResponse:
    safe_name = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name)
    response = HttpResponse(content, content_type=FORMATS[file_format])
    response["Content-Disposition"] = f'attachment; filename="{safe_name}.{file_format}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
