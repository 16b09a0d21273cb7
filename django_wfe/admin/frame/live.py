"""Pages that refresh themselves: what a page says about it, and how its requests for news are told from others.

A live page is asked again at its own address, by the poller of "django_wfe/console/live.html". The answer is the page
without the admin's frame; htmx puts the parts marked ``data-live-part`` in place. So a fragment has the page's rights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django import forms
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import patch_vary_headers
from django_htmx.http import HTMX_STOP_POLLING, trigger_client_event

FRAME = "admin/base_site.html"
FRAGMENT_FRAME = "django_wfe/console/fragment.html"

STATE_EVENT = "wfe:state"
"""The event in each fragment's header. An answer without it, such as a login page, is none of ours."""

POLLER = "wfe-live"
TAIL_PREFIX = "wfe-tail-"


def _list_scripts(*paths: str) -> list[Any]:
    # The stubs know only paths here.
    return [forms.Script(path, defer=True) for path in paths]


LIVE_MEDIA = forms.Media(
    js=_list_scripts("django_wfe/vendor/htmx.min.js", "django_wfe/keep.js", "django_wfe/tail.js", "django_wfe/live.js")
)
# After keep.js, which looks at the page as it came.
DIAGRAM_MEDIA = forms.Media(js=_list_scripts("django_wfe/diagram.js"))


@dataclass(frozen=True, slots=True)
class Live:
    """How a page refreshes itself.

    Attributes:
        seconds: until the first look, each later one a little later; 0 where nothing on the page changes any more.
        state: when it changes, ``words`` are spoken to those who hear the page.
    """

    seconds: int
    state: str = ""
    words: Any = ""


def is_fragment_request(request: HttpRequest) -> bool:
    """Return whether a request comes from a live page (its poller, or the tail of a log) and wants only the news."""
    asker = request.headers.get("HX-Trigger", "")
    return request.headers.get("HX-Request") == "true" and (asker == POLLER or asker.startswith(TAIL_PREFIX))


def finish_fragment(response: HttpResponse, live: Live) -> HttpResponse:
    """Mark a response as a fragment: with the page's state and pace, and 286 where it was the last."""
    response["Cache-Control"] = "no-store"
    news = {"state": live.state, "words": str(live.words), "seconds": live.seconds}
    trigger_client_event(response, STATE_EVENT, news)
    if not live.seconds:
        response.status_code = HTMX_STOP_POLLING
    return response


def vary_on_fragments(response: HttpResponse) -> None:
    """Have caches keep page and fragment apart, which share one address."""
    patch_vary_headers(response, ["HX-Request", "HX-Trigger"])


def refuse_lost_sessions(view: Callable[..., HttpResponseBase], site: AdminSite) -> Callable[..., HttpResponseBase]:
    """Answer 401 to a live page whose user is signed in no more, where the site would lead to its login page."""

    @wraps(view)
    def guard(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if is_fragment_request(request) and not site.has_permission(request):
            return HttpResponse(status=401)
        return view(request, *args, **kwargs)

    return guard
