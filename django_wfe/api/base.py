"""What all views share: authentication, permissions, ids, errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework.parsers import BaseParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from django_wfe.api.errors import handle_exception
from django_wfe.api.parsers import BoundedJSONParser
from django_wfe.api.permissions import HoldsPermission
from django_wfe.engine.rights import list_visible_jobs
from django_wfe.exceptions import UnknownJob
from django_wfe.models import Job

LARGEST_ID = 2**63 - 1


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
        """Give every permission that some method of this view needs."""
        return {permission for needed in self.permissions.values() for permission in needed}

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response | None]:
        """Give the handler of this API, whichever the project has for its own."""
        return handle_exception

    def get_visible_job(self, job_id: str) -> Job:
        """Give the job of the id in the address.

        Raises:
            UnknownJob: where the user sees none of this id.
        """
        job = list_visible_jobs(self.request.user).select_related("workflow").filter(pk=parse_job_id(job_id)).first()
        if job is None:
            raise UnknownJob(_("There is no job %(id)s.") % {"id": job_id})
        return job


def parse_id(text: str) -> int | None:
    """Read an id, or give None for what cannot be one: no decimal digits, or more than a bigint holds."""
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(LARGEST_ID)):
        return None
    number = int(text)
    return number if number <= LARGEST_ID else None


def parse_job_id(text: str) -> int:
    """Read a job's id.

    Raises:
        UnknownJob: where the text cannot be one.
    """
    number = parse_id(text)
    if number is None:
        raise UnknownJob(_("There is no job %(id)s.") % {"id": repr(text[:40])})
    return number


def parse_row_id(text: str) -> int:
    """Read the id of a workflow or step.

    Raises:
        Http404: where the text cannot be one.
    """
    number = parse_id(text)
    if number is None:
        raise Http404(_("%(id)s is no id.") % {"id": repr(text[:40])})
    return number
