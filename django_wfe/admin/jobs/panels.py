"""The sections that a project adds to the page of a Job."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from django.db import transaction
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.functional import Promise

from django_wfe.conf import DATABASE
from django_wfe.engine.access import has_permission
from django_wfe.models import Job
from django_wfe.panels import Panel, list_panels

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DrawnPanel:
    """A panel for one Job and reader. ``error`` is the type of what its code raised, "" if all went well."""

    name: str
    title: str | Promise
    html: str = ""
    error: str = ""


def draw_panels(request: HttpRequest, job: Job) -> list[DrawnPanel]:
    """Draw the panels that apply to a Job and that the user may see. One that fails takes no other with it."""
    drawn = [_draw(panel, request, job) for panel in list_panels() if _may_see(panel, request)]
    return [panel for panel in drawn if panel is not None]


def _may_see(panel: Panel, request: HttpRequest) -> bool:
    return not panel.permission or has_permission(request.user, panel.permission)


def _draw(panel: Panel, request: HttpRequest, job: Job) -> DrawnPanel | None:
    try:
        # A query that fails must not leave the transaction of the request unusable.
        with transaction.atomic(using=DATABASE):
            if not panel.applies_to(job):
                return None
            context = {**panel.get_context(job, request.user), "job": job}
            return DrawnPanel(panel.name, panel.title, render_to_string(panel.template_name, context, request))
    except Exception as error:
        # The project's code may raise anything; the page is what an operator needs to look into it.
        logger.exception("The panel %r failed on the page of job %s.", panel.name, job.pk)
        return DrawnPanel(panel.name, panel.title, error=type(error).__name__)
