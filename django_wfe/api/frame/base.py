"""What all views share: authentication, permissions, ids, errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, NoReturn

from django.db.models import Model
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound
from rest_framework.parsers import BaseParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from django_wfe.api.frame.errors import handle_exception
from django_wfe.api.frame.parsers import BoundedJSONParser
from django_wfe.api.frame.permissions import HoldsPermission
from django_wfe.engine.access import has_permission, list_visible, list_visible_jobs
from django_wfe.exceptions import UnknownJob
from django_wfe.models import Job, Step, Workflow
from django_wfe.values.identifiers import parse_id

_ADDRESSED: Mapping[str, tuple[type[Model], str]] = {
    "job_id": (Job, "django_wfe.view_job"),
    "step_id": (Step, "django_wfe.view_step"),
    "workflow_id": (Workflow, "django_wfe.view_workflow"),
}
"""What the ids in addresses are of, and the permission that shows which of them there are."""


class WFEView(APIView):
    """A view that asks for an authenticated user and the permissions that it names.

    Authentication, throttles and renderers are those of the project's ``REST_FRAMEWORK`` setting. Permissions, errors
    and parsers are not: a project whose own API is open to everybody does not open this one by that.

    Attributes:
        permissions: the permissions that each method needs, all of them.
    """

    permissions: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    permission_classes = (IsAuthenticated, HoldsPermission)
    parser_classes: Sequence[type[BaseParser]] = (BoundedJSONParser,)
    # The project's versions are those of its own API.
    versioning_class = None

    def list_permissions(self) -> Iterable[str]:
        """Return every permission that some method of this view needs."""
        return {permission for needed in self.permissions.values() for permission in needed}

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response | None]:
        """Return the handler of this API, whichever the project has for its own."""
        return handle_exception

    def permission_denied(self, request: Request, message: str | None = None, code: str | None = None) -> NoReturn:
        """Refuse the call; about what the user does not even see, as one about what there is not.

        Raises:
            NotFound: the user may see rows of this kind, and none of the id in the address.
        """
        for name, text in self.kwargs.items():
            model, permission = _ADDRESSED.get(name, (None, ""))
            # No user stands for trusted code in the engine, and here for nobody.
            if model is not None and request.user is not None and has_permission(request.user, permission):
                pk = parse_id(text)
                if pk is None or not list_visible(model, request.user).filter(pk=pk).exists():
                    raise NotFound
        super().permission_denied(request, message, code)

    def get_visible_job(self, job_id: str) -> Job:
        """Return the job of the id in the address.

        Raises:
            UnknownJob: if the user sees none of this id.
        """
        job = list_visible_jobs(self.request.user).select_related("workflow").filter(pk=parse_job_id(job_id)).first()
        if job is None:
            raise UnknownJob(_("There is no job %(id)s.") % {"id": job_id})
        return job


def parse_job_id(text: str) -> int:
    """Read a job's id.

    Raises:
        UnknownJob: if the text cannot be one.
    """
    number = parse_id(text)
    if number is None:
        raise UnknownJob(_("There is no job %(id)s.") % {"id": repr(text[:40])})
    return number


def parse_row_id(text: str) -> int:
    """Read the id of a workflow or step.

    Raises:
        Http404: if the text cannot be one.
    """
    number = parse_id(text)
    if number is None:
        raise Http404(_("%(id)s is not an id.") % {"id": repr(text[:40])})
    return number
