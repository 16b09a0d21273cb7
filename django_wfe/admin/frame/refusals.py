"""The page that says why a request is refused, in the admin's look, with the way back."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseNotAllowed
from django.utils.log import log_response
from django.utils.translation import gettext as _

from django_wfe.admin.frame.live import is_fragment_request
from django_wfe.admin.frame.responses import ConsoleResponse

REFUSED_TEMPLATE = "django_wfe/console/refused.html"


def show_refusals(view: Callable[..., HttpResponseBase], site: AdminSite) -> Callable[..., HttpResponseBase]:
    """Answer 403, 404 and 405 with a page of the console.

    The news for a live page stay bare, and so is what is refused to those who may not use the admin at all.
    """

    @wraps(view)
    def guard(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response = view(request, *args, **kwargs)
        except PermissionDenied as error:
            if not _shows_page(request, site):
                raise
            text = _("You do not have the permission for this page, or for what you asked it to do.")
            return _refuse(request, site, 403, _("Not permitted"), str(error) or text, error)
        except Http404 as error:
            if not _shows_page(request, site):
                raise
            text = str(error) if error.args and isinstance(error.args[0], str) else ""
            return _refuse(request, site, 404, _("Not found"), text or _("There is no such page."), error)
        if isinstance(response, HttpResponseNotAllowed) and _shows_page(request, site):
            allowed = response.headers["Allow"]
            text = _("This page does not take the method %(method)s.") % {"method": (request.method or "")[:20]}
            response = _refuse(request, site, 405, _("Not possible here"), text)
            response.headers["Allow"] = allowed
        return response

    return guard


def _shows_page(request: HttpRequest, site: AdminSite) -> bool:
    return site.has_permission(request) and not is_fragment_request(request)


def _refuse(
    request: HttpRequest, site: AdminSite, status: int, title: str, text: str, error: Exception | None = None
) -> ConsoleResponse:
    request.current_app = site.name
    context = {**site.each_context(request), "title": title, "text": text}
    response = ConsoleResponse(request, REFUSED_TEMPLATE, context, status=status)
    log_response("%s: %s", title, request.path, response=response, request=request, exception=error)
    return response
