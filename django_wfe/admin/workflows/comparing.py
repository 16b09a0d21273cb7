"""Two definitions of a Workflow side by side."""

from __future__ import annotations

from django import forms
from django.http import Http404, HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _

from django_wfe.admin.elements.drawing import draw_look
from django_wfe.admin.frame.base import ConsoleAdmin, Crumb, refuse_other_methods
from django_wfe.admin.frame.live import DIAGRAM_MEDIA
from django_wfe.models import Definition, Workflow
from django_wfe.rendering.diagram.compare import compare_graphs
from django_wfe.rendering.diagram.compare_drawing import render_comparison
from django_wfe.values.identifiers import parse_id
from django_wfe.values.moments import get_now

DEFINITIONS_OFFERED = 100


def show_comparison(model_admin: ConsoleAdmin[Workflow], request: HttpRequest, workflow_id: int) -> HttpResponseBase:
    """Show what changed from the definition ``?old=`` to ``?new=``; else from the last but one to the current."""
    model_admin.require_view_permission(request)
    refused = refuse_other_methods(request, "GET", "HEAD")
    if refused is not None:
        return refused
    workflow = model_admin.get_queryset(request).filter(pk=workflow_id).first()
    if workflow is None:
        raise Http404(_("There is no workflow with the id %(id)s.") % {"id": workflow_id})
    offered = list(
        Definition.objects.filter(workflow=workflow).defer("graph", "layout").order_by("-pk")[:DEFINITIONS_OFFERED]
    )
    new = _find(workflow, request.GET.get("new", "")) or _find(workflow, str(workflow.current_definition_id or ""))
    old = _find(workflow, request.GET.get("old", ""))
    if old is None and new is not None:
        old = Definition.objects.filter(workflow=workflow, pk__lt=new.pk).order_by("-pk").first()
    difference = old_diagram = new_diagram = None
    if old is not None and new is not None:
        difference = compare_graphs(old.load_graph(), new.load_graph())
        old_diagram, new_diagram = render_comparison(old, new, difference)
    return model_admin.render(
        request,
        "django_wfe/console/compare.html",
        title=_("Compare definitions: %(workflow)s") % {"workflow": workflow},
        crumbs=[model_admin.list_crumb(), Crumb(str(workflow), model_admin.build_object_url(workflow.pk))],
        media=forms.Media(css={"all": ["django_wfe/compare.css"]}) + DIAGRAM_MEDIA,
        workflow=workflow,
        offered=offered,
        old=old,
        new=new,
        difference=difference,
        rows=[(node, draw_look(node.look)) for node in difference.nodes] if difference is not None else [],
        old_diagram=old_diagram,
        new_diagram=new_diagram,
        now=get_now(),
    )


def _find(workflow: Workflow, pk: str) -> Definition | None:
    return Definition.objects.filter(workflow=workflow, pk=parse_id(pk) or 0).first()
